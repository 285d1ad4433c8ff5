"""Media in every state that a recording allows: images that share their blocks (XFS reflinks in memory), mounted as the
next computer would."""
import contextlib
import fcntl
import os

import kernel
from checks import Failure, run
from next_computer import Here, attach
from small import OPTIONS, Small

WORLD = os.environ.get("WORLD", "/nonexistent")
FICLONE = 0x40049409
STEP = 1 << 20
REPAIRS = {"ext4": (["e2fsck", "-fy"],), "xfs": (["xfs_repair"], ["xfs_repair", "-L"]),
           "btrfs": (["btrfs", "rescue", "zero-log"], ["btrfs", "check", "--repair", "--force"]),
           "vfat": (["fsck.vfat", "-a"],), "exfat": (["fsck.exfat", "-y"],)}


class NotMountable(Exception):
    """The filesystem is refused by the kernel, and by its fsck as well."""


class Store:
    """A filesystem in memory whose files can be cloned at once. Below look/, where no service minds its loops."""

    def __init__(self):
        look = os.path.join(WORLD, "look")
        self.memory, self.place = os.path.join(look, "memory"), os.path.join(look, "store")
        for place in (self.memory, self.place, os.path.join(look, "mounted")):
            os.makedirs(place, exist_ok=True)
        self.mounted = os.path.join(look, "mounted")
        kernel.mount("tmpfs", self.memory, "tmpfs", 0, "size=6g")
        image = os.path.join(self.memory, "store.img")
        run("truncate", "-s", "5G", image)
        run("mkfs.xfs", "-q", "-m", "reflink=1", image)
        self._loop = attach(image)
        kernel.mount(self._loop, self.place, "xfs", 0, None)

    def path(self, name):
        return os.path.join(self.place, name)

    def clone(self, source, name):
        """What was in the file of that name is another now, for whoever has it open as well."""
        path = self.path(name)
        with open(source, "rb") as old:
            new = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.ioctl(new, FICLONE, old.fileno())
            finally:
                os.close(new)
        return path


class Medium:
    """The medium of a recording as it grows, write by write."""

    def __init__(self, store, recording, log):
        self.store, self.log, self.fs = store, log, recording.fs
        self.now = store.path("now")
        run("cp", "--sparse=always", recording.begun, self.now)
        self._file = open(self.now, "rb+", buffering=0)
        self._tried = open(store.clone(self.now, "tried"), "rb+", buffering=0)
        self.computer = next_computer(self._tried.name, self.fs, store)

    def apply(self, writes, file=None):
        for write in writes:
            if write.data is None:
                punch(file or self._file, write.offset, write.size)
            else:
                os.pwrite((file or self._file).fileno(), self.log.data(write), write.offset)

    def snapshot(self):
        """Keeps the state of this instant for with_writes()."""
        self.store.clone(self.now, "before")

    def be_as_is(self):
        """The medium that is tried is what it is now."""
        self.store.clone(self.now, "tried")

    def be_with(self, writes):
        """The medium that is tried is the snapshot, with these writes of what came after it."""
        self.store.clone(self.store.path("before"), "tried")
        self.apply(writes, self._tried)

    def close(self):
        self._file.close()
        self._tried.close()
        self.computer.close()
        for name in ("now", "before", "tried"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.store.path(name))

    @contextlib.contextmanager
    def mounted(self, repair=False):
        """repair: its fsck has to mend it first. Gives (place, whether it had to be repaired). Its loop device stays the same: a
        new one for each state would keep every udevd of this computer busy."""
        try:
            repaired = self._mount(repair)
            try:
                yield self.computer.place, repaired
            finally:
                self.computer.unmount()
        finally:
            self.computer.tidy()

    def _mount(self, repair):
        trouble = "its kernel refuses writes" if repair else self.computer.mount()
        if trouble is None:
            return False
        for command in REPAIRS[self.fs]:
            run(*command, self.computer.repairs, check=False)
            if self.computer.mount() is None:
                return True
        raise NotMountable(f"it can't be mounted ({trouble}), and not repaired")


def next_computer(image, fs, store):
    """This one, or where its kernel may lack the filesystem the small one."""
    return Small(image, fs, store.memory) if fs in OPTIONS else Here(image, fs, store)


def punch(file, offset, size):
    """A discard: what was there reads as zeros."""
    zeros = bytes(min(size, STEP))
    run_over = range(offset, offset + size, STEP)
    if size > 16 * STEP:
        run("fallocate", "--punch-hole", "--offset", offset, "--length", size, file.name)
        return
    for at in run_over:
        os.pwrite(file.fileno(), zeros[:min(STEP, offset + size - at)], at)


def same(one, other):
    """Whether two images hold the same bytes."""
    return run("cmp", "-s", one, other, check=False).returncode == 0


def require_complete(medium, recording):
    """Fails unless the log, replayed whole, gives the image as it was left."""
    if not same(medium.now, recording.ended):
        raise Failure("the log, replayed whole, does not give the stick as it was left: the rig lacks writes")
