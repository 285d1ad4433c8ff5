"""What can be wrong on a computer, each thing done to one and found by `satchelctl doctor`."""
import contextlib
import json

from checks import say, wait_for
from scenes import equal, expect

FAILED = 1


def doctor_finds(stage):
    """Each thing that can be wrong on a computer is found by doctor, with what to do about it, and is good again when that was done"""
    b = stage.b
    stick, machine = stage.travelling()
    stick.plug(b)
    machine.goes_on_at(b)
    # Debian's libvirt has a network and does not start it.
    equal("what is wrong before", wrong(b), {"kvm": "warning", "network": "warning"})
    is_told(b, "network", "network default", "virsh net-start default")
    is_told(b, "kvm", "no /dev/kvm", "nested virtualisation")
    is_told(b, "kvm", "itself a virtual machine (qemu)", "under emulation")
    b.shows("doctor")
    for trouble in (no_libvirt, no_udisks, no_libguestfs, no_polkit, no_space, wrong_clock):
        check, verdict, found, remedy, ways = trouble(b)
        with ways:
            equal(f"verdict of {check}", wait_for(lambda: wrong(b).get(check), 60, f"doctor finds {check}", every=1), verdict)
            is_told(b, check, found, remedy)
        wait_for(lambda: check not in wrong(b), 90, f"{check} is good again", every=1)
    machine.goes_on_at(b)
    domain = b.run("virsh", "-c", "qemu:///system", "domuuid", machine.name).out.strip()
    b.run("aa-exec", "-p", f"libvirt-{domain}", "--", "cat", "/etc/shadow", check=False)
    is_told(b, "apparmor", "AppArmor has refused ", "/etc/apparmor.d/local/")
    is_told(b, "apparmor", "open of /etc/shadow", "journalctl")
    machine.eject(b)


def without(host, *units):
    """As if they were not there: nothing starts them."""
    @contextlib.contextmanager
    def ways():
        host.run("systemctl", "mask", "--now", "--runtime", *units)
        yield
        host.run("systemctl", "unmask", "--runtime", *units)
        host.run("systemctl", "start", *([unit for unit in units if unit.endswith(".socket")] or units))
    return ways()


def no_libvirt(host):
    return ("libvirt", "bad", "libvirt", "systemctl start libvirtd",
            without(host, "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket", "libvirtd.service"))


def no_udisks(host):
    return "udisks2", "bad", "could not list the storage devices", "systemctl start udisks2", without(host, "udisks2.service")


def no_polkit(host):
    return "polkit", "warning", "polkit is not on the system bus", "Install polkitd", without(host, "polkit.service")


def no_libguestfs(host):
    @contextlib.contextmanager
    def ways():
        library = host.shell("ls /usr/lib/*/libguestfs.so.0").out.strip()
        host.run("mv", library, library + ".away")
        yield
        host.run("mv", library + ".away", library)
    return "sync", "warning", "libguestfs.so.0: cannot open shared object file", "Install libguestfs0", ways()


def no_space(host):
    @contextlib.contextmanager
    def ways():
        host.shell("fallocate -l $(( $(stat -f -c '%a * %S' /var/lib) - (20 << 20) )) /var/lib/full")
        yield
        host.run("rm", "/var/lib/full")
    return "host space", "bad", "/var/lib/satchel has 20", "Free some space", ways()


def wrong_clock(host):
    @contextlib.contextmanager
    def ways():
        host.run("date", "--set=-400 days")
        yield
        host.run("date", "--set=+400 days")
    return "clock", "warning", "but counter was written at", "timedatectl set-ntp true", ways()


def findings(host):
    """What doctor says to an unprivileged person: {check: finding}."""
    said = host.ctl("--json", "doctor", user="bob", check=False)
    found = {finding["check"]: finding for finding in json.loads(said.out)}
    equal("doctor's exit status", said.status, FAILED if "bad" in {f["verdict"] for f in found.values()} else 0)
    return found


def wrong(host):
    return {check: finding["verdict"] for check, finding in findings(host).items() if finding["verdict"] != "good"}


def is_told(host, check, found, remedy):
    finding = findings(host)[check]
    say(f"    b$ {check}: {finding['found']} {finding['remedy']}")
    expect(f"'{found}' is not in {finding}", found in finding["found"])
    expect(f"'{remedy}' is not in {finding}", remedy in finding["remedy"])


SCENES = (doctor_finds,)
