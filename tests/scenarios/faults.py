#!/usr/bin/python3
"""The daemon restarted, killed, and the stick failing or pulled, while a machine runs from it."""
import os
from concurrent.futures import ThreadPoolExecutor

from libvirtd import SystemHost
from travel import *


def a_restart_disturbs_no_guest():
    """Stopped and started, and killed and started, the daemon finds its guest again: the same process, not a tick
    missed; and an eject works afterwards"""
    (stick, machine), b = packed_stick(), new_host("b")
    b.start()
    machine.insert(b, stick)
    qemu = b.guests()
    for end in (b.stop, b.kill):
        end()
        machine.ticks.await_more(3)
        equal("what runs without a daemon", b.guests(), qemu)
        b.start()
        now = machine.await_state(b, "running")
        equal("CanUnplug", now["CanUnplug"], False)
        equal("Domain", now["Domain"], "traveller")
        machine.ticks.await_more(3)
        machine.ticks.check_unbroken()
        equal("what runs with the next one", b.guests(), qemu)
    machine.eject(b)
    pull(b, stick)
    machine.insert(b, stick)


def killed_in_the_middle_of_an_eject_the_daemon_finds_out():
    """Killed while memory is written, the daemon finds the guest alive when it is back, and nothing that was committed
    has changed; a second eject succeeds"""
    stick, machine, b = new_stick(rate=8_000_000), Machine("traveller"), new_host("b")
    pack_here(b, stick, machine)  # nothing of its memory is on the stick yet: an eject takes its time
    place = stick.mounted_at()
    before = committed(place, machine)
    pages = machine.path_on(place, f"memory/{machine.here(b)['Generation'] + 1}.pages")
    qemu = b.guests()
    with When(lambda: os.path.exists(pages), b.kill) as killed:
        b.ctl("eject", machine.name)
    expect("the eject was over before", killed.happened)
    equal("what runs without a daemon", b.guests(), qemu)
    equal("what was committed", committed(place, machine), before)
    b.start()
    machine.await_state(b, "running")
    machine.goes_on_at(b)
    equal("what runs with the next one", b.guests(), qemu)
    machine.eject(b)


def killed_after_the_commit_the_daemon_finds_out():
    """Killed at any of several later instants of an eject, the machine is either still here or on the stick, never
    both and never neither"""
    (stick, machine), b = packed_stick(), new_host("b")
    b.start()
    machine.insert(b, stick)
    # None: right after the commit, in the long form (SATCHEL_LONG=1): libvirt is ending the guest meanwhile, and on
    # a busy machine it was seen to stay paused.
    for moment in ("vda/layer-{}.qcow2", "heads/{}.json") + ((None,) * 3 if "SATCHEL_LONG" in os.environ else ()):
        place, generation = stick.mounted_at(), machine.here(b)["Generation"]
        if moment:
            path = machine.path_on(place, moment.format(generation + 1))
            reached = lambda path=path: os.path.exists(path)
        else:
            slots = [machine.path_on(place, "slots", n) for n in "01"]
            reached = lambda: max(map(seq_of, slots)) > generation
        with When(reached, b.kill) as killed:
            b.ctl("eject", machine.name)
        expect(f"the eject was over before {moment}", killed.happened)
        b.start()
        # Alive here, or on the stick alone, from where it goes on as after an insert.
        machine.await_state(b, "running")
        machine.goes_on_at(b)
        equal(f"guests after {moment}", list(b.guests()), ["traveller"])
    machine.eject(b)


def killed_while_it_tries_the_processor_the_daemon_leaves_nothing_behind():
    """Killed while a guest tries out what the processor can, the daemon leaves that to libvirtd to end"""
    if not os.path.exists("/dev/kvm"):
        return say("    this computer has no KVM to be tried out")
    stick, machine, a = new_stick(), Machine("traveller"), new_host("a", kind=SystemHost)
    machine.ticks = a.new_guest(machine.name, memory=128)
    machine.ticks.await_count(3, seconds=180)
    qemu = a.guests()
    a.start()
    plug(a, stick)
    with When(lambda: any("satchel-probe" in name for name in a.guests()), a.kill) as killed:
        a.ctl("pack", machine.name, stick.node)
    expect("nothing was tried out", killed.happened)
    wait_for(lambda: a.guests() == qemu, 30, f"nothing but the machine runs ({a.guests()})")
    machine.ticks.await_more(3)
    machine.ticks.check_unbroken()


