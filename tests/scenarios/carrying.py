#!/usr/bin/python3
"""Export and import with stock tools in between: virsh and qemu-img get plain files, and give plain files back."""
import os
import pwd
import re
import shutil
import struct

from travel import *


def stream_of(save):
    """QEMU's stream in a save image."""
    with open(save, "rb") as file:
        length, = struct.unpack("<I", file.read(24)[20:])
        file.seek(92 + length)
        return file.read()


def commands_of(readme, *words):
    """The README's commands that have all these words."""
    with open(readme) as file:
        return [line.split() for line in file.read().splitlines()
                if line.startswith("  ") and all(word in line for word in words)]


def follow(host, readme, word):
    """Does what the README says, with a virsh on that host."""
    command, = {tuple(words) for words in commands_of(readme, f"virsh {word} ") if "--xml" not in words}
    host.virsh(*command[1:])


def exported(host, machine, name, *options):
    """A fresh directory that the machine was exported to."""
    place = os.path.join(WORLD, name)
    shutil.rmtree(place, ignore_errors=True)
    said = host.must("export", machine.name, "--to", place, *options)
    expect(f"what comes next is not said: {said}", "virsh define" in said)
    return place


def at_rest(stick, machine):
    """A host that has the stick plugged in and the machine ready."""
    host = new_host("a", on_insert="ask")
    host.start()
    plug(host, stick)
    machine.await_state(host, "ready")
    return host


def whole_journey():
    """An export goes on under plain libvirt by the commands in its README; what virsh saves there is imported, and goes
    on at another host"""
    stick, machine = packed_stick()
    a, stock, b = at_rest(stick, machine), new_host("s"), new_host("b", on_insert="ask")
    place = exported(a, machine, "out")
    equal("the files", sorted(os.listdir(place)), ["README.txt", "domain.xml", "guest.save", "vda.qcow2"])
    disk, save, readme = (os.path.join(place, name) for name in ("vda.qcow2", "guest.save", "README.txt"))
    head = head_of(stick.mounted_at(), machine)
    run("qemu-img", "check", "-q", "-f", "qcow2", disk)
    run("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "qcow2", disk,
        machine.path_on(stick.mounted_at(), head["disks"][0]["chain"][-1]))
    expect("the memory is not the device's", stream_of(save) == memory_on(stick.mounted_at(), machine, head))

    other = new_stick("900M")
    plug(a, other)
    a.must("import", place, other.node, "--name", "copy")
    copy = Machine("copy")
    copy.await_state(a, "ready")
    again = exported(a, copy, "again")
    expect("the memory is not the same after a round trip", stream_of(save) == stream_of(os.path.join(again, "guest.save")))
    run("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "qcow2", disk, os.path.join(again, "vda.qcow2"))

    follow(stock, readme, "define")
    follow(stock, readme, "restore")
    name = machine.name
    last = machine.ticks.last()
    with Terminal(stock, name, os.path.join(WORLD, "terminal")) as heard:
        heard.await_more(5)
        counts = heard.check_unbroken()
        equal("boots", heard.boots(), [])
        expect(f"it did not go on from {last}: {counts}", counts[0] > last)
        foreign = os.path.join(WORLD, "foreign")
        os.makedirs(foreign)
        stock.virsh("save", name, os.path.join(foreign, "memory.bin"))
        last = heard.last()
    with open(os.path.join(foreign, "machine.xml"), "w") as file:
        file.write(stock.virsh("dumpxml", name))
    shutil.move(disk, foreign)
    a.must("import", foreign, other.node, "--name", "home")
    home = Machine("home")
    home.await_state(a, "ready")
    a.must("eject", other.node)
    pull(a, other)
    a.must("eject", stick.node)
    a.stop()

    b.start()
    plug(b, other)
    home.await_state(b, "ready")
    b.must("launch", "home")
    serial = b.serial_of(home.uuid)
    serial.await_more(5)
    counts = serial.check_unbroken()
    equal("boots", serial.boots(), [])
    # The terminal may have kept the last few lines before the save.
    expect(f"it did not go on from {last}: {counts}", last < counts[0] <= last + 50)
    home.ticks = serial
    home.eject(b)


def a_chain_that_was_moved():
    """A chain that was moved elsewhere is restored with its edited domain XML, and belongs to whom the directory does"""
    stick, machine = packed_stick()
    a, stock = at_rest(stick, machine), new_host("s")
    nobody = pwd.getpwnam("nobody")
    place = os.path.join(WORLD, "theirs")
    os.makedirs(place, mode=0o700)
    os.chown(place, nobody.pw_uid, nobody.pw_gid)
    a.must("export", machine.name, "--to", place, "--chain")
    for folder, folders, files in os.walk(place):
        for name in folders + files:
            about = os.lstat(os.path.join(folder, name))
            equal(f"the owner of {name}", (about.st_uid, about.st_gid, about.st_mode & 0o077),
                  (nobody.pw_uid, nobody.pw_gid, 0))
    equal("the chain", sorted(os.listdir(os.path.join(place, "vda")))[:2], ["cow.qcow2", "image.qcow2"])
    refused(a, "export", machine.name, "--to", place, status=BAD_REQUEST, words=["not empty"])
    refused(a, "export", machine.name, "--to", os.path.join(WORLD, "none", "such"), status=NOT_FOUND)

    moved = os.path.join(WORLD, "moved")
    shutil.move(place, moved)
    domain = os.path.join(moved, "domain.xml")
    with open(domain) as file:
        text = file.read()
    equal("paths in the XML", set(re.findall(f"[\"']({WORLD}/[^/\"']+)/", text)), {place})
    with open(domain, "w") as file:
        file.write(text.replace(place, moved))
    stock.virsh("restore", os.path.join(moved, "guest.save"), "--xml", domain)
    with Terminal(stock, machine.name, os.path.join(WORLD, "terminal")) as heard:
        heard.await_more(5)
        heard.check_unbroken()
    stock.end_guests()


if __name__ == "__main__":
    scenes("carrying", whole_journey, a_chain_that_was_moved)
