"""Scene 5: the stick is pulled at the wrong moment."""
from checks import wait_for
from scenes import equal, expect


def pulled_while_it_runs(stage):
    """Pulled while the machine runs, and back in another port, it goes on where it was; the mount that the pull left behind is gone"""
    a, b = stage.a, stage.b
    stick, machine = stage.travelling()
    stick.plug(b, port=1)
    machine.goes_on_at(b)
    stick.pull()
    now = stage.timed("until b says so", lambda: b.await_state("stranded"))
    b.shows()
    expect(f"it may not be unplugged, and it is: {now['Detail']}", now["CanUnplug"])
    equal("what is mounted", b.mounts(), {})
    stick.plug(b, port=2)
    stage.timed("until it runs again", lambda: b.await_state("running"))
    machine.goes_on_at(b)
    machine.eject(b)
    stick.pull()
    stick.plug(a)
    machine.goes_on_at(a)
    machine.eject(a)


def pulled_during_an_eject(stage):
    """Pulled while an eject writes, the machine lives on, and the stick, back again, takes the save"""
    a, b = stage.a, stage.b
    stick, machine = stage.travelling()
    stick.plug(b, rate=400_000)
    machine.goes_on_at(b)
    pending = b.begin("satchelctl", "eject", machine.name)
    b.await_state("ejecting")
    wait_for(lambda: writing(b), 60, "the eject writes", every=0.1)
    stick.pull()
    done = b.finish(pending)
    expect(f"the eject did not fail: {done.out}", done.status != 0)
    b.await_state("stranded", "running")
    b.shows()
    stick.plug(b, port=3)
    stage.timed("until it runs again", lambda: b.await_state("running"))
    machine.goes_on_at(b)
    machine.eject(b)
    stick.pull()
    stick.plug(a)
    machine.goes_on_at(a)
    machine.eject(a)


def goes_on_without_its_stick(stage):
    """At home it goes on without the stick that was pulled, on copies that QEMU reads as libvirt's user; the stick's return disturbs nothing"""
    a, b = stage.a, stage.b
    stick, machine = stage.travelling()
    stick.plug(a)
    machine.goes_on_at(a)
    stage.timed("until its disks are kept", lambda: wait_for(
        lambda: a.shell("ls /var/lib/satchel/disks/*/head.json", check=False).status == 0, 120, "its disks are kept", every=1))
    stick.pull()
    a.await_state("stranded")
    wait_for(lambda: "--without-device" in a.ctl("status").out, 60, "the way on is said", every=1)
    stage.timed("until it runs without its stick", lambda: a.ctl("launch", machine.name, "--without-device"))
    machine.goes_on_at(a, state="detached")
    a.shows()
    equal("what AppArmor denied", a.denials(), [])
    stick.plug(a, port=2)
    machine.goes_on_at(a)
    machine.eject(a)
    stick.pull()
    stick.plug(b)
    machine.goes_on_at(b)
    machine.eject(b)


def writing(host):
    """Whether a job is under way that has written something."""
    for faces in host.objects().values():
        job = faces.get("org.satchel.Satchel1.Job")
        if job and job["Bytes"] > 0:
            return True
    return False


SCENES = (pulled_while_it_runs, pulled_during_an_eject, goes_on_without_its_stick)
