"""What is recorded of filesystems that this kernel may lack: the real daemon's day in a computer of tests/hosts, with the
stick's block writes logged by that computer's QEMU."""
import os

import base
import computer
import pair
from checks import Failure, run, wait_for
from counter import Counter
from host import BUILD
from host_computer import Host
from recording import TRANSFER_KIB, Recording, hear_marks
from usb_stick import UsbStick

PORT = "/dev/virtio-ports/org.satchel.marks"
WITNESS = "/usr/local/lib/powercut_witness.so"
SETTINGS = """\
merge: {layers: 0, size: 0B}
fold: {cow_limit: 0%}
"""
# Linux believes that USB storage has no cache of its own to flush, and sends no flushes. Here it is told otherwise: what
# it would have flushed is what a stick is asked to keep, and all else may be lost.
RULE = f"""\
ACTION=="add", SUBSYSTEM=="block", ENV{{DEVTYPE}}=="disk", ENV{{ID_BUS}}=="usb", ATTR{{device/scsi_disk/*/cache_type}}="temporary write back", \
ATTR{{queue/max_sectors_kb}}="{TRANSFER_KIB}"
"""
UNIT = """\
[Service]
PrivateDevices=no
DevicePolicy=auto
Environment=LD_PRELOAD={witness} POWERCUT_PORT={port}
{more}
"""


class LoggedStick(UsbStick):
    """QEMU writes down every write and flush of it, from the first plug to end_recording(). `begun` is a copy of the
    image before that."""

    def __init__(self, work, fs, image=None):
        super().__init__(work, size="640M", fs=None if image else fs)
        if image:
            run("cp", "--sparse=always", image, self.image)
        self.fs, self.marks = fs, []
        self.begun, self.log = self.image + ".begun", self.image + ".log"
        run("cp", "--sparse=always", self.image, self.begun)
        open(self.log, "w").close()
        self._logging = None

    def plug(self, computer, port=1, rate=None):
        if not self._logging:
            for name, path in (("image", self.image), ("log", self.log)):
                computer.qmp("blockdev-add", driver="file", node_name=f"{self.serial}-{name}", filename=path,
                             cache={"direct": False, "no-flush": True})
            computer.qmp("blockdev-add", driver="blklogwrites", node_name=self.serial, file=f"{self.serial}-image",
                         log=f"{self.serial}-log")
            self._logging = computer
        computer.qmp("device_add", driver="usb-storage", id=f"d-{self.serial}", bus="xhci.0", port=str(port), removable=True,
                     serial=self.serial, drive=self.serial)
        self.computer, self.port = computer, port
        computer.plugged[self] = port
        return self

    def pull(self):
        computer, self.computer = self.computer, None
        del computer.plugged[self]
        computer.qmp("device_del", id=f"d-{self.serial}")
        computer.qmp.await_event("DEVICE_DELETED", device=f"d-{self.serial}")

    def mark(self, seq, words):
        """From here on generation `seq` has to be on the device: somebody was told so."""
        self.marks.append((os.path.getsize(self.log), int(seq), words))

    def end_recording(self):
        for name in ("", "-image", "-log"):
            self._logging.qmp("blockdev-del", node_name=self.serial + name)
        self.marks.sort()
        return self.marks


class Day:
    """A computer with satchel installed, and what is done there."""

    def __init__(self, work):
        made = base.get()
        disk = pair.booted_disk(made, work)
        self.work = work
        self.host = Host("p", made, work, computer.copy_disk(disk, os.path.join(work, "p.qcow2")))
        self.host.start("booted")
        self.host.become("p")
        self.host.finish_install(self.host.begin_install(pair.package()))
        self.host.put("/etc/satchel/satchel.yaml", SETTINGS.encode())
        self.host.put("/etc/udev/rules.d/99-powercut.rules", RULE.encode())
        with open(os.path.join(BUILD, "bin", "powercut_witness.so"), "rb") as file:
            self.host.put(WITNESS, file.read())
        self.host.run("udevadm", "control", "--reload")
        self.recorded = None
        self.marks = self._hear()

    def _hear(self):
        path = self.host.path("marks")
        self.host.qmp("chardev-add", id="marks", backend={"type": "socket", "data": {
            "addr": {"type": "unix", "data": {"path": path}}, "server": True, "wait": False}})
        self.host.qmp("device_add", driver="virtserialport", id="marks-port", chardev="marks", name=os.path.basename(PORT))
        heard = hear_marks(path, lambda: self.recorded)
        wait_for(lambda: self.host.run("test", "-e", PORT, check=False).status == 0, 60, f"{PORT} is there", every=0.3)
        return heard

    def daemon(self, forgetful):
        """A daemon with the witness, which syncs what it writes or does not."""
        more = "Environment=POWERCUT_FORGET=1" if forgetful else ""
        self.host.shell("mkdir -p /run/systemd/system/satcheld.service.d")
        self.host.put("/run/systemd/system/satcheld.service.d/powercut.conf",
                      UNIT.format(witness=WITNESS, port=PORT, more=more).encode())
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "restart", "satcheld.service")

    def stick(self, fs, image=None):
        self.recorded = LoggedStick(self.work, fs, image)
        return self.recorded

    def now(self, machine):
        return self.host.capsule(machine.name)["Generation"]

    def eject(self, stick, machine, *options):
        said = self.host.ctl("eject", *options, machine.name, timeout=600).out
        if "You can unplug the device now." not in said:
            raise Failure(f"satchelctl eject does not say that the device may be unplugged:\n{said}")
        stick.mark(max(seq for _, seq, _ in stick.marks), "you can unplug the device now")
        machine.heard.check_unbroken()
        stick.pull()

    def insert(self, stick, machine):
        stick.plug(self.host)
        machine.goes_on_at(self.host)
        stick.mark(self.now(machine), "it runs, checked out")

    def tend(self, stick, machine, what):
        self.host.ctl(what, machine.name, timeout=600)
        stick.mark(self.now(machine), f"{what} is done")
        machine.goes_on_at(self.host)

    def whole(self, fs, sessions=1):
        """As day.whole_day: returns the recording and the machine."""
        self.daemon(forgetful=False)
        stick, machine = self.stick(fs), Counter(f"counter-{fs}")
        machine.start(self.host)
        stick.plug(self.host)
        machine.pack(self.host, stick)
        stick.mark(self.now(machine), "it was packed")
        require_flushes(self.host)
        self.eject(stick, machine)
        for _ in range(sessions):
            self.insert(stick, machine)
            self.eject(stick, machine)
        self.insert(stick, machine)
        self.tend(stick, machine, "merge")
        self.tend(stick, machine, "fold")
        self.eject(stick, machine)
        self.insert(stick, machine)
        self.eject(stick, machine, "--merge")
        return Recording.of(f"{fs}-counter", stick), machine

    def forgetful_eject(self, fs, image, machine):
        """As day.forgetful_eject."""
        stick = self.stick(fs, image)
        self.daemon(forgetful=True)
        self.insert(stick, machine)
        self.eject(stick, machine)
        return Recording.of(f"{fs}-counter-forgetful", stick)


def require_flushes(host):
    """The stick has what the rule says, or nothing would be flushed."""
    found = host.shell("cat /sys/class/scsi_disk/*/cache_type; cat /sys/block/sd*/queue/max_sectors_kb").out.split("\n")
    if found[:2] != ["write back", str(TRANSFER_KIB)]:
        raise Failure(f"the stick is not set up for the recording: {found}")
