"""What a machine says on its way back and forth between hosts, of which only what is new is read and kept."""
import os

from guest import LINE, Ticks


class Heard(Ticks):
    def __init__(self):
        super().__init__("its serial ports")
        self._kept, self._read, self._at = "", {}, None

    def at(self, path):
        """From now on it speaks there, behind what it said there before."""
        if path != self._at:
            self._kept, self._at = self.text(), path
            self.paths, self.path = (path,), path
        return self

    def text(self):
        if self._at:
            self._kept += self._new()
        return self._kept

    def _new(self):
        try:
            with open(self._at, "rb") as file:
                file.seek(self._read.get(self._at, 0))
                new = file.read()
        except FileNotFoundError:
            return ""
        self._read[self._at] = self._read.get(self._at, 0) + len(new)
        return new.decode(errors="replace")

    def forget(self):
        """What was checked need not be checked again: keeps the last count and what follows it."""
        whole, _, begun = self.text().rpartition("\n")
        lines = whole.split("\n")
        last = max((n for n, line in enumerate(lines) if LINE.match(line.strip())), default=0)
        self._kept = "\n".join(lines[last:] + [begun])

    def forget_host(self, directory):
        """Its files there are gone."""
        self._read = {path: read for path, read in self._read.items() if not path.startswith(directory + os.sep)}
