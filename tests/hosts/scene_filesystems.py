"""Scene 6: sticks as people have them."""
from checks import wait_for
from scene_carry import as_a_witness_sees_it
from scenes import equal, expect


def travels(stage, stick, machine, kind, part=0, eject=None):
    """Packed at A already: to B, with what a person sees and QEMU's confinement there."""
    a, b = stage.a, stage.b
    machine.eject(a)
    stick.pull()
    stick.plug(b)
    stage.timed("until it runs on b", lambda: machine.goes_on_at(b))
    (node, (_, mounted, _)), = b.mounts().items()
    equal("what is mounted", (node, mounted), (stick.node(part), kind))
    as_a_witness_sees_it(b, stick, machine, part)
    b.shows()
    stage.timed("eject on b", lambda: (eject or machine.eject)(b))


def on_vfat(stage):
    """A machine travels on a vfat stick, which has no owners and modes"""
    stick, machine = stage.packed(fs="vfat")
    travels(stage, stick, machine, "vfat")


def mounted_by_somebody_else(stage):
    """A vfat stick that somebody has mounted for all to read, before satcheld knew it, is mounted anew, closed to others; while a
    program has something open there it is refused, with what to do"""
    b = stage.b
    stick, machine = stage.packed(fs="vfat")
    machine.eject(stage.a)
    stick.pull()
    b.run("systemctl", "stop", "satcheld.service", "satcheld-udev.socket")
    stick.plug(b)
    node = stick.node()
    b.run("mount", "-o", "umask=000", node, "/mnt")
    reader = b.run("systemd-run", "-q", "--unit=reader", "--working-directory=/mnt", "sleep", "infinity")
    equal("the reader", reader.status, 0)
    b.run("systemctl", "start", "satcheld.service")
    wait_for(lambda: [each for each in b.devices() if each["Detail"]], 60, "it says why it does not use the stick", every=0.3)
    (device,) = b.devices()
    b.shows("status")
    expect(f"it does not say what to do: {device['Detail']}", "is mounted on /mnt" in device["Detail"])
    equal("machines", b.domains(), [])
    b.run("systemctl", "stop", "reader.service")
    wait_for(lambda: b.run("umount", "/mnt", check=False).status == 0, 30, "nobody has it open", every=0.3)
    stick.pull()
    stick.plug(b)
    machine.goes_on_at(b)
    as_a_witness_sees_it(b, stick, machine)
    machine.eject(b)
    stick.pull()
    # Open for all, and used by nobody.
    b.run("systemctl", "stop", "satcheld.service", "satcheld-udev.socket")
    stick.plug(b)
    b.run("mount", "-o", "umask=000", stick.node(), "/mnt")
    b.run("systemctl", "start", "satcheld.service")
    machine.goes_on_at(b)
    as_a_witness_sees_it(b, stick, machine)
    equal("what is mounted at /mnt", b.run("findmnt", "/mnt", check=False).out, "")
    machine.eject(b)


def in_a_partition(stage):
    """A machine travels in the second of three partitions; the others are left alone, and while one of them is mounted nobody is told
    to unplug the stick"""
    stick, machine = stage.packed(part=2, parts=(("vfat", "FOTOS", 32), ("ext4", "SATCHEL", 160), (None, "", 8)))
    travels(stage, stick, machine, "ext4", part=2, eject=lambda host: ejected_beside(host, stick, machine))


def ejected_beside(host, stick, machine):
    """Ejected while ann has the stick's first partition mounted."""
    fotos = stick.node(1)
    mounted = host.in_session("ann", "udisksctl", "mount", "--no-user-interaction", "-b", fotos)
    expect(f"ann can't mount it: {mounted.err}", mounted.status == 0)
    said = host.ctl("eject", machine.name).out
    expect(f"it does not say what is in use: {said}", "do not unplug it yet" in said and f"{fotos} (FOTOS)" in said)
    now = host.capsule(machine.name)
    equal("the machine's state", (now["State"], now["CanUnplug"]), ("safe", False))
    host.shows("status")
    host.in_session("ann", "udisksctl", "unmount", "--no-user-interaction", "-b", fotos)
    wait_for(lambda: host.capsule(machine.name)["CanUnplug"], 60, "it may be unplugged once that is unmounted", every=0.3)
    machine.is_safe(host)


def formatted(stage):
    """satchelctl makes a blank stick an exFAT one that a machine travels on; of a stick with somebody's files it asks first"""
    a = stage.a
    machine = stage.started()
    other = stage.stick(fs="vfat", label="FOTOS").plug(a, port=2)
    before = other.content()
    refused = a.ctl("format", other.node(), check=False)
    expect(f"it is not refused without consent: {refused.out}{refused.err}", refused.status == 2 and "--yes" in refused.err)
    other.pull()
    equal("what is on the stick with files", other.content(), before)
    stick = stage.stick(fs=None).plug(a)
    done = stage.timed("format", lambda: a.ctl("format", stick.node(), "--fs", "exfat", "--yes"))
    expect(f"it does not say what to do next: {done.out}", "satchelctl pack" in done.out)
    wait_for(lambda: len(a.devices()) == 1, 30, "a shows the stick", every=0.3)
    machine.pack(a, stick)
    travels(stage, stick, machine, "exfat")


SCENES = (on_vfat, mounted_by_somebody_else, in_a_partition, formatted)
