#!/usr/bin/python3
"""Copies of a stick, block by block: told apart afterwards, and when both are plugged in at once."""
from travel import *


def copy_of(stick):
    """A stick with the same blocks: the same filesystem, down to its UUID."""
    copy = new_stick(fs=None)
    run("cp", "--sparse=always", stick.image, copy.image)
    return copy


def an_older_copy_waits_to_be_told():
    """A copy from before what this computer ejected is not gone on with by itself: the computer says what it has seen,
    where and when, and launches it when that is asked for in so many words; then the original is the other branch"""
    (stick, machine), b = packed_stick(), new_host("b")
    copy, left = copy_of(stick), Machine(machine.name, machine.ticks, machine.uuid)
    b.start()
    machine.insert(b, stick)
    machine.eject(b)
    pull(b, stick)
    os.unlink(b.serial_of(machine.uuid).path)  # what is said from now on follows what was said before the copy
    plug(b, copy)
    now = left.await_state(b, "ready")
    for word in ("older copy", "host-b"):
        expect(f"'{word}' is not said: {now['Detail']}", word in now["Detail"])
    equal("guests", b.guests(), {})
    refused(b, "launch", left.name, words=["older copy", "this-copy"])
    refused(b, "launch", left.name, "--take-over", words=["this-copy"])
    b.must("launch", left.name, "--this-copy")
    left.await_state(b, "running")
    left.goes_on_at(b)
    left.eject(b)
    pull(b, copy)
    plug(b, stick)
    now = left.await_state(b, "ready")
    expect(f"the original is taken for an older copy: {now['Detail']}", "went on apart" in now["Detail"])
    equal("guests", b.guests(), {})


def two_copies_at_once_are_not_mixed_up():
    """Of a stick and its copy in two ports the first runs undisturbed, whatever becomes of the second, which is shown
    with a sentence; it is read when the first one is gone, and nothing was written to it"""
    (stick, machine), b = packed_stick(), new_host("b")
    copy = copy_of(stick)
    b.start()
    machine.insert(b, stick)
    shown = plug(b, copy)
    expect(f"the copy says nothing: {shown}", "second copy" in shown["Detail"] and stick.node in shown["Detail"])
    equal("the capsules on it", shown["Capsules"], [])
    equal("what the first says", device(b, stick)["Detail"], "")
    expect("it is not in the status", "second copy" in " ".join(b.must("status").split()))
    equal("lines about it", b.log().count("It holds a second copy"), 1)
    machine.ticks.await_more(3)
    before = committed(copy.mounted_at(), machine)
    b.must("eject", copy.node)
    equal("where the copy is mounted", copy.mounted_at(), None)
    equal("the state", machine.here(b)["State"], "running")
    pull(b, copy)
    plug(b, copy)
    machine.ticks.await_more(3)
    machine.eject(b)
    expect("the second copy was let go of too", copy.mounted_at())
    equal("what is on the copy", committed(copy.mounted_at(), machine), before)
    pull(b, stick)
    now = machine.await_state(b, "ready")
    expect(f"it is not told apart: {now['Detail']}", "older copy" in now["Detail"])
    equal("what it says now", device(b, copy)["Detail"], "")
    equal("guests", b.guests(), {})


def a_copy_made_while_it_ran_is_as_good():
    """A session pulled off its stick goes on with a copy made meanwhile, and the stick is the older one afterwards"""
    (stick, machine), b = packed_stick(pullable=True), new_host("b")
    b.start()
    machine.insert(b, stick)
    pull(b, stick)
    machine.await_state(b, "stranded")
    wait_for(lambda: not b.guests(), 60, "the guest is saved on its host")
    copy = copy_of(stick)
    machine.insert(b, copy)
    machine.eject(b)
    pull(b, copy)
    stick.plug()
    now = machine.await_state(b, "ready")
    for word in ("older copy", "checked out"):
        expect(f"'{word}' is not said: {now['Detail']}", word in now["Detail"])
    equal("guests", b.guests(), {})


if __name__ == "__main__":
    scenes("copies", an_older_copy_waits_to_be_told, two_copies_at_once_are_not_mixed_up,
         a_copy_made_while_it_ran_is_as_good)
