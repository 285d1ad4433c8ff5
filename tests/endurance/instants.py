"""Instants drawn by a seed: a share of the time that a deed takes, or of the changes that it makes to the daemon's files."""
import ctypes
import os
import random
import select
import statistics
import struct
import sys
import threading
import time

from checks import run

IN_MODIFY, IN_CLOSE_WRITE, IN_MOVED_TO, IN_CREATE, IN_DELETE = 0x2, 0x8, 0x80, 0x100, 0x200
IN_ISDIR, IN_NONBLOCK, IN_CLOEXEC = 0x40000000, 0o4000, 0o2000000
LATEST = 5  # runs of a deed that its measure is taken from
PAST_THE_END = 1.1  # a deed is struck until a little after its end

_libc = ctypes.CDLL(None, use_errno=True)


class Changes:
    """Counts what is changed below these folders, also in those that are made there (inotify)."""

    def __init__(self, *folders):
        self._fd = _libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self.count, self._watched = 0, {}
        for folder in folders:
            self._watch(folder)

    def _watch(self, folder):
        for place, _, _ in os.walk(folder):
            number = _libc.inotify_add_watch(self._fd, place.encode(),
                                             IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE)
            if number >= 0:  # it may be gone again
                self._watched[number] = place

    def take(self):
        """Counts what has happened by now."""
        try:
            told = os.read(self._fd, 65536)
        except BlockingIOError:
            return False
        at = 0
        while at < len(told):
            number, mask, _, size = struct.unpack_from("iIII", told, at)
            if mask & IN_CREATE and mask & IN_ISDIR and number in self._watched:
                name = told[at + 16:at + 16 + size].split(b"\0")[0].decode()
                self._watch(os.path.join(self._watched[number], name))
            self.count += 1
            at += 16 + size
        return True

    def await_count(self, count, over, seconds):
        """Until so many changes were made, or it is over. Folders that are made meanwhile are watched as well."""
        poll, deadline = select.poll(), time.monotonic() + seconds
        poll.register(self._fd, select.POLLIN)
        poll.register(over.fd, select.POLLIN)
        while self.count < count and not over.is_set() and time.monotonic() < deadline:
            poll.poll(1000)
            while self.count < count and self.take():
                pass

    def close(self):
        os.close(self._fd)


class Over:
    """An event that poll(2) can wait for too."""

    def __init__(self):
        self.fd, self._event = os.eventfd(0, os.EFD_CLOEXEC), threading.Event()

    def set(self):
        self._event.set()
        os.eventfd_write(self.fd, 1)

    def is_set(self):
        return self._event.is_set()

    def wait(self, seconds):
        return self._event.wait(seconds)

    def close(self):
        os.close(self.fd)


class Doing:
    """A deed under way in a thread of its own: `with Doing(act, folders) as doing: …`. What it raises is in .error."""

    def __init__(self, act, folders):
        self._act, self.over, self.error = act, Over(), None
        self.changes = Changes(*folders)
        self._thread = threading.Thread(target=self._do)

    def _do(self):
        try:
            self._act()
        except Exception as error:  # whoever looks at it decides
            self.error = error
        finally:
            self.over.set()

    def __enter__(self):
        self._began = time.monotonic()
        self._thread.start()
        return self

    def watch(self, seconds):
        """Counts all that is changed until the deed is over."""
        self.changes.await_count(sys.maxsize, self.over, seconds)

    def __exit__(self, *_):
        self._thread.join()
        self.seconds = time.monotonic() - self._began
        while self.changes.take():
            pass
        self.changes.close()
        self.over.close()


class Measures:
    """How long each kind of deed takes and how many changes it makes, undisturbed, of late."""

    def __init__(self):
        self._seen = {}

    def learn(self, name, doing):
        self._seen.setdefault(name, []).append((doing.seconds, doing.changes.count))

    def of(self, name):
        seen = self._seen.get(name, [(2.0, 200)])[-LATEST:]
        return statistics.mean(seconds for seconds, _ in seen), statistics.mean(count for _, count in seen)


class Instant:
    """When a deed is struck. Every choice that belongs to a strike comes from `dice`, which depends on the seed, the kind and
    the number of it alone."""

    def __init__(self, seed, kind, number):
        self.dice = random.Random(f"{seed}/{kind}/{number}")
        self.by_changes = self.dice.random() < 0.5
        self.share = self.dice.random() * PAST_THE_END

    def await_in(self, doing, measure):
        """Returns in words when it was."""
        seconds, changes = measure
        if self.by_changes:
            wanted = max(1, round(changes * self.share))
            doing.changes.await_count(wanted, doing.over, seconds * 3 + 5)
            return f"after change {doing.changes.count} (of about {changes:.0f})"
        doing.over.wait(seconds * self.share)
        return f"after {seconds * self.share:.3f} s (of about {seconds:.3f} s)"


def other_node(stick, node):
    """Holds the device's former node while it is plugged in again, so that it gets another: `with other_node(…): plug`."""
    return Occupied(os.path.join(os.path.dirname(stick.image), "look", stick.name + ".occupied"), node)


class Occupied:
    def __init__(self, path, node):
        self._path, self._node, self._held = path, node, False

    def __enter__(self):
        run("truncate", "-s", "1M", self._path)
        # Whoever still has the old stick's filesystem open keeps its node, and somebody else may be faster.
        self._held = self._node is not None and run("losetup", self._node, self._path, check=False).returncode == 0

    def __exit__(self, *_):
        if self._held:
            run("losetup", "-d", self._node)
        os.unlink(self._path)
