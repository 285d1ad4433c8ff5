#!/usr/bin/python3
"""Layers merged into the COW file and that folded into the image, beside a guest that counts on: by themselves,
ejected, pulled and killed in between. At every instant all files on the stick are sound and show the same disk."""
import os

from layers import *


def the_sixth_session_merges_what_earlier_states_have_in_common_while_the_guest_counts():
    """Five ejects leave five layers; the sixth session merges four of them by itself while the guest counts on, for one
    earlier state is kept, every file on the stick is sound all the while, and the next eject and insert go on from there"""
    stick, machine = five_layers()
    b = new_host("b", merge={**SLOW, "layers": 3}, generations={"keep": 1}, check={"disks": "none"})
    b.start()
    stick.plug()
    machine.await_state(b, "merging")
    place = stick.mounted_at()
    equal("CanUnplug", machine.here(b)["CanUnplug"], False)
    with Looking(place, machine):
        last = os.path.basename(chain(place, machine)[-1])
        await_merged(b, machine, layers=1)
        machine.goes_on_at(b)
    equal("the chain", [os.path.basename(file) for file in chain(place, machine)], ["image.qcow2", "cow.qcow2", last])
    equal("Due", machine.here(b)["Due"], [])
    equal("files until the next commit", len(os.listdir(machine.path_on(place, "vda"))), 7)
    machine.eject(b)
    pull(b, stick)
    with stick.mount_ro() as look:
        equal("files after the eject", len(os.listdir(machine.path_on(look, "vda"))), 4)
        sound(look, machine)
    machine.insert(b, stick)
    machine.eject(b)


def an_eject_never_waits_for_a_merge():
    """An eject during a slow merge ends it and succeeds; the guest goes on elsewhere, and the merge is due again"""
    stick, machine = five_layers()
    b = new_host("b", **SLOW_AND_WHOLE)
    b.start()
    stick.plug()
    machine.await_state(b, "merging")
    machine.goes_on_at(b, ticks=1)
    machine.eject(b)
    pull(b, stick)
    with stick.mount_ro() as look:
        sound(look, machine)
        equal("layers", len(chain(look, machine)), 8)
    b.stop()
    configure(b, merge=NEVER)
    b.start()
    machine.insert(b, stick)
    said = b.must("merge", machine.name)
    expect(f"what was done is not said: {said}", "has no layers now" in said)
    machine.goes_on_at(b)
    machine.eject(b)


def a_stick_pulled_during_a_merge_goes_on_when_it_is_back():
    """Pulled in the middle of a merge the stick is whole and the guest is kept on its host; back again it goes on,
    unbroken, and the merge is done"""
    stick, machine = five_layers(pullable=True)
    b = new_host("b", **SLOW_AND_WHOLE)
    b.start()
    stick.plug()
    machine.await_state(b, "merging")
    machine.goes_on_at(b, ticks=1)
    wait_for(writers, 30, "somebody merges")
    pull(b, stick)
    machine.await_state(b, "stranded")
    wait_for(lambda: not b.guests(), 60, "the guest is saved on its host")
    equal("who merges", writers(), [])
    with stick.mount_ro() as look:
        sound(look, machine)
    b.stop()
    configure(b, merge={"rate": "0B"}, generations={"keep": 0})
    b.start()
    stick.plug()
    machine.await_state(b, "running", "merging")
    machine.goes_on_at(b)
    await_merged(b, machine)
    machine.goes_on_at(b)
    machine.eject(b)


