"""What other programs make of the same bytes: the size that they would write, and the seconds that it takes. What is not
installed is left out."""
import os
import shutil
import time

from checks import run

LONG = 3600


class Peers:
    """folder has before, after (memory, one save after the other) and disk (the layer of the session)."""

    def __init__(self, folder):
        self.folder = folder
        self.before, self.after, self.disk = (os.path.join(folder, name) for name in ("before", "after", "disk"))

    def memory(self):
        """{name: (bytes, seconds)} for the memory alone."""
        found = {"plain": (os.path.getsize(self.after), 0.0)}
        for name, command in (
                ("zstd -1", "zstd -q -1 -T0 -c '{after}'"),
                ("zstd -1 --long=29 --patch-from", "zstd -q -1 -T0 --long=29 --patch-from='{before}' -c '{after}'"),
                ("xdelta3 -1", "xdelta3 -q -e -1 -B 1073741824 -c -s '{before}' '{after}'")):
            if shutil.which(name.split()[0]):
                found[name] = self._piped(command)
        return found

    def all(self):
        """{name: (bytes, seconds)} for memory and disk: what has no store of its own copies the overlay."""
        overlay = os.path.getsize(self.disk)
        found = {name: (size + overlay, seconds) for name, (size, seconds) in self.memory().items()}
        for name, begin, store in (
                ("borg", "borg init -e none '{store}'", "borg create -C zstd,1 '{store}'::{number} ."),
                ("restic", "restic -q init -r '{store}'", "restic -q -r '{store}' backup ."),
                ("casync", "mkdir -p '{store}'", "casync make --store='{store}/chunks' '{store}/{number}.caidx' .")):
            if shutil.which(name):
                found[name] = self._stored(begin, store)
        return found

    def _piped(self, command):
        command = command.format(before=self.before, after=self.after)
        began = time.monotonic()
        size = int(run("sh", "-c", command + " | wc -c", timeout=LONG).stdout)
        return size, time.monotonic() - began

    def _stored(self, begin, store):
        """A backup of the memory before, then one of what is to be written: by what the second made the store grow."""
        place, tree = (os.path.join(self.folder, name) for name in ("store", "tree"))
        environment = dict(os.environ, RESTIC_PASSWORD="none", BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes",
                           HOME=self.folder, XDG_CACHE_HOME=os.path.join(self.folder, "cache"))
        os.makedirs(tree)
        try:
            run("sh", "-c", begin.format(store=place), env=environment)
            for number, files in ((1, {"memory": self.before}), (2, {"memory": self.after, "disk": self.disk})):
                for name, source in files.items():
                    path = os.path.join(tree, name)
                    if os.path.exists(path):
                        os.unlink(path)
                    os.link(source, path)
                size, began = size_of(place), time.monotonic()
                run("sh", "-c", store.format(store=place, number=number), env=environment, cwd=tree, timeout=LONG)
                seconds = time.monotonic() - began
            return size_of(place) - size, seconds
        finally:
            for left in (place, tree):
                shutil.rmtree(left, ignore_errors=True)


def size_of(place):
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(place) for name in names)
