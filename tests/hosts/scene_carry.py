"""Scene 1: from computer to computer."""
from checks import wait_for
from host_computer import by
from scenes import equal, expect


def carry(stage):
    """Packed and ejected on A, the machine goes on on B by plugging the stick in alone, with satcheld not running before, and
    comes back to A"""
    a, b = stage.a, stage.b
    b.run("systemctl", "stop", "satcheld.service")
    stick, machine = stage.packed()
    a.shows()
    stage.timed("eject on a", lambda: machine.eject(a))
    stick.pull()
    expect("satcheld runs on b already", not b.running())
    stick.plug(b)
    stage.timed("from plugging it into b to the daemon's start", lambda: wait_for(b.running, 60, "udev starts satcheld", every=0.2))
    stage.timed("until the machine runs on b", lambda: b.await_state("running"))
    machine.goes_on_at(b)
    b.shows()
    equal("who is on the bus, by busctl", sorted(b.told_by_busctl()), sorted(b.objects()))
    as_a_witness_sees_it(b, stick, machine)
    # From the third on, what the guest reads through is merged under it.
    for _ in range(3):
        stage.timed("a checkpoint on b", lambda: b.run("satchelctl", "checkpoint", machine.name))
        machine.goes_on_at(b)
    as_a_witness_sees_it(b, stick, machine)
    stage.timed("eject on b", lambda: machine.eject(b))
    b.shows()
    stick.pull()
    stick.plug(a)
    stage.timed("until the machine runs on a", lambda: a.await_state("running"))
    machine.goes_on_at(a)
    # What it has on its disk as well was left out of its memory, and was read of the stick's disk.
    heads = a.run("sh", "-c", f"cat {folder_of(a, machine)}/heads/*.json").out
    expect("no generation has borrowed pages", '"codec":"zstd-pages-3"' in heads)
    machine.eject(a)


def folder_of(host, machine):
    """The capsule's, on the stick that is in."""
    (_, (place, _, _)), = host.mounts().items()
    return f"{place}/satchel/{machine.uuid}"


def as_a_witness_sees_it(host, stick, machine, part=0):
    """QEMU is libvirt's user, confined, the capsule's directory is root's alone, and what QEMU gets of this computer is its own."""
    (node, (_, _, options)), = host.mounts().items()
    equal("the node", node, stick.node(part))
    for word in ("nosuid", "nodev", "noexec"):
        expect(f"{word} is not among {options}", word in options)
    folder = folder_of(host, machine)
    equal("who may enter the capsule", host.run("stat", "-c", "%u:%g %a", folder).out.strip(), "0:0 700")
    expect("bob can look into the capsule", host.run(*by("bob"), "ls", folder, check=False).status != 0)
    # Those of checkpoints have no descriptor: QEMU's user opens them.
    modes = {"overlays": (f"/var/lib/satchel/sessions/{machine.uuid}/*.qcow2", {"root 600", "libvirt-qemu 600"}),
             "what it said": (f"/var/lib/satchel/serial/{machine.uuid}.log", {"root 600"}),
             "its directory": (f"/var/lib/satchel/sessions/{machine.uuid}", {"root 711"}),
             "FIFOs' directories": (f"/run/satchel /run/satchel/{machine.uuid}", {"root 700"})}
    for what, (paths, allowed) in modes.items():
        found = set(host.shell(f"stat -c '%U %a' {paths}").out.splitlines())
        equal(f"owner and mode of {what} besides {allowed}", found - allowed, set())
    pid = host.run("pgrep", "-f", f"guest={machine.name}").out.split()[0]
    equal("QEMU's user", host.run("stat", "-c", "%U", f"/proc/{pid}").out.strip(), "libvirt-qemu")
    label = host.run("cat", f"/proc/{pid}/attr/current").out.strip("\0\n ")
    expect(f"QEMU's AppArmor profile is {label}", label.startswith("libvirt-") and label.endswith("(enforce)"))
    equal("AppArmor's refusals", [line for line in host.denials() if "libvirt-" in line], [])


SCENES = (carry,)
