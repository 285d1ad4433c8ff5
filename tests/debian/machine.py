"""A real Debian machine that travels, told what to do by its guest agent, and looks at its disks from outside."""
import base64
import contextlib
import json
import os
import random
import re
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "scenarios"), os.path.join(HERE, "..", "sync")]
from layers import *  # noqa: E402

DISKS = {"vda": None, "vdb": "1700M", "vdc": "512M", "vdd": "256M"}
MIB = 1 << 20
ROOT_AT = 97 * MIB  # of partition 2, as build lays it out


class Debian(Machine):
    """Its boot is remembered: a machine that was booted again has not travelled."""

    def __init__(self, host, name="debian"):
        super().__init__(name)
        image = os.path.join(os.environ["SATCHEL_DEBIAN"], "debian.img")
        disks = []
        for target, size in DISKS.items():
            disks.append(os.path.join(host.directory, f"{name}-{target}.qcow2"))
            run("qemu-img", *(["create", "-q", "-f", "qcow2", disks[-1], size] if size else
                              ["convert", "-q", "-f", "raw", "-O", "qcow2", image, disks[-1]]))
        self.console = os.path.join(host.directory, name + ".serial")
        define(host, name, domain_xml(name, disks, serial=self.console, memory=384, agent=True))
        host.virsh("start", name)
        wait_for(lambda: self._ask(host, {"execute": "guest-ping"}) is not None, 600, "the machine has booted", every=1)
        self.volumes = self._prepare(host)
        self.boot = self._run(host, "/bin/cat", "/proc/sys/kernel/random/boot_id")

    def _prepare(self, host):
        """{volume: (offset, size)} in bytes on vdb."""
        # Its last lines: LVM speaks of what it makes before.
        said = [line.split() for line in self._run(host, "/opt/satchel/prepare").splitlines() if line.strip()][-3:]
        start, extent = (int(number) * 512 for number in said[0])
        ranges = {}
        for volume, where in said[1:]:
            first, last = where.rpartition(":")[2].split("-")
            ranges[volume] = (start + int(first) * extent, (int(last) - int(first) + 1) * extent)
        return ranges

    def _ask(self, host, request):
        """What the guest agent answers; None when it does not, or not yet. Asked at its socket, for a virsh that comes
        and goes has not connected to it yet when it is to ask. The daemon, which holds it, must not run."""
        domain = host.virsh("list", "--name").split()[0]
        channel = re.search(r"<source mode='bind' path='([^']+)'/>\s*<target type='virtio' name='org.qemu.guest_agent.0'",
                            host.virsh("dumpxml", domain))
        if not channel:  # this virsh has not looked at the running machine yet
            return None
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as agent:
            agent.settimeout(30)
            mark = random.randrange(1 << 30)
            try:
                agent.connect(channel.group(1))
                # It answers a mark, so that what others have left half said is told from what is meant for us.
                agent.sendall(b"\xff" + json.dumps({"execute": "guest-sync", "arguments": {"id": mark}}).encode() + b"\n")
                lines = agent.makefile("rb")
                while json.loads(lines.readline().lstrip(b"\xff")).get("return") != mark:
                    pass
                agent.sendall(json.dumps(request).encode() + b"\n")
                said = json.loads(lines.readline())
            except (TimeoutError, ConnectionError, json.JSONDecodeError):
                return None
        if "return" not in said:
            raise Failure(f"the guest agent on {request['execute']}: {said}")
        return said["return"]

    def _run(self, host, *command):
        started = self._ask(host, {"execute": "guest-exec", "arguments": {
            "path": command[0], "arg": command[1:], "capture-output": True, "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}})
        if started is None:
            raise Failure(f"the guest agent does not run {command[0]}")

        def ended():
            now = self._ask(host, {"execute": "guest-exec-status", "arguments": {"pid": started["pid"]}})
            return now if now and now["exited"] else None
        end = wait_for(ended, 1200, f"{command[0]} has ended in the machine", every=0.5)
        out, errors = (base64.b64decode(end.get(key, "")).decode(errors="replace") for key in ("out-data", "err-data"))
        if end.get("exitcode") != 0:
            raise Failure(f"{' '.join(command)} in the machine: {end}\n{out}{errors}")
        return out

    def tell(self, host, *command):
        """Runs a command in the machine, which is at this host. libvirt is asked beside the daemon, which rests meanwhile."""
        host.stop()
        out = self._run(host, *command)
        equal("the machine's boot", self._run(host, "/bin/cat", "/proc/sys/kernel/random/boot_id"), self.boot)
        host.start()
        self.await_state(host, "running")
        return out

    def insert(self, host, stick):
        stick.plug()
        self.await_state(host, "running", seconds=300)

    def eject(self, host):
        host.must("eject", self.name, timeout=600)
        equal("CanUnplug", self.await_state(host, "safe")["CanUnplug"], True)

    def trees(self):
        """{how the settings name it: (disk, offset, size, type, path on it)}"""
        xfs, ext = self.volumes["xfs"], self.volumes["ext"]
        return {"/home/ann/Documents": ("vda", ROOT_AT, 1200 * MIB, "ext4", "home/ann/Documents"),
                "/srv/xfs/tree": ("vdb", *xfs, "xfs", "tree"),
                "lvm/vg/ext:/tree": ("vdb", *ext, "ext4", "tree"),
                "vdc:/tree": ("vdc", 0, 512 * MIB, "btrfs", "tree"),
                "vdd:/tree": ("vdd", 0, 256 * MIB, "ntfs-3g", "tree")}

    @contextlib.contextmanager
    def looked_at(self, stick):
        """{how the settings name it: where it is mounted}: a copy of what the newest generation on the plugged
        stick holds, read by this computer's own kernel. The machine may run: nothing of it is touched."""
        place, made = stick.mounted_at(), {}
        look = os.path.join(WORLD, "look")
        with contextlib.ExitStack() as undo:
            for disk in head_of(place, self)["disks"]:
                raw = made[disk["target"]] = os.path.join(look, disk["target"] + ".raw")
                undo.callback(os.unlink, raw)
                run("qemu-img", "convert", "-O", "raw", opened([self.path_on(place, file) for file in disk["chain"]]), raw,
                    timeout=600)
            found = {}
            for number, (guest, (disk, offset, size, kind, path)) in enumerate(self.trees().items()):
                node = run("losetup", "-f", "--show", "-o", offset, "--sizelimit", size, made[disk]).stdout.strip()
                undo.callback(run, "losetup", "-d", node)
                mount = os.path.join(look, f"tree{number}")
                os.makedirs(mount, exist_ok=True)
                run("mount", "-t", kind, node, mount)
                undo.callback(run, "umount", mount)
                found[guest] = os.path.join(mount, path)
            yield found


__all__ = [name for name in globals() if not name.startswith("_")]
