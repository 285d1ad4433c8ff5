#!/usr/bin/python3
"""Sticks as they come: two machines on one, two at once, none of ours, damaged, of another version, full, counterfeit."""
import hashlib
import os

from travel import *


def two_machines_share_a_stick():
    """Of two machines on one stick, one is ejected and the other runs on, and nothing says that the stick may be
    unplugged until the second one is ejected too; elsewhere both go on"""
    stick, a, b = new_stick("900M"), new_host("a"), new_host("b")
    one, two = Machine("one"), Machine("two")
    two.ticks = a.new_guest("two", memory=128)
    pack_here(a, stick, one)
    a.must("pack", "two", stick.node)
    two.await_state(a, "running")
    a.must("eject", "one")
    now = one.await_state(a, "ready", "safe")
    two.ticks.await_more(3)
    told = (now["CanUnplug"], two.here(a)["CanUnplug"], device(a, stick)["CanUnplug"])
    equal("CanUnplug while the other runs", told, (False, False, False))
    expect("the stick was unmounted", stick.mounted_at())
    two.eject(a)
    told = (one.here(a)["CanUnplug"], two.here(a)["CanUnplug"], device(a, stick)["CanUnplug"])
    equal("CanUnplug after both", told, (True, True, True))
    equal("both states", (one.here(a)["State"], two.here(a)["State"]), ("safe", "safe"))
    one.ticks.check_unbroken()
    pull(a, stick)
    a.stop()
    b.start()
    one.insert(b, stick)
    two.await_state(b, "running")
    two.goes_on_at(b)
    b.must("eject", stick.node)
    for machine in (one, two):
        machine.await_state(b, "safe")
        machine.ticks.check_unbroken()
    equal("CanUnplug of the stick", device(b, stick)["CanUnplug"], True)


def two_sticks_at_once():
    """Two sticks are two devices: each goes by itself, and one says nothing of the other"""
    (first, machine), second, b = packed_stick(), new_stick("64M", label="SATCHEL-TWO"), new_host("b")
    b.start()
    machine.insert(b, first)
    plug(b, second)
    equal("CanUnplug", (device(b, first)["CanUnplug"], device(b, second)["CanUnplug"]), (False, True))
    b.must("eject", second.node)
    equal("where the empty one is mounted", second.mounted_at(), None)
    equal("the machine's state", machine.here(b)["State"], "running")
    pull(b, second)
    machine.ticks.await_more(3)
    plug(b, second)
    machine.eject(b)
    expect("the other stick was unmounted too", second.mounted_at())
    pull(b, first)
    b.must("eject", second.node)
    pull(b, second)


def a_stick_without_a_capsule_and_one_that_is_not_ours():
    """A stick of ours with no capsule may be pulled and takes one; a stick with another label is never touched"""
    empty, alien, b = new_stick("64M"), new_stick("64M", label="HOLIDAY"), new_host("b")
    before = digest(alien.image)
    b.start()
    alien.plug()
    plug(b, empty)
    equal("devices", [d["Node"] for d in devices(b)], [empty.node])
    equal("capsules", device(b, empty)["Capsules"], [])
    equal("CanUnplug", device(b, empty)["CanUnplug"], True)
    equal("where the alien one is mounted", alien.mounted_at(), None)
    refused(b, "eject", alien.node, status=NOT_FOUND)
    b.must("eject", empty.node)
    equal("where the empty one is mounted", empty.mounted_at(), None)
    alien.pull()
    equal("the alien's bytes", digest(alien.image), before)


