"""What starts the service, and what does not: mistakes in its configuration, a stop, a stick."""
from scenes import equal, expect

FILE = "/etc/satchel/satchel.yaml"


def mistaken_configuration(stage):
    """A mistake in satchel.yaml keeps the service down, at one try, however many devices change; the journal has it as an error, and
    with the file mended all is back"""
    b = stage.b
    b.run("mkdir", "-p", "/etc/satchel")
    b.put(FILE, b"on_insert: sometimes\n")
    since = b.now()
    expect("it starts with a mistake", b.run("systemctl", "restart", "satcheld", check=False).status != 0)
    devices_change(b)
    equal("times that it was started", starts(b, since), 1)
    equal("its socket", b.run("systemctl", "is-active", "satcheld-udev.socket", check=False).out.strip(), "inactive")
    said = b.run("journalctl", "-q", "--no-pager", "-o", "cat", "-p", "err", "-u", "satcheld", "--since", f"@{since:.3f}").out
    expect(f"no error names the mistake: {said}", f"{FILE}, line 1" in said)
    b.put(FILE, b"on_insert: resume\n")
    b.run("systemctl", "restart", "satcheld")
    equal("what is back", b.run("systemctl", "is-active", "satcheld.service", "satcheld-udev.socket").out.split(), ["active"] * 2)
    stick, machine = stage.travelling()
    stick.plug(b)
    machine.goes_on_at(b)
    machine.eject(b)
    equal("units that failed", b.run("systemctl", "--failed", "--no-legend", "--plain").out, "")


def stopped_until_a_stick_comes(stage):
    """Stopped, the service is started by no event of other devices and by no 'eject --all', which says so; a stick starts it"""
    b = stage.b
    stick, machine = stage.travelling()
    b.run("systemctl", "stop", "satcheld")
    since = b.now()
    devices_change(b)
    said = b.ctl("eject", "--all")
    expect(f"nobody is told: {said.out}", "satcheld is not running" in said.out)
    b.run("systemctl", "stop", "satchel-eject")
    equal("times that it was started", starts(b, since), 0)
    equal("units that failed", b.run("systemctl", "--failed", "--no-legend", "--plain").out, "")
    stick.plug(b)
    machine.goes_on_at(b)
    machine.eject(b)


def devices_change(host):
    for _ in range(5):
        host.run("udevadm", "trigger", "--action=change", "--subsystem-match=block", "--settle")


def starts(host, since):
    host.run("journalctl", "--sync")
    return sum(line.startswith("Starting satcheld.service") for line in host.journal(since).splitlines())


SCENES = (mistaken_configuration, stopped_until_a_stick_comes)
