"""The test guest's disk and what it says of itself on its serial port (tests/guest)."""
import importlib.machinery
import importlib.util
import os
import re
import subprocess

from checks import Failure, run, wait_for

GUEST = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "guest")
LINE = re.compile(r"^(boot|tick) (\d+) mem=([0-9a-f]{16}) disk=([0-9a-f]{16}) ok$")


def load(name):
    """A script of tests/guest as a module."""
    path = os.path.join(GUEST, name)
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


domain_xml = load("make-domain").domain_xml


def make_disk(path, append="", format="qcow2", empty=None):
    """A machine's disk; append is for the guest's kernel command line; empty: a second disk, in MiB."""
    more = ["--empty", empty] if empty else ["--append", append] if append else []
    run(os.path.join(GUEST, "make-disk"), path, "--format", format, *more)
    return path


def write_disk(path, content, format="qcow2"):
    """A disk that holds these bytes."""
    with open(path + ".raw", "wb") as file:
        file.write(content)
    run("qemu-img", "convert", "-f", "raw", "-O", format, path + ".raw", path)
    os.unlink(path + ".raw")
    return path


class Ticks:
    """Reads a serial port's file, which need not exist yet; or of several the one after the other."""

    every = 0.05  # seconds between two looks

    def __init__(self, *paths):
        self.paths = paths
        self.path = paths[-1]

    def text(self):
        whole = ""
        for path in self.paths:
            try:
                with open(path, errors="replace") as file:
                    whole += file.read()
            except FileNotFoundError:
                pass
        return whole

    def lines(self):
        # The last one may be half written.
        return [line.strip() for line in self.text().split("\n")[:-1]]

    def then(self, other):
        """One journey: what was said here, then there. A guest may be saved in the middle of a line."""
        return Ticks(*self.paths, *other.paths)

    def broken(self):
        """The lines in which the guest found its memory or disk not as it left them."""
        return [line for line in self.lines() if line.startswith("BROKEN") or "panic" in line]

    def counts(self):
        """All counts in the order in which they were said, without those at boot."""
        found = (LINE.match(line) for line in self.lines())
        return [int(match[2]) for match in found if match and match[1] == "tick"]

    def boots(self):
        """The count that each boot of the guest took over from its disk."""
        found = (LINE.match(line) for line in self.lines())
        return [int(match[2]) for match in found if match and match[1] == "boot"]

    def last(self):
        counts = self.counts()
        return counts[-1] if counts else 0

    def halted(self):
        return any(line.startswith("halt ") for line in self.lines())

    def await_count(self, count, seconds=60):
        """Wait until the guest has come to this count; fails at once when it finds itself broken."""
        def there():
            if broken := self.broken():
                raise RuntimeError(f"the guest says: {broken[0]}")
            return self.last() >= count
        wait_for(there, seconds, f"the guest at {self.path} counts to {count} (it is at {self.last()})", self.every)
        return self.last()

    def await_more(self, ticks=10, seconds=60):
        """Wait for so many ticks from now on."""
        return self.await_count(self.last() + ticks, seconds)

    def check_unbroken(self):
        """Raise unless every line was ok and each count follows the one before; returns the counts. A boot goes on
        from the count on its disk; a power cut may have fallen between writing a count and saying it."""
        if broken := self.broken():
            raise Failure(f"the guest says: {broken[0]}")
        before = None
        for match in filter(None, map(LINE.match, self.lines())):
            count = int(match[2])
            fits = (before, before + 1) if before and match[1] == "boot" else (before + 1,) if before else (count,)
            if count not in fits:
                seen = self.text().partition(f"tick {before} ")[2].partition(f"tick {count + 1} ")[0]
                raise Failure(f"{match[1]} {count} follows {before} in {', '.join(self.paths)}:\n{seen}")
            before = count
        return self.counts()


class Terminal(Ticks):
    """What a guest says on its terminal from now on, while `with` lasts."""

    def __init__(self, host, name, path):
        super().__init__(path)
        self._pty = host.virsh("ttyconsole", name).strip()

    def __enter__(self):
        self._file = open(self.path, "wb")
        self._reader = subprocess.Popen(["cat", self._pty], stdout=self._file)
        return self

    def __exit__(self, *_):
        self._reader.kill()
        self._reader.wait()
        self._file.close()
