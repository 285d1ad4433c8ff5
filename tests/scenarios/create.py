#!/usr/bin/python3
"""Machines that were none before: from disk images of every format, and installed from a CD onto an empty disk."""
import os

from travel import *

HERE = os.path.dirname(os.path.abspath(__file__))
MAKE_ISO = os.path.join(os.path.dirname(HERE), "guest", "make-iso")
FORMATS = ("vmdk", "raw", "qcow2", "vdi", "vhdx")


def image(host, format):
    """The test guest's disk in that format."""
    raw = make_disk(os.path.join(host.directory, "guest.raw"), format="raw")
    path = os.path.join(host.directory, f"guest.{format}")
    if format != "raw":
        run("qemu-img", "convert", "-f", "raw", "-O", format, raw, path)
    return path


def created(host, stick, name, *arguments):
    """Makes and starts it; the machine, once it counts."""
    machine = Machine(name)
    # The world's libvirt has no networks.
    said = host.must("create", name, "--memory", "128MiB", "--cpus", "1", "--network", "none", "--launch",
                     "--device", stick.node, *arguments)
    expect(f"it is not said to run: {said}", "runs here now" in said)
    machine.await_state(host, "running")
    machine.ticks = host.serial_of(machine.uuid)
    machine.ticks.await_count(3, seconds=240)
    machine.ticks.check_unbroken()
    return machine, said


def images_of_every_format_boot_and_travel():
    """A disk image of each format becomes a machine that boots, is ejected, and goes on elsewhere where it was"""
    a, b = new_host("a"), new_host("b")
    for format in FORMATS:
        stick = new_stick("640M")
        a.start()
        plug(a, stick)
        machine, said = created(a, stick, f"from-{format}", "--disk", image(a, format))
        expect(f"the format is not named: {said}", format in said)
        head = head_of(stick.mounted_at(), machine)
        expect(f"no versioned machine type: {head['machine']['machine_type']}",
               head["machine"]["machine_type"].startswith("pc-q35-"))
        machine.eject(a)
        pull(a, stick)
        with stick.mount_ro() as place:
            newest = head_of(place, machine)
            balloon = newest["machine"]["devices"]["balloons"][0]
            equal("free page reporting after an eject", balloon.get("free_page_reporting"), True)
            expect("the new machine's addresses were not noted", "address" in balloon["place"])
        a.stop()
        b.start()
        machine.insert(b, stick)
        machine.eject(b)
        pull(b, stick)
        b.stop()


def an_empty_disk_is_installed_from_a_cd():
    """A machine with an empty disk installs from its CD, restarts from the disk, travels with the CD in its drive, and
    leaves it behind once it was taken out"""
    stick, a, b = new_stick("640M"), new_host("a"), new_host("b")
    iso = os.path.join(a.directory, "install.iso")
    run(MAKE_ISO, iso)
    a.start()
    plug(a, stick)
    machine, _ = created(a, stick, "installed", "--size", "160MiB", "--cdrom", iso)
    expect("it did not start from the CD", "installed" in machine.ticks.lines())
    chains = {disk["target"]: disk["chain"] for disk in head_of(stick.mounted_at(), machine)["disks"]}
    equal("the CD's files", chains["sda"], ["sda/image.qcow2"])
    machine.eject(a)
    pull(a, stick)
    a.stop()
    b.start()
    machine.insert(b, stick)
    b.stop()
    domain = next(name for name in b.guests() if "installed" in name)
    expect("the CD did not travel", "sda" in b.virsh("domblklist", domain))
    b.virsh("change-media", domain, "sda", "--eject", "--force")
    b.start()
    machine.await_state(b, "running")
    machine.eject(b)
    pull(b, stick)
    with stick.mount_ro() as place:
        equal("disks", [disk["target"] for disk in head_of(place, machine)["disks"]], ["vda"])
        machine_now = head_of(place, machine)["machine"]["devices"]["disks"]
        equal("drives", [disk["device"] for disk in machine_now], ["disk", "cdrom"])
    machine.insert(b, stick)
    machine.eject(b)


def what_is_no_disk_is_refused():
    """Images that name other files, or are none, are refused with a sentence, and nothing is left on the stick"""
    stick, a = new_stick("320M"), new_host("a")
    a.start()
    plug(a, stick)
    path = os.path.join(a.directory, "evil")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", path, "64M")
    refused(a, "create", "evil", "--disk", path, status=BAD_REQUEST, words=["changes to another file"])
    with open(path, "w") as file:
        file.write('# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\n'
                   'RW 131072 FLAT "/etc/shadow" 0\n')
    refused(a, "create", "evil", "--disk", path, status=BAD_REQUEST, words=["in other files"])
    refused(a, "create", "evil", "--disk", "/nonexistent", status=NOT_FOUND, words=["No such file"])
    refused(a, "create", "evil", "--os", "debain11", "--size", "1GiB", status=NOT_FOUND, words=["Perhaps", "debian11"])
    refused(a, "create", "evil", "--size", "1GiB", "--cpus", "5000", status=2)
    expect("debian11 is not listed", "debian11" in a.must("create", "--os", "list"))
    equal("capsules", device(a, stick)["Capsules"], [])


if __name__ == "__main__":
    scenes("create", what_is_no_disk_is_refused, an_empty_disk_is_installed_from_a_cd,
           images_of_every_format_boot_and_travel)
