"""The measured machine under QEMU itself, without libvirt: for streams of its memory, one after the other."""
import base64
import json
import os
import random
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TREE, "tests", "world"), os.path.join(TREE, "tests", "hosts")]
import kernel  # noqa: E402
from checks import Failure, run, wait_for  # noqa: E402
from qmp import Qmp  # noqa: E402

PATH = "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


class Agent:
    """A guest's agent (qemu-guest-agent) at its socket: connects for each question, as nobody else may meanwhile."""

    def __init__(self, path):
        self.path = path

    def ask(self, execute, **arguments):
        """What it answers; None when it does not, or not yet."""
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(30)
            mark = random.randrange(1 << 30)
            try:
                agent.connect(self.path)
                # It answers a mark, so that what others have left half said is told from what is meant for us.
                agent.sendall(b"\xff" + json.dumps({"execute": "guest-sync", "arguments": {"id": mark}}).encode() + b"\n")
                lines = agent.makefile("rb")
                while json.loads(lines.readline().lstrip(b"\xff")).get("return") != mark:
                    pass
                agent.sendall(json.dumps({"execute": execute, "arguments": arguments}).encode() + b"\n")
                said = json.loads(lines.readline())
            except (OSError, json.JSONDecodeError):
                return None
        if "return" not in said:
            raise Failure(f"the guest agent on {execute}: {said}")
        return said["return"]

    def run(self, *command, seconds=1200):
        """A program in the guest, as root; returns what it wrote."""
        started = wait_for(lambda: self.ask("guest-exec", path=command[0], arg=list(command[1:]), env=[PATH],
                                            **{"capture-output": True}), 300, f"the guest agent runs {command[0]}", every=1)

        def ended():
            now = self.ask("guest-exec-status", pid=started["pid"])
            return now if now and now["exited"] else None
        end = wait_for(ended, seconds, f"{command[0]} has ended in the machine", every=0.5)
        out, errors = (base64.b64decode(end.get(key, "")).decode(errors="replace") for key in ("out-data", "err-data"))
        if end.get("exitcode") != 0:
            raise Failure(f"{' '.join(command)} in the machine: {end}\n{out}{errors}")
        return out

    def await_boot(self):
        wait_for(lambda: self.ask("guest-ping") is not None, 400, "the guest agent answers", every=1)
        wait_for(lambda: self.run("/bin/sh", "-c", "systemctl is-system-running || true").strip() in ("running", "degraded"),
                 400, "the guest has started all", every=2)


class BareMachine:
    """Debian from an image, writing to an overlay; ends with this process."""

    def __init__(self, image, work, memory):
        self.work = work
        overlay = os.path.join(work, "overlay.qcow2")
        run("qemu-img", "create", "-q", "-f", "qcow2", "-b", os.path.abspath(image), "-F", "raw", overlay)
        this = os.getpid()
        with open(self._path("qemu.log"), "wb") as log:
            self.process = subprocess.Popen(
                ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35,accel=tcg",
                 "-cpu", "qemu64", "-smp", "1", "-m", str(memory), "-nic", "none",
                 "-drive", f"file={overlay},if=virtio,format=qcow2,cache=unsafe,discard=unmap",
                 "-serial", f"file:{self._path('console')}", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
                 "-chardev", f"socket,id=agent,path={self._path('agent')},server=on,wait=off",
                 "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
                 "-qmp", f"unix:{self._path('qmp')},server=on,wait=off"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=lambda: kernel.die_with_parent(this))
        wait_for(self._is_up, 60, "QEMU opens its sockets")
        self.qmp, self.agent = Qmp(self._path("qmp")), Agent(self._path("agent"))

    def _path(self, name):
        return os.path.join(self.work, name)

    def _is_up(self):
        if self.process.poll() is not None:
            with open(self._path("qemu.log"), errors="replace") as log:
                raise RuntimeError(f"QEMU ended:\n{log.read()[-2000:]}")
        return all(os.path.exists(self._path(name)) for name in ("qmp", "agent"))

    @staticmethod
    def idle(seconds):
        """Lets the guest alone: nothing is asked of it."""
        until = time.monotonic() + seconds
        wait_for(lambda: time.monotonic() > until, seconds + 60, "the time is over", every=0.5)

    def save(self, path):
        """Its migration stream, as a save writes it; the file has its name once it is whole."""
        part = path + ".part"
        self.qmp("stop")
        self.qmp("migrate", uri=f"exec:cat>'{part}'")
        wait_for(self._migrated, 300, f"QEMU has written {path}")
        with open(part, "rb") as file:
            if file.read(4) != b"QEVM":
                raise Failure(f"{part} does not begin as a migration stream does")
        os.rename(part, path)
        self.qmp("cont")

    def _migrated(self):
        now = self.qmp("query-migrate")
        if now["status"] in ("failed", "cancelled"):
            raise RuntimeError(f"the migration: {now}")
        return now["status"] == "completed"  # QEMU has waited for its cat by then

    def end(self):
        self.qmp.close()
        self.process.kill()
        self.process.wait()
