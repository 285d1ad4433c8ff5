"""A computer's own disk, as a filesystem by itself, and two ways in which one has no room."""
import contextlib
import os

from checks import run
from stick import Stick

WORLD = os.environ.get("WORLD", "/nonexistent")
MAKE = {"ext4": ("mke2fs", "-q", "-t", "ext4", "-m", "0"), "btrfs": ("mkfs.btrfs", "-q")}


@contextlib.contextmanager
def own_disk(name, fs="ext4", size="1G"):
    """A place with a filesystem of its own, which the world's services don't see."""
    image = os.path.join(WORLD, "look", name)
    run("truncate", "-s", size, image)
    run(*MAKE[fs], image)
    try:
        with Stick._mounted(image, "rw") as place:
            yield place
    finally:
        os.unlink(image)


def fill(place, leave):
    """Takes the filesystem's room but for so many bytes; returns the file that does."""
    path = os.path.join(place, "filler")
    room = os.statvfs(place)
    # Somebody else may be faster to take the last of it: then it is as full as it has to be.
    with open(path, "wb") as file, contextlib.suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, max(room.f_bavail * room.f_frsize - leave, 4096))
    return path


class Filled:
    """A file has taken the room."""

    fs = "ext4"

    def __init__(self, place):
        self._place = place

    def leave(self, size):
        self._file = fill(self._place, size)

    def give_back(self):
        os.unlink(self._file)


class OverQuota:
    """A quota is used up: EDQUOT, and statvfs tells of room. btrfs holds root to it as well."""

    fs = "btrfs"

    def __init__(self, place):
        self._place = place
        run("btrfs", "quota", "enable", place)
        run("btrfs", "quota", "rescan", "-w", place)

    def leave(self, size):
        run("btrfs", "filesystem", "sync", self._place)
        shown = run("btrfs", "qgroup", "show", "--raw", self._place).stdout
        used = next(int(line.split()[1]) for line in shown.splitlines() if line.split()[:1] == ["0/5"])
        run("btrfs", "qgroup", "limit", str(used + size), self._place)

    def give_back(self):
        run("btrfs", "qgroup", "limit", "none", self._place)
