"""The package's own test, and its removal."""
import os

import base
from checks import say
from scenes import equal, expect


def tests_of_the_package(stage):
    """The test that the package brings for Debian's autopkgtest passes on a computer with nothing else prepared"""
    b = stage.b
    with open(os.path.join(base.TREE, "packaging/debian/tests/service"), "rb") as file:
        b.put("/root/service", file.read(), 0o755)
    # The base system has no documentation, which other computers have.
    b.shell("dpkg-deb --fsys-tarfile /root/satchel_*.deb | tar -x -C / ./usr/share/doc/satchel")
    done = b.shell("mkdir /root/tmp && AUTOPKGTEST_TMP=/root/tmp /root/service", timeout=300, check=False)
    for line in (done.out + done.err).splitlines():
        say(f"    b# {line}")
    equal("its exit status", done.status, 0)
    equal("units that failed", b.run("systemctl", "--failed", "--no-legend", "--plain").out, "")


def removed_and_purged(stage):
    """Removed with a machine at work, the package first writes it to its stick, and where the stick is full stays and says so;
    purged, it leaves nothing behind; installed again, it goes on"""
    a, b = stage.a, stage.b
    stick, machine = stage.travelling()
    stick.plug(b)
    machine.goes_on_at(b)
    place = next(place for place, _, _ in b.mounts().values())
    b.shell(f"fallocate -l $(( $(stat -f -c '%a * %S' {place}) )) {place}/full || dd if=/dev/zero of={place}/full bs=64k 2>/dev/null; sync")
    refused = b.run("apt-get", "-q", "-y", "remove", "satchel", check=False, timeout=300)
    told = refused.out + refused.err
    expect(f"it was removed with a machine that could not be saved:\n{told}", refused.status != 0)
    expect(f"nobody is told why:\n{told}", "satchel is not removed" in told and "nothing is lost" in told)
    b.run("rm", f"{place}/full")
    machine.goes_on_at(b)
    removed = b.run("apt-get", "-q", "-y", "remove", "satchel", timeout=300)
    expect(f"nobody is told of the machine:\n{removed.out}", "You can unplug the device now." in removed.out)
    machine.heard.check_unbroken()
    machine.heard.fetch()  # a purge removes what it was heard by
    stick.pull()
    equal("machines that run", b.run("virsh", "-q", "list", "--name").out.split(), [])
    equal("mounts", b.mounts(), {})
    # As a sync and a computer with KVM leave them.
    b.shell("mkdir -p /var/cache/satchel-sync/ann && touch /var/log/libvirt/qemu/satchel-probe-kvm.log")
    b.run("apt-get", "-q", "-y", "purge", "satchel", timeout=300)
    equal("what is left behind", [path for path in files(b) if "satchel" in path and "/root/" not in path], [])
    equal("units that failed", b.run("systemctl", "--failed", "--no-legend", "--plain").out, "")
    equal("users of it", b.shell("getent passwd satchel; getent group satchel", check=False).out, "")

    stick.plug(b)
    stick.node()
    b.shell("apt-get -q -y --no-install-recommends install /root/satchel_*.deb", timeout=300)
    machine.goes_on_at(b)
    machine.eject(b)
    stick.pull()
    stick.plug(a)
    machine.goes_on_at(a)
    machine.eject(a)


def files(host):
    """All names of the computer's own filesystem."""
    return set(host.shell("find / -xdev -path /var/log/journal -prune -o -path /proc -prune -o -print", timeout=300).out.splitlines())


SCENES = (tests_of_the_package, removed_and_purged)
