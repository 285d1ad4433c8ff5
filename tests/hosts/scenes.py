"""What scenes share."""
import copy
import time

from checks import Failure, say
from counter import Counter
from usb_stick import UsbStick


STARTED, TRAVELLED = "started", "travelled"


class Stage:
    """Two computers as after the installation, and what a scene puts between them. Each scene gets a new one."""

    starts, travelled = False, None

    def __init__(self, a, b, work):
        self.a, self.b, self.work, self.sticks = a, b, work, []
        self.began = time.monotonic()

    def hosts(self):
        return (self.a, self.b)

    def stick(self, *arguments, **how):
        made = UsbStick(self.work, *arguments, **how)
        self.sticks.append(made)
        return made

    def started(self):
        """A machine that runs on a, not yet packed. It is started once a run; nothing may be plugged into a."""
        machine = Counter()
        if not Stage.starts:
            machine.start(self.a)
            self.a.save(STARTED)
            Stage.starts = True
        else:
            self.a.back_to(STARTED)
            machine.heard.at(self.a, machine.serial())
        return machine

    def own_machine(self, **how):
        """One of this scene alone, that runs on a."""
        machine = Counter("own")
        machine.start(self.a, **how)
        return machine

    def packed(self, part=0, **how):
        """(stick, machine): a running machine of host a, packed, running there."""
        machine, stick = self.started(), self.stick(**how)
        stick.plug(self.a)
        machine.pack(self.a, stick, part)
        return stick, machine

    def travelling(self):
        """The same, ejected at a, in nobody's port. It is done once a run: later scenes have a copy of the stick, and a as it was then."""
        if not Stage.travelled:
            stick, machine = self.packed()
            machine.eject(self.a)
            stick.pull()
            machine.heard.fetch()
            self.a.save(TRAVELLED)
            self.sticks.remove(stick)
            Stage.travelled = stick, machine
        else:
            self.a.back_to(TRAVELLED)
        kept, machine = Stage.travelled
        self.sticks.append(kept.copy())
        return self.sticks[-1], copy.deepcopy(machine)

    def clear(self):
        for stick in self.sticks:
            stick.remove()
        self.sticks.clear()

    def timed(self, what, act):
        began = time.monotonic()
        result = act()
        say(f"    {what}: {time.monotonic() - began:.1f} s")
        return result


def expect(what, holds):
    if not holds:
        raise Failure(what)


def equal(what, found, expected):
    if found != expected:
        raise Failure(f"{what}: found {found!r}, expected {expected!r}")
