"""What a machine's reads of its disk cost through the chain on a stick, beside the same chain on this computer's disk."""
import json
import os
import shutil

from machines import head_of, run, timed

AT_ONCE = 64 << 10
TIMES = 3


def measure(samples, machine, place, folder):
    """place: where the stick is mounted; folder: on this computer's disk, with room for the chain."""
    chain = head_of(place, machine)["disks"][0]["chain"]
    here = os.path.join(folder, "chain")
    for path in chain:
        target = os.path.join(here, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        run("cp", "--sparse=always", machine.path_on(place, path), target, timeout=900)
    run("sync", "-f", here, timeout=900)
    tops = {"stick": machine.path_on(place, chain[-1]), "disk": os.path.join(here, chain[-1])}
    samples.add("reads, layers", len(chain))
    size = json.loads(run("qemu-img", "info", "--output=json", tops["disk"]).stdout)["virtual-size"]
    forget(place)
    samples.add("reads, stick cold, s", read(tops["stick"], size))
    read(tops["disk"], size)
    taken = {where: [] for where in tops}
    for _ in range(TIMES):
        for where, top in tops.items():
            taken[where].append(read(top, size))
    for where, seconds in taken.items():
        samples.add(f"reads, {where} warm, s", min(seconds))
    shutil.rmtree(here)


def read(top, size):
    """Seconds that QEMU's block layer takes to read all of the disk, in order and as a guest's requests come to it."""
    return timed(lambda: run("qemu-img", "bench", "-f", "qcow2", "-t", "writeback", "-d", 8, "-s", AT_ONCE,
                             "-c", size // AT_ONCE, top, timeout=900))[0]


def forget(place):
    """This computer's memory holds nothing of the filesystem there any more."""
    for root, _, files in os.walk(place):
        for name in files:
            fd = os.open(os.path.join(root, name), os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)
