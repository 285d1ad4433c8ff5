"""A machine's files are merged into this computer's: beside the running machine, after a killed worker, and never in
the way of an eject."""
import contextlib
import hashlib
import json
import os
import pwd
import signal

from travel import *

OWNER = "games"  # an ordinary user that every Debian has


def write(folder, name, text, mode=0o644):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def guest_files(place):
    """Files of every kind, as the machine's second disk holds them."""
    docs = os.path.join(place, "Documents")
    os.makedirs(os.path.join(docs, "empty"))
    os.makedirs(os.path.join(docs, "sub"))
    write(docs, "a.txt", "hello\n")
    write(docs, "sub/b.txt", "below\n")
    write(docs, "new\nline", "odd\n")
    write(docs, "run.sh", "#!/bin/sh\necho it runs\n", 0o755)
    os.symlink("a.txt", os.path.join(docs, "link"))
    os.symlink("/etc/passwd", os.path.join(docs, "out"))
    os.mkfifo(os.path.join(docs, "pipe"))
    with open(os.path.join(docs, "sparse"), "wb") as file:
        file.seek(3_000_000)
        file.write(b"end")
    return docs


def files_of(folder):
    """{path: what it is}, without what the sync keeps for itself."""
    out = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".satchel")]
        for name in folders + names:
            path = os.path.join(place, name)
            key = os.path.relpath(path, folder)
            if os.path.islink(path):
                out[key] = ("link", os.readlink(path))
            elif os.path.isdir(path):
                out[key] = ("directory",)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    out[key] = ("file", hashlib.sha256(file.read()).hexdigest(), os.stat(path).st_mode & 0o111 != 0)
    return out


def filed_machine():
    """A running machine, packed at host a, whose second disk is an ext4 with files: (stick, machine, host, files)."""
    stick, machine, host = new_stick("900M"), Machine("filed"), new_host("a")
    docs = guest_files(os.path.join(host.directory, "files"))
    disks = [os.path.join(host.directory, name) for name in ("vda.qcow2", "vdb.qcow2")]
    make_disk(disks[0], "", "qcow2")
    raw = os.path.join(host.directory, "raw")
    run("mke2fs", "-q", "-t", "ext4", "-d", os.path.dirname(docs), raw, "64M")
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, disks[1])
    serial = os.path.join(host.directory, "filed.serial")
    description = os.path.join(host.directory, "filed.xml")
    with open(description, "w") as file:
        file.write(domain_xml("filed", disks, format="qcow2", serial=serial, memory=128))
    host.virsh("define", description)
    host.virsh("start", "filed")
    machine.ticks = Ticks(serial)
    machine.ticks.await_count(3, seconds=180)
    host.start()
    plug(host, stick)
    host.must("pack", "filed", stick.node, timeout=600)
    machine.await_state(host, "running")
    return stick, machine, host, docs


def settle_rules(host, machine, target):
    """The host's settings now sync the machine's files."""
    os.makedirs(target)
    owner = pwd.getpwnam(OWNER)
    os.chown(target, owner.pw_uid, owner.pw_gid)
    host.stop()
    host.configure({"libvirt": {"uri": host.uri}, "host_name": "host-a", "space": {"keep_free_host": "64MiB"},
                    "capsules": {machine.uuid: {"sync": [{"guest": "vdb:/Documents", "to": target, "owner": OWNER}]}}})
    host.start()
    machine.await_state(host, "running")


def wanted(docs):
    out = files_of(docs)
    del out["out"]  # it leads out
    return out


def worker_of(host):
    """The process id of the worker that host's daemon has, or None."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat:
            name, rest = stat.read().rsplit(")", 1)
            if name.endswith("(satchel-sync") and int(rest.split()[1]) == host.process.pid:
                return int(pid)
    return None


def files_are_synced_beside_the_running_machine():
    """Files come here as their owner's, with the machine running on; a second sync finds nothing; an eject ends one"""
    stick, machine, a, docs = filed_machine()
    now = machine.here(a)
    said = refused(a, "sync", "filed", words=["names no folders", machine.uuid])
    expect(said, "satchel.yaml" in said)
    target = os.path.join(WORLD, "ann")
    settle_rules(a, machine, target)

    report = json.loads(a.must("--json", "sync", "filed", "--dry-run", timeout=1200))
    equal("written by a dry run", os.listdir(target), [])
    equal("a fault in the dry run", [r.get("fault") for r in report["rules"]], [None])
    before = report["rules"][0]["counts"]
    machine.ticks.check_unbroken()

    # Killed in the middle: simply run again.
    running = threading.Thread(target=a.ctl, args=("sync", "filed"), kwargs={"timeout": 1200})
    running.start()
    pid = wait_for(lambda: worker_of(a), 60, "the worker is there")
    os.kill(pid, signal.SIGKILL)
    running.join()
    # So is one whose daemon was.
    running = threading.Thread(target=a.ctl, args=("sync", "filed"), kwargs={"timeout": 1200})
    running.start()
    pid = wait_for(lambda: worker_of(a), 60, "the worker is there")
    a.kill()
    running.join()
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 60, "the worker ends with its daemon")
    a.start()
    machine.await_state(a, "running")
    shown = a.must("sync", "filed", timeout=1200)
    for word in ("+ run.sh", "! out", "! pipe", "sub/"):
        expect(f"'{word}' is not in: {shown}", word in shown)
    equal("files", files_of(target), wanted(docs))
    owner = pwd.getpwnam(OWNER).pw_uid
    equal("owners", {os.lstat(os.path.join(target, name)).st_uid for name in files_of(target)}, {owner})
    equal("it runs", run(os.path.join(target, "run.sh")).stdout, "it runs\n")
    expect("sparse", os.stat(os.path.join(target, "sparse")).st_blocks * 512 < 1_000_000)
    equal("counted before", before["added"] > 0, True)
    machine.goes_on_at(a)

    write(target, "mine.txt", "only here\n")
    report = json.loads(a.must("--json", "sync", "filed", timeout=1200))
    counts = report["rules"][0]["counts"]
    equal("done the second time", [counts[k] for k in ("added", "updated", "trashed", "conflicts")], [0, 0, 0, 0])
    say(f"a sync that finds nothing to do: {report['rules'][0]['seconds']}")
    expect("what is only here is gone", os.path.exists(os.path.join(target, "mine.txt")))
    time_of, generation, message = machine.here(a)["LastSync"]
    expect(f"LastSync: {message}", time_of > 0 and generation >= now["Generation"] and message)

    running = threading.Thread(target=a.ctl, args=("sync", "filed"), kwargs={"timeout": 1200})
    running.start()
    wait_for(lambda: worker_of(a), 60, "the worker is there")
    machine.eject(a)
    running.join()
    equal("worker", worker_of(a), None)


if __name__ == "__main__":
    scenes("syncing", files_are_synced_beside_the_running_machine)
