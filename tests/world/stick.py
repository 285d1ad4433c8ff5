"""Sticks: image files that loop devices make into block devices, announced by the kernel and udev."""
import contextlib
import os
import shutil
import signal
import stat
import subprocess

from checks import Failure, run, wait_for

WORLD = os.environ.get("WORLD", "/nonexistent")


def settle():
    """udevd has told of all that the kernel told it. It may close the connection of one who asks, who asks again."""
    wait_for(lambda: run("udevadm", "settle", "--timeout=20"), 40, "udevd has settled")


class Stick:
    """A USB stick. A plain one is a loop device over its image; one with a rate, or that can fail or be
    pulled in use ("pullable"), has nbdkit between the two: 40 MB/s is rate=40_000_000, after a burst of so many
    seconds at that rate. A counterfeit one is of the size that it says, keeps so many bytes, and wraps
    around, or drops what is written beyond."""

    count = 0

    def __init__(self, size="1G", fs="ext4", label="SATCHEL", rate=None, pullable=False, burst=2, options=(), keeps=None, beyond="wraps"):
        Stick.count += 1
        self.name = f"stick{Stick.count}"
        self.image = os.path.join(WORLD, self.name + ".img")
        self.rate, self.burst, self.served = rate, burst, pullable or rate is not None or keeps is not None
        # What a counterfeit one gives back must not come from this computer's own cache of nbdkit's file.
        self._medium, self._loop = ["file", self.image], ["--direct-io=on"] if keeps else []
        self.node, self._server, self._before = None, None, (0, 0)
        self._left = []  # mounts with nothing under them
        run("truncate", "-s", size, self.image)
        if keeps:
            self._medium = counterfeit(self.image, keeps, beyond)
        if fs == "ext4":
            run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-L", label, *options, self.image)
        elif fs is not None:
            run(f"mkfs.{fs}", *(["-n", label] if fs in ("vfat", "exfat") else ["-L", label]), *options, self.image)

    def plug(self):
        """Plug it in; returns the device's node once udev has told what it found on it."""
        if self.node:
            raise Failure(f"{self.name} is plugged in")
        self.node = run("losetup", "-f", "--show", *self._loop, self._serve() if self.served else self.image).stdout.strip()
        self._before = self._sectors()
        wait_for(lambda: os.path.exists(f"/run/udev/data/b{self._number()}")
                 and self.properties().get("SYSTEMD_READY") != "0", 20, f"udev's word on {self.node}")
        return self.node

    def pull(self):
        """Pull it out. A plain one must not be in use. One behind nbdkit is gone at once, whatever uses it:
        reads and writes fail, udev tells 'remove', and the mount is left with nothing under it."""
        node, self.node = self.node, None
        if self.served:
            self._left += mounts(node)
            self._server.send_signal(signal.SIGKILL)
            self._server.wait()
            run("umount", "-l", os.path.dirname(self._served_path()), check=False)
            with open(f"/sys/block/{os.path.basename(node)}/uevent", "w") as uevent:
                uevent.write("remove")
            run("losetup", "-d", node)
            return
        run("losetup", "-d", node)
        wait_for(lambda: self._backing(node) is None, 10, f"{node} is free (is it still mounted?)")
        settle()

    def be_missed(self):
        """The kernel finds out that what it has still to write can't be written any more: ext4 is read-only from then on."""
        for _, place in self._left:
            run("sync", "-f", place, check=False)

    def clear_mounts(self):
        """What pulls have left mounted: UDisks2 does that where a node goes with its device, as a loop device's does not."""
        for mount in set(self._left) & set(mounts()):
            run("umount", "-l", mount[1])
        self._left.clear()

    def fail(self, what="pwrite"):
        """Every such request to a pullable stick gets an I/O error from now on: pread, pwrite, flush."""
        open(self._trigger(what), "w").close()

    def heal(self):
        for what in ("pread", "pwrite", "flush"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._trigger(what))

    def freeze(self):
        """One behind nbdkit takes requests and answers none, until thaw()."""
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._server.send_signal(signal.SIGCONT)

    def forget(self):
        """What this computer has cached below the filesystem of a stick behind nbdkit comes from the medium again."""
        with open(self._served_path(), "r+b", buffering=0) as served:
            os.fsync(served)
            os.posix_fadvise(served.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def properties(self):
        """udev's properties of the plugged device."""
        shown = run("udevadm", "info", "-q", "property", self.node, check=False).stdout
        return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)

    def crossed(self):
        """Bytes read from and written to the stick since it was plugged in."""
        return tuple((now - before) * 512 for now, before in zip(self._sectors(), self._before))

    def mounted_at(self):
        """Where it is mounted in this world, or None."""
        return run("findmnt", "-n", "-o", "TARGET", self.node, check=False).stdout.strip() or None \
            if self.node else None

    @contextlib.contextmanager
    def mount_ro(self):
        """Look at what is on the medium at this instant, as the next computer would see it; no service notices,
        and nothing done there comes back. Gives the path."""
        # A copy, as mounting replays a journal.
        copy = os.path.join(WORLD, "look", self.name + ".copy")
        run("cp", "--sparse=always", self.image, copy)
        try:
            with self._mounted(copy, "ro") as path:
                yield path
        finally:
            os.unlink(copy)

    @contextlib.contextmanager
    def mount_rw(self):
        """Change it independently, while it is not plugged in (damage done elsewhere)."""
        if self.node:
            raise Failure(f"{self.name} is plugged in")
        link = os.path.join(WORLD, "look", self.name)
        os.link(self.image, link)
        try:
            with self._mounted(link, "rw") as path:
                yield path
        finally:
            os.unlink(link)

    @staticmethod
    @contextlib.contextmanager
    def _mounted(image, option):
        """The world's udev rules keep all services off loop devices over files in look/."""
        place = image + ".d"
        os.makedirs(place, exist_ok=True)
        node = run("losetup", "-f", "--show", image).stdout.strip()
        try:
            run("mount", "-t", run("blkid", "-p", "-o", "value", "-s", "TYPE", node).stdout.strip(), "-o", option,
                node, place)
            try:
                yield place
            finally:
                run("umount", place)
        finally:
            run("losetup", "-d", node)

    def _serve(self):
        path, ready = self._served_path(), os.path.join(WORLD, self.name + ".pid")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        filters, values = ["--filter=error"], [f"rate={self.rate * 8}", f"burstiness={self.burst}"] if self.rate else []
        for what in ("pread", "pwrite"):
            values += [f"error-{what}=EIO", f"error-{what}-rate=100%", f"error-{what}-file={self._trigger(what)}"]
        if self.rate:
            filters.append("--filter=rate")
        with open(os.path.join(WORLD, "log", self.name + ".log"), "ab") as log:
            self._server = subprocess.Popen(
                ["nbdfuse", f"--pidfile={ready}", path, "[", "nbdkit", "--exit-with-parent", "-f", *filters,
                 *self._medium, *values, "]"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: os.path.exists(ready) and os.path.getsize(ready), 20, f"nbdfuse serves {self.name}")
        os.unlink(ready)
        return path

    def _served_path(self):
        return os.path.join(WORLD, self.name, "disk")

    def _trigger(self, what):
        return os.path.join(WORLD, f"{self.name}.fail-{what}")

    def _number(self):
        device = os.stat(self.node).st_rdev
        return f"{os.major(device)}:{os.minor(device)}"

    def _sectors(self):
        with open(f"/sys/block/{os.path.basename(self.node)}/stat") as file:
            fields = file.read().split()
        return int(fields[2]), int(fields[6])

    @staticmethod
    def _backing(node):
        try:
            with open(f"/sys/block/{os.path.basename(node)}/loop/backing_file") as file:
                return file.read().strip()
        except OSError:
            return None


def mounts(node=None):
    """(number, place) of each mount in this world, or of those of one device."""
    with open("/proc/self/mountinfo") as file:
        found = [line.split() for line in file]
    return [(fields[0], fields[4]) for fields in found if node in (None, fields[fields.index("-") + 2])]


def counterfeit(image, keeps, beyond):
    """nbdkit's plugin and what it is to be told, for a device that is as large as its image and keeps so many bytes."""
    at = f"$(( $4 % {keeps} ))"
    read = f"dd if={image} skip={at} count=$3 iflag=skip_bytes,count_bytes status=none"
    write = f"dd of={image} seek={at} oflag=seek_bytes conv=notrunc status=none"
    if beyond == "drops":
        read = f"if [ $4 -lt {keeps} ]; then {read}; else head -c $3 /dev/zero; fi"
        write = f"if [ $4 -lt {keeps} ]; then {write}; else cat >/dev/null; fi"
    return ["eval", f"get_size=echo {os.path.getsize(image)}", "can_write=exit 0", "can_flush=exit 0", "flush=exit 0",
            f"pread={read}", f"pwrite={write}"]