def killed_within_merges_and_folds_the_daemon_goes_on():
    """Killed in the middle of a merge under a guest, the daemon finds it running and an eject works; killed at several
    points of a fold at rest, the stick is whole, and in the end all is in the image file, of a new epoch, and the guest
    resumes from the memory saved before"""
    stick, machine = five_layers()
    b = new_host("b", **SLOW_AND_WHOLE)
    b.start()
    stick.plug()
    machine.await_state(b, "merging")
    machine.goes_on_at(b, ticks=1)
    qemu = b.guests()
    wait_for(writers, 30, "somebody merges")
    b.kill()
    equal("what runs without a daemon", b.guests(), qemu)
    wait_for(lambda: not writers(), 10, "who merged has ended with the daemon")
    sound(stick.mounted_at(), machine)
    b.start()
    machine.await_state(b, "running", "merging")
    machine.goes_on_at(b)
    equal("what runs with the next one", b.guests(), qemu)
    machine.eject(b)
    pull(b, stick)
    b.stop()
    # Killed when the head of a fold's next commit is there: those with which the merge before it and it begin, their own.
    configure(b, on_insert="ask", merge=NEVER, capsules={machine.uuid: {"home": True, "cow_limit": "0B"}})
    b.start()
    stick.plug()
    machine.await_state(b, "ready")
    for _ in range(6 if LONG else 4):
        place = stick.mounted_at()
        path = machine.path_on(place, f"heads/{max(generations(place, machine)) + 1}.json")
        with When(lambda path=path: os.path.exists(path), b.kill) as killed:
            b.ctl("fold", machine.name)
        if not killed.happened:
            break  # all is folded
        sound(place, machine)
        b.start()
        machine.await_state(b, "ready", "folding")
        wait_for(lambda: machine.here(b)["Job"] == "/", 60, "nothing is under way")
    b.must("fold", machine.name)
    place = stick.mounted_at()
    epoch = head_of(place, machine)["epoch"]
    expect(f"the epoch is {epoch}", epoch >= 2)
    equal("the chain", chain(place, machine), ["vda/image.qcow2", f"vda/cow-{epoch}.qcow2"])
    sound(place, machine)
    b.must("launch", machine.name)
    machine.await_state(b, "running")
    machine.goes_on_at(b)
    machine.eject(b)


def killed_within_folds_beside_a_guest_the_daemon_goes_on():
    """Killed when the head of a fold's next commit is there, time and again, the daemon finds its guest running; in
    the end all is in the image file and the guest has counted on"""
    stick, machine = five_layers()
    b = new_host("b", merge=NEVER)
    b.start()
    machine.insert(b, stick)
    qemu = b.guests()
    place = stick.mounted_at()
    for _ in range(6 if LONG else 4):
        path = machine.path_on(place, f"heads/{max(generations(place, machine)) + 1}.json")
        with When(lambda path=path: os.path.exists(path), b.kill) as killed:
            b.ctl("fold", machine.name)
        if not killed.happened:
            break  # all is folded
        machine.ticks.await_more(2)
        sound(place, machine)
        b.start()
        machine.await_state(b, "running")
        equal("what runs", b.guests(), qemu)
    b.must("fold", machine.name)
    equal("the chain", [os.path.basename(file) for file in chain(place, machine)], ["image.qcow2", "cow-2.qcow2"])
    machine.goes_on_at(b)
    sound(place, machine)
    machine.eject(b)
    pull(b, stick)
    with stick.mount_ro() as look:
        sound(look, machine)
    machine.insert(b, stick)
    machine.eject(b)


def folded_at_home_and_not_elsewhere():
    """A COW file beyond its limit is folded by itself where the machine was packed and nowhere else; the memory
    saved before the fold is resumed after it"""
    home, stick, machine = layered_stick(2, name="h")
    limits = {"merge": NEVER, "fold": {"cow_limit": "300KiB"}}
    b = new_host("b", on_insert="ask", **limits)
    b.start()
    stick.plug()
    machine.await_state(b, "ready")
    b.must("merge", machine.name)
    now = machine.await_state(b, "ready")
    equal("Due elsewhere", now["Due"], [])
    equal("CowLimit", now["CowLimit"], 300 * 1024)
    place = stick.mounted_at()
    before = content(place, machine)
    equal("epoch elsewhere", head_of(place, machine)["epoch"], 1)
    b.must("eject", machine.name)
    pull(b, stick)
    b.stop()
    configure(home, on_insert="ask", **limits)
    home.start()
    stick.plug()
    wait_for(lambda: (now := machine.here(home)) and now["State"] == "ready" and not now["Due"] and now["CowSize"],
             120, "it is folded at home")
    place = stick.mounted_at()
    head = head_of(place, machine)
    equal("epoch at home", head["epoch"], 2)
    expect("the memory is gone", head["hibernation"])
    equal("what the disk shows", content(place, machine), before)
    sound(place, machine)
    home.must("launch", machine.name)
    machine.await_state(home, "running")
    machine.goes_on_at(home)
    machine.eject(home)


