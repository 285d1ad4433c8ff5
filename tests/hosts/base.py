"""The base system of both computers: a Debian 12 made once from packages.txt, kept in a cache under the hash of all
that goes into it. Root makes it with mmdebstrap; nothing of it is installed on this machine."""
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile

from checks import Failure, run, say

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
CACHE = os.environ.get("SATCHEL_HOSTS_CACHE", os.path.join(TREE, "build", "hosts"))
MIRROR = os.environ.get("SATCHEL_HOSTS_MIRROR", "http://deb.debian.org/debian")
INGREDIENTS = ("base.py", "packages.txt", "agent", "base-setup")
DISK = "12G"  # a sparse file; the system fills about 1.3 GB of it
# What apt says of a network or a mirror that is not there.
AWAY = ("Could not resolve", "Could not connect", "Temporary failure resolving", "Unable to connect", "Network is unreachable")


class MirrorIsAway(Failure):
    pass


def packages():
    with open(os.path.join(HERE, "packages.txt")) as file:
        return [line.split()[0] for line in file if line.strip() and not line.startswith("#")]


def key():
    """Changes with everything that the base is made of."""
    digest = hashlib.sha256()
    for name in INGREDIENTS:
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:16]


class Base:
    """A made base: a disk to put an overlay on, kernel and initrd to boot it with."""

    def __init__(self, directory):
        self.directory = directory
        self.disk, self.kernel, self.initrd = (os.path.join(directory, name) for name in ("disk", "kernel", "initrd"))


def get():
    """The base from the cache, or made now."""
    place = os.path.join(CACHE, f"base-{key()}")
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(place):
            make(place)
            forget_others(place)
    return Base(place)


def forget_others(place):
    """Bases of other ingredients: each is more than a gigabyte."""
    for name in os.listdir(CACHE):
        if name.startswith("base-") and os.path.join(CACHE, name) != place:
            shutil.rmtree(os.path.join(CACHE, name), ignore_errors=True)


def make(place):
    if not shutil.which("mmdebstrap"):
        raise Failure("mmdebstrap is missing, which makes the base system: apt-get install mmdebstrap")
    say(f"making the base system of {len(packages())} packages and what they depend on, from {MIRROR}")
    with scratch() as work:
        root = os.path.join(work, "root")
        sources = [f"deb {MIRROR} bookworm main", f"deb {MIRROR} bookworm-updates main"]
        if "SATCHEL_HOSTS_MIRROR" not in os.environ:
            sources.append("deb http://deb.debian.org/debian-security bookworm-security main")
        # Its mounts of /proc, /sys and /dev stay its own: one that is killed would leave them below the tree.
        command = ["unshare", "--mount", "--propagation", "private", "mmdebstrap", "--mode=root", "--variant=minbase",
                   "--include=" + ",".join(packages()),
                   '--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Check-Valid-Until "false"',
                   "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
                   "--dpkgopt=path-exclude=/usr/share/doc/*",
                   f"--essential-hook={HERE}/base-setup before \"$1\"",
                   f"--customize-hook={HERE}/base-setup after \"$1\"",
                   "bookworm", root, *sources]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace")
        if done.returncode != 0 and any(words in done.stdout for words in AWAY):
            raise MirrorIsAway(f"nothing can be fetched from {MIRROR} ($SATCHEL_HOSTS_MIRROR) for the base system:\n{done.stdout[-1000:]}")
        if done.returncode != 0:
            raise Failure(f"mmdebstrap could not make the base system from {MIRROR} ($SATCHEL_HOSTS_MIRROR):\n{done.stdout[-3000:]}")
        made = os.path.join(work, "made")
        os.mkdir(made)
        for name, pattern in (("kernel", "vmlinuz-"), ("initrd", "initrd.img-")):
            boot = os.path.join(root, "boot")
            found = [entry for entry in os.listdir(boot) if entry.startswith(pattern)]
            shutil.copy(os.path.join(boot, found[0]), os.path.join(made, name))
        run("mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-L", "root", "-d", root,
            os.path.join(made, "disk"), DISK, timeout=600)
        shutil.rmtree(root)
        os.rename(made, place)


@contextlib.contextmanager
def scratch():
    """A directory in the cache that is gone afterwards: as large as the base, so not in /tmp."""
    place = tempfile.mkdtemp(prefix="making-", dir=CACHE)
    os.chmod(place, 0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
