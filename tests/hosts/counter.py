"""The machine that travels: a counter of three sectors (counter.S), heard on its serial ports."""
import os
import tempfile

from checks import Failure, run, wait_for
from guest import Ticks, domain_xml

HERE = os.path.dirname(os.path.abspath(__file__))
MEMORY = 16  # MiB
RING = range(64, 320)  # sectors
TICKS_SECONDS = 180


def disk(written=False):
    """The bytes of its disk. written: in each sector that it is going to write there is something already, of which it looks at
    the first four bytes only, so that it does not grow."""
    with tempfile.TemporaryDirectory() as place:
        thing, program = os.path.join(place, "o"), os.path.join(place, "bin")
        run("as", "--32", os.path.join(HERE, "counter.S"), "-o", thing)
        run("ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-e", "_start", "-o", program, thing)
        with open(program, "rb") as file:
            out = bytearray(file.read().ljust(1 << 20, b"\0"))
    for sector in RING if written else ():
        out[sector * 512 + 511] = 1
    return bytes(out)


class Heard(Ticks):
    """What it said so far: texts of serial ports in the order of its journey, the last of them still growing in a computer."""

    every = 0.25

    def __init__(self):
        super().__init__("its serial ports")
        self._before, self._host, self._path = [], None, None

    def at(self, host, path):
        """From now on it is heard there."""
        if (host, path) != (self._host, self._path):
            self.fetch()
            self._host, self._path = host, path
            self._known = self._here()
            self._skip = 0
        return self

    def _here(self):
        return self._host.text(self._path)

    def fetch(self):
        """Keeps what was said, before the computer goes elsewhere."""
        if self._host:
            self._before.append(self._here())
            self._host = None

    def text(self):
        return "".join(self._before) + (self._here() if self._host else "")


class Counter:
    def __init__(self, name="counter"):
        self.name, self.uuid, self.heard = name, None, Heard()

    def start(self, host, more=(), firmware=""):
        """A machine as a person has one: defined by virsh, its disks with libvirt's others. more: contents of disks besides its own;
        firmware: XML of its loader and variables."""
        images = []
        for number, content in enumerate((disk(), *more)):
            image = f"/var/lib/libvirt/images/{self.name}{number or ''}.qcow2"
            host.put(f"/root/{self.name}.raw", content)
            host.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", f"/root/{self.name}.raw", image)
            images.append(image)
        serial = self.serial()
        text = domain_xml(self.name, images, serial=serial, machine="pc", memory=MEMORY).replace("    <boot dev=", firmware + "    <boot dev=")
        host.put(f"/root/{self.name}.xml", text.encode())
        host.run("virsh", "-q", "define", f"/root/{self.name}.xml")
        host.run("virsh", "-q", "start", self.name, timeout=TICKS_SECONDS)
        self.heard.at(host, serial)
        self.heard.await_count(2, TICKS_SECONDS)

    def serial(self):
        """Where it is heard before it is packed."""
        return f"/var/log/libvirt/qemu/{self.name}-serial.log"

    def pack(self, host, stick, part=0):
        host.ctl("pack", self.name, stick.node(part), timeout=600)
        now = host.await_state("running", name=self.name)
        self.uuid = now["Id"]
        self.heard.await_more(2, TICKS_SECONDS)

    def goes_on_at(self, host, ticks=3, state="running"):
        """It is heard at this host, unbroken since its start."""
        now = host.await_state(state, name=self.name)
        self.uuid = now["Id"]
        self.heard.at(host, f"/var/lib/satchel/serial/{self.uuid}.log")
        self.heard.await_more(ticks, TICKS_SECONDS)
        return self.heard.check_unbroken()

    def eject(self, host):
        said = host.ctl("eject", self.name, timeout=300)
        if "You can unplug the device now." not in said.out:
            raise Failure(f"{host.name}: satchelctl eject does not say that the device may be unplugged:\n{said.out}")
        self.is_safe(host)

    def is_safe(self, host):
        """All that 'safe' promises. With its port powered off, the stick may be gone from the computer already."""
        now = wait_for(lambda: gone_or_safe(host.capsule(self.name)), 120, f"{self.name} is safe on {host.name}", every=0.3)
        if now.get("CanUnplug") is False:
            raise Failure(f"{host.name}: safe, but CanUnplug is false: {now['Detail']}")
        wait_for(lambda: self.name not in host.run("virsh", "-q", "list", "--name").out.split(), 30,
                 f"{self.name} does not run on {host.name}")
        if mounts := host.mounts():
            raise Failure(f"{host.name}: safe, but still mounted: {mounts}")
        self.heard.check_unbroken()


def gone_or_safe(now):
    if now is None:
        return {"State": "absent"}
    return now["State"] == "safe" and now