def an_eject_can_merge_too():
    """`eject --merge` leaves image and COW file alone on the stick, and the machine resumes from them"""
    stick, machine = five_layers()
    b = new_host("b", merge=NEVER)
    b.start()
    machine.insert(b, stick)
    output = b.must("eject", "--merge", machine.name)
    expect(f"it is not said that it can be unplugged: {output}", "You can unplug the device now." in output)
    machine.await_state(b, "safe")
    pull(b, stick)
    with stick.mount_ro() as look:
        equal("the chain", chain(look, machine), ["vda/image.qcow2", "vda/cow.qcow2"])
        sound(look, machine)
    machine.insert(b, stick)
    machine.eject(b)


def files_needed_elsewhere_are_left_alone():
    """While another host's session was taken over and not given up nothing is merged, and by hand only
    when somebody insists"""
    stick, machine = five_layers(pullable=True)
    b, c = new_host("b", merge=NEVER), new_host("c")
    b.start()
    machine.insert(b, stick)
    pull(b, stick)
    machine.await_state(b, "stranded")
    wait_for(lambda: not b.guests(), 60, "the guest is saved on its host")
    b.stop()
    c.start()
    stick.plug()
    machine.await_state(c, "ready")
    refused(c, "merge", machine.name, words=["host-b", "--although-needed"])
    c.must("launch", machine.name, "--take-over")
    taken = Machine(machine.name, uuid=machine.uuid)
    taken.await_state(c, "running")
    taken.goes_on_at(c)
    equal("layers", len(chain(stick.mounted_at(), machine)), 7)
    refused(c, "fold", machine.name, words=["host-b", "--although-needed"])
    c.must("merge", machine.name, "--although-needed")
    taken.goes_on_at(c)
    equal("layers then", len(chain(stick.mounted_at(), machine)), 2)
    taken.eject(c)


def worn_memory_is_written_anew_while_the_guest_counts():
    """What is worn of five ejects' memory is written anew by itself while the guest counts, and by hand all of it into one
    file; killed in between, the daemon leaves the generation before; the next eject refers to what was written, and another
    computer resumes it"""
    stick, machine = five_layers()
    b = new_host("b", merge=NEVER, compact={"size": "1B"})
    b.start()
    machine.insert(b, stick)
    place = stick.mounted_at()
    wait_for(lambda: last_commit(place, machine) == "compact", 120, "worn memory is written anew")
    machine.await_state(b, "running")
    machine.goes_on_at(b)
    with When(lambda: newest_pages(place, machine) != newest_pages_named(place, machine), b.kill) as killed:
        b.ctl("compact", machine.name)
    expect("it was killed before anything was written", killed.happened)
    qemu = b.guests()
    b.start()
    machine.await_state(b, "running")
    equal("what runs with the next one", b.guests(), qemu)
    machine.goes_on_at(b)
    said = b.must("compact", machine.name)
    expect(f"what was done is not said: {said}", "has its memory in one piece now" in said)
    equal("earlier segments", head_of(place, machine)["hibernation"]["segments"], [])
    machine.goes_on_at(b)
    machine.eject(b)
    pull(b, stick)
    b.stop()
    c = new_host("c")
    c.start()
    machine.insert(c, stick)
    machine.goes_on_at(c)
    c.must("verify", machine.name)
    machine.eject(c)


def last_commit(place, machine):
    return head_of(place, machine)["history"][-1]["what"]


def newest_pages_named(place, machine):
    return head_of(place, machine)["hibernation"]["pages"]


def newest_pages(place, machine):
    """Of those in the directory, whether a head names it or not."""
    files = [file for file in os.listdir(machine.path_on(place, "memory")) if file.endswith(".pages")]
    return f"memory/{max(files, key=lambda file: int(file.split('.')[0]))}"


if __name__ == "__main__":
    scenes("upkeep", the_sixth_session_merges_what_earlier_states_have_in_common_while_the_guest_counts, an_eject_never_waits_for_a_merge,
           a_stick_pulled_during_a_merge_goes_on_when_it_is_back, killed_within_merges_and_folds_the_daemon_goes_on,
           killed_within_folds_beside_a_guest_the_daemon_goes_on, an_eject_can_merge_too,
           files_needed_elsewhere_are_left_alone, folded_at_home_and_not_elsewhere,
           worn_memory_is_written_anew_while_the_guest_counts)