def another_format_version_is_left_alone():
    """A stick of a newer format is refused in a clear sentence, and nothing on it changes"""
    (stick, machine), b = packed_stick(), new_host("b")
    with stick.mount_rw() as place:
        with open(newest_slot(place, machine), "r+b") as slot:
            record = bytearray(slot.read(512))
            record[8] = 2
            record[480:] = hashlib.blake2b(record[:480], digest_size=32).digest()
            slot.seek(0)
            slot.write(record)
        before = tree(place)
    b.start()
    plug(b, stick)
    now = machine_by_uuid(b, machine)
    equal("the state", now["State"], "failed")
    for word in ("newer", "format 2", "nothing on the device was changed"):
        expect(f"'{word}' is not said: {now['Detail']} {now['NextStep']}", word in now["Detail"] + now["NextStep"])
    equal("CanUnplug", now["CanUnplug"], True)
    refused(b, "launch", machine.uuid)
    equal("guests", b.guests(), {})
    b.must("eject", stick.node)
    with stick.mount_ro() as place:
        equal("what is on the stick", tree(place), before)


def a_torn_slot_does_not_lose_the_machine():
    """With the newest slot torn the generation before counts: it says so, warns that this is not where the machine was
    left, waits to be told, and goes on from there when it is"""
    (stick, machine), b = packed_stick(), new_host("b")
    with stick.mount_rw() as place:
        newest = newest_slot(place, machine)
        left = seq_of(newest)
        tear(newest)
    b.start()
    plug(b, stick)
    now = machine.await_state(b, "ready")
    equal("Generation", now["Generation"], left - 1)
    # The generation before is the machine as packed, still checked out at p: it went on there.
    expect(f"nothing is said of p: {now['Detail']}", "host-p" in now["Detail"])
    equal("CheckedOutBy", now["CheckedOutBy"], "host-p")
    expect(f"nothing is said of the slot:\n{b.log()}", "commit record" in b.log().lower() or "slot" in b.log().lower())
    equal("guests", b.guests(), {})
    refused(b, "launch", machine.name)
    # All of the newer one but its record is here: it was committed, and is not to be passed over unawares.
    refused(b, "launch", machine.name, "--take-over", words=["this-copy"])
    b.must("launch", machine.name, "--take-over", "--this-copy")
    machine.await_state(b, "running")
    machine.ticks = None
    machine.goes_on_at(b)
    machine.eject(b)


def two_torn_slots_are_an_error_and_nothing_is_written():
    """With both slots torn there is a clear error, and nothing on the stick changes"""
    (stick, machine), b = packed_stick(), new_host("b")
    with stick.mount_rw() as place:
        for number in "01":
            tear(machine.path_on(place, "slots", number))
        before = tree(place)
    b.start()
    plug(b, stick)
    now = machine_by_uuid(b, machine)
    equal("the state", now["State"], "failed")
    for word in ("No generation", "complete", "Nothing was written"):
        expect(f"'{word}' is not said: {now['Detail']} {now['NextStep']}", word in now["Detail"] + now["NextStep"])
    refused(b, "launch", machine.uuid)
    b.must("eject", stick.node)
    with stick.mount_ro() as place:
        equal("what is on the stick", tree(place), before)


def a_full_stick_refuses_before_the_guest_stops():
    """Without room on the stick an eject is refused while the guest counts on; with room again it succeeds"""
    (stick, machine), b = packed_stick(), new_host("b")
    b.start()
    machine.insert(b, stick)
    place = stick.mounted_at()
    before = committed(place, machine)
    filler = fill(place, leave=1 << 20)
    refused(b, "eject", machine.name, status=NO_SPACE, words=["free"])
    equal("the state", machine.here(b)["State"], "running")
    expect("a running guest's device may be unplugged", not machine.here(b)["CanUnplug"])
    machine.ticks.await_more(5)
    machine.ticks.check_unbroken()
    equal("what was committed", committed(place, machine), before)
    os.unlink(filler)
    machine.eject(b)


