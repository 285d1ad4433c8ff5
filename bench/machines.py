"""The measured machine under libvirt: at its keyboard, saved once so that every round begins alike, and on a stick."""
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TREE, "tests", "world"), os.path.join(TREE, "tests", "scenarios")]
from host import program  # noqa: E402
from travel import *  # noqa: E402

NAME = "bench"
DESK = os.path.join(WORLD, "d")  # the machine's files while it is no capsule
DISK, SERIAL, SCREEN = (os.path.join(DESK, name) for name in ("vda.qcow2", "serial", "vnc"))
DISPLAY = f"""\
    <graphics type='vnc'><listen type='socket' socket='{SCREEN}'/></graphics>
    <video><model type='vga' vram='16384' heads='1' primary='yes'/></video>
"""
BUILD_BENCH = os.path.join(os.environ.get("SATCHEL_BUILD", os.path.join(TREE, "build", "release")), "bench")
IDLING = {"idle": 20, "settle": 60}  # seconds
# Merges in the background would write beside what is measured.
QUIET = {"merge": {"layers": 0, "size": "0B"}, "fold": {"cow_limit": "0%"}, "compact": {"size": "0B"}}


class Keyboard:
    """Types at a machine's screen by VNC."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(path)
        self._socket.sendall(self._get(12))
        if 1 not in self._get(self._get(1)[0]):
            raise Failure("the screen asks for a password")
        self._socket.sendall(b"\1")
        self._get(4)
        self._socket.sendall(b"\1")
        head = self._get(24)
        self._get(struct.unpack(">I", head[20:])[0])

    def _get(self, size):
        got = b""
        while len(got) < size:
            part = self._socket.recv(size - len(got))
            if not part:
                raise Failure("the screen was closed")
            got += part
        return got

    def type(self, text):
        """Lower-case letters, digits, spaces and ends of lines; five at most, as a keyboard's queue is short."""
        for letter in text:
            for down in (1, 0):
                self._socket.sendall(struct.pack(">BBxxI", 4, down, 0xFF0D if letter == "\n" else ord(letter)))
        # It answers in order: once it shows a pixel, it has taken the keys.
        self._socket.sendall(struct.pack(">BBHHHH", 3, 0, 0, 0, 1, 1))
        self._get(1)
        self._socket.close()


def said(serial, line):
    """How often the machine said so on its serial port."""
    return sum(each.endswith(line) for each in Ticks(serial).lines())


class Debian:
    """bench/guest's machine: told what to do at its keyboard."""

    memory, begin = 1024, ("r", "settle")
    letters = "rwf"  # of bench/inside

    def __init__(self, image):
        self.image = image

    def disk(self, path):
        run("qemu-img", "convert", "-O", "qcow2", self.image, path)

    @staticmethod
    def ready(serial):
        wait_for(lambda: said(serial, "ready"), 600, "somebody is logged in at the machine", every=0.5)

    @staticmethod
    def act(screen, serial, letter):
        """It does something of bench/inside; returns once it is done."""
        if letter in IDLING:
            until = time.monotonic() + IDLING[letter]
            wait_for(lambda: time.monotonic() > until, IDLING[letter] + 60, "it has idled", every=0.5)
            return
        before = said(serial, f"done {letter}")
        Keyboard(screen).type(letter + "\n")
        wait_for(lambda: said(serial, f"done {letter}") > before, 900, f"the machine has done '{letter}'", every=0.2)


class Ticker:
    """The tests' own machine, for --quick: it counts in memory and on its disk, whatever it is told."""

    memory, begin = 256, ("idle",)
    letters = "w"
    TICKS = {"idle": 3, "w": 100}

    @staticmethod
    def disk(path):
        make_disk(path)

    @staticmethod
    def ready(serial):
        Ticks(serial).await_count(3, seconds=180)

    def act(self, _, serial, letter):
        Ticks(serial).await_more(self.TICKS[letter], seconds=180)


def idle_share(seconds=1.0):
    """The share of the processors' time that nobody used, in so many seconds from now."""
    def times():
        with open("/proc/stat") as file:
            fields = [int(field) for field in file.readline().split()[1:9]]
        return fields[3] + fields[4], sum(fields)

    (idle, total), over = times(), time.monotonic() + seconds
    wait_for(lambda: time.monotonic() > over, seconds + 60, "the processors were looked at", every=0.1)
    now_idle, now_total = times()
    return (now_idle - idle) / max(now_total - total, 1)


def calm(patience):
    """Waits until nobody else computes on this machine, at most so many seconds; returns whether that came."""
    over = time.monotonic() + patience
    while idle_share() < 0.85:
        if time.monotonic() > over:
            return False
    return True


def timed(work):
    """(seconds, what it returned)"""
    began = time.monotonic()
    returned = work()
    return time.monotonic() - began, returned


