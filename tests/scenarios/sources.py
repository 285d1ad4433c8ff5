#!/usr/bin/python3
"""What can be packed, what can't and says so, and how the source machine is left when a pack doesn't come to its end."""
import os

from travel import *

PASSED_THROUGH = """\
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source><address domain='0x0000' bus='0x00' slot='0x1f' function='0x7'/></source>
    </hostdev>
    <filesystem type='mount'><source dir='/srv/holiday'/><target dir='holiday'/></filesystem>
    <disk type='network' device='disk'>
      <driver name='qemu' type='raw'/>
      <source protocol='nbd' name='far'><host name='192.0.2.1' port='10809'/></source>
      <target dev='vdb' bus='virtio'/>
    </disk>
"""


def travels(machine, a, b, stick):
    """Ejected at a, inserted at b."""
    machine.eject(a)
    pull(a, stick)
    a.stop()
    b.start()
    machine.insert(b, stick)
    machine.ticks.await_more(3)
    counts = machine.ticks.check_unbroken()
    equal("the counts", counts, list(range(counts[0], counts[-1] + 1)))


def a_raw_disk_and_a_second_one():
    """A machine on two raw disks travels"""
    stick, machine, a, b = new_stick("900M"), Machine("raw"), new_host("a"), new_host("b")
    pack_here(a, stick, machine, disks=2, format="raw")
    travels(machine, a, b, stick)


def a_chain_of_three_with_a_paused_guest():
    """A machine on a chain of three disk files, paused when it is packed, travels whole, stays paused, and goes on when
    it is asked to"""
    stick, machine, a, b = new_stick("900M"), Machine("chained"), new_host("a"), new_host("b")
    files = [os.path.join(a.directory, name) for name in ("base.raw", "middle.qcow2", "top.qcow2")]
    make_disk(files[0], format="raw")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", files[0], files[1])
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", files[1], files[2])
    _, machine.ticks = new_machine(a, machine.name, files[2:])
    a.virsh("start", machine.name)
    machine.ticks.await_count(5, seconds=180)
    a.virsh("suspend", machine.name)
    paused_at = machine.ticks.last()
    a.start()
    plug(a, stick)
    a.must("pack", machine.name)
    now = machine.await_state(a, "running")
    expect(f"it is not told that it is paused: {now['Detail']}", "paused" in now["Detail"])
    machine.eject(a)
    pull(a, stick)
    a.stop()
    b.start()
    stick.plug()
    now = machine.await_state(b, "running")
    expect(f"it is not told that it is paused: {now['Detail']}", "paused" in now["Detail"])
    serial = b.serial_of(machine.uuid)
    equal("ticks while it is paused", serial.counts(), [])
    b.must("launch", machine.name)
    machine.goes_on_at(b)
    expect("it did not go on from where it was paused", paused_at <= serial.counts()[0] <= paused_at + 1)
    machine.eject(b)


def a_shut_off_machine_with_efi():
    """A shut-off machine with EFI travels without memory, and boots where it is inserted, from its own NVRAM"""
    stick, machine, a, b = new_stick("900M"), Machine("efi"), new_host("a"), new_host("b")
    machine.ticks = a.new_guest(machine.name, efi=True, network=True)  # no network is up where it boots
    machine.ticks.await_count(5, seconds=240)
    a.end_guests()
    wait_for(lambda: not a.virsh("list", "--name").strip(), 20, "libvirt knows that it is off")
    last = machine.ticks.last()
    with open(os.path.join(a.directory, "efi.nvram"), "rb") as file:
        variables = file.read()
    a.start()
    plug(a, stick)
    a.must("pack", machine.name)
    now = machine.await_state(a, "ready")
    equal("HasMemory", now["HasMemory"], False)
    equal("guests", a.guests(), {})
    with open(machine.path_on(stick.mounted_at(), "state", "1.nvram"), "rb") as file:
        expect("the NVRAM on the stick is not the machine's", file.read() == variables)
    a.must("eject", stick.node)
    pull(a, stick)
    a.stop()
    b.start()
    stick.plug()
    machine.await_state(b, "running")
    heard = b.serial_of(machine.uuid)
    heard.await_count(last + 3, seconds=240)
    expect(f"it booted at {heard.boots()}, not {last}", last <= heard.boots()[0] <= last + 1)
    machine.ticks = machine.ticks.then(heard)
    machine.eject(b)
    pull(b, stick)
    machine.insert(b, stick)