def room_that_vanishes_during_the_eject_leaves_the_guest_running():
    """Room that vanishes while memory, or after it the disk, is written fails the eject: the guest counts on, what was
    committed is untouched, and with room again an eject succeeds"""
    (stick, machine), b = packed_stick(), new_host("b")
    b.start()
    machine.insert(b, stick)
    place = stick.mounted_at()
    before = committed(place, machine)
    next_seq = machine.here(b)["Generation"] + 1
    for moment in (f"memory/{next_seq}.pages", f"memory/{next_seq}.map"):
        qemu = b.guests()["traveller"]
        with When(lambda: os.path.exists(machine.path_on(place, moment)), lambda: fill(place, leave=0)) as filled:
            refused(b, "eject", machine.name, status=NO_SPACE)
        expect(f"{moment} was never there", filled.happened)
        now = machine.here(b)
        equal(f"the state, full at {moment}", (now["State"], now["CanUnplug"]), ("running", False))
        machine.ticks.await_more(5)
        machine.ticks.check_unbroken()
        equal("QEMU's process", b.guests()["traveller"], qemu)
        equal("what was committed", committed(place, machine), before)
        os.unlink(os.path.join(place, "filler"))
    machine.eject(b)


def a_counterfeit_stick_is_not_formatted():
    """A stick that keeps less than it says is found out by format, and is left as it was"""
    host, stick = new_host("a"), new_stick("512M", fs=None, keeps=128 << 20)
    with open(stick.image, "r+b") as image:
        image.write(b"somebody's" * 1000)
    before = digest(stick.image)
    host.start()
    node = stick.plug()
    status, _, errors = host.ctl("format", "--yes", node)
    say("    " + errors.strip().replace("\n", "\n    "))
    if status == DONE or "128 MiB" not in errors or "counterfeit" not in errors:
        raise Failure(f"format ended with {status}: {errors}")
    stick.pull()
    if digest(stick.image) != before:
        raise Failure("what was on it is not as it was")
    honest = new_stick("512M", fs=None)
    host.must("format", "--yes", honest.plug())
    wait_for(honest.mounted_at, 60, "an honest stick is formatted, and taken for one of ours")
    host.stop()


def a_counterfeit_stick_is_found_by_doctor():
    """doctor --thorough fills the free space and reads it back: an honest stick passes, one that drops what is written fails"""
    host = new_host("a", space={"keep_free_host": "64MiB", "keep_free_device": "4MiB"})
    host.start()
    for keeps, status, word in ((None, DONE, "keeps what is written"), (96 << 20, 1, "something else came back")):
        stick = new_stick("128M", keeps=keeps, beyond="drops")
        stick.plug()
        wait_for(stick.mounted_at, 60, "it is mounted")
        free = os.statvfs(stick.mounted_at()).f_bfree
        ended, output, errors = host.ctl("doctor", "--thorough", "--yes")
        say("    " + output.strip().replace("\n", "\n    "))
        if word not in " ".join(output.split()) or (status != DONE and ended != status):
            raise Failure(f"doctor ended with {ended}: {output}{errors}")
        equal("free blocks", os.statvfs(stick.mounted_at()).f_bfree, free)
        if os.listdir(stick.mounted_at()) not in ([], ["lost+found"]):
            raise Failure(f"it left {os.listdir(stick.mounted_at())}")
        host.must("eject", stick.node)
        stick.pull()
    host.stop()


def machine_by_uuid(host, machine):
    """What can't be read has no name to be found by."""
    unnamed = Machine(machine.uuid, uuid=machine.uuid)
    return unnamed.await_state(host, "failed", "ready", "running")


def tear(slot):
    """Half of the record is from another time."""
    with open(slot, "r+b") as file:
        file.seek(40)
        file.write(b"\xa5" * 200)


if __name__ == "__main__":
    scenes("sticks", a_full_stick_refuses_before_the_guest_stops,
         room_that_vanishes_during_the_eject_leaves_the_guest_running, a_torn_slot_does_not_lose_the_machine,
         two_torn_slots_are_an_error_and_nothing_is_written, another_format_version_is_left_alone,
         a_stick_without_a_capsule_and_one_that_is_not_ours, two_sticks_at_once, two_machines_share_a_stick,
         a_counterfeit_stick_is_not_formatted, a_counterfeit_stick_is_found_by_doctor)
