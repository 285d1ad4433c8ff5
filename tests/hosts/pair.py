"""The two computers as each scene finds them: booted, satchel installed from its package, a person logged in, nothing plugged in."""
import fcntl
import glob
import hashlib
import os
import shutil
import time

import base
import computer
from checks import Failure, run, say
from host_computer import Host

INSTALLED = "installed"
NAMES = ("a", "b")
PREFIX = "sh."


def booted_disk(made, work):
    """A disk whose snapshot 'booted' is the base system after a boot, from the base's own folder or made now: a boot costs a minute."""
    with open(computer.__file__, "rb") as file:
        kind = hashlib.sha256(file.read()).hexdigest()[:8]  # a snapshot fits the computer that it was made of
    disk = os.path.join(made.directory, f"booted-{kind}.qcow2")
    with open(os.path.join(base.CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(disk):
            began = time.monotonic()
            fresh = computer.new_disk(made, os.path.join(made.directory, "booting.qcow2"))
            first = computer.Computer("base", made, work, fresh)
            try:
                first.start()
                first.settle()
                first.save("booted")
            finally:
                first.end()
                computer.Computer.all.remove(first)
            os.rename(fresh, disk)
            say(f"booted the base system once, in {time.monotonic() - began:.0f} s")
    return disk


def package():
    """The newest package that packaging/build-deb has made."""
    place = os.path.join(base.TREE, "build", "deb")
    found = sorted(glob.glob(os.path.join(place, "satchel_*.deb")), key=os.path.getmtime)
    if not found:
        raise Failure("there is no build/deb/satchel_*.deb: packaging/build-deb makes it")
    return found[-1]


def prepare(work):
    """Boots both and installs the package, one beside the other. Their disks are left in work, each with a snapshot to go back to."""
    made = base.get()
    disk = booted_disk(made, work)
    deb = package()
    hosts, began = [], time.monotonic()
    try:
        for name in NAMES:
            host = Host(name, made, work, computer.copy_disk(disk, disk_of(work, name)))
            host.start("booted")
            host.become(name)
            hosts.append((host, host.begin_install(deb)))
        for host, pending in hosts:
            host.finish_install(pending)
            host.save(INSTALLED)
            say(f"computer {host.name}: {os.path.basename(deb)} is installed, {time.monotonic() - began:.0f} s after power on")
    finally:
        computer.end_all()


def pair(work, prepared):
    """Both, on copies of the disks in prepared, as they were after the installation."""
    hosts = [Host(name, base.get(), work, computer.copy_disk(disk_of(prepared, name), disk_of(work, name))) for name in NAMES]
    for host in hosts:
        host.start(INSTALLED)
    return hosts


def disk_of(work, name):
    return os.path.join(work, f"{name}.qcow2")


def workplace(sweep=True):
    """A short path for sockets and disks. Those that a killed run left are removed, if this is to sweep: nobody holds their lock."""
    for path in glob.glob(f"/var/tmp/{PREFIX}*") if sweep else ():
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
    made = run("mktemp", "-d", f"/var/tmp/{PREFIX}XXXX").stdout.strip()
    fcntl.flock(os.open(made, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_EX)
    return made