def what_cannot_travel_is_named():
    """A machine with a passed-through device, a shared directory and a network disk is refused, each named, and left
    as it was"""
    stick, a = new_stick("640M"), new_host("a")
    path, ticks = new_machine(a, "rooted", [make_disk(os.path.join(a.directory, "rooted.qcow2"))])
    with open(path) as file:
        text = file.read().replace("  </devices>", PASSED_THROUGH + "  </devices>")
    identity = a.virsh("domuuid", "rooted").strip()
    define(a, "rooted", text.replace("<uuid>", "<uuid>", 1))
    equal("the machine's UUID", a.virsh("domuuid", "rooted").strip(), identity)
    before = a.virsh("dumpxml", "rooted")
    a.start()
    plug(a, stick)
    said = refused(a, "pack", "rooted")
    for word in ("hostdev", "filesystem", "network disk", "virsh edit"):
        expect(f"'{word}' is not named: {said}", word in said)
    equal("capsules", device(a, stick)["Capsules"], [])
    expect("something is left on the stick", not capsules_below(stick.mounted_at()))
    a.stop()
    equal("the machine", a.virsh("dumpxml", "rooted"), before)


def a_pack_that_ends_early_leaves_the_machine_on_its_own_disks():
    """A pack that is cancelled, runs out of room, or dies with its daemon leaves the guest running on its own disks and
    nothing on the stick"""
    stick, a = new_stick("640M", rate=20_000_000), new_host("a")
    ticks = a.new_guest("stayer", append="satchel.hard=2", memory=128)
    ticks.await_count(3, seconds=180)
    before, qemu = a.virsh("domblklist", "stayer"), a.guests()
    text = a.virsh("dumpxml", "--inactive", "stayer")

    def cancel():
        job = next(path for path, faces in a.objects().items() if "org.satchel.Satchel1.Job" in faces)
        Host.busctl("call", "org.satchel.Satchel1", job, "org.satchel.Satchel1.Job", "Cancel")

    for trouble, act, status in (("cancelled", cancel, 8), ("full", lambda: fill(stick.mounted_at(), leave=0), NO_SPACE),
                                 ("killed", a.kill, None)):
        a.start()
        if not stick.node:
            plug(a, stick)
        wait_for(lambda: device(a, stick), 60, "the stick is seen")
        wait_for(stick.mounted_at, 60, "the stick is mounted")
        place = stick.mounted_at()
        with When(lambda: begun(place), act) as happening:
            refused(a, "pack", "stayer", status=status)
        expect(f"the pack was over before it was {trouble}", happening.happened)
        if trouble == "killed":
            a.start()
        if trouble == "full":
            os.unlink(os.path.join(place, "filler"))
        ticks.await_more(3)
        ticks.check_unbroken()
        equal(f"QEMU, {trouble}", a.guests(), qemu)
        equal(f"capsules, {trouble}", device(a, stick)["Capsules"] if trouble != "killed" else [], [])
        if trouble != "killed":
            equal(f"on the stick, {trouble}", capsules_below(place), [])
        equal(f"sessions, {trouble}", os.listdir(os.path.join(a.state, "sessions")), [])
        a.stop()
        equal(f"its disks, {trouble}", a.virsh("domblklist", "stayer"), before)
        equal(f"its definition, {trouble}", a.virsh("dumpxml", "--inactive", "stayer"), text)
    ticks.await_more(3)
    ticks.check_unbroken()


def begun(place):
    return any(os.path.exists(os.path.join(place, "satchel", name, "vda", "image.qcow2"))
               for name in capsules_below(place))


def capsules_below(place):
    folder = os.path.join(place, "satchel")
    return [name for name in os.listdir(folder) if name != "README.txt"] if os.path.isdir(folder) else []


if __name__ == "__main__":
    scenes("sources", what_cannot_travel_is_named, a_pack_that_ends_early_leaves_the_machine_on_its_own_disks,
         a_chain_of_three_with_a_paused_guest, a_raw_disk_and_a_second_one, a_shut_off_machine_with_efi)
