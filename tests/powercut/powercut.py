#!/usr/bin/python3
"""What `run` does, inside a private world."""
import argparse
import os
import random
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE] + [os.path.join(os.path.dirname(HERE), name) for name in ("world", "scenarios", "hosts")]
import day
import errors
import library_day
import makers
from checks import Checks, Failure, run, say
from host import Host
from medium import Store
from recording import Recording
from small import OPTIONS
from trial import try_states

ALL = ("ext4", "xfs", "btrfs")  # recorded here
CONTROL = 20  # states of the recording that has to be found out
# Which machine, how many sessions of it that leave layers, and how many states of each filesystem; None: all.
DAYS = {"short": [("counter", 1, 160)], "long": [("counter", 6, None), ("linux", 1, 800)]}
LIBRARY_STATES = 90  # of each filesystem that this kernel may lack


def arguments():
    parser = argparse.ArgumentParser(prog="run")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--errors", nargs="*", choices=[*errors.JOBS, *makers.JOBS])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--share", type=int, default=1)
    parser.add_argument("--side", choices=("stick", "host"))
    parser.add_argument("--fs", action="append", choices=(*ALL, *OPTIONS))
    parser.add_argument("--states", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--keep")
    parser.add_argument("--from", dest="kept")
    return parser.parse_args()


def main():
    wish = arguments()
    seed = wish.seed if wish.seed is not None else random.randrange(1 << 32)
    say(f"seed {seed}")
    rig = Rig(Checks("powercut"), seed, wish)
    if wish.errors is not None:
        for sentence, act in errors.scenes(wish.errors, wish, seed):
            rig.scene(sentence, act)
        return rig.checks.finish()
    if wish.kept:
        for recording in (Recording.kept(os.path.join(wish.kept, name)) for name in sorted(os.listdir(wish.kept))):
            if not wish.fs or recording.fs in wish.fs:
                rig.play(recording, wish.states)
    else:
        kinds = wish.fs or (*ALL, *OPTIONS)
        for guest, sessions, states in DAYS["long" if wish.long else "short"]:
            for fs in here([fs for fs in kinds if fs in ALL]):
                rig.a_day(fs, guest, sessions, wish.states or states)
        for fs in (fs for fs in kinds if fs in OPTIONS):
            rig.a_library_day(fs, wish.states or (None if wish.long else LIBRARY_STATES))
    return rig.finish()


def here(kinds):
    """Those that this kernel has; modules are loaded by a first look."""
    for fs in kinds:
        run("modprobe", "-q", fs, check=False)
    with open("/proc/filesystems") as file:
        known = file.read().split()
    for fs in kinds:
        if fs not in known:
            say(f"{fs}: this kernel has none; not tried")
    return [fs for fs in kinds if fs in known]


class Rig:
    def __init__(self, checks, seed, wish):
        self.checks, self.seed, self.wish = checks, seed, wish
        self.store, self.tried, self.lost = Store(), 0, 0

    def a_day(self, fs, guest, sessions, states):
        self.record_and_play(fs, f"a day of the machine '{guest}'", states, lambda: day.whole_day(fs, guest, sessions),
                             lambda recording, machine: day.forgetful_eject(fs, guest, recording.ended, machine))

    def a_library_day(self, fs, states):
        place = os.path.join(os.environ["WORLD"], fs)
        self.record_and_play(fs, "a day of the product's own code in a small computer", states, lambda: library_day.whole_day(fs, place, self.seed),
                             lambda recording, before: library_day.forgetful_eject(recording, before, place))

    def record_and_play(self, fs, what, states, honest, forgetful):
        """An honest day, and an eject by something that syncs nothing."""
        begun = []
        if self.scene(f"{fs}: {what} is recorded", lambda: begun.extend(honest())):
            recording, rest = begun
            self.play(recording, states)
            wrong = []
            if self.scene(f"{fs}: so is an eject that syncs nothing", lambda: wrong.append(forgetful(recording, rest))):
                self.play(wrong[0])
                wrong[0].forget()
            recording.forget()

    def scene(self, sentence, act):
        """One check; after it nothing runs any more that it began."""
        held = self.checks.scene(sentence, act)
        for host in Host.all:
            if not held:
                say(f"---- log of host {host.name}\n{host.log()[-6000:]}")
            host.kill()
            host.end_guests()
        Host.all.clear()
        return held

    def play(self, recording, states=None):
        if self.wish.keep:
            recording.keep(self.wish.keep)
        if recording.name.endswith("-forgetful"):
            self.scene(f"{recording.fs}: and is found out", lambda: self.control(recording))
        else:
            self.scene(f"{recording.fs}: whenever the power is cut, what was acknowledged is whole",
                       lambda: self.honest(recording, states))

    def honest(self, recording, states):
        figures = try_states(self.store, recording, self.seed, states)
        say(f"          {figures}")
        self.tried += figures.total()
        self.lost += len(figures.losses)
        if figures.losses:
            raise Failure(f"{len(figures.losses)} of {figures.total()} states are lost")

    def control(self, recording):
        figures = try_states(self.store, recording, self.seed, CONTROL, tell=0)
        say(f"          {figures}")
        broken = [loss for loss in figures.losses if "was acknowledged" in loss]
        if not broken:
            raise Failure("nothing that was acknowledged was lost: this rig would not find a wrong order of writes")
        say(f"          as in: {broken[0]}")

    def finish(self):
        say(f"powercut: {self.tried} states tried, {self.tried - self.lost} survived, {self.lost} lost; seed {self.seed}")
        return self.checks.finish()


if __name__ == "__main__":
    sys.exit(main())
