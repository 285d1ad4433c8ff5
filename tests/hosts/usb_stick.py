"""A USB stick: one image file, plugged into a computer's port and pulled out by QMP."""
import os

from checks import Failure, run, wait_for


class UsbStick:
    """size as truncate(1) has it. fs: ext4, vfat, exfat or None, made on this machine where it can be, else by format_in()."""

    count = 0

    def __init__(self, work, size="256M", fs="ext4", label="SATCHEL"):
        UsbStick.count += 1
        self.serial = f"stick{UsbStick.count}"
        self.image = os.path.join(work, self.serial + ".img")
        self.computer, self.port = None, None
        run("truncate", "-s", size, self.image)
        if fs == "ext4":
            run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-E", "root_owner=0:0", "-L", label, self.image)
        elif fs == "vfat":
            run("mkfs.vfat", "-n", label, self.image)
        elif fs:
            raise Failure(f"a stick with {fs} is made in a computer, by format_in()")

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
