"""The machine that all rows begin with."""
import os

import counter
from guest import Ticks
from rig import FailingHost
from travel import Machine, define, domain_xml, new_stick, plug, run


def start_counter(host, name):
    """The smallest of machines (tests/hosts/counter.S), running here on a disk of this computer; returns its Ticks."""
    raw, disk, serial = (os.path.join(host.directory, name + end) for end in (".raw", ".qcow2", ".serial"))
    with open(raw, "wb") as file:
        file.write(counter.disk())
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, disk)
    define(host, name, domain_xml(name, [disk], serial=serial, machine="pc", memory=counter.MEMORY))
    host.virsh("start", name)
    heard = Ticks(serial)
    heard.await_count(2)
    return heard


class Base:
    """A stick with the machine 'traveller' on it, packed and ejected once for all rows."""

    def __init__(self, instants):
        host, stick, machine = FailingHost("p", instants), new_stick("320M"), Machine("traveller")
        machine.ticks = start_counter(host, machine.name)
        host.start()
        plug(host, stick)
        host.must("pack", machine.name, stick.node)
        machine.await_state(host, "running")
        machine.ticks.await_more(2)
        machine.eject(host)
        stick.pull()
        host.stop()
        host = FailingHost("q", instants, on_insert="ask")
        host.start()
        plug(host, stick)
        machine.await_state(host, "ready")
        self.exported = os.path.join(host.directory, "exported")
        host.must("export", machine.name, "--to", self.exported)
        host.must("eject", stick.node)
        stick.pull()
        host.stop()
        host.forget_guests()
        self.image, self.paths, self.uuid = stick.image, machine.ticks.paths, machine.uuid
