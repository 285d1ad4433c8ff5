#!/usr/bin/python3
"""A machine with more than one state to go on from: two histories after a pull, and the generations of its past."""
import copy
import json

from travel import *

USAGE = 2


def two_histories_are_both_kept():
    """Pulled in use at one computer and taken over at another, the machine has two histories; nothing of either goes
    before somebody chooses, and kept beside each other each goes on where it was"""
    (stick, machine), a, b = packed_stick(pullable=True), new_host("a", on_insert="ask"), new_host("b", on_insert="ask")
    b.start()
    stick.plug()
    machine.await_state(b, "ready")
    theirs = Machine(machine.name, ticks=copy.deepcopy(machine.ticks), uuid=machine.uuid)
    launch(b, machine)
    pull(b, stick)
    machine.await_state(b, "stranded")
    wait_for(lambda: not b.guests(), 60, "the guest is saved on its host")
    b.stop()
    a.start()
    stick.plug()
    theirs.await_state(a, "ready")
    launch(a, theirs, "--take-over")
    theirs.eject(a)
    pull(a, stick)
    a.stop()
    b.start()
    machine.await_state(b, "stranded")
    stick.plug()
    machine.await_state(b, "diverged")
    refused(b, "resolve", machine.name, "discard-ours", status=USAGE, words=["--yes"])
    machine.await_state(b, "diverged")
    b.must("resolve", machine.name, "keep-both")
    machine.await_state(b, "ready")
    ours = Machine(f"{machine.name} from host-b", ticks=machine.ticks)
    ours.await_state(b, "ready")
    launch(b, ours)
    ours.eject(b)
    pull(b, stick)
    b.stop()
    c = new_host("c", on_insert="ask")
    c.start()
    stick.plug()
    theirs.await_state(c, "ready")
    launch(c, theirs)
    theirs.eject(c)


def a_machine_goes_back_to_before_its_last_sessions():
    """What was before the last two sessions is on the stick, is listed as restorable and is gone back to when asked for:
    from there the machine goes on, and what was newest can be gone back to as well"""
    (stick, machine), b = packed_stick(pullable=True), new_host("b")
    c, d = new_host("c", on_insert="ask"), new_host("d", on_insert="ask")
    before = Machine(machine.name, ticks=copy.deepcopy(machine.ticks), uuid=machine.uuid)
    b.start()
    for _ in range(2):
        machine.insert(b, stick)
        machine.eject(b)
        pull(b, stick)
    b.stop()
    c.start()
    stick.plug()
    newest = machine.await_state(c, "ready")["Generation"]
    history = json.loads(c.must("--json", "history", machine.name))
    expect(f"host-b's eject is not the newest: {history}", history[-1]["generation"] == newest)
    ends = [line["generation"] for line in history if line["restorable"] and line["what"] == "eject"]
    expect(f"the ends of the sessions before are not restorable: {history}", len(ends) == 2 and max(ends) < newest)
    refused(c, "rollback", machine.name, str(ends[0]), status=USAGE, words=["--yes"])
    equal("the newest generation", before.here(c)["Generation"], newest)
    c.must("rollback", machine.name, str(ends[0]), "--yes")
    equal("the newest generation", before.await_state(c, "ready")["Generation"], newest + 1)
    launch(c, before)
    before.eject(c)
    pull(c, stick)
    c.stop()
    d.start()
    stick.plug()
    machine.await_state(d, "ready")
    d.must("rollback", machine.name, str(newest), "--yes")
    launch(d, machine)
    machine.eject(d)


if __name__ == "__main__":
    scenes("deciding", two_histories_are_both_kept, a_machine_goes_back_to_before_its_last_sessions)
