"""What scenarios with the real daemon share: a packed stick to begin with, and what people and witnesses do and see."""
import contextlib
import functools
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

from host import domain_xml
from own_disk import fill
from world import Failure, Host, Stick, Terminal, Ticks, make_disk, play, run, say, wait_for

WORLD = os.environ.get("WORLD", "/nonexistent")
CAPSULE = "org.satchel.Satchel1.Capsule"
DEVICE = "org.satchel.Satchel1.Device"
DONE, NO_SPACE, NOT_AUTHORISED, NOT_FOUND, NOT_SUPPORTED, BAD_REQUEST = 0, 4, 5, 6, 9, 14


_sticks = []


def scenes(name, *acts):
    """play() for scenes that may leave anything behind: each begins with no stick plugged in and no host known."""
    def alone(act):
        @functools.wraps(act)
        def played():
            try:
                act()
            finally:
                for host in Host.all:
                    host.kill()
                    host.end_guests()
                for stick in _sticks:
                    throw_away(stick)
                _sticks.clear()
        return played
    play(name, *map(alone, acts))


def throw_away(stick):
    node = stick.node
    if node:
        while stick.mounted_at():
            run("umount", "-l", stick.mounted_at())
        stick.pull()
    stick.clear_mounts()
    os.unlink(stick.image)


def new_stick(size="640M", **how):
    _sticks.append(Stick(size, **how))
    return _sticks[-1]


def new_host(name, kind=Host, **settings):
    """A computer that never had anything to do with Satchel."""
    shutil.rmtree(os.path.join(WORLD, name), ignore_errors=True)
    return kind(name, settings={"host_name": f"host-{name}", "space": {"keep_free_host": "64MiB"}, **settings})


def equal(what, found, expected):
    if found != expected:
        raise Failure(f"{what}: found {found!r}, expected {expected!r}")


def expect(what, holds):
    if not holds:
        raise Failure(what)


class Machine:
    """A test machine that travels under one name: its serial ports one after the other, its capsule's UUID."""

    def __init__(self, name, ticks=None, uuid=None):
        self.name, self.ticks, self.uuid = name, ticks, uuid

    def here(self, host):
        """The capsule's properties by busctl, or None when the host shows none."""
        for path, faces in host.objects().items():
            if CAPSULE in faces and self.name in (faces[CAPSULE]["Name"], faces[CAPSULE]["Id"]):
                self.uuid = faces[CAPSULE]["Id"]
                return dict(faces[CAPSULE], path=path)
        return None

    def await_state(self, host, *states, seconds=120):
        """Waits; fails at once when it failed and that was not asked for."""
        def there():
            now = self.here(host)
            if now is None:
                raise Failure("it is not on the bus")
            if now["State"] == "failed" and "failed" not in states:
                raise RuntimeError(f"failed: {now['Detail']}")
            if now["State"] not in states:
                raise Failure(f"it is {now['State']}: {now['Detail']}")
            return now
        return wait_for(there, seconds, f"{self.name} is {' or '.join(states)}")

    def insert(self, host, stick):
        """Plugs the stick in where the machine goes on by itself, and waits until it does."""
        stick.plug()
        self.await_state(host, "running")
        self.goes_on_at(host)

    def goes_on_at(self, host, ticks=3):
        """From now on it is heard at this host, which goes on unbroken."""
        serial = host.serial_of(self.uuid)
        if self.ticks is None:
            self.ticks = serial
        elif serial.path not in self.ticks.paths:
            self.ticks = self.ticks.then(serial)
        self.ticks.await_more(ticks)
        self.ticks.check_unbroken()

    def eject(self, host):
        """Ejects and looks at all that 'safe' promises."""
        output = host.must("eject", self.name)
        now = self.await_state(host, "safe")
        equal("CanUnplug", now["CanUnplug"], True)
        equal("guests that run on", [g for g in host.guests() if self.name in g], [])
        self.ticks.check_unbroken()
        return output

    def path_on(self, place, *parts):
        return os.path.join(place, "satchel", self.uuid, *parts)


_packed = None


def packed_stick(append="", **how):
    """A stick (options: those of Stick) with the machine 'traveller', ejected at host p: (stick, machine). It is
    packed once for all scenes of a script."""
    global _packed
    if _packed is None:
        host, stick, machine = new_host("p"), new_stick(), Machine("traveller")
        pack_here(host, stick, machine, append=append)
        machine.eject(host)
        pull(host, stick)
        host.stop()
        _sticks.remove(stick)
        _packed = (stick, machine)
    stick = new_stick(fs=None, **how)
    run("cp", "--sparse=always", _packed[0].image, stick.image)
    return stick, Machine("traveller", Ticks(*_packed[1].ticks.paths), _packed[1].uuid)


def pack_here(host, stick, machine, append="", **guest):
    """Starts a guest at this host, the daemon, and packs it while it runs."""
    machine.ticks = host.new_guest(machine.name, append=append, memory=128, **guest)
    machine.ticks.await_count(3, seconds=180)
    host.start()
    plug(host, stick)
    host.must("pack", machine.name, stick.node)
    machine.await_state(host, "running")
    machine.ticks.await_more(2)


