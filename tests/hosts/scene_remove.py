"""Scene 2: 'safely remove' as file managers do it."""
from checks import say, wait_for
from scenes import equal, expect


def safely_removed_by_udisks(stage):
    """Unmounted as a file manager does by UDisks2, tried every two seconds while it is busy, the removal succeeds by itself once
    the machine is on the stick; then the port is powered off"""
    a, b = stage.a, stage.b
    stick, machine = stage.travelling()
    stick.plug(b)
    machine.goes_on_at(b)
    node = stick.node()
    first = b.in_session("ann", "udisksctl", "unmount", "--no-user-interaction", "-b", node)
    expect(f"the first try is not refused as busy: {first.out}{first.err}", first.status != 0 and "busy" in first.err)
    stage.timed("until the retry succeeds", lambda: retried(b, "udisksctl", "unmount", "--no-user-interaction", "-b", node))
    machine.is_safe(b)
    b.shows()
    off = b.in_session("ann", "udisksctl", "power-off", "--no-user-interaction", "-b", node)
    expect(f"the port can't be powered off: {off.err}", off.status == 0)
    wait_for(lambda: not b.devices(), 30, "b no longer shows the stick", every=0.3)
    stick.pull()
    stick.plug(a)
    machine.goes_on_at(a)
    machine.eject(a)


def retried(host, *command):
    """Tries until it is unmounted. satcheld leaves that to whoever asked for some seconds, then does it itself; on a computer too slow
    for one try in that time, the next is told that nothing is mounted there."""
    def again():
        tried = host.in_session("ann", *command)
        if tried.status != 0 and not host.mounts():
            say(f"    satcheld was first: {tried.err.strip()}")
            return True
        expect(f"it fails otherwise: {tried.err}", tried.status == 0 or "busy" in tried.err)
        return tried.status == 0
    wait_for(again, 180, "the unmount succeeds, tried every two seconds", every=2)


def safely_removed_by_gvfs(stage):
    """Ejected by gio in the session of the person at the computer, by the real gvfs: it answers that the device is busy until the
    machine is on it. (A file manager asks again every two seconds by itself; gio leaves that to whoever calls it.)"""
    b = stage.b
    stick, machine = stage.travelling()
    stick.plug(b)
    machine.goes_on_at(b)
    (place, _, _), = b.mounts().values()
    first = b.in_session("ann", "timeout", "100", "gio", "mount", "-e", place)
    expect(f"the first try is not refused as busy: {first.out}{first.err}", first.status != 0 and "busy" in first.err)
    stage.timed("until gio mount -e succeeds", lambda: retried(b, "timeout", "100", "gio", "mount", "-e", place))
    machine.is_safe(b)
    equal("what is mounted", b.mounts(), {})


SCENES = (safely_removed_by_udisks, safely_removed_by_gvfs)
