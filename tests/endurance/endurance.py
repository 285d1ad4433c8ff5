#!/usr/bin/python3
"""What `run` does, inside a private world."""
import argparse
import os
import random
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE] + [os.path.join(os.path.dirname(HERE), name) for name in ("powercut", "world", "scenarios", "hosts")]
from checks import Checks, say
from disturbed import Disturbed
from soak import soak

# Kills, pulls, cycles.
AMOUNTS = {"short": (100, 20, 25), "long": (1000, 200, 500)}
SHORT_SEED = 2  # always the same instants; the long form draws others


def arguments():
    parser = argparse.ArgumentParser(prog="run")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--long", action="store_true")
    for name in ("kills", "pulls", "cycles", "seed"):
        parser.add_argument("--" + name, type=int)
    parser.add_argument("--keep")
    wish = parser.parse_args()
    for name, usual in zip(("kills", "pulls", "cycles"), AMOUNTS["long" if wish.long else "short"]):
        if getattr(wish, name) is None:
            setattr(wish, name, usual)
    return wish


def main():
    wish = arguments()
    seed = wish.seed if wish.seed is not None else random.randrange(1 << 32) if wish.long else SHORT_SEED
    say(f"seed {seed}")
    checks = Checks("endurance")
    disturbed, tallies = Disturbed(checks, seed, wish.keep), []
    if wish.kills or wish.pulls:
        timed(checks, "an undisturbed day ends well", disturbed.measure)
        timed(checks, "what was done wrong is found out", disturbed.control)
    for kind, total, sentence in (("kill", wish.kills, "whenever the daemon is killed, the machine goes on"),
                                  ("pull", wish.pulls, "whenever the stick is pulled, the machine goes on")):
        if total:
            say(f"  {sentence}")
            tallies.append(disturbed.play(kind, total))
    if wish.cycles:
        timed(checks, f"one daemon does not grow over {wish.cycles} ejects", lambda: soak(wish.cycles, wish.keep))
    for tally in tallies:
        say(f"endurance: {tally.kind}: {tally.tried} tried, {tally.tried - tally.lost} survived, {tally.lost} lost; seed {seed}")
    return checks.finish()


def timed(checks, sentence, act):
    began = time.monotonic()
    checks.scene(sentence, act)
    say(f"          {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
