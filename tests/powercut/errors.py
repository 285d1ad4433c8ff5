"""The Nth call of an eject that touches the stick fails with EIO, N = 1, 2, 3 … until the eject passes: each time the
guest lives on, here or on the stick, with every count, and the stick's newest generation is whole."""
import os

from checks import Failure, say, wait_for
from day import pack_counter
from recording import PreloadedHost
from stick import Stick
from travel import Machine, plug, pull, throw_away
from verdict import Verdict

WORLD = os.environ.get("WORLD", "/nonexistent")
KINDS = {"change": "write, fsync or other change", "look": "open or read"}
STEPS = {"change": 1, "look": 25}  # an eject looks at slots and heads again and again
MOST_LAYERS = 4
HOWS = {"once": "this once", "on": "and all after it, for good"}


class Outcomes:
    def __init__(self):
        self.tried, self.ended = 0, {}

    def count(self, how):
        self.tried += 1
        self.ended[how] = self.ended.get(how, 0) + 1

    def __str__(self):
        return f"{self.tried} tried: " + ", ".join(f"{count} {how}" for how, count in sorted(self.ended.items()))


class Faults:
    """Lets the calls of a daemon fail (faults.cpp)."""

    def __init__(self):
        self.path = os.path.join(WORLD, "faults")
        self.hit_path = self.path + ".hit"

    def arm(self, place, kind, number, how):
        new = self.path + ".new"
        with open(new, "w") as file:
            file.write(f"{os.stat(place).st_dev} {kind} {number} {how}\n")
        os.replace(new, self.path)

    def disarm(self):
        """What has failed, or None when there were fewer calls."""
        os.unlink(self.path)
        try:
            with open(self.hit_path) as file:
                return file.read().strip()
        except FileNotFoundError:
            return None
        finally:
            if os.path.exists(self.hit_path):
                os.unlink(self.hit_path)


def every_call_fails(kind, how, step):
    """Plays one machine's ejects; returns Outcomes. Of every `step` calls of that kind one is tried."""
    faults, outcomes, verdict = Faults(), Outcomes(), Verdict(WORLD)
    stick, machine = Stick("640M", pullable=True), Machine("traveller")
    host = PreloadedHost("e", "powercut_faults.so", {"POWERCUT_FAULTS": faults.path})
    try:
        pack_counter(host, stick, machine)
        for number in range(1, 10_000, step):
            if not eject(host, stick, machine, faults, verdict, outcomes, kind, number, how):
                break
    finally:
        verdict.close()
        host.kill()
        host.end_guests()
        throw_away(stick)
    if outcomes.tried < 8:
        raise Failure(f"only {outcomes.tried} calls could be made to fail")
    return outcomes


def eject(host, stick, machine, faults, verdict, outcomes, kind, number, how):
    """One eject whose call of that number fails; afterwards the machine runs again. Returns the call, or None."""
    place, generation = stick.mounted_at(), machine.here(host)["Generation"]
    faults.arm(place, kind, number, how)
    status, output, errors = host.ctl("eject", machine.name)
    failed = faults.disarm()
    what = f"{kind} {number} of an eject ({failed}) fails {HOWS[how]}"
    try:
        if failed is None and status != 0:
            raise Failure(f"it fails although nothing was made to fail:\n{output}{errors}")
        outcome = settle(host, machine, status)
        inspect(stick, verdict, generation + (outcome == "ejected"))
        bring_back(host, stick, machine, outcome)
    except Failure as failure:
        raise Failure(f"{what}: {failure}\nsatchelctl said, with status {status}: {output[-600:]}{errors[-600:]}") from failure
    outcomes.count(outcome)
    return failed


def settle(host, machine, status):
    """Where the machine is when the dust has settled."""
    def rests():
        now = machine.here(host)
        return now and now["Job"] == "/" and now["State"] in ("running", "stranded", "safe", "ready", "failed") and now
    now = wait_for(rests, 120, f"{machine.name} comes to rest ({machine.here(host)})")
    if (status == 0) != (now["State"] == "safe"):
        raise Failure(f"the eject has status {status} and the machine is {now['State']}: {now['Detail']}")
    if status != 0 and not now["Detail"] and now["State"] != "running":
        raise Failure(f"it is {now['State']} and no reason is given")
    return {"safe": "ejected", "running": "runs on", "stranded": "kept on this host"}.get(now["State"], now["State"])


def inspect(stick, verdict, at_least):
    """What is on the medium is whole."""
    with stick.mount_ro() as look:
        verdict.check(look, at_least)


def bring_back(host, stick, machine, outcome):
    """The machine runs again, replugged where it does not, and has not missed a count."""
    if outcome != "runs on":
        pull(host, stick)
        plug(host, stick)
    machine.await_state(host, "running")
    machine.goes_on_at(host)
    # Each layer is looked at again and again: without an end to them the calls would never end either.
    if machine.here(host)["Layers"] >= MOST_LAYERS:
        host.must("merge", machine.name)


def scenes():
    """(sentence, act) for each kind of call, failing once and for good."""
    for kind, words in KINDS.items():
        for how, long in HOWS.items():
            step = STEPS[kind]
            yield (f"ext4: an eject whose Nth {words} on the stick fails, {long}, loses nothing",
                   lambda kind=kind, how=how, step=step: say(f"          {every_call_fails(kind, how, step)}"))