def a_launch_that_libvirtd_ends_in_is_made_when_it_is_back():
    """When libvirtd ends within a launch, before or behind its guest's first breath, the machine is launched once more when that is back, by itself, and nobody is told that it is elsewhere"""
    (stick, machine), b = packed_stick(), new_host("b", kind=SystemHost)
    b.start()
    for begun in ("checking out", "a guest"):
        told = b.log().count("examining -> launching")
        there = lambda: b.log().count("examining -> launching") > told and (begun != "a guest" or b.guests())
        with When(there, lambda: b.libvirtd.process.kill()) as ended:
            stick.plug()
            wait_for(lambda: ended.happened, 60, f"libvirtd is ended at {begun}")
        machine.await_state(b, "running")
        machine.goes_on_at(b)
        equal("what runs", len(b.guests()), 1)
        expect("it was told to be elsewhere", "checked out" not in b.log())
        machine.eject(b)
        pull(b, stick)
    b.stop()


def a_daemon_that_is_started_without_libvirtd_waits_for_it():
    """Started while libvirtd is not there, the daemon says what it waits for, touches no device, and goes on when libvirtd is back, with a machine that nothing has disturbed"""
    (stick, machine), b = packed_stick(), new_host("b", kind=SystemHost)
    b.start()
    stick.plug()
    machine.goes_on_at(b)
    b.stop()
    b.libvirtd.end()
    Host.start(b)
    equal("what runs", len(b.guests()), 1)
    status, found, _ = b.ctl("doctor")
    equal("doctor's exit status", status, 1)
    expect(f"doctor does not say it:\n{found}", f"What became of {machine.name} here is not known while libvirt" in found)
    expect(b.log(), f"what became of {machine.name} here is not known" in b.log())
    for command in ("status", "list"):
        shown = " ".join(b.must(command).split())
        expect(f"{command} does not say it:\n{shown}", "libvirt does not answer" in shown and machine.name in shown)
    equal("the exit status of eject --all", b.ctl("eject", "--all")[0], 3)
    status, _, refusal = b.ctl("eject", stick.node)
    expect(f"{status}: {refusal}", status != 0 and refusal)
    say("    " + refusal.strip())
    b.libvirtd.serve()
    machine.await_state(b, "running")
    machine.goes_on_at(b)
    machine.eject(b)
    pull(b, stick)
    b.stop()


def a_cancelled_eject_leaves_the_guest_running():
    """An eject that is cancelled while memory is written leaves the guest running and the stick as it was"""
    stick, machine, b = new_stick(rate=8_000_000), Machine("traveller"), new_host("b")
    pack_here(b, stick, machine)  # nothing of its memory is on the stick yet: an eject takes its time
    place = stick.mounted_at()
    before = committed(place, machine)
    pages = machine.path_on(place, f"memory/{machine.here(b)['Generation'] + 1}.pages")

    def cancel():
        job = machine.here(b)["Job"]
        Host.busctl("call", "org.satchel.Satchel1", job, "org.satchel.Satchel1.Job", "Cancel")

    with When(lambda: os.path.exists(pages), cancel) as cancelled:
        refused(b, "eject", machine.name, status=8)
    expect("the eject was over before", cancelled.happened)
    machine.await_state(b, "running")
    machine.goes_on_at(b)
    equal("what was committed", committed(place, machine), before)


def a_stick_that_fails_after_the_streams_end_loses_nothing():
    """When the stick fails after the last of the memory was written, what was committed is untouched, the guest is held
    on this host, and with the stick back it goes on where it was"""
    (stick, machine), b = packed_stick(pullable=True), new_host("b")
    b.start()
    machine.insert(b, stick)
    place, generation = stick.mounted_at(), machine.here(b)["Generation"]
    before = committed(place, machine)
    layer = machine.path_on(place, f"vda/layer-{generation + 1}.qcow2")
    with When(lambda: os.path.exists(layer), lambda: stick.fail("pwrite")) as failing:
        refused(b, "eject", machine.name)
    expect("the eject was over before", failing.happened)
    now = machine.await_state(b, "running", "stranded")
    equal("Generation", now["Generation"], generation)
    expect(f"no reason is given: {now}", now["Detail"])
    # Its filesystem has had enough: it has to be plugged in again.
    wait_for(lambda: machine.here(b)["Job"] == "/", 60, "the session is kept on this host")
    stick.heal()
    pull(b, stick)
    with stick.mount_ro() as look:
        equal("what was committed", committed(look, machine), before)
    machine.await_state(b, "stranded")
    stick.plug()
    machine.await_state(b, "running")
    machine.goes_on_at(b)
    machine.eject(b)