class Desk:
    """Where the machine is a plain libvirt machine: host v, with virsh. It is started once, has read its files, and was
    saved; begin() brings it back to that instant, with what it writes in a qcow2 overlay."""

    def __init__(self, kind):
        self.kind, self.host = kind, new_host("v")
        os.makedirs(DESK)
        kind.disk(DISK)
        text = domain_xml(NAME, [DISK], serial=SERIAL, memory=kind.memory).replace("    <memballoon", DISPLAY + "    <memballoon")
        self.saved, self.base, self.description = (os.path.join(DESK, name) for name in ("state", "base.qcow2", "xml"))
        with open(self.description, "w") as file:
            file.write(text)
        self.host.virsh("define", self.description)
        self.host.virsh("start", NAME)
        kind.ready(SERIAL)
        for letter in kind.begin:
            self.act(letter)
        self.host.virsh("save", NAME, self.saved)
        os.rename(DISK, self.base)
        # It says that the disk has nothing below it, which an overlay has.
        with open(self.description, "w") as file:
            file.write(self.host.virsh("save-image-dumpxml", self.saved).replace("<backingStore/>", ""))

    def act(self, letter):
        self.kind.act(SCREEN, SERIAL, letter)

    def begin(self, host=None):
        if os.path.exists(DISK):
            os.unlink(DISK)
        if host:  # to be packed there: its disk is one file
            run("cp", "--sparse=always", self.base, DISK)
        else:
            run("qemu-img", "create", "-q", "-f", "qcow2", "-b", self.base, "-F", "qcow2", DISK)
        (host or self.host).virsh("restore", "--xml", self.description, self.saved)

    def virsh_seconds(self):
        """What virsh alone takes, whose embedded driver begins anew each time."""
        return min(timed(lambda: self.host.virsh("list"))[0] for _ in range(3))

    def qemu_seconds(self):
        """From a command to a QEMU that runs: what any insert takes at least."""
        return timed(lambda: self.host.virsh("start", NAME))[0]

    def end(self):
        self.host.end_guests()
        wait_for(lambda: not self.host.guests(), 30, "the machine at the desk has ended")


class News:
    """What a host tells of its capsules. Asking it again and again would compute beside what is measured."""

    def __init__(self, host):
        self.host = host

    def __enter__(self):
        self._told = subprocess.Popen([program("satchelctl"), "--json", "monitor"], stdout=subprocess.PIPE, text=True,
                                      env=self.host.environment())
        return self

    def __exit__(self, *_):
        self._told.kill()
        self._told.communicate()

    def await_state(self, name, state, seconds):
        late = threading.Timer(seconds, self._told.kill)
        late.start()
        try:
            for line in self._told.stdout:
                told = json.loads(line)
                if (told["kind"], told["object"]) == ("capsule", name) and told["what"].startswith(state + ","):
                    return
        finally:
            late.cancel()
        raise Failure(f"{name} is not {state} within {seconds} s:\n{self.host.log()[-3000:]}")


class Capsule(Machine):
    """The machine on a stick."""

    def __init__(self, kind):
        super().__init__(NAME)
        self.kind = kind

    def insert(self, host, stick):
        with News(host) as news:
            stick.plug()
            news.await_state(self.name, "running", seconds=300)

    def eject(self, host):
        host.must("eject", self.name, timeout=900)

    def act(self, host, letter):
        with open(f"/proc/{host.guests()[self.name]}/cmdline", "rb") as file:
            words = file.read().decode().split("\0")
        screen = next(word for word in words if "unix:" in word and words[words.index(word) - 1] == "-vnc")
        self.kind.act(screen.split("unix:")[1].split(",")[0], host.serial_of(self.uuid).path, letter)


def packed(desk, stick):
    """The machine, packed on the stick at host p and ejected there."""
    host, machine = new_host("p", **QUIET), Capsule(desk.kind)
    desk.begin(host)
    host.start()
    plug(host, stick)
    host.must("pack", NAME, stick.node, timeout=900)
    machine.await_state(host, "running")
    machine.eject(host)
    machine.await_state(host, "safe")
    pull(host, stick)
    host.stop()
    return machine


def parts_of(stick, machine, folder):
    """What the pulled stick's newest two generations hold, as stock tools read it, in the folder: before (its memory),
    after (its memory) and disk (the newest layer). Returns the sizes of what the newest one wrote:
    {"memory": bytes, "disk": bytes}"""
    os.makedirs(folder, exist_ok=True)
    with stick.mount_ro() as place:
        newest = head_of(place, machine)
        older = head_of(place, machine, newest["generation"]["seq"] - 1)
        for name, head in (("before", older), ("after", newest)):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(memory_on(place, machine, head))
        disks = sum((disk["chain"] for disk in newest["disks"]), [])
        layers = [path for path in disks if path not in sum((disk["chain"] for disk in older["disks"]), [])]
        with open(os.path.join(folder, "disk"), "wb") as target:
            for path in layers:
                with open(machine.path_on(place, path), "rb") as source:
                    shutil.copyfileobj(source, target)
        old = {thing["path"] for thing in older["objects"]}
        return {"memory": sum(thing["size"] for thing in newest["objects"]
                              if thing["path"] not in old and thing["path"].startswith("memory/")),
                "disk": sum(thing["size"] for thing in newest["objects"] if thing["path"] in layers)}


__all__ = [name for name in globals() if not name.startswith("_")]
