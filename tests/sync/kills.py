#!/usr/bin/python3
"""A sync killed at each of its effects, and run again at another time: the host, its trash and what is remembered end
as if nothing had been, with nothing half written and nothing twice.

Usage: kills.py SYNC_ONCE [SEED [TIMES [EVERY]]]   EVERY: tries one effect in so many"""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from trees import TRASH, Hand, moment_of, snapshot  # noqa: E402

SECONDS = 1_795_000_000
AFTERWARDS = [SECONDS + 3600, SECONDS + 7200, SECONDS + 10800]


def run(tool, place, seconds, **environment):
    return subprocess.run([tool, *(os.path.join(place, each) for each in (b"guest", b"host", b"state")), b"web",
                           b"%d" % seconds], capture_output=True, env={**os.environ, **environment})


def end_of(place):
    """The host's tree, whichever of the runs names what came beside, and all that is in the trash's folders."""
    host = {}
    for path, each in snapshot(os.path.join(place, b"host"), skip=()).items():
        if not path.startswith(TRASH):
            for seconds in AFTERWARDS:
                path = path.replace(moment_of(seconds), b"MOMENT")
        assert path not in host, f"twice: {path}"
        host[path] = each
    files = {path: each for path, each in host.items() if path.split(b"/")[0] != TRASH}
    trash = sorted((path.split(b"/", 2)[2], each) for path, each in host.items()
                   if path.startswith(TRASH + b"/") and path.count(b"/") >= 2 and each != ("d",))
    return files, trash


def prepare(tool, place, seed):
    """Both sides after a sync, and changed since."""
    chance = random.Random(seed)
    for each in (b"guest", b"host", b"state"):
        os.mkdir(os.path.join(place, each))
    with open(os.path.join(place, b"guest", b"anchor"), "w") as file:
        file.write("so that no side is ever empty")
    in_guest = Hand(os.path.join(place, b"guest"), chance, 1_600_000_000)
    on_host = Hand(os.path.join(place, b"host"), chance, None)
    for _ in range(12):
        in_guest.act()
    assert run(tool, place, SECONDS).returncode == 0
    for _ in range(8):
        in_guest.act()
    for _ in range(5):
        on_host.act()


def try_kill(tool, start, place, number, expected):
    shutil.copytree(start, place, symlinks=True, copy_function=shutil.copy2)
    killed = run(tool, place, AFTERWARDS[0], KILL_AT=str(number))
    assert killed.returncode == -signal.SIGKILL, (number, killed)
    again = run(tool, place, AFTERWARDS[1])
    assert again.returncode == 0, (number, again.stderr)
    found = end_of(place)
    assert found == expected, (number, {each: [found[0].get(each), expected[0].get(each)]
                                        for each in found[0].keys() | expected[0].keys()
                                        if found[0].get(each) != expected[0].get(each)}, found[1], expected[1])
    third = run(tool, place, AFTERWARDS[2])
    assert third.stdout.startswith(b"nothing to do"), (number, third.stdout)
    assert end_of(place) == expected, number
    shutil.rmtree(place)


def play(tool, place, seed, every):
    start, straight, tried = (os.path.join(place, each) for each in (b"start", b"straight", b"tried"))
    os.mkdir(start)
    prepare(tool, start, seed)
    shutil.copytree(start, straight, symlinks=True)
    whole = run(tool, straight, AFTERWARDS[0], COUNT="1")
    assert whole.returncode == 0, whole.stderr
    expected, effects = end_of(straight), int(whole.stderr)
    for number in range(1 + seed % every, effects + 1, every):
        try_kill(tool, start, tried, number, expected)
    return effects


def main():
    tool = sys.argv[1].encode()
    first, times, every = (int(sys.argv[n]) if len(sys.argv) > n else usual for n, usual in ((2, 1), (3, 3), (4, 2)))
    effects = 0
    for seed in range(first, first + times):
        place = tempfile.mkdtemp(prefix="satchel-kills-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        try:
            effects += play(tool, place.encode(), seed, every)
        finally:
            shutil.rmtree(place)
    print(f"{times} syncs with {effects} effects, killed at one in {every}: the same end each time")


if __name__ == "__main__":
    main()
