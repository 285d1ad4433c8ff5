#!/usr/bin/python3
"""What an eject and an insert promise, seen by independent witnesses."""
import os
import stat

from libvirtd import SystemHost
from travel import *


def disk_and_memory_agree_when_it_writes_hard():
    """Ejected while it writes hard to two disks, over two ejects and three hosts, the guest finds disk and memory
    as it left them"""
    stick, machine, a, b, c = new_stick("900M"), Machine("hard"), new_host("a"), new_host("b"), new_host("c")
    pack_here(a, stick, machine, append="satchel.hard=4", disks=2)
    machine.eject(a)
    pull(a, stick)
    a.stop()
    for host in (b, c):
        host.start()
        machine.insert(host, stick)
        machine.ticks.await_more(3)
        machine.eject(host)
        pull(host, stick)
        host.stop()
    counts = machine.ticks.check_unbroken()
    equal("the counts", counts, list(range(counts[0], counts[-1] + 1)))


def every_property_is_true_and_stock_tools_open_the_stick():
    """At each step the bus tells what is true, and qemu-img, zstd and b2sum read what is on the stick"""
    (stick, machine), b = packed_stick(), new_host("b")
    b.start()
    equal("devices", devices(b), [])
    machine.insert(b, stick)
    now, seen = machine.here(b), device(b, stick)
    equal("CanUnplug", (now["CanUnplug"], seen["CanUnplug"]), (False, False))
    equal("CheckedOutBy", now["CheckedOutBy"], "host-b")
    equal("Domain", now["Domain"], "traveller")
    equal("Generation", now["Generation"], head_of(seen["MountPoint"], machine)["generation"]["seq"])
    equal("Capsules", seen["Capsules"], [now["path"]])
    equal("MountPoint", seen["MountPoint"], stick.mounted_at())
    equal("MemorySize", now["MemorySize"], 128 << 20)
    folder = os.stat(os.path.join(seen["MountPoint"], "satchel", machine.uuid))
    equal("who may enter the capsule", stat.S_IMODE(folder.st_mode), 0o700)
    b.must("eject", stick.node)
    now, seen = machine.await_state(b, "safe"), device(b, stick)
    equal("CanUnplug", (now["CanUnplug"], seen["CanUnplug"]), (True, True))
    equal("CheckedOutBy", now["CheckedOutBy"], "")
    equal("HasMemory", now["HasMemory"], True)
    equal("LastHost", now["LastHost"], "host-b")
    equal("MountPoint", (seen["MountPoint"], stick.mounted_at()), ("", None))
    pull(b, stick)
    equal("the capsule, once its stick is gone", machine.here(b), None)
    with stick.mount_ro() as place:
        stock_tools_agree(place, machine, now["Generation"])


def stock_tools_agree(place, machine, generation):
    head = head_of(place, machine)
    equal("the head's generation", head["generation"]["seq"], generation)
    for thing in head["objects"]:
        path = machine.path_on(place, thing["path"])
        equal(f"b2sum of {thing['path']}", run("b2sum", "-l", "256", path).stdout.split()[0], thing["digest"])
    equal("the stream's begin", memory_on(place, machine, head)[:4], b"QEVM")
    copy = os.path.join(WORLD, "copy")
    run("cp", "-r", machine.path_on(place), copy)
    for disk in head["disks"]:
        top = os.path.join(copy, disk["chain"][-1])
        chain = json.loads(run("qemu-img", "info", "--output=json", "--backing-chain", top).stdout)
        equal("the chain", [os.path.basename(x["filename"]) for x in chain],
              [os.path.basename(x) for x in reversed(disk["chain"])])
        for file in disk["chain"]:
            run("qemu-img", "check", "-q", os.path.join(copy, file))
        run("qemu-img", "convert", "-O", "raw", top, os.path.join(WORLD, "flat"))
    shutil.rmtree(copy)


