"""Trees of files for the tests of the sync: what is in one, how it is changed at random, and what a sync has to make
of it. The expectation is worked out here by its own means; it shares nothing with lib/sync. Paths are bytes."""
import os
import shutil
import stat
import time

TRASH = b".satchel-trash"
DIRECTORY = ("d",)


def join(above, name):
    return above + b"/" + name if above else name


def parent(path):
    return path.rpartition(b"/")[0]


def name_of(path):
    return path.rpartition(b"/")[2]


def snapshot(root, skip=(TRASH,)):
    """{path: ("d",) | ("f", content) | ("l", target) | ("o",)}"""
    out = {}

    def walk(above):
        for entry in os.scandir(os.path.join(root, above) if above else root):
            path = join(above, entry.name)
            if path in skip:
                continue
            if entry.is_symlink():
                out[path] = ("l", os.readlink(entry.path))
            elif entry.is_dir(follow_symlinks=False):
                out[path] = DIRECTORY
                walk(path)
            elif entry.is_file(follow_symlinks=False):
                with open(entry.path, "rb") as file:
                    out[path] = ("f", file.read())
            else:
                out[path] = ("o",)
    walk(b"")
    return out


class Expectation:
    """What a host has to look like after each sync of a guest's tree, for one host."""

    def __init__(self, capsule):
        self.capsule = capsule
        self.seen = {}    # path -> the guest's version at the last sync
        self.agreed = {}  # path -> what both had when they last had the same

    def beside(self, name, moment, attempt):
        number = b"" if attempt == 1 else b", %d" % attempt
        middle = b" (from " + self.capsule + b", " + moment + number + b")"
        dot = name.rfind(b".")
        if dot <= 0 or len(name) - dot > 32:
            stem, ending = name, b""
        else:
            if name[:dot].endswith(b".tar") and dot > 4:
                dot -= 4
            stem, ending = name[:dot], name[dot:]
        room = 255 - len(middle) - len(ending)
        if len(stem) > room:
            while room > 0 and stem[room] & 0xc0 == 0x80:
                room -= 1
            stem = stem[:room]
        return stem + middle + ending

    def sync(self, guest, host, moment):
        """Gives the host's tree afterwards, what went to the trash, and which of the guest's files came new."""
        self.out, self.guest, self.moment = dict(host), guest, moment
        self.made, self.placed, came, trash = set(), {b"": b""}, {}, {}
        changed = {path for path in guest if self.seen.get(path) != guest[path]}
        untouched = {path for path in host if path in self.agreed and self.agreed[path] == host[path]}

        for path in untouched - guest.keys():
            if host[path] != DIRECTORY:
                trash[path] = self.out.pop(path)
        for path in changed & untouched:
            if guest[path][0] != host[path][0] and host[path] != DIRECTORY:
                trash[path] = self.out.pop(path)
        # A folder that the guest has no more is a folder no more once it is empty.
        for path in sorted(untouched, key=lambda each: -each.count(b"/")):
            gone = path not in guest or (path in changed and guest[path] != DIRECTORY)
            if host[path] == DIRECTORY and gone and not any(each.startswith(path + b"/") for each in self.out):
                del self.out[path]

        for path in sorted(guest, key=lambda each: each.split(b"/")):
            version = guest[path]
            there = host.get(path)
            if path not in changed:
                if there == version:
                    self.agreed[path] = version
                continue
            if there == version:
                self.agreed[path] = version
            elif version == DIRECTORY:
                if self.place(path) == path:
                    self.agreed[path] = version
            else:
                where = self.put(path, version, there is None or path not in self.out or path in untouched)
                if where is not None:
                    came[path] = where
        for path in list(self.seen):
            if path not in guest:
                del self.seen[path]
                self.agreed.pop(path, None)
        self.seen = dict(guest)
        return self.out, trash, came

    def put(self, path, version, may_stand_there):
        above = self.place(parent(path))
        where = join(above, name_of(path))
        there = self.out.get(where)
        replaces = where == path and there is not None and there == self.agreed.get(path) and there[0] == version[0]
        if may_stand_there and (there is None or replaces):
            self.out[where] = version
            self.made.add(where)
            if where == path:
                self.agreed[path] = version
            return where
        if may_stand_there and there == version and where != path:
            return None
        attempt = 0
        while True:
            attempt += 1
            name = self.beside(name_of(path), self.moment, attempt)
            where = join(above, name)
            if join(parent(path), name) in self.guest or where in self.made:
                continue
            if where not in self.out:
                self.out[where] = version
                self.made.add(where)
                return where
            if self.out[where] == version:
                return None

    def place(self, path):
        """Where the content of a folder of the guest goes."""
        if path in self.placed:
            return self.placed[path]
        above = self.place(parent(path))
        where = join(above, name_of(path))
        attempt = 0
        while self.out.get(where, DIRECTORY) != DIRECTORY or (attempt and where not in self.out and
                                                              join(parent(path), name_of(where)) in self.guest):
            attempt += 1
            where = join(above, self.beside(name_of(path), self.moment, attempt))
        if where not in self.out:
            self.out[where] = DIRECTORY
            if where == path:
                self.agreed[path] = DIRECTORY
        self.placed[path] = where
        return where


