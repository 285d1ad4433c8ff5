#!/usr/bin/python3
"""A bad stick: everything on it is read past all caches and what is damaged is named, beside the running machine and
never in the way of an eject."""
import copy
import json
import os
import re

from travel import *

DAMAGED = 12
TRY_AGAIN, DEVICE_TROUBLE = 3, 11
JOB = "org.satchel.Satchel1.Job"


def flip_on_medium(stick, path, at):
    """Flips one bit of a file below the mounted filesystem, which hears nothing of it."""
    place = stick.mounted_at()
    block = os.statvfs(place).f_bsize
    inside = "/" + os.path.relpath(path, place)
    found = int(run("debugfs", "-R", f"bmap {inside} {at // block}", stick.image).stdout.split()[-1])
    expect(f"{inside} has no block at {at}", found > 0)
    with open(stick.image, "r+b", buffering=0) as medium:
        medium.seek(found * block + at % block)
        byte = medium.read(1)[0]
        medium.seek(-1, os.SEEK_CUR)
        medium.write(bytes([byte ^ 8]))


def piece(path, at):
    with open(path, "rb") as file:
        file.seek(at)
        return file.read(4096)


def reports(host, *arguments, status=0):
    found, output, errors = host.ctl("--json", "verify", *arguments)
    equal(f"the exit status of verify ({output}{errors})", found, status)
    return json.loads(output)


def verifying(host):
    return any(faces[JOB]["Operation"] == "verify" and faces[JOB]["Bytes"] > 0
               for faces in host.objects().values() if JOB in faces)


def a_flipped_bit_is_found_beside_the_running_machine():
    """One bit that the medium turns, which the page cache knows nothing of, is found while the machine runs, and named by
    file and generation; with it turned back all is whole, on the stick as a whole too, and nothing was changed; with it
    turned again the eject writes all of the memory anew, from where the machine goes on"""
    (stick, machine), b = packed_stick(), new_host("b", generations={"keep": 0})
    b.start()
    machine.insert(b, stick)
    place = stick.mounted_at()
    before = tree(place)
    b.must("verify", machine.name)
    generation = machine.here(b)["Generation"]
    pages = head_of(place, machine)["hibernation"]["pages"]
    path, at = machine.path_on(place, pages), 100_000
    cached = piece(path, at)
    flip_on_medium(stick, path, at)
    equal("what the page cache has", piece(path, at), cached)
    # The check-out and the eject before it have the same memory.
    said = refused(b, "verify", machine.name, status=DAMAGED,
                   words=[f"{pages}, which generations {generation} and {generation - 1} need, is not what was written",
                          "its next eject writes all of its memory anew"])
    expect(f"more is said to be damaged:\n{said}", said.count("  ! ") == 1)
    report = reports(b, stick.node, status=DAMAGED)
    equal("the findings", [finding["path"] for finding in report["capsules"][0]["findings"]], [pages])
    equal("the newest whole one, which was packed", report["capsules"][0]["newest_whole"], 1)
    machine.ticks.await_more(3)
    flip_on_medium(stick, path, at)
    report = reports(b)
    equal("whole", (report["whole"], report["capsules"][0]["newest_whole"]), (True, generation))
    equal("what is on the stick", tree(place), before)
    flip_on_medium(stick, path, at)
    machine.eject(b)
    report = reports(b, machine.name, status=DAMAGED)
    equal("the newest whole one", report["capsules"][0]["newest_whole"], generation + 1)
    equal("CanUnplug", machine.await_state(b, "safe")["CanUnplug"], True)
    equal("where the stick is mounted", stick.mounted_at(), None)
    pull(b, stick)
    machine.insert(b, stick)
    machine.eject(b)
    report = reports(b, machine.name)
    equal("whole", report["whole"], True)


def an_eject_and_a_pull_end_it():
    """An eject does not wait for a verification, which says so; nor does it survive a pull, and the machine, saved here,
    goes on when the stick is back"""
    (stick, machine), b = packed_stick(rate=10_000_000), new_host("b")
    b.start()
    machine.insert(b, stick)
    stick.forget()
    with When(lambda: verifying(b), lambda: b.must("eject", machine.name)) as ejected:
        refused(b, "verify", machine.name, status=TRY_AGAIN, words=["an eject came"])
    expect("it was over before", ejected.happened)
    machine.await_state(b, "safe")
    machine.ticks.check_unbroken()
    pull(b, stick)
    machine.insert(b, stick)
    stick.forget()
    with When(lambda: verifying(b), stick.pull) as pulled:
        found, output, errors = b.ctl("verify", machine.name)
    expect("it was over before", pulled.happened)
    # What this computer had cached below the filesystem reads on for an instant, as no real stick does.
    expect(f"it says {found}: {output}{errors}",
           found == DEVICE_TROUBLE or found == DAMAGED and "can't be read" in output + errors)
    machine.await_state(b, "stranded")
    stick.plug()
    machine.await_state(b, "running")
    machine.goes_on_at(b)
    machine.eject(b)


def a_damaged_layer_is_not_used():
    """Of a stick that has turned one bit in what the last session wrote, the machine is not launched and nothing is merged; what it
    was before that session is offered, and goes on"""
    (stick, machine), b, c = packed_stick(pullable=True), new_host("b"), new_host("c")
    before = Machine(machine.name, ticks=copy.deepcopy(machine.ticks), uuid=machine.uuid)
    b.start()
    machine.insert(b, stick)
    machine.eject(b)
    pull(b, stick)
    b.stop()
    with stick.mount_rw() as place:
        layer = head_of(place, machine)["disks"][0]["chain"][-1]
        turn_a_bit(machine.path_on(place, layer))
    c.start()
    stick.plug()
    now = machine.await_state(c, "ready")
    expect(f"it is told that {now['Detail']}", layer in now["Detail"])
    generation = now["Generation"]
    refused(c, "merge", machine.name, status=DAMAGED, words=[layer, "it is not what was written"])
    said = refused(c, "launch", machine.name, status=DAMAGED, words=[layer, "To go back to one: satchelctl rollback"])
    equal("the generation", machine.here(c)["Generation"], generation)
    offered = re.search("do without this file: ([0-9, ]+)", said)[1].split(", ")
    c.must("rollback", machine.name, offered[-1], "--yes")
    launch(c, before)
    before.eject(c)


def turn_a_bit(path):
    with open(path, "r+b") as file:
        at = os.path.getsize(path) // 2
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 8]))


if __name__ == "__main__":
    scenes("verifying", a_flipped_bit_is_found_beside_the_running_machine, an_eject_and_a_pull_end_it, a_damaged_layer_is_not_used)