def what_cannot_be_is_refused_in_sentences():
    """Launched twice, ejected twice, not known, not privileged: exit statuses and sentences; reading is for all"""
    (stick, machine), b = packed_stick(), new_host("b")
    b.start()
    refused(b, "eject", "nobody", status=NOT_FOUND, words=["nobody"])
    refused(b, "launch", "nobody", status=NOT_FOUND, words=["nobody"])
    refused(b, "pack", "nobody", status=NOT_FOUND)
    machine.insert(b, stick)
    refused(b, "pack", "no-such-machine", status=BAD_REQUEST, words=["no-such-machine", "virsh list --all"])
    refused(b, "launch", "traveller", status=BAD_REQUEST, words=["traveller"])
    someone = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    path = machine.here(b)["path"]
    said = run(*someone, "busctl", "--system", "get-property", "org.satchel.Satchel1", path, CAPSULE, "State").stdout
    equal("the state, read by nobody", said.strip(), 's "running"')
    done = run(*someone, "busctl", "--system", "call", "org.satchel.Satchel1", path, CAPSULE, "Eject", "a{sv}", "0",
               check=False)
    expect(f"nobody may eject: {done.stdout}", done.returncode != 0)
    expect(f"not a word of authorisation: {done.stderr}", "org.satchel.eject" in done.stderr)
    machine.goes_on_at(b)
    machine.eject(b)
    refused(b, "launch", "traveller", status=BAD_REQUEST)
    again = b.ctl("eject", "traveller")
    expect(f"a second eject is neither done nor a sentence: {again}", again[0] in (DONE, BAD_REQUEST))
    equal("the state after it", machine.here(b)["State"], "safe")


def a_guest_that_shut_itself_down_boots_at_the_next_insert():
    """Shut down from inside, the guest travels without memory, and boots at the next insert from its disk"""
    stick, machine, a, b = new_stick("640M"), Machine("halting"), new_host("a"), new_host("b")
    pack_here(a, stick, machine, append="satchel.halt=100")
    wait_for(machine.ticks.halted, 120, "the guest halts")
    wait_for(lambda: not a.guests(), 60, "its QEMU ends")

    def said():
        now = machine.here(a)
        return now["State"] == "running" and not now["CanUnplug"] and "shut" in now["Detail"].lower()

    wait_for(said, 30, "it says that the guest has shut down")
    machine.eject(a)
    equal("HasMemory", machine.here(a)["HasMemory"], False)
    pull(a, stick)
    a.stop()
    b.start()
    machine.insert(b, stick)
    equal("boots", machine.ticks.boots()[-1], 100)
    machine.eject(b)
    equal("HasMemory", machine.here(b)["HasMemory"], True)


def safely_remove_is_an_eject():
    """The file manager's 'safely remove' fails as busy at first, tried again as gvfs does it succeeds by itself once
    the machine is on its stick"""
    (stick, machine), b = packed_stick(), new_host("b")
    b.start()
    machine.insert(b, stick)
    block = f"/org/freedesktop/UDisks2/block_devices/{os.path.basename(stick.node)}"

    def remove():
        return run("busctl", "--system", "call", "org.freedesktop.UDisks2", block, "org.freedesktop.UDisks2.Filesystem",
                   "Unmount", "a{sv}", "0", check=False)

    first = remove()
    expect(f"it is not busy: {first}", first.returncode != 0 and "busy" in first.stderr)
    before = machine.here(b)["Generation"]

    def try_again():
        tried = remove()
        if "not mounted" in tried.stderr:
            raise RuntimeError("somebody else unmounted it before the one who asked")
        expect(f"it fails otherwise: {tried.stderr}", tried.returncode == 0 or "busy" in tried.stderr)
        return tried.returncode == 0

    wait_for(try_again, 120, "the removal succeeds, tried every two seconds as gvfs does", every=2)
    now = machine.await_state(b, "safe")
    equal("generations since", now["Generation"], before + 1)
    equal("CanUnplug", (now["CanUnplug"], device(b, stick)["CanUnplug"]), (True, True))


