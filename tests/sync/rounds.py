#!/usr/bin/python3
"""Ten rounds of random changes in one guest and on two hosts, many times over: each sync leaves the host as an expectation
says that was worked out independently, the trash holds what was taken away, and a second sync finds nothing to do.

Usage: rounds.py SYNC_ONCE [SEED [TIMES]]"""
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from trees import TRASH, Expectation, Hand, is_executable, moment_of, snapshot  # noqa: E402

ROUNDS = 10
MINUTE = 60


class Host:
    def __init__(self, place, number):
        self.root = os.path.join(place, b"host%d" % number)
        self.state = os.path.join(place, b"state%d" % number)
        os.mkdir(self.root)
        os.mkdir(self.state)
        self.expectation = Expectation(b"web")

    def sync(self, tool, guest, seconds):
        run = subprocess.run([tool, guest, self.root, self.state, b"web", b"%d" % seconds], capture_output=True)
        assert run.returncode == 0, run.stderr.decode(errors="replace")
        return run.stdout.decode()


def differences(expected, real):
    return ([f"missing: {each} {expected[each][0]}" for each in expected if each not in real] +
            [f"not expected: {each} {real[each][0]}" for each in real if each not in expected] +
            [f"differs: {each}: {expected[each]!r:.80} expected, {real[each]!r:.80} found"
             for each in expected if each in real and expected[each] != real[each]])


def check(tool, guest, host, seconds):
    moment = moment_of(seconds)
    guest_tree = snapshot(guest, skip=())
    expected, trash, came = host.expectation.sync(guest_tree, snapshot(host.root), moment)
    said = host.sync(tool, guest, seconds)
    wrong = differences(expected, snapshot(host.root))
    folder = os.path.join(host.root, TRASH, moment)
    found = {path: each for path, each in snapshot(folder).items() if each != ("d",)} if os.path.isdir(folder) else {}
    wrong += ["in the trash: " + each for each in differences(trash, found)]
    for path, where in came.items():
        theirs, ours = os.path.join(guest, path), os.path.join(host.root, where)
        if not os.path.islink(ours) and where == path and os.path.lexists(ours):
            if os.stat(theirs).st_mtime_ns != os.stat(ours).st_mtime_ns:
                wrong.append(f"another time: {where}")
    for path, where in came.items():
        ours = os.path.join(host.root, where)
        if not os.path.islink(ours) and where != path and is_executable(os.path.join(guest, path)) != is_executable(ours):
            wrong.append(f"another execute bit: {where}")
    again = host.sync(tool, guest, seconds + MINUTE)
    if not again.startswith("nothing to do") or snapshot(host.root) != expected:
        wrong.append("a second sync did: " + again)
    return [*wrong, said] if wrong else []


def play(tool, place, seed):
    chance = random.Random(seed)
    guest = os.path.join(place, b"guest")
    os.mkdir(guest)
    with open(os.path.join(guest, b"anchor"), "w") as file:
        file.write("so that no side is ever empty")
    in_guest = Hand(guest, chance, 1_600_000_000)
    hosts = [Host(place, 0), Host(place, 1)]
    for host in hosts:  # a first sync with both sides filled
        for _ in range(chance.randrange(8)):
            Hand(host.root, chance, None).act()
    for number in range(ROUNDS):
        for _ in range(chance.randrange(12)):
            in_guest.act()
        for host in hosts:
            if chance.randrange(3) == 0:
                continue  # this one is not there today
            for _ in range(chance.randrange(6)):
                Hand(host.root, chance, None).act()
            seconds = 1_795_000_000 + number * 3600
            if wrong := check(tool, guest, host, seconds):
                print(f"seed {seed}, round {number}, {host.root}:", *wrong, sep="\n  ")
                return False
    return True


def main():
    tool = sys.argv[1].encode()
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    times = int(sys.argv[3]) if len(sys.argv) > 3 else 12
    for seed in range(first, first + times):
        place = tempfile.mkdtemp(prefix="satchel-rounds-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        try:
            if not play(tool, place.encode(), seed):
                sys.exit(1)
        finally:
            shutil.rmtree(place)
    print(f"{times} times {ROUNDS} rounds on two hosts: as expected")


if __name__ == "__main__":
    main()
