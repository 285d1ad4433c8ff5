"""The jobs of docs/FAILURES.md, by its headings: how each is prepared, begun, and asked for again."""
import os
import shutil

import counter
from base import Base, start_counter
from formats import Format
from host import NAME, Host
from rig import Instants
from scene import Scene
from travel import CAPSULE, Machine, expect, plug, run, wait_for

WORLD = os.environ.get("WORLD", "/nonexistent")


class Insert(Scene):
    def begin(self):
        self.stick.plug()


class Running(Scene):
    """Of a machine that runs from its stick."""

    def prepare(self):
        super().prepare()
        self.machine.insert(self.host, self.stick)


class Eject(Running):
    command = ("eject", "traveller")


class Checkpoint(Running):
    command = ("checkpoint", "traveller")


class Merge(Running):
    command = ("merge", "traveller")


class Fold(Running):
    command = ("fold", "traveller")


class Compact(Running):
    """Of a machine whose memory is in two files."""

    command = ("compact", "traveller")

    def prepare(self):
        super().prepare()
        self.machine.eject(self.host)
        self.stick.pull()
        self.machine.insert(self.host, self.stick)


class AtRest(Scene):
    """Of a machine that is on its stick, in a port."""

    settings = {"on_insert": "ask"}

    def prepare(self):
        super().prepare()
        self.stick.plug()
        self.machine.await_state(self.host, "ready")


class MergeAtRest(AtRest):
    command = ("merge", "traveller")


class FoldAtRest(AtRest):
    command = ("fold", "traveller")


class CompactAtRest(AtRest):
    """Of a machine whose memory is in two files."""

    command = ("compact", "traveller")

    def prepare(self):
        super().prepare()
        self.host.must("launch", "traveller")
        self.runs()
        self.machine.eject(self.host)
        self.stick.pull()
        self.stick.plug()
        self.machine.await_state(self.host, "ready")


class Pull(Running):
    def begin(self):
        self.stick.pull()


class Back(Running):
    def prepare(self):
        super().prepare()
        self.stick.pull()
        wait_for(lambda: (now := self.machine.here(self.host))["State"] == "stranded" and now["Job"] == "/", 60,
                 "it is saved on this computer")

    def begin(self):
        self.stick.plug()


class Without(Running):
    """Of a machine whose stick is out, and whose disks are kept here."""

    settings = {"cache": {"disks_of": "everywhere"}}
    command = ("launch", "traveller", "--without-device")

    def prepare(self):
        super().prepare()
        kept = os.path.join(self.host.state, "disks", self.machine.uuid, "head.json")
        wait_for(lambda: os.path.exists(kept), 60, "its disks are kept here")
        self.stick.pull()
        wait_for(lambda: (now := self.machine.here(self.host))["State"] == "stranded" and now["Job"] == "/", 60,
                 "it is saved on this computer")


class Empty(Scene):
    """Of a machine that comes to an empty stick."""

    def __init__(self, base, instants, verdict):
        super().__init__(base, instants, verdict)
        run("mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-L", "SATCHEL", self.stick.image)

    def prepare(self):
        super().prepare()
        plug(self.host, self.stick)

    def bring_to_run(self):
        self.remove_unfinished()
        if not self.machine.here(self.host):
            self.ask_again()
        super().bring_to_run()


class Pack(Empty):
    """Of a machine that runs here."""

    command = ("pack", "traveller")

    def __init__(self, base, instants, verdict):
        super().__init__(base, instants, verdict)
        self.machine = Machine("traveller")

    def prepare(self):
        self.machine.ticks = start_counter(self.host, "traveller")
        super().prepare()

    def ticks_here(self):
        return self.machine.ticks

    def bring_to_run(self):
        now = self.machine.here(self.host)
        if now and now["State"] == "ready":
            # The device has it, and it has gone on here on its own disks: the device's is the older one.
            Host.busctl("call", NAME, now["path"], CAPSULE, "Remove", "a{sv}", "0")
            wait_for(lambda: not self.machine.here(self.host), 30, "the older one is removed")
        super().bring_to_run()

    def goes_on_as_it_was(self):
        """Neither paused nor booted, and none of its disks is an overlay of ours."""
        self.machine.ticks.await_more(2)
        self.machine.ticks.check_unbroken()
        expect("another QEMU runs than before", self.host.guests() == self.guests)
        wait_for(lambda: "sessions" not in self.host.virsh("domblklist", "traveller"), 30, "it is on its own disks")

    def runs(self):
        now = self.machine.await_state(self.host, "running", seconds=60)
        self.machine.ticks.await_more(2)
        self.machine.ticks.check_unbroken()
        return now


class Create(Empty):
    """Of the disk image of a machine that never ran."""

    settings = {"on_insert": "ask"}

    def __init__(self, base, instants, verdict):
        super().__init__(base, instants, verdict)
        self.machine = Machine("traveller")
        image = os.path.join(self.host.directory, "image.raw")
        with open(image, "wb") as file:
            file.write(counter.disk())
        self.command = ("create", "traveller", "--disk", image, "--memory", "32MiB", "--cpus", "1", "--network", "none")


class Import(Empty):
    """Of what was exported from the packed stick."""

    settings = {"on_insert": "ask"}

    def __init__(self, base, instants, verdict):
        super().__init__(base, instants, verdict)
        self.command = ("import", base.exported, "--uuid", base.uuid)


class Export(AtRest):
    def __init__(self, base, instants, verdict):
        super().__init__(base, instants, verdict)
        self.place = os.path.join(self.host.directory, "out")
        self.command = ("export", "traveller", "--to", self.place)

    def ask_again(self):
        """As for whoever finds half an export."""
        shutil.rmtree(self.place, ignore_errors=True)
        super().ask_again()


JOBS = {kind.__name__: kind for kind in (Insert, Eject, Checkpoint, Merge, MergeAtRest, Fold, FoldAtRest, Compact, CompactAtRest, Pull, Back,
                                         Without, Pack, Create, Import, Export, Format)}


def job_of(heading):
    """The job of a heading: its first word, and whether it goes on to say that the machine rests."""
    return JOBS[heading.split()[0].strip(",:") + ("AtRest" if heading.endswith(" at rest") else "")]


__all__ = ["Base", "Instants", "JOBS", "job_of"]
