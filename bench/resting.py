"""What services cost that have nothing to do: resident memory, and how often they wake up."""
import glob
import os
import subprocess
import time

from checks import run, wait_for

BOLTD = "/usr/libexec/boltd"


def measure(satcheld, samples, seconds):
    """satcheld: its process, which watches over a running machine. Beside it udisksd of this world, and boltd if it is
    installed."""
    processes = {"satcheld": satcheld, "udisksd": int(run("pidof", "udisksd").stdout.split()[0])}
    bolt = Bolt() if os.path.exists(BOLTD) else None
    try:
        if bolt:
            processes["boltd"] = bolt.process.pid
        settled = time.monotonic() + min(20, seconds)
        wait_for(lambda: time.monotonic() > settled, 60, "all has settled", every=0.5)
        before = {name: switches(pid) for name, pid in processes.items()}
        began, over = time.monotonic(), time.monotonic() + seconds
        wait_for(lambda: time.monotonic() > over, seconds + 60, "the stretch is over", every=0.5)
        minutes = (time.monotonic() - began) / 60
        for name, pid in processes.items():
            woken = sum(count - before[name].get(thread, 0) for thread, count in switches(pid).items())
            samples.add(f"{name}, wake-ups", woken / minutes)
            samples.add(f"{name}, resident MiB", memory(pid, "VmRSS"))
            samples.add(f"{name}, of its own MiB", memory(pid, "RssAnon"))
    finally:
        if bolt:
            bolt.end()


class Bolt:
    """boltd with a bus of its own."""

    def __init__(self):
        self._bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address=1"], stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, text=True)
        address = self._bus.stdout.readline().strip()
        self.process = subprocess.Popen([BOLTD], env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=address),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end(self):
        for process in (self.process, self._bus):
            process.terminate()
            process.wait()


def switches(pid):
    """{thread: how often it has given the processor back to wait}: each time it was awake before. What a thread does that
    ends in between is not seen."""
    found = {}
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        with open(path) as file:
            found[path] = next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
    return found


def memory(pid, kind):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(kind)) / 1024
