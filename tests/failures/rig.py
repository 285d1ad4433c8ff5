"""Where rows are played: libvirtd, a host whose daemon stops at instants, and looks at what the device holds."""
import contextlib
import glob
import json
import os
import signal
import subprocess
import time

import kernel
from checks import Failure, run, wait_for
from host import QEMU_CONF, Host
from recording import PreloadedHost

WORLD = os.environ.get("WORLD", "/nonexistent")
LINGER = 10  # seconds
LIBVIRT = ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")


def start_libvirtd():
    """The system's libvirtd, with directories of this world."""
    for place in LIBVIRT:
        if os.path.isdir(place):
            kernel.mount("tmpfs", place, "tmpfs", 0, "mode=0755")
    os.makedirs("/etc/libvirt", exist_ok=True)
    with open("/etc/libvirt/qemu.conf", "w") as file:
        file.write(QEMU_CONF)
    with open(os.path.join(WORLD, "log", "libvirtd.log"), "ab") as log:
        daemon = subprocess.Popen(["libvirtd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def answers():
        if daemon.poll() is not None:
            with open(log.name, errors="replace") as file:
                raise RuntimeError(f"libvirtd ended with status {daemon.returncode}:\n{file.read()[-3000:]}")
        return run("virsh", "-q", "-c", SystemHost.URI, "version", check=False).returncode == 0

    wait_for(answers, 60, "libvirtd answers")


class SystemHost(PreloadedHost):
    """A computer whose guests are libvirtd's: they, and what libvirt does with them, outlive the daemon."""

    URI = "qemu:///system"

    def __init__(self, name, instants, **settings):
        super().__init__(name, "failures_instants.so", {"FAILURES_INSTANT": instants.path}, libvirt={"uri": self.URI},
                         **settings)
        self.uri, self.root = self.URI, "/var/lib/libvirt"

    def virsh(self, *arguments, check=True, timeout=120):
        return run("virsh", "-q", "-c", self.uri, *arguments, check=check, timeout=timeout).stdout

    def forget_guests(self):
        """No machine runs or is defined any more."""
        for name in self.virsh("list", "--all", "--name").split():
            self.virsh("destroy", name, check=False)
            self.virsh("undefine", "--nvram", name, check=False)


class Instants:
    """Stops a daemon, or what it has started, right before a call (instants.cpp)."""

    def __init__(self):
        self.path = os.path.join(WORLD, "instant")
        self.stopped = None

    def arm(self, deed, pattern, number):
        self._order(f"{deed} {pattern} {number}\n")

    def list_calls(self):
        self._order("list\n")

    def calls(self):
        """What was called since, each as "DEED NAME", by one process."""
        os.unlink(self.path)
        with open(self.path + ".calls") as file:
            return [line.split(" ", 1) for line in file.read().splitlines()]

    def _order(self, text):
        self.disarm()
        with open(self.path + ".new", "w") as file:
            file.write(text)
        os.replace(self.path + ".new", self.path)

    def reach(self, over, seconds=120):
        """Waits until a process is stopped there. over(): whether the job has ended without; what comes behind a job's
        end, such as the session's files being removed, is waited for a while longer."""
        last = None

        def stopped():
            nonlocal last
            if last is None and over():
                last = time.monotonic() + LINGER
            with contextlib.suppress(FileNotFoundError, ValueError, IndexError), open(self.path + ".hit") as file:
                self.stopped = int(file.read().split()[0])
                return state_of(self.stopped) == "T"
            if last is not None and time.monotonic() > last:
                raise RuntimeError("the job was over and the instant never met")
            return False
        wait_for(stopped, seconds, "the instant is met", every=0.005)

    def go_on(self):
        pid, self.stopped = self.stopped, None
        self.disarm()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        return pid

    def disarm(self):
        for end in ("", ".hit", ".calls"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path + end)


def state_of(pid):
    """The kernel's letter for what a process does, or "" when there is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


class Holding:
    """What a device holds: its newest generation's number and what it was made by; 0 when there is none."""

    def __init__(self, place, verdict):
        self.number, self.what = verdict.check(place, 0), ""
        if self.number:
            with open(glob.glob(os.path.join(place, "satchel", "*", "heads", f"{self.number}.json"))[0]) as file:
                self.what = json.load(file)["history"][-1]["what"].split(", ")[0]

    def __str__(self):
        return f"generation {self.number} ({self.what})" if self.number else "no generation"


def look(stick, verdict):
    """What it holds, all of it whole: where it is mounted, as who has it mounted sees it; else what is on the medium."""
    if place := stick.mounted_at():
        return Holding(place, verdict)
    with stick.mount_ro() as place:
        return Holding(place, verdict)
