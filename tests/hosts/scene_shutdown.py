"""Scene 3: shutdown, reboot, a restarted daemon, an upgraded package."""
import os

from checks import say, wait_for
from pair import package
from scenes import equal, expect


def shut_down(stage):
    """Shut down with a machine at work, B writes it to the stick before the stick's filesystem goes, and A continues it"""
    a, b = stage.a, stage.b
    stick, machine = stage.travelling()
    stick.plug(b)
    machine.goes_on_at(b)
    b.begin("systemctl", "poweroff")
    stage.timed("b's shutdown", b.await_off)
    b.start()  # what the machine said there to the end is in a file there
    stick.plug(a)
    machine.goes_on_at(a)
    a.shows()
    machine.eject(a)
    told = b.run("journalctl", "-q", "--no-pager", "-o", "cat", "-b", "-1", "-u", "satcheld", "-u", "satchel-eject").out
    for line in told.splitlines()[-12:]:
        say(f"    b's journal: {line}")
    equal("what failed at b's shutdown", [line for line in told.splitlines() if "Failed" in line], [])
    b.settle()


def reboot(stage):
    """Rebooted with a machine at work and the stick plugged in, B writes it to the stick, and continues it when it is up again"""
    b = stage.b
    stick, machine = stage.travelling()
    stick.plug(b)
    machine.goes_on_at(b)
    before, generation = b.run("cat", "/proc/sys/kernel/random/boot_id").out, b.capsule()["Generation"]
    b.begin("systemctl", "reboot")
    stage.timed("b's reboot", lambda: b.await_reboot(before))
    now = stage.timed("until the machine runs", lambda: b.await_state("running", seconds=300))
    # What b wrote at its end, and that b has it again.
    expect(f"generation {now['Generation']} follows {generation}: it was not written to the stick", now["Generation"] > generation + 1)
    told = b.run("journalctl", "-q", "--no-pager", "-o", "cat", "-b", "-1", "-u", "satcheld", "-u", "satchel-eject").out
    equal("what failed when b went down", [line for line in told.splitlines() if "Failed" in line], [])
    machine.goes_on_at(b)
    machine.eject(b)


def restart_and_upgrade(stage):
    """A restarted daemon, one that crashed, a restarted libvirtd and an upgraded package disturb no machine"""
    a = stage.a
    stick, machine = stage.packed()
    qemu = a.run("pgrep", "-f", f"guest={machine.name}").out
    name = os.path.basename(package())
    for what, command in (("systemctl restart", "systemctl restart satcheld"), ("a crash", "systemctl kill -s KILL satcheld"),
                          ("libvirtd's restart", "systemctl restart libvirtd"),
                          ("an upgrade", f"apt-get -q -y --reinstall --no-install-recommends install /root/{name}")):
        pid = a.pid()
        stage.timed(what, lambda: a.shell(command))
        if "libvirtd" not in command:
            wait_for(lambda: a.pid() not in (0, pid), 60, f"another satcheld after {what}", every=0.3)
        a.await_state("running")
        machine.heard.await_more(3)
        machine.heard.check_unbroken()
        equal(f"QEMU after {what}", a.run("pgrep", "-f", f"guest={machine.name}").out, qemu)
    equal("units that failed", a.run("systemctl", "--failed", "--no-legend", "--plain").out, "")
    machine.eject(a)


SCENES = (shut_down, reboot, restart_and_upgrade)
