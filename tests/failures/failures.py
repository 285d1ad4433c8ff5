#!/usr/bin/python3
"""What `run` does, inside a private world."""
import argparse
import contextlib
import os
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE] + [os.path.join(os.path.dirname(HERE), name) for name in ("world", "scenarios", "hosts", "powercut")]
import table
import words
from checks import Checks, Failure, say, wait_for
from jobs import Base, Instants, job_of
from rig import state_of
from travel import devices, throw_away
from verdict import Verdict

WORLD = os.environ.get("WORLD", "/nonexistent")


def arguments():
    parser = argparse.ArgumentParser(prog="run")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--row", type=int, action="append")
    parser.add_argument("--job", action="append")
    parser.add_argument("--share", type=int)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--calls")
    return parser.parse_args()


def main():
    wish = arguments()
    everything = table.rows()
    if wish.list:
        for row in everything:
            say(str(row))
        return 0
    checks = Checks("failures")
    checks.scene("the page explains all words that the test knows, and no others", page_and_test_agree)
    checks.scene("the test knows all words of the rows", lambda: understand(everything))
    rig = Rig()
    try:
        if wish.calls:
            rig.list_calls(wish.calls)
            return 0
        for row, missed in played(chosen(everything, wish), wish):
            began = time.monotonic()
            if not checks.scene(f"{row}{', and missed' if missed else ''}", lambda row=row, missed=missed: rig.play(row, missed)):
                say(f"---- the daemon's log\n{rig.log[-5000:]}")
            say(f"          {time.monotonic() - began:.1f} s")
    finally:
        rig.verdict.close()
    return checks.finish()


def page_and_test_agree():
    explained, known = set(table.explained()), set(words.WORDS)
    if explained != known:
        raise Failure(f"not explained: {sorted(known - explained)}; unknown: {sorted(explained - known)}")


def understand(everything):
    for row in everything:
        job_of(row.job)
        for cell in (row.holds, row.sees, row.next):
            try:
                words.phrases(cell)
            except Failure as unknown:
                raise Failure(f"row {row}: {unknown}") from unknown


def chosen(everything, wish):
    if wish.row:
        return [row for row in everything if row.number in wish.row]
    if wish.job:
        return [row for job in wish.job for row in everything if job.lower() in row.job.lower()]
    if wish.all:
        return everything
    share = (wish.share if wish.share is not None else table.CI_SHARE) % table.SHARES
    say(f"the rows of share {share} of {table.SHARES}")
    return table.share(everything, share)


def played(rows, wish):
    """(row, missed): whether the kernel finds out that a pulled device is gone before anybody else goes on. All of them are played
    in both ways, and a share each in one."""
    pulled = 0
    for row in rows:
        if row.deed != "pulled":
            yield row, False
            continue
        pulled += 1
        for missed in (False, True):
            if wish.all or wish.row or wish.job or missed == (pulled % 2 == 1):
                yield row, missed


class Rig:
    """Plays rows, each with a host and a stick of its own."""

    def __init__(self):
        self.instants, self.verdict = Instants(), Verdict(WORLD)
        self.base = Base(self.instants)
        self.log = ""

    @contextlib.contextmanager
    def scene_of(self, heading):
        scene = job_of(heading)(self.base, self.instants, self.verdict)
        try:
            yield scene
        finally:
            self.instants.go_on()
            scene.host.kill()
            scene.host.forget_guests()
            self.log = scene.host.log()
            throw_away(scene.stick)

    def play(self, row, missed):
        with self.scene_of(row.job) as scene:
            scene.prepare()
            scene.remember()
            self.instants.arm(*row.instant)
            scene.begin()
            self.instants.reach(scene.is_over)
            if row.deed == "pulled":
                self.pull(scene, missed)
            else:
                self.kill(scene)
            words.check(row.holds, scene)
            words.check(row.sees, scene)
            if row.deed == "killed":
                scene.host.start()
            if not scene.stick.node:
                scene.stick.plug()
            words.check(row.next, scene)
            scene.end()

    def pull(self, scene, missed):
        """The device goes while everything stands still."""
        scene.stick.pull()
        if missed:
            scene.stick.be_missed()
        scene.held()
        self.instants.go_on()
        wait_for(lambda: not any(d["Node"] == scene.node for d in devices(scene.host)), 60,
                 "the host sees that the stick is gone")

    def kill(self, scene):
        """The daemon is gone, with all that it has started; libvirtd goes on."""
        if self.instants.is_of_device:
            # Who waits for a device that stands still ends when that goes on.
            scene.host.process.kill()
            self.instants.go_on()
        scene.host.kill()
        scene.guests = scene.host.guests()
        if pid := self.instants.go_on():
            wait_for(lambda: state_of(pid) in ("", "Z"), 30, "what the daemon has started ends with it")

    def list_calls(self, job):
        with self.scene_of(job) as scene:
            scene.prepare()
            scene.remember()
            self.instants.list_calls()
            scene.begin()
            if scene.command:
                say(f"satchelctl: {scene.answer()}")
            else:
                scene.runs()
            for process, call in self.instants.calls():
                say(f"{process} {call}")


if __name__ == "__main__":
    sys.exit(main())
