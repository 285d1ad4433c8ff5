#!/usr/bin/python3
"""Checkpoints: what a running machine is comes to the stick in the background, and the machine goes on."""
import glob
import os

from travel import *

QUIET = {"every": "0s", "size": "0B"}


def checkpoint(host, stick, machine):
    """Asks for one; gives the head that it made. The guest goes on unbroken."""
    seq = head_of(stick.mounted_at(), machine)["generation"]["seq"]
    host.must("checkpoint", machine.name)
    machine.await_state(host, "running")
    machine.ticks.await_more(3)
    machine.ticks.check_unbroken()
    head = head_of(stick.mounted_at(), machine)
    equal("the generation", head["generation"]["seq"], seq + 1)
    equal("what history says of it", head["history"][-1]["what"], "checkpoint")
    equal("whose the machine is", head["checked_out"]["host_name"], f"host-{host.name}")
    return head


def overlays(host, machine):
    """The session's overlays of vda on the host."""
    return glob.glob(os.path.join(host.state, "sessions", machine.uuid, "vda*.qcow2"))


def made_while_it_writes_hard_and_ejected_after_it():
    """Four while the guest writes to two disks; the eject writes the rest; another host's guest goes on unbroken"""
    stick, machine, a = new_stick("1500M"), Machine("hard"), new_host("a", checkpoint=QUIET)
    pack_here(a, stick, machine, append="satchel.hard=4", disks=2)
    for number in range(1, 5):
        head = checkpoint(a, stick, machine)
        equal("files of vda", len(head["disks"][0]["chain"]), 2 + number)
    expect(f"overlays pile up: {overlays(a, machine)}", len(overlays(a, machine)) <= 3)
    machine.eject(a)
    wait_for(lambda: not overlays(a, machine), 30, "the session's overlays are gone")
    pull(a, stick)
    a.stop()
    b = new_host("b")
    b.start()
    machine.insert(b, stick)
    machine.eject(b)
    counts = machine.ticks.check_unbroken()
    equal("the counts", counts, list(range(counts[0], counts[-1] + 1)))


def a_pulled_stick_holds_the_checkpoint():
    """Pulled after one: another host takes it over as it was then, and the first one's guest is kept"""
    (stick, machine), a = packed_stick(pullable=True), new_host("a", checkpoint=QUIET)
    a.start()
    machine.insert(a, stick)
    since = machine.ticks.last()
    checkpoint(a, stick, machine)
    held = machine.ticks.last()
    pull(a, stick)
    machine.await_state(a, "stranded")
    a.stop()
    b = new_host("b")
    b.start()
    plug(b, stick)
    machine.await_state(b, "ready")
    b.must("launch", machine.name, "--take-over")
    elsewhere = b.serial_of(machine.uuid)
    elsewhere.await_more(3)
    first = elsewhere.check_unbroken()[0]
    expect(f"it goes on at {first}, and the checkpoint was made between {since} and {held}", since < first <= held + 1)
    b.must("eject", machine.name)
    pull(b, stick)
    b.stop()
    a.start()
    machine.await_state(a, "stranded")
    stick.plug()
    machine.await_state(a, "diverged")


def checkpoints_and_merges_in_turn_and_a_pull_after_each():
    """Pulled after checkpoints, after a merge, and after both once more, it goes on with its stick each time, unbroken, and
    at last elsewhere"""
    (stick, machine), a = packed_stick(pullable=True), new_host("a", checkpoint=QUIET, generations={"keep": 0})
    a.start()
    machine.insert(a, stick)
    for deeds in (("checkpoint", "checkpoint"), ("merge",), ("checkpoint", "merge"), ("checkpoint", "merge", "checkpoint")):
        for deed in deeds:
            checkpoint(a, stick, machine) if deed == "checkpoint" else a.must(deed, machine.name)
            machine.goes_on_at(a)
        pull(a, stick)
        machine.await_state(a, "stranded")
        wait_for(lambda: not a.guests(), 60, "the guest is saved on its host")
        stick.plug()
        machine.await_state(a, "running")
        machine.goes_on_at(a)
    machine.eject(a)
    pull(a, stick)
    a.stop()
    b = new_host("b")
    b.start()
    machine.insert(b, stick)
    machine.goes_on_at(b)
    machine.eject(b)


def made_by_themselves_when_much_is_written():
    """Nobody asks, and the guest writes hard: a checkpoint comes by itself, and once more when it has written again"""
    stick, machine = new_stick("900M"), Machine("hard")
    a = new_host("a", checkpoint={"every": "0s", "size": "1MiB"})
    pack_here(a, stick, machine, append="satchel.hard=4", disks=2)
    for number in (1, 2):
        wait_for(lambda wanted=number: [past["what"] for past in head_of(stick.mounted_at(), machine)["history"]]
                 .count("checkpoint") >= wanted, 150, f"checkpoint {number}")
    machine.await_state(a, "running")
    machine.ticks.await_more(3)
    machine.eject(a)


SCENES = (made_while_it_writes_hard_and_ejected_after_it, a_pulled_stick_holds_the_checkpoint,
          checkpoints_and_merges_in_turn_and_a_pull_after_each,
          made_by_themselves_when_much_is_written)

if __name__ == "__main__":
    scenes("checkpoints", *SCENES)
