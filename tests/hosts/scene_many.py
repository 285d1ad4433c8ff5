"""Scene 8: more than one stick, and sticks that come and go."""
from checks import say, wait_for
from counter import Counter
from scenes import equal, expect

TIMES = 20
GROWTH = 4 << 20  # of the daemon's memory over all of these, in bytes: a leaked stick would be much more


def two_sticks(stage):
    """Two sticks are two machines: both go on beside each other, and ejecting one leaves the other alone"""
    a, b = stage.a, stage.b
    pairs = [(stage.stick(), Counter(name)) for name in ("counter", "second")]
    for port, (stick, machine) in enumerate(pairs, 1):
        machine.start(a)
        stick.plug(a, port=port)
        machine.pack(a, stick)
    for stick, machine in pairs:
        done = a.ctl("eject", machine.name)
        expect(f"it does not say that the device may be unplugged: {done.out}", "You can unplug the device now." in done.out)
        stick.pull()
    for port, (stick, _) in enumerate(pairs, 1):
        stick.plug(b, port=port)
    for _, machine in pairs:
        machine.goes_on_at(b)
    b.shows()
    (first, one), (second, other) = pairs
    done = b.ctl("eject", one.name)
    expect(f"it does not say that the device may be unplugged: {done.out}", "You can unplug the device now." in done.out)
    first.pull()
    b.shows()
    equal("machines that run", b.run("virsh", "-q", "list", "--name").out.split(), [other.name])
    other.goes_on_at(b)
    first.plug(a)
    one.goes_on_at(a)
    other.eject(b)
    second.pull()
    one.eject(a)


def twenty_times(stage):
    """Plugged and pulled twenty times, mostly while it is examined, a stick leaves nothing behind: no mount, descriptor, domain,
    file, loop device or memory; then its machine goes on"""
    b = stage.b
    stick, machine = stage.travelling()
    b.put("/etc/satchel/satchel.yaml", b"on_insert: ask\n")
    b.run("systemctl", "restart", "satcheld.service")
    wait_for(b.running, 60, "satcheld runs", every=0.3)
    moments = (("at once", lambda: None),
               ("when udev tells of it", stick.node),
               ("when it is mounted", lambda: wait_for(b.mounts, 60, "it is mounted", every=0.02)),
               ("when it is on the bus", lambda: wait_for(b.devices, 60, "it is on the bus", every=0.02)),
               ("when the machine may be launched", lambda: b.await_state("ready")))
    for what, moment in moments:
        comes_and_goes(b, stick, 1, moment)
    before = witnesses(b)
    for turn in range(TIMES):
        comes_and_goes(b, stick, 1 + turn % 4, moments[turn % len(moments)][1])
    after = wait_for_no_more(b, before)
    say(f"    the daemon's memory: {before['memory'] >> 10} KiB, then {after['memory'] >> 10} KiB")
    expect(f"the daemon's memory grew from {before['memory']} to {after['memory']} bytes", after["memory"] < before["memory"] + GROWTH)
    equal("units that failed", b.run("systemctl", "--failed", "--no-legend", "--plain").out, "")
    stick.plug(b)
    b.await_state("ready")
    b.ctl("launch", machine.name)
    machine.goes_on_at(b)
    machine.eject(b)


def comes_and_goes(host, stick, port, moment):
    stick.plug(host, port=port)
    moment()
    stick.pull()
    host.run("udevadm", "settle")
    wait_for(lambda: not host.mounts() and not host.devices(), 60, "the pulled stick is neither mounted nor shown", every=0.1)


def witnesses(host):
    """What could leak, but for memory each a thing that must be the same."""
    pid = host.pid()
    files = "/var/lib/satchel /run/satchel /media /run/media"
    # UDisks2 keeps this directory, empty, where udev's word on a stick went with the stick while it was being mounted.
    kept = "/media/root"
    return {"pid": pid, "mounts": host.run("cat", "/proc/self/mountinfo").out.splitlines(),
            "the daemon's mounts": host.run("cat", f"/proc/{pid}/mountinfo").out.splitlines(),
            "descriptors": sorted(host.shell(f"readlink /proc/{pid}/fd/* | sed 's/[0-9]*]$//'").out.splitlines()),
            "domains": host.domains(), "loop devices": host.run("losetup", "-a").out,
            "files": sorted(host.shell(f"find {files} -not -path {kept} 2>/dev/null", check=False).out.splitlines()),
            "memory": int(host.run("ps", "-o", "rss=", "-p", pid).out) << 10}


def wait_for_no_more(host, before):
    def same():
        now = witnesses(host)
        for what, was in before.items():
            if what != "memory":
                equal(what, now[what], was)
        return now
    return wait_for(same, 30, "nothing is left behind", every=1)


SCENES = (two_sticks, twenty_times)