def what_others_do_to_its_disks_is_not_left_behind():
    """While a disk that was attached to the running machine is there, or a snapshot of somebody else's over one of its own, an eject is refused and says what to do; after that it takes all along"""
    stick, machine, a = new_stick(), Machine("traveller"), new_host("a", kind=SystemHost)
    pack_here(a, stick, machine)
    more, snapshot = (os.path.join(a.directory, name) for name in ("more.qcow2", "snapshot.qcow2"))
    run("qemu-img", "create", "-q", "-f", "qcow2", more, "16M")
    a.virsh("attach-disk", machine.name, more, "vdz", "--driver", "qemu", "--subdriver", "qcow2", "--live")
    refused(a, "eject", machine.name, words=(f"virsh detach-disk {machine.name} vdz",))
    a.virsh("detach-disk", machine.name, "vdz", "--live")
    wait_for(lambda: "vdz" not in a.virsh("dumpxml", machine.name), 60, "the disk is detached")
    a.virsh("snapshot-create-as", machine.name, "--disk-only", "--no-metadata", "--diskspec", f"vda,file={snapshot}")
    said = refused(a, "eject", machine.name, words=(snapshot, "virsh blockcommit"))
    machine.ticks.await_more(3)
    a.virsh(*said.split("virsh ")[1].split("\n")[0].strip().rstrip(".").split())
    machine.eject(a)
    pull(a, stick)
    a.stop()
    b = new_host("b")
    b.start()
    machine.insert(b, stick)


def what_libvirt_keeps_of_its_memory_is_not_left_behind():
    """A machine that libvirt saved itself (virsh managedsave, as libvirt-guests does at a shutdown) is not ejected without its memory: launched it goes on from there, and then all of it travels"""
    stick, machine, a = new_stick(), Machine("traveller"), new_host("a", kind=SystemHost)
    pack_here(a, stick, machine)
    a.virsh("managedsave", machine.name)
    refused(a, "eject", machine.name, words=(f"virsh managedsave-remove {machine.name}",))
    refused(a, "merge", machine.name, words=(f"virsh managedsave-remove {machine.name}",))
    a.must("launch", machine.name)
    machine.ticks.await_more(3)
    machine.eject(a)
    pull(a, stick)
    a.stop()
    b = new_host("b")
    b.start()
    machine.insert(b, stick)


def nothing_leaks():
    """Five times inserted and ejected, the daemon holds no more descriptors, mounts, files and domains than at first"""
    (stick, machine), b = packed_stick(), new_host("b")
    b.start()
    seen = []
    for _ in range(5):
        machine.insert(b, stick)
        machine.eject(b)
        pull(b, stick)
        seen.append(holdings(b))
    expect("\n".join(map(str, seen)), seen[-1]["descriptors"] <= seen[1]["descriptors"] + 1)
    for key in ("mounts", "files"):
        equal(key, seen[-1][key], seen[0][key])
    b.stop()
    equal("domains", b.virsh("list", "--all", "--name").split(), [])


def holdings(host):
    with open(f"/proc/{host.process.pid}/mountinfo") as file:
        mounts = sum(1 for _ in file)
    files = sorted(os.path.relpath(os.path.join(folder, name), host.directory)
                   for root in (host.state, host.runtime) for folder, folders, names in os.walk(root)
                   for name in names + folders if "/cache" not in folder)
    return {"descriptors": len(os.listdir(f"/proc/{host.process.pid}/fd")), "mounts": mounts, "files": files}


if __name__ == "__main__":
    scenes("ejecting", every_property_is_true_and_stock_tools_open_the_stick, what_cannot_be_is_refused_in_sentences,
         safely_remove_is_an_eject, what_others_do_to_its_disks_is_not_left_behind,
         what_libvirt_keeps_of_its_memory_is_not_left_behind, nothing_leaks, a_guest_that_shut_itself_down_boots_at_the_next_insert,
         disk_and_memory_agree_when_it_writes_hard)
