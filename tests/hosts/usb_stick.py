"""A USB stick: one image file, plugged into a computer's port and pulled out by QMP."""
import os

from checks import Failure, run, wait_for


class UsbStick:
    """size as truncate(1) has it, of the whole or of the one filesystem. fs: ext4, vfat, exfat or None, which leaves it blank.
    parts: instead, a partition table of these (fs, label, MiB)."""

    count = 0

    def __init__(self, work, size="256M", fs="ext4", label="SATCHEL", parts=()):
        UsbStick.count += 1
        self.serial = f"stick{UsbStick.count}"
        self.image = os.path.join(work, self.serial + ".img")
        self.computer, self.port = None, None
        run("truncate", "-s", size, self.image)
        if parts:
            self._divide(parts)
        else:
            make_filesystem(self.image, fs, label)

    def _divide(self, parts):
        """A GPT; partitions begin at 1 MiB, the one behind the other."""
        run("truncate", "-s", f"{sum(size for _, _, size in parts) + 2}M", self.image)
        table = "label: gpt\n" + "".join(f"size={size}MiB\n" for _, _, size in parts)
        run("sfdisk", "-q", self.image, input=table, stdin=None)
        at, part = 1, self.image + ".part"
        for fs, label, size in parts:
            run("truncate", "-s", f"{size}M", part)
            make_filesystem(part, fs, label)
            run("dd", f"if={part}", f"of={self.image}", "bs=1M", f"seek={at}", "conv=notrunc,sparse", "status=none")
            os.unlink(part)
            at += size

    def copy(self):
        """Another with the same on it. It is in nobody's port."""
        other = UsbStick(os.path.dirname(self.image), size="0", fs=None)
        run("cp", "--sparse=always", self.image, other.image)
        return other

    def content(self):
        """A hash of all that is on it."""
        return run("sha256sum", self.image).stdout.split()[0]

    def plug(self, computer, port=1, rate=None):
        """Into a port; rate: bytes a second that it takes and gives."""
        if self.computer:
            raise Failure(f"{self.serial} is plugged into {self.computer.name}")
        node = f"{self.serial}-{port}"
        computer.qmp("blockdev-add", driver="raw", node_name=node,
                     file={"driver": "file", "filename": self.image, "cache": {"direct": False, "no-flush": True}})
        if rate:
            computer.qmp("object-add", qom_type="throttle-group", id=f"rate-{node}", limits={"bps-total": rate})
            computer.qmp("blockdev-add", driver="throttle", node_name=f"slow-{node}", throttle_group=f"rate-{node}", file=node)
        computer.qmp("device_add", driver="usb-storage", id=self.serial, bus="xhci.0", port=str(port), removable=True,
                     serial=self.serial, drive=f"slow-{node}" if rate else node)
        self.computer, self.port, self._nodes, self._group = computer, port, [f"slow-{node}"] * bool(rate) + [node], \
            f"rate-{node}" if rate else None
        computer.plugged[self] = port
        return self

    def pull(self):
        """Out it goes, whatever uses it."""
        computer, self.computer = self.computer, None
        del computer.plugged[self]
        computer.qmp("device_del", id=self.serial)
        computer.qmp.await_event("DEVICE_DELETED", device=self.serial)
        for node in self._nodes:
            computer.qmp("blockdev-del", node_name=node)
        if self._group:
            computer.qmp("object-del", id=self._group)

    def unplugged(self):
        """The computer that it was in is off."""
        del self.computer.plugged[self]
        self.computer = None

    def node(self, part=0):
        """Its node in the computer once udev has told of it, or of one of its partitions."""
        suffix = f"-0:0-part{part}" if part else "-0:0"
        path = f"/dev/disk/by-id/usb-QEMU_QEMU_HARDDISK_{self.serial}{suffix}"
        computer = self.computer

        def told():
            return computer.run("readlink", "-e", path, check=False).out.strip()

        return wait_for(told, 60, f"udev of {computer.name} tells of {self.serial}", every=0.2)

    def remove(self):
        if self.computer:
            self.pull()
        if os.path.exists(self.image):
            os.unlink(self.image)


def make_filesystem(path, fs, label):
    if fs == "ext4":
        run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-E", "root_owner=0:0", "-L", label, path)
    elif fs == "vfat":
        run("mkfs.vfat", "-n", label, path)
    elif fs == "exfat":
        run("mkfs.exfat", "-L", label, path)
    elif fs:
        raise Failure(f"no test makes {fs}")
