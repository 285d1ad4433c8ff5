#!/usr/bin/python3
"""A machine whose stick was pulled goes on without it, on what the computer keeps of its disks."""
import copy

from travel import *


def keeping(name):
    return new_host(name, cache={"disks_of": "everywhere"}, on_insert="ask")


def run_and_pull(host, stick, machine):
    """Runs until its disks are kept here; then the stick is pulled."""
    host.start()
    stick.plug()
    machine.await_state(host, "ready")
    launch(host, machine)
    kept = os.path.join(host.state, "disks", machine.uuid)
    wait_for(lambda: os.path.exists(os.path.join(kept, "head.json")), 60, "its disks are kept here")
    pull(host, stick)
    await_saved(host, machine)


def await_saved(host, machine):
    machine.await_state(host, "stranded")
    wait_for(lambda: machine.here(host)["Job"] == "/", 60, "the guest is saved on its host")
    equal("guests", host.guests(), {})


def a_machine_goes_on_without_its_stick():
    """Pulled, it goes on when that is asked for, over a daemon that is killed, put away and fetched again; the stick's
    return disturbs nothing, and an eject takes along all that it did meanwhile"""
    (stick, machine), b, c = packed_stick(pullable=True), keeping("b"), new_host("c")
    run_and_pull(b, stick, machine)
    expect("the way on is not said", "--without-device" in b.must("status"))
    launch(b, machine, "--without-device")
    guests = b.guests()
    b.kill()
    b.start()
    machine.await_state(b, "detached")
    equal("the guest", b.guests(), guests)
    refused(b, "drop-cache", words=["it runs on what this computer keeps"])
    b.must("eject", machine.name)
    await_saved(b, machine)
    launch(b, machine, "--without-device")
    guests = b.guests()
    plug(b, stick)
    machine.await_state(b, "running")
    machine.ticks.await_more(3)
    equal("the guest", b.guests(), guests)
    machine.eject(b)
    pull(b, stick)
    b.stop()
    c.start()
    machine.insert(c, stick)
    machine.eject(c)


def its_stick_went_on_elsewhere():
    """Taken over at another computer meanwhile, it has two histories; it runs on until both are kept"""
    (stick, machine), a, b = packed_stick(pullable=True), new_host("a", on_insert="ask"), keeping("b")
    theirs = Machine(machine.name, ticks=copy.deepcopy(machine.ticks), uuid=machine.uuid)
    run_and_pull(b, stick, machine)
    launch(b, machine, "--without-device")
    b.stop()
    a.start()
    stick.plug()
    theirs.await_state(a, "ready")
    launch(a, theirs, "--take-over")
    theirs.eject(a)
    pull(a, stick)
    a.stop()
    b.start()
    machine.await_state(b, "detached")
    stick.plug()
    machine.await_state(b, "diverged")
    machine.ticks.await_more(3)
    b.must("resolve", machine.name, "keep-both")
    ours = Machine(f"{machine.name} from host-b", ticks=machine.ticks)
    ours.await_state(b, "ready")
    launch(b, ours)
    ours.eject(b)


def its_stick_is_lost():
    """Written to plain files, it goes on under plain libvirt where it was, and nothing of it stays in the service's care"""
    (stick, machine), b, stock = packed_stick(pullable=True), keeping("b"), new_host("s")
    run_and_pull(b, stick, machine)
    expect("the way to plain files is not said", "export-ours" in b.must("status"))
    refused(b, "resolve", machine.name, "keep-both", words=["Plug the same device in again"])
    place = os.path.join(WORLD, "rescued")
    b.must("resolve", machine.name, "export-ours", "--to", place)
    wait_for(lambda: machine.here(b) is None, 30, "the machine is gone from the bus")
    wait_for(lambda: not os.listdir(os.path.join(b.state, "sessions")), 30, "what was kept of the session is gone")
    b.stop()
    last = machine.ticks.last()
    stock.virsh("restore", os.path.join(place, "guest.save"))
    with Terminal(stock, machine.name, os.path.join(WORLD, "terminal")) as heard:
        heard.await_more(5)
        counts = heard.check_unbroken()
        equal("boots", heard.boots(), [])
        expect(f"it did not go on from {last}: {counts}", counts[0] > last)
    stock.end_guests()


def what_is_kept_is_read_before_it_is_used():
    """A copy with a flipped bit is refused and removed, nothing is lost, and the stick goes on with the machine"""
    (stick, machine), b = packed_stick(pullable=True), keeping("b")
    run_and_pull(b, stick, machine)
    kept = os.path.join(b.state, "disks", machine.uuid)
    image = max((os.path.join(kept, name) for name in os.listdir(kept)), key=os.path.getsize)
    with open(image, "r+b") as file:
        file.seek(os.path.getsize(image) // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    refused(b, "launch", machine.name, "--without-device", words=["is damaged", "image.qcow2"])
    await_saved(b, machine)
    refused(b, "launch", machine.name, "--without-device", words=["no complete copy of its disks"])
    plug(b, stick)
    machine.await_state(b, "running")
    machine.ticks.await_more(3)
    machine.eject(b)


if __name__ == "__main__":
    scenes("detached", a_machine_goes_on_without_its_stick, its_stick_went_on_elsewhere, its_stick_is_lost,
           what_is_kept_is_read_before_it_is_used)
