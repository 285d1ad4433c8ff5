"""What QEMU's tools do for the installed service, with the walls that systemd puts around it: files are synced, by a worker that
is a unit of its owner's, and layers merged and folded."""
import json
import os
import tempfile

from checks import run, say, wait_for
from counter import Counter
from scenes import equal, expect

PLACE = "/home/ann/Documents"
FILES = {"letter.txt": ("Dear Bob\n", 0o644), "run.sh": ("#!/bin/sh\necho it runs as $(id -un)\n", 0o755), "deep/er/note": ("below\n", 0o600)}
LONG = 3000  # seconds: libguestfs' appliance under an emulation in an emulation


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


def synced_by_the_service(stage):
    """Folders of a running machine come to ann's, as hers, by a worker that systemd starts and fences in; a second sync finds
    nothing to do"""
    a, stick, machine = stage.a, stage.stick(), Counter()
    machine.start(a, more=(files_disk(),))
    stick.plug(a)
    machine.pack(a, stick)
    rule = {"guest": "vdb:/Documents", "to": PLACE, "owner": "ann"}
    a.put("/etc/satchel/satchel.yaml", json.dumps({"capsules": {machine.uuid: {"sync": [rule]}}}).encode())
    a.run("systemctl", "restart", "satcheld.service")
    a.await_state("running")
    stage.timed("the first sync", lambda: synced(a, machine))
    for name, (text, _) in FILES.items():
        equal(name, a.run("cat", f"{PLACE}/{name}").out, text)
    equal("owners", set(a.shell(f"find {PLACE} -printf '%u\\n'").out.split()), {"ann"})
    equal("what it says", a.in_session("ann", f"{PLACE}/run.sh").out, "it runs as ann\n")
    expect("a link that leads out came", a.run("test", "-L", f"{PLACE}/out", check=False).status != 0)
    said = stage.timed("the second sync", lambda: synced(a, machine))
    expect(f"it finds something to do: {said}", "nothing to do" in said)
    equal("what AppArmor refused", a.denials(), [])
    equal("units that failed", a.run("systemctl", "--failed", "--no-legend", "--plain").out, "")
    machine.heard.check_unbroken()
    machine.eject(a)


def synced(host, machine):
    done = host.finish(host.begin("satchelctl", "sync", machine.name, timeout=LONG), LONG)
    for line in (done.out + done.err).splitlines():
        say(f"    {host.name}$ {line}")
    equal("satchelctl sync's exit status", done.status, 0)
    return done.out


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


SCENES = (synced_by_the_service, merged_and_folded_at_rest)
