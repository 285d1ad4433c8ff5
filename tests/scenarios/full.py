#!/usr/bin/python3
"""No room: this computer's disk, or the stick, is full, or a quota is used up."""
import contextlib

from own_disk import Filled, OverQuota, own_disk
from travel import *

MIB = 1 << 20
WAYS = (Filled, OverQuota)


@contextlib.contextmanager
def small_host(way):
    """A host whose state is on a filesystem of its own, and what takes room there. What guests say is elsewhere."""
    with own_disk("disk", way.fs) as place:
        host = new_host("b")
        host.state = place
        said = os.path.join(place, "serial")
        os.mkdir(said, 0o711)
        run("mount", "-t", "tmpfs", "-o", "mode=0711", "tmpfs", said)
        try:
            yield host, way(place)
        finally:
            host.kill()
            host.end_guests()
            run("umount", said)


def hard_guest(**how):
    """A machine that writes a MiB of what is new to its disk in every tick."""
    return packed_stick(append="satchel.hard=1", **how)


def await_halt(host, machine):
    return wait_for(lambda: (now := machine.here(host)) and "paused" in now["Detail"] and now, 120,
                    f"the machine is paused ({machine.here(host)})")


def a_computer_without_room_stops_the_guest_and_loses_nothing():
    """What the guest writes has no room on this computer: it stands still and is told so, and goes on where it was when there is
    room, or is ejected to the stick as it stands"""
    for way in WAYS:
        stick, machine = hard_guest()
        with small_host(way) as (b, room):
            b.start()
            machine.insert(b, stick)
            qemu = b.guests()
            room.leave(2 * MIB)
            now = await_halt(b, machine)
            say(f"    {way.__name__}: {now['Detail']} {now['NextStep']}")
            equal("the state", (now["State"], now["CanUnplug"]), ("running", False))
            room.give_back()
            b.must("launch", machine.name)
            machine.goes_on_at(b)
            equal("QEMU's process", b.guests(), qemu)
            room.leave(2 * MIB)
            await_halt(b, machine)
            status, output, errors = b.ctl("eject", machine.name)
            say(f"    an eject without room: {status} {(output + errors).strip().splitlines()[-1:]}")
            room.give_back()
            if status != DONE:
                equal("the status of an eject without room", status, NO_SPACE)
                b.must("launch", machine.name)
                machine.goes_on_at(b)
                machine.eject(b)
            pull(b, stick)
            machine.insert(b, stick)
            machine.eject(b)
            pull(b, stick)
            b.stop()


def pulled_from_a_computer_without_room_the_guest_is_kept():
    """Pulled where this computer has no room for the guest's memory: it is kept in memory, which is told, and is saved as soon as
    there is room; with the stick back it goes on where it was"""
    for way in WAYS if "SATCHEL_LONG" in os.environ else WAYS[1:]:  # it tries once a minute
        stick, machine = hard_guest(pullable=True)
        with small_host(way) as (b, room):
            b.start()
            machine.insert(b, stick)
            room.leave(8 * MIB)
            pull(b, stick)
            machine.await_state(b, "stranded")
            now = wait_for(lambda: (now := machine.here(b))["Job"] == "/" and now, 60, "the first try to save it is over")
            say(f"    {way.__name__}: {now['Detail']} {now['NextStep']}")
            for words in ("memory, paused", "Free some space"):
                expect(f"{words!r} is not told: {now}", words in now["Detail"] + now["NextStep"])
            equal("guests", list(b.guests()), ["traveller"])
            room.give_back()
            wait_for(lambda: "saved on this computer" in machine.here(b)["Detail"], 150, "it is saved, with room again")
            stick.plug()
            machine.await_state(b, "running")
            machine.goes_on_at(b)
            machine.eject(b)
            pull(b, stick)
            b.stop()


def a_quota_on_the_stick_refuses_an_eject():
    """A quota that is used up on the stick fails an eject as a full one does: the guest counts on, and what was committed is
    untouched"""
    host, stick, machine = new_host("a"), new_stick(fs="btrfs"), Machine("traveller")
    pack_here(host, stick, machine, append="satchel.hard=1")
    place = stick.mounted_at()
    room, before = OverQuota(place), committed(place, machine)
    room.leave(1 * MIB)
    refused(host, "eject", machine.name, status=NO_SPACE, words=["Free some space"])
    now = machine.here(host)
    equal("the state", (now["State"], now["CanUnplug"]), ("running", False))
    machine.ticks.await_more(5)
    machine.ticks.check_unbroken()
    equal("what was committed", committed(place, machine), before)
    room.give_back()
    machine.eject(host)


if __name__ == "__main__":
    scenes("full", a_computer_without_room_stops_the_guest_and_loses_nothing,
           pulled_from_a_computer_without_room_the_guest_is_kept, a_quota_on_the_stick_refuses_an_eject)
