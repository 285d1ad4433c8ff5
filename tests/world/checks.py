"""Waiting for conditions, running programs, and counting what passed."""
import os
import subprocess
import sys
import time
import traceback

# On a computer that is so many times slower than most, everything is given so many times as long, and asked as seldom.
PATIENCE = float(os.environ.get("SATCHEL_PATIENCE", "1"))


class Failure(Exception):
    """What was expected did not happen; the text says what was seen instead."""


def say(text=""):
    print(text, flush=True)


def run(*command, check=True, timeout=120, **options):
    """Run a program and wait; the result has returncode, stdout, stderr as text."""
    options.setdefault("stdin", subprocess.DEVNULL)
    try:
        done = subprocess.run([str(x) for x in command], capture_output=True, text=True,
                              timeout=timeout * PATIENCE, **options)
    except subprocess.TimeoutExpired as late:
        raise Failure(f"{' '.join(map(str, command))}: not done after {timeout * PATIENCE:g} s") from late
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: exit status {done.returncode}\n"
                      f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done


def wait_for(predicate, seconds, what, every=0.05):
    """Ask every 50 ms, or as said, until the answer is true, and return it. A predicate may raise Failure for 'not yet'."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        why = ""
        try:
            if answer := predicate():
                return answer
        except Failure as not_yet:
            why = f" (last: {not_yet})"
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds:g} s: {what}{why}")
        time.sleep(every * PATIENCE)


class Checks:
    """Counts what passed and failed. The last line of finish() is 'NAME: N passed, N failed'."""

    def __init__(self, name):
        self.name, self.passed, self.failed = name, 0, 0

    def that(self, sentence, holds, detail=""):
        """Count one check; returns whether it holds."""
        if holds:
            self.passed += 1
            say(f"  ok      {sentence}")
        else:
            self.failed += 1
            say(f"  FAILED  {sentence}" + (f"\n          {detail}" if detail else ""))
        return bool(holds)

    def equal(self, sentence, found, expected):
        return self.that(sentence, found == expected, f"found {found!r}, expected {expected!r}")

    def scene(self, sentence, act):
        """Count act() as one check: it fails when it raises."""
        try:
            act()
        except Exception as error:
            detail = str(error) if isinstance(error, Failure) else traceback.format_exc()
            return self.that(sentence, False, detail.replace("\n", "\n          "))
        return self.that(sentence, True)

    def finish(self):
        say(f"{self.name}: {self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0


def play(name, *scenes):
    """Run functions, each one a test named by its docstring, and exit. After a failed one the logs of all
    daemons of the scene are printed. A scene's daemons are ended with it."""
    from host import Host
    checks = Checks(name)
    only = sys.argv[1:]
    for scene in scenes:
        if only and scene.__name__ not in only:
            continue
        started = time.monotonic()
        held = checks.scene(" ".join(scene.__doc__.split()), scene)
        say(f"          {time.monotonic() - started:.1f} s")
        for host in Host.all:
            if not held:
                say(f"---- log of host {host.name}\n{host.log()[-6000:]}")
            host.kill()
            host.end_guests()
        Host.all.clear()
    os.sync()
    sys.exit(checks.finish())
