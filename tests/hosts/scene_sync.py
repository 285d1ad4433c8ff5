"""What QEMU's tools do for the installed service, with the walls that systemd puts around it: files are synced, by a worker that
is a unit of its owner's, and layers merged and folded."""
import json
import os
import tempfile

from checks import run, say, wait_for
from counter import Counter
from scenes import equal, expect

PLACE = "/home/ann/Documents"
FILES = {"letter.txt": ("Dear Bob\n", 0o644), "deep/er/note": ("below\n", 0o600)}
LONG = 1200  # seconds, until libguestfs has made its appliance


def files_disk():
    """An ext4 with files."""
    with tempfile.TemporaryDirectory() as place:
        for name, (text, mode) in FILES.items():
            path = os.path.join(place, "tree", "Documents", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text)
            os.chmod(path, mode)
        os.symlink("letter.txt", os.path.join(place, "tree/Documents/link"))
        os.symlink("/etc/passwd", os.path.join(place, "tree/Documents/out"))
        image = os.path.join(place, "image")
        run("mke2fs", "-q", "-t", "ext4", "-d", os.path.join(place, "tree"), image, "8M")
        with open(image, "rb") as file:
            return file.read()


def reader_starts_in_its_unit(stage):
    """A sync's worker, which systemd starts as ann and fences in, has the machine's disks shown to it, makes its reader's system and
    starts the reader; an eject ends all of it. (How files are read is tried elsewhere: the reader is an emulation in two others here, and
    was not up after fifty minutes.)"""
    a, stick, machine = stage.a, stage.stick(), Counter()
    machine.start(a, more=(files_disk(),))
    stick.plug(a)
    machine.pack(a, stick)
    rule = {"guest": "vdb:/Documents", "to": PLACE, "owner": "ann"}
    a.put("/etc/satchel/satchel.yaml", json.dumps({"capsules": {machine.uuid: {"sync": [rule]}}}).encode())
    a.run("systemctl", "restart", "satcheld.service")
    a.await_state("running")
    pending = a.begin("satchelctl", "sync", machine.name, timeout=LONG)
    stage.timed("until the reader starts", lambda: wait_for(lambda: runs(a, "qemu-system-x86_64 .*guestfs"), LONG, "the reader runs", every=3))
    expect("the worker is ann's", runs(a, "satchel-sync"))
    machine.eject(a)
    done = a.finish(pending)
    for line in (done.out + done.err).splitlines():
        say(f"    a$ {line}")
    expect(f"the sync was not stopped: {done.out}{done.err}", done.status != 0)
    wait_for(lambda: not runs(a, "satchel-sync|guestfs"), 60, "nothing of the sync is left", every=1)
    equal("what AppArmor refused", a.denials(), [])


def runs(host, pattern):
    return host.run("pgrep", "-u", "ann", "-f", pattern, check=False).status == 0


def merged_and_folded_at_rest(stage):
    """While the machine rests, its layers are merged on the stick and its COW file is folded into the image, and it goes on"""
    a = stage.a
    stick, machine = stage.travelling()
    a.put("/etc/satchel/satchel.yaml", b"on_insert: ask\n")
    a.run("systemctl", "restart", "satcheld.service")
    stick.plug(a)
    a.await_state("ready")
    before = a.capsule()
    expect(f"it has nothing to merge: {before}", before["Layers"] > 0)
    done = a.ctl("merge", machine.name)
    for line in done.out.splitlines():
        say(f"    a$ {line}")
    # Its COW file is past a quarter of its image, which is tiny: that it is folded needs no command.
    wait_for(lambda: a.capsule()["State"] == "ready" and not a.capsule()["Due"], 180, "the fold that is due is done", every=0.5)
    after = a.await_state("ready")
    equal("layers", after["Layers"], 0)
    expect(f"the COW file is not a new one: {after['CowSize']} bytes, {before['CowSize']} before", after["CowSize"] <= before["CowSize"])
    a.ctl("launch", machine.name)
    machine.goes_on_at(a)
    machine.eject(a)


SCENES = (reader_starts_in_its_unit, merged_and_folded_at_rest)
