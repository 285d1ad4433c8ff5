"""One daemon ejects and launches a machine again and again. What it holds, and what it leaves, may not grow."""
import os

from checks import Failure, say, wait_for
from journey import DEEDS, PATIENCE, Journey

# What may grow between plateau and end: resident memory, what compresses better at one time than at another, and one segment
# with its map: they stay until hardly a page of theirs is used, which is a cycle sooner or later. A leak is more: a file every
# fourth cycle, which is how often the upkeep goes round, is four from the plateau to the end of even the shortest soak.
MAY_GROW = {"KiB resident": 1024, "KiB of its own": 1024, "KiB on the stick": 64, "files on the stick": 2}
# Resident is also what the daemon has run of its program and its libraries: pages of files that everybody shares, and that
# come in some 800 KiB at a time whenever something is done for the first time. A short soak has not done everything by its
# plateau, so there only the daemon's own memory counts.
ALL_IS_DONE = 100  # cycles
FIFTHS = 5
UPKEEP = {"merge": {"layers": 3}, "fold": {"cow_limit": "50%"}, "generations": {"keep": 0}}


def files_below(*folders):
    """Without what is kept of machines' memory: as many copies as the newest generation has segments, which the stick has too."""
    return sum(len(names) + len(inner) for folder in folders for place, inner, names in os.walk(folder)
               if "/cache" not in place)


def bytes_below(folder):
    total = 0
    for place, _, names in os.walk(folder):
        total += sum(os.stat(os.path.join(place, name)).st_blocks * 512 for name in names)
    return total


def resident_kib(pid, kind):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(kind + ":"))


class Reading:
    """What there is after one cycle. Of the daemon while nothing is plugged in, of the stick while the machine runs from it."""

    NAMES = ("KiB resident", "KiB of its own", "descriptors", "threads", "mounts", "files of the daemon's", "files of libvirt's",
             "files on the stick", "KiB on the stick")

    def __init__(self, place, held):
        satchel = os.path.join(place, "satchel")
        self.counts = dict(zip(self.NAMES, held + (files_below(satchel), bytes_below(satchel) >> 10)))

    def __str__(self):
        return ", ".join(f"{count} {name}" for name, count in self.counts.items())


def held_by(host):
    """What the daemon holds and has left behind, after an eject."""
    pid = host.process.pid
    with open(f"/proc/{pid}/mountinfo") as mounts:
        mounted = len(mounts.readlines())
    return (resident_kib(pid, "VmRSS"), resident_kib(pid, "RssAnon"), len(os.listdir(f"/proc/{pid}/fd")),
            len(os.listdir(f"/proc/{pid}/task")), mounted, files_below(host.state, host.runtime), files_below(host.root))


def cycle(journey):
    """Ejects, plugs in again, runs on until all upkeep is done; returns a Reading."""
    host = journey.where
    DEEDS["eject"].act(journey)
    journey.pull()
    journey.rest("absent", without=True)
    if host.guests():
        raise Failure(f"guests run on after an eject: {host.guests()}")
    held = held_by(host)
    journey.plug()
    journey.rest("running")
    wait_for(lambda: (now := journey.now()) and now["Job"] == "/" and not now["Due"], PATIENCE, "its upkeep is done")
    journey.listen()
    return Reading(journey.stick.mounted_at(), held)


def soak(cycles, keep):
    """Raises unless everything stays as it was."""
    journey, readings = Journey(pullable=False, **UPKEEP), []
    try:
        journey.begin(written=True)
        DEEDS["pack"].act(journey)
        for number in range(cycles):
            readings.append(cycle(journey))
            if (number + 1) % max(cycles // 10, 5) == 0:
                say(f"          {number + 1} cycles: {readings[-1]}")
        DEEDS["eject"].act(journey)
        journey.look()
        domains_gone(journey.where)
    except Exception:
        say(f"---- log of host {journey.where.name}\n{journey.where.log()[-5000:]}")
        if keep:
            journey.keep(os.path.join(keep, "soak"))
        raise
    finally:
        journey.end()
    judge(readings)


def domains_gone(host):
    """libvirt knows nothing any more but the machine that was packed, as it was before."""
    host.stop()
    defined = host.virsh("list", "--all", "--name").split()
    if len(defined) > 1:
        raise Failure(f"libvirt still knows {defined}")


def judge(readings):
    """The plateau is the second fifth of all cycles: by then every lane has had its work once. The highest of it counts, and
    the highest of the last fifth against it: upkeep makes what is on the stick go up and down."""
    fifth = len(readings) // FIFTHS
    plateau, end = readings[fifth:2 * fifth], readings[-fifth:]
    wrong = []
    for name in Reading.NAMES:
        before, after = (max(reading.counts[name] for reading in some) for some in (plateau, end))
        say(f"          {name}: {before} on the plateau, {after} at the end")
        if name == "KiB resident" and len(readings) < ALL_IS_DONE:
            continue
        if after > before + MAY_GROW.get(name, 0):
            wrong.append(f"{name} grew from {before} to {after}")
    if wrong:
        raise Failure("; ".join(wrong))
