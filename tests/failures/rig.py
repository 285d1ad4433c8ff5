"""Where rows are played: a host whose daemon stops at instants, and looks at what the device holds."""
import contextlib
import glob
import json
import os
import signal
import time

from checks import wait_for
from libvirtd import Libvirtd, SystemHost
from recording import PreloadedHost

WORLD = os.environ.get("WORLD", "/nonexistent")
LINGER = 10  # seconds


class FailingHost(PreloadedHost, SystemHost):
    """A computer whose daemon stops at instants; all of them have one libvirtd."""

    _libvirtd = Libvirtd(os.path.join(WORLD, "l"))

    def __init__(self, name, instants, **settings):
        super().__init__(name, "failures_instants.so", {"FAILURES_INSTANT": instants.path}, settings, libvirtd=self._libvirtd)


class Instants:
    """Stops a daemon, or what it has started, right before a call (instants.cpp)."""

    def __init__(self):
        self.path = os.path.join(WORLD, "instant")
        self.stopped, self.is_of_device = None, False

    def arm(self, deed, pattern, number):
        self.is_of_device = deed == "request"
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
        for end in ("", ".hit", ".calls", ".count"):
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

    @classmethod
    def nothing(cls):
        found = cls.__new__(cls)
        found.number, found.what = 0, ""
        return found

    def __str__(self):
        return f"generation {self.number} ({self.what})" if self.number else "no generation"


def look(stick, verdict):
    """What it holds, all of it whole: where it is mounted, as who has it mounted sees it; else what is on the medium."""
    if place := stick.mounted_at():
        return Holding(place, verdict)
    with stick.mount_ro() as place:
        return Holding(place, verdict)
