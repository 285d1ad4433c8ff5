"""Imports and exports whose calls fail."""
import functools
import os
import shutil

from day import pack_counter
from failing import WORLD
from making import Making, equal, expect, plug, pull, read, run
from recording import PreloadedHost
from stick import Stick
from travel import Machine, memory_on, tree

SAVE = "guest.save"


@functools.cache
def packed():
    """A machine that was packed and ejected once for all: (its stick's image, a directory that it was exported to)."""
    host, stick, machine = PreloadedHost("p", "powercut_faults.so", {}, {"on_insert": "ask"}), Stick("192M"), Machine("traveller")
    place = os.path.join(WORLD, "packed")
    pack_counter(host, stick, machine)
    machine.eject(host)
    pull(host, stick)
    plug(host, stick)
    machine.await_state(host, "ready")
    host.must("export", machine.name, "--to", place)
    host.must("eject", stick.node)
    pull(host, stick)
    host.stop()
    return stick.image, place


def stream_of(save):
    """QEMU's stream in a save image: behind libvirt's header and the XML, whose length it says."""
    whole = read(save)
    return whole[92 + int.from_bytes(whole[20:24], "little"):]


class Import(Making):
    """Of what an export has written."""

    name = "an import"

    def prepare(self):
        self.place = os.path.join(self.disk, "archive")
        shutil.copytree(packed()[1], self.place)
        self.before, raw = files_below(self.place), os.path.join(WORLD, "archive.raw")
        run("qemu-img", "convert", "-O", "raw", os.path.join(self.place, "vda.qcow2"), raw)
        self.content, self.stream = read(raw), stream_of(os.path.join(self.place, SAVE))
        super().prepare()

    def command(self):
        return "import", self.place

    def is_untouched(self):
        expect("the archive has changed", files_below(self.place) == self.before)

    def is_right(self, place, head):
        super().is_right(place, head)
        expect("its memory is not what was saved", memory_on(place, self.machine, head) == self.stream)


class Export(Making):
    """Of a machine at rest, to a directory."""

    name, writes_to = "an export", "host"

    def prepare(self):
        self.place = os.path.join(self.disk, "archive")
        run("cp", "--sparse=always", packed()[0], self.stick.image)
        super().prepare()
        self.machine.await_state(self.host, "ready")
        self.before = tree(self.stick.mounted_at())
        self.host.must(*self.command())
        self.wanted = files_below(self.place)
        self.take_away()

    def command(self):
        return "export", "traveller", "--to", self.place

    def is_untouched(self):
        equal("the machine's files on the stick", tree(self.stick.mounted_at()), self.before)

    def left_behind(self):
        left = files_below(self.place)
        if left == self.wanted:
            self.take_away()
            return "all of it there"
        # Where nothing can be removed any more, what has its name already is what it has to be.
        expect(f"it looks like an export: {list(left)}", len(left) != len(self.wanted) or any(path.endswith(".part") for path in left))
        for path, bytes in left.items():
            expect(f"{path} has its name and is not whole", path.endswith(".part") or bytes == self.wanted[path])
        if not left:
            return "nothing left"
        said = self.host.ctl(*self.command())
        expect(f"what is left there is not told: {said}", said[0] != 0 and "is not empty" in said[1] + said[2])
        self.take_away()
        return "unfinished files left, told at the next try"

    def is_whole(self):
        found = files_below(self.place)
        equal("the files", list(found), list(self.wanted))
        for path, bytes in found.items():
            expect(f"{path} is not what it was without failures", bytes == self.wanted[path])

    def take_away(self):
        shutil.rmtree(self.place, ignore_errors=True)


def files_below(place):
    """{path: content} of all files."""
    found = {}
    for folder, _, names in sorted(os.walk(place)):
        for name in sorted(names):
            path = os.path.join(folder, name)
            found[os.path.relpath(path, place)] = read(path)
    return found
