"""A computer's own disk, as a filesystem by itself, and two ways in which one has no room."""
import contextlib
import os

from checks import run, wait_for
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
    _everything = "0/5"  # the quota group of what is in no subvolume

    def __init__(self, place):
        self._place, self._outside = place, os.path.join(place, "outside")
        run("btrfs", "quota", "enable", place)
        run("btrfs", "quota", "rescan", "-w", place)
        # Where the limit is set from takes part in it: from within, a used-up quota may refuse the metadata of its own end.
        run("btrfs", "subvolume", "create", self._outside)

    def leave(self, size):
        run("btrfs", "filesystem", "sync", self._place)
        shown = run("btrfs", "qgroup", "show", "--raw", self._place).stdout
        used = next(int(line.split()[1]) for line in shown.splitlines() if line.split()[:1] == [self._everything])
        self._limit(used + size)

    def give_back(self):
        wait_for(lambda: self._limit("none"), 60, "the quota is lifted")

    def _limit(self, size):
        return run("btrfs", "qgroup", "limit", size, self._everything, self._outside)
