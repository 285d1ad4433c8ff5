"""What is recorded: the real daemon and a real guest pack, eject, launch, merge, fold and compact on one stick."""
import os

import counter
from recording import RecordedStick, Recording, witnessed_host
from travel import Machine, define, domain_xml, pack_here, plug, pull, run
from guest import Ticks


def now(host, machine):
    return machine.here(host)["Generation"]


def eject(host, stick, machine, *options):
    host.must("eject", *options, machine.name)
    machine.await_state(host, "safe")
    stick.mark(now(host, machine), "you can unplug the device now")
    machine.ticks.check_unbroken()
    pull(host, stick)


def insert(host, stick, machine):
    plug(host, stick)
    machine.await_state(host, "running")
    stick.mark(now(host, machine), "it runs, checked out")
    machine.goes_on_at(host)


def tend(host, stick, machine, what):
    host.must(what, machine.name)
    stick.mark(now(host, machine), f"{what} is done")
    machine.goes_on_at(host)


def define_counter(host, name, written=False):
    """The smallest of machines (tests/hosts/counter.S): what it leaves on a stick is read again in no time. Returns the path
    of its serial port's file."""
    raw, disk, serial = (os.path.join(host.directory, name + end) for end in (".raw", ".qcow2", ".serial"))
    with open(raw, "wb") as file:
        file.write(counter.disk(written))
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, disk)
    define(host, name, domain_xml(name, [disk], serial=serial, machine="pc", memory=counter.MEMORY))
    return serial


def start_counter(host, name, written=False):
    serial = define_counter(host, name, written)
    host.virsh("start", name)
    return serial


def pack_counter(host, stick, machine):
    machine.ticks = Ticks(start_counter(host, machine.name))
    machine.ticks.await_count(2)
    host.start()
    plug(host, stick)
    host.must("pack", machine.name, stick.node)
    machine.await_state(host, "running")
    machine.ticks.await_more(2)


GUESTS = {"counter": pack_counter, "linux": pack_here}


def pack(fs, guest):
    """A guest packed while it runs, and ejected: (host, stick, machine)."""
    stick, machine = RecordedStick(fs), Machine("traveller")
    host = witnessed_host("p", stick)
    GUESTS[guest](host, stick, machine)
    stick.mark(now(host, machine), "it was packed")
    eject(host, stick, machine)
    return host, stick, machine


def whole_day(fs, guest="counter", sessions=1):
    """Pack, eject; then sessions that leave layers; one that merges, folds and compacts beside the guest; one ejected with
    --merge. Returns the recording, and what the next recording needs."""
    host, stick, machine = pack(fs, guest)
    for _ in range(sessions):
        insert(host, stick, machine)
        eject(host, stick, machine)
    insert(host, stick, machine)
    tend(host, stick, machine, "merge")
    tend(host, stick, machine, "fold")
    tend(host, stick, machine, "compact")
    eject(host, stick, machine)
    insert(host, stick, machine)
    eject(host, stick, machine, "--merge")
    host.stop()
    return Recording.of(f"{fs}-{guest}", stick), machine


def forgetful_eject(fs, guest, image, machine):
    """Insert and eject by a daemon that syncs nothing: the deliberately wrong order."""
    stick = RecordedStick(fs, image=image)
    host = witnessed_host("w", stick, forgetful=True)
    host.start()
    insert(host, stick, machine)
    eject(host, stick, machine)
    host.stop()
    return Recording.of(f"{fs}-{guest}-forgetful", stick)