def plug(host, stick):
    """Plugs it in and waits until the host shows it."""
    stick.plug()
    return await_device(host, stick)


def await_device(host, stick):
    return wait_for(lambda: (seen := device(host, stick)) and seen["MountPoint"] and seen, 60,
                    "the host shows the stick, mounted")


def pull(host, stick):
    node = stick.node
    stick.pull()
    wait_for(lambda: not any(d["Node"] == node for d in devices(host)), 30, "the host sees that the stick is gone")


def launch(host, machine, *options):
    host.must("launch", machine.name, *options)
    machine.await_state(host, "detached" if "--without-device" in options else "running")
    machine.goes_on_at(host)


def devices(host):
    return [dict(faces[DEVICE], path=path) for path, faces in host.objects().items() if DEVICE in faces]


def device(host, stick):
    """The stick's properties by busctl, or None."""
    return next((d for d in devices(host) if d["Node"] == stick.node), None)


def refused(host, *arguments, status=None, words=()):
    """A satchelctl that has to fail, in sentences with these words; returns what it said."""
    found, output, errors = host.ctl(*arguments)
    said = output + errors
    if found == 0 or (status is not None and found != status):
        raise Failure(f"satchelctl {' '.join(arguments)}: exit status {found}, not {status}\n{said}")
    for word in words:
        expect(f"'{word}' is not said in: {said}", word in said)
    return said


def tree(place):
    """Digests of all files below satchel/: {path: BLAKE2b}."""
    found = {}
    for folder, _, files in os.walk(os.path.join(place, "satchel")):
        for name in files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, place)] = digest(path)
    return found


def committed(place, machine):
    """What the slots promise: slots, their heads and all that those name (image and COW files by size)."""
    kept = {}
    for number in "01":
        path = machine.path_on(place, "slots", number)
        kept[f"slots/{number}"] = digest(path)
        head = head_of(place, machine, seq_of(path))
        for thing in head["objects"]:
            kept[thing["path"]] = digest(machine.path_on(place, thing["path"]))
    return kept


def digest(path):
    with open(path, "rb") as file:
        return hashlib.blake2b(file.read(), digest_size=32).hexdigest()


def seq_of(slot):
    with open(slot, "rb") as file:
        return int.from_bytes(file.read(24)[16:], "little")


def newest_slot(place, machine):
    return max((machine.path_on(place, "slots", number) for number in "01"), key=seq_of)


def head_of(place, machine, seq=None):
    seq = seq or seq_of(newest_slot(place, machine))
    with open(machine.path_on(place, "heads", f"{seq}.json")) as file:
        return json.load(file)


def memory_on(place, machine, head):
    """QEMU's stream, put together from the stick by the procedure in docs/DEVICE-FORMAT.md, with stock tools alone."""
    with open(os.path.join(os.environ["SATCHEL_SOURCE"], "docs/DEVICE-FORMAT.md")) as file:
        script = file.read().split("```python\n")[1].split("```\n")[0]
    saved = head["hibernation"]
    with tempfile.TemporaryDirectory(dir=WORLD) as cells:
        for path in [saved["pages"], *saved["segments"]]:
            number = os.path.basename(path).removesuffix(".pages")
            run("sh", "-c", f"zstd -dcq '{machine.path_on(place, path)}' > {cells}/{number}.cells")
        if saved["codec"] == "zstd-pages-3":
            os.symlink(os.path.dirname(machine.path_on(place, saved["map"])), f"{cells}/memory")
            for disk in head["disks"]:
                chain = [machine.path_on(place, path) for path in disk["chain"]]
                run("qemu-img", "convert", "-U", "-O", "raw", as_the_head_has_it(chain), f"{cells}/{disk['target']}.raw")
        return subprocess.check_output(["python3", "-c", script, machine.path_on(place, saved["map"])], cwd=cells)


def as_the_head_has_it(chain):
    """A chain, lowest first, for qemu-img: a header may name a layer that was merged since."""
    shown = None
    for path in chain:
        shown = {"driver": "qcow2", "file": {"driver": "file", "filename": path}, "backing": shown}
    return "json:" + json.dumps(shown)


class When:
    """Acts once, beside the scene, as soon as a condition holds: `with When(condition, act): …`."""

    def __init__(self, condition, act):
        self._condition, self._act, self._over, self.happened, self.error = condition, act, False, False, None
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        wait_for(lambda: self._over or self._condition(), 600, "the moment to act, or the block's end", every=0.002)
        if self._over:
            return
        try:
            self._act()
            self.happened = True
        except Exception as error:  # told at the end of the block
            self.error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        self._thread.join()
        if self.error:
            raise self.error


def new_machine(host, name, disks, **domain):
    """Defines a test machine over disk files that are there; for what Host.new_guest doesn't make."""
    serial = os.path.join(host.directory, name + ".serial")
    text = domain_xml(name, disks, serial=serial, memory=128, **domain)
    return define(host, name, text), Ticks(serial)


def define(host, name, text):
    path = os.path.join(host.directory, name + ".xml")
    with open(path, "w") as file:
        file.write(text)
    host.virsh("define", path)
    return path


__all__ = [name for name in globals() if not name.startswith("_")]