def a_stick_that_stops_answering_holds_nobody_up():
    """A stick that takes requests and answers none is told of, others work meanwhile, and the eject to it is given up as
    soon as it answers, unless all was written by then: the machine runs, or is on the stick"""
    (stick, machine), b, other = packed_stick(pullable=True), new_host("b", device={"patience": "12s"}), new_stick("64M")
    b.start()
    machine.insert(b, stick)
    qemu = b.guests()
    stick.freeze()
    with ThreadPoolExecutor(1) as beside:
        eject = beside.submit(b.ctl, "eject", machine.name)
        try:
            wait_for(lambda: "does not answer" in device(b, stick)["Detail"], 60, "it is told that the stick does not answer")
            plug(b, other)
            expect("the other stick is not shown", other.node in b.must("list", "devices"))
            equal("the other stick", device(b, other)["Detail"], "")
            wait_for(lambda: "is given up" in b.log(), 60, "the eject is given up")
        finally:
            stick.thaw()
    status, output, errors = eject.result()
    wait_for(lambda: not device(b, stick)["Detail"], 30, "it answers again")
    if status == 0:
        machine.await_state(b, "safe")
        pull(b, stick)
        machine.insert(b, stick)
    else:
        expect(f"the eject: {output}{errors}", "has not answered for 12 seconds" in errors)
        machine.await_state(b, "running")
        equal("what runs", b.guests(), qemu)
        machine.goes_on_at(b)
    machine.eject(b)


def a_stick_pulled_in_use_goes_on_elsewhere_only_when_told():
    """Pulled without an eject, the stick says elsewhere who has it checked out and waits; taken over there, the first
    host tells the two histories apart when the stick is back"""
    (stick, machine), a, b = packed_stick(pullable=True), new_host("a"), new_host("b")
    b.start()
    machine.insert(b, stick)
    pull(b, stick)
    now = machine.await_state(b, "stranded")
    equal("CanUnplug", now["CanUnplug"], True)
    wait_for(lambda: not b.guests(), 60, "the guest is saved on its host")
    b.stop()
    a.start()
    stick.plug()
    now = machine.await_state(a, "ready")
    equal("CheckedOutBy", now["CheckedOutBy"], "host-b")
    expect(f"host-b is not named: {now}", "host-b" in now["Detail"] and "take-over" in now["NextStep"])
    expect(f"it may not be pulled: {now}", now["CanUnplug"])
    refused(a, "launch", machine.name, words=["host-b"])
    equal("guests", a.guests(), {})
    a.must("launch", machine.name, "--take-over")
    machine.await_state(a, "running")
    taken = Machine(machine.name, uuid=machine.uuid)
    taken.goes_on_at(a)
    taken.eject(a)
    pull(a, stick)
    a.stop()
    b.start()
    machine.await_state(b, "stranded")
    stick.plug()
    now = machine.await_state(b, "diverged")
    expect(f"no way on is told: {now}", now["NextStep"] and "host-a" in now["Detail"] + now["NextStep"])


def a_pulled_stick_that_is_back_goes_on():
    """Pulled without an eject and plugged in again at the same host, also after its daemon was started anew, the
    machine goes on where it was"""
    (stick, machine), b = packed_stick(pullable=True), new_host("b")
    b.start()
    machine.insert(b, stick)
    pull(b, stick)
    machine.await_state(b, "stranded")
    wait_for(lambda: not b.guests(), 60, "the guest is saved on its host")
    b.stop()
    b.start()
    machine.await_state(b, "stranded")
    stick.plug()
    machine.await_state(b, "running")
    machine.goes_on_at(b)
    machine.eject(b)


if __name__ == "__main__":
    scenes("faults", a_restart_disturbs_no_guest, killed_in_the_middle_of_an_eject_the_daemon_finds_out,
         killed_after_the_commit_the_daemon_finds_out,
         killed_while_it_tries_the_processor_the_daemon_leaves_nothing_behind,
         a_launch_that_libvirtd_ends_in_is_made_when_it_is_back,
         a_daemon_that_is_started_without_libvirtd_waits_for_it, a_cancelled_eject_leaves_the_guest_running,
         a_stick_that_fails_after_the_streams_end_loses_nothing, a_stick_that_stops_answering_holds_nobody_up,
         a_stick_pulled_in_use_goes_on_elsewhere_only_when_told, a_pulled_stick_that_is_back_goes_on)
