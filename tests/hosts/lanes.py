"""Scenes side by side: a lane is a process with two computers of its own that plays one scene after the other. A computer
often waits for the other, or for its own disk, so two lanes keep two cores busy."""
import json
import os
import queue
import subprocess
import sys
import threading

import kernel
from checks import Checks, say

END = "\x04"  # begins the line behind a scene, with how many checks passed and failed
AT_MOST = 2
NEEDED = 7 << 30  # bytes of memory for a lane: two computers, and what QEMU translates for each


def how_many(scenes):
    with open("/proc/meminfo") as file:
        free = next(int(line.split()[1]) << 10 for line in file if line.startswith("MemAvailable:"))
    return max(1, min(AT_MOST, scenes, free // NEEDED))


# ---- in a lane

def serve(play):
    """Plays the scenes whose names come on stdin, a line each. play(name, checks)"""
    for name in map(str.strip, sys.stdin):
        checks = Checks("hosts")
        play(name, checks)
        say(END + json.dumps([checks.passed, checks.failed]))


# ---- in the run

class Lanes:
    """Lanes of the program that is started by command; names: the scenes."""

    def __init__(self, command, names, count, checks):
        self._names, self._checks, self._lock = queue.SimpleQueue(), checks, threading.Lock()
        for name in names:
            self._names.put(name)
        this, self._alone = os.getpid(), count == 1
        self._processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace",
                                            preexec_fn=lambda: kernel.die_with_parent(this)) for _ in range(count)]

    def play(self):
        """Until each scene was played; one that no lane is left for has failed."""
        threads = [threading.Thread(target=self._use, args=(process,), daemon=True) for process in self._processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        while not self._names.empty():
            self._checks.that(self._names.get(), False, "no computers are left to play it on")

    def end(self):
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()

    def _use(self, process):
        """Gives a lane scene after scene."""
        if not self._heard(process, "the computers' start"):
            return
        while True:
            try:
                name = self._names.get_nowait()
            except queue.Empty:
                break
            try:
                process.stdin.write(name + "\n")
                process.stdin.flush()
            except BrokenPipeError:
                pass  # what it said at its end comes
            if not self._heard(process, name):
                return
        process.stdin.close()
        process.wait()

    def _heard(self, process, what):
        """What a lane says up to the end of a scene, in one piece where there are others; returns whether it goes on."""
        said = []
        for line in process.stdout:
            if line.startswith(END):
                passed, failed = json.loads(line[len(END):])
                self._tell(said, passed, failed)
                return True
            if self._alone:
                say(line.rstrip("\n"))
            else:
                said.append(line.rstrip("\n"))
        self._tell([*said, f"  FAILED  {what}: its computers' process ended with status {process.wait()}"], 0, 1)
        return False

    def _tell(self, lines, passed, failed):
        with self._lock:
            if lines:
                say("\n".join(lines))
            self._checks.passed += passed
            self._checks.failed += failed