class Hand:
    """Changes a tree at random, as people and programs do. `clock`: seconds that each file's time is set to, one more
    each time, or none to leave the real one."""

    NAMES = [b"a", b"b", b"c.txt", b"d.tar.gz", b"new\nline", b"\xff\xfe", b"\xc3\xa4\xc3\xb6.odt", b" ", b"-rf",
             b"x" * 250 + b".c", b"\xe2\x82\xac" * 80, b".hidden", b"e f", b"A"]

    def __init__(self, root, random, clock):
        self.root, self.random, self.clock = root, random, clock

    def all(self, *kinds):
        found = snapshot(self.root)
        return sorted(path for path, version in found.items() if version[0] in kinds and path != b"anchor")

    def full(self, path):
        return os.path.join(self.root, path)

    def stamp(self, path):
        if self.clock is not None:
            self.clock += 1
            os.utime(self.full(path), (self.clock, self.clock), follow_symlinks=False)

    def new_path(self):
        above = self.random.choice([b""] + [each for each in self.all("d") if each.count(b"/") < 3])
        return join(above, self.random.choice(self.NAMES))

    def content(self):
        kind = self.random.randrange(8)
        if kind == 0:
            return b""
        if kind == 1:
            return self.random.randbytes(200_000)
        return b"%d" % self.random.randrange(4) * (1 + self.random.randrange(3))

    def remove(self, path):
        if os.path.isdir(self.full(path)) and not os.path.islink(self.full(path)):
            shutil.rmtree(self.full(path))
        elif os.path.lexists(self.full(path)):
            os.unlink(self.full(path))

    def write(self, path, content):
        with open(self.full(path), "wb") as file:
            file.write(content)
        os.chmod(self.full(path), 0o755 if self.random.randrange(4) == 0 else 0o644)
        self.stamp(path)

    def make(self, path):
        """Anything at all at this place, whatever was there."""
        self.remove(path)
        kind = self.random.randrange(6)
        if kind < 3:
            self.write(path, self.content())
        elif kind < 5:
            os.mkdir(self.full(path))
            for name in self.random.sample(self.NAMES, self.random.randrange(3)):
                self.write(join(path, name), self.content())
        else:
            os.symlink(self.random.choice([b"a", b"b/c", b"nowhere"]), self.full(path))

    def act(self):
        what = self.random.randrange(10)
        files, everything = self.all("f"), self.all("f", "d", "l")
        if what < 3 or not everything:
            self.make(self.new_path())
        elif what < 6 and files:
            self.write(self.random.choice(files), self.content())
        elif what == 6:
            self.remove(self.random.choice(everything))
        elif what == 7:
            self.make(self.random.choice(everything))
        elif what == 8 and files:
            self.stamp(self.random.choice(files))
        else:
            source, target = self.random.choice(everything), self.new_path()
            if source != target and not target.startswith(source + b"/") and not os.path.lexists(self.full(target)):
                os.rename(self.full(source), self.full(target))


def is_executable(path):
    return bool(os.stat(path, follow_symlinks=False).st_mode & stat.S_IXUSR)


def moment_of(seconds):
    return time.strftime("%Y-%m-%d %H.%M", time.localtime(seconds)).encode()
