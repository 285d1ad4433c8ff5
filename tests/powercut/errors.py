"""The Nth call of a job that touches the stick, or the computer's own disk, fails, N = 1, 2, 3 … until the job passes: each time
the guest lives on, here or on the stick, with every count, and the stick's newest generation is whole."""
import makers
from checks import Failure, say, wait_for
from day import pack_counter
from failing import HOWS, KINDS, SIDES, WORLD, Faults, Outcomes
from faulty_host import FaultyHost
from living import JOBS, SETTLED
from stick import Stick
from travel import Machine, plug, pull, throw_away
from verdict import Verdict

MOST_LAYERS = 4


class Trial:
    """A host, a stick and a machine that runs between two tries."""

    def __init__(self):
        self.faults, self.outcomes, self.verdict = Faults(), Outcomes(), Verdict(WORLD)
        self.stick, self.machine = Stick("640M", pullable=True), Machine("traveller")
        self.host = FaultyHost(self.faults)
        self.failures = 0
        pack_counter(self.host, self.stick, self.machine)

    def end(self):
        self.verdict.close()
        self.host.end()
        throw_away(self.stick)
        self.host.throw_away()

    def now(self):
        return self.machine.here(self.host)

    def say(self, *words):
        """Asks for something that nothing is to fail in."""
        self.host.must(*words, self.machine.name)

    def plug(self, anew=True):
        """It is there and read; plugged in anew where that is needed."""
        if anew and self.stick.node:
            pull(self.host, self.stick)
        plug(self.host, self.stick)

    def fail_once(self, job, side, kind, number, how):
        """One job whose call of that number fails; afterwards the machine runs again. Returns the call, or None when there were
        fewer."""
        if not job.has_work(self.now()):
            job.prepare(self)
        generation = self.now()["Generation"]
        self.faults.arm(self.stick.mounted_at() if side == "stick" else self.host.disk, kind, number, how)
        status, said = job.act(self)
        failed = self.faults.disarm()
        self.failures += status != 0
        try:
            if failed is None and status != 0:
                raise Failure("it fails although nothing was made to fail")
            if status != 0:
                job.judge(side, kind, status, said)
            now = self.settled()
            outcome = job.outcome(status, now)
            with self.stick.mount_ro() as look:
                self.verdict.check(look, generation + (status == 0 and job.commits))
            self.bring_back(now)
        except Failure as failure:
            raise Failure(f"{kind} {number} of {job.name} on the {side} ({failed}) fails {HOWS[how]}: {failure}\n"
                          f"it was said, with status {status}: {said[-1200:]}") from failure
        self.outcomes.count(outcome)
        return failed

    def settled(self):
        """The machine when the dust has settled."""
        def rests():
            now = self.now()
            return now and now["Job"] == "/" and now["State"] in SETTLED and now
        return wait_for(rests, 120, f"{self.machine.name} comes to rest ({self.now()})")

    def bring_back(self, now):
        """The machine runs again, replugged where it does not, and has not missed a count."""
        if now["State"] != "running":
            self.plug()
            self.machine.await_state(self.host, "running", "ready")
            if self.now()["State"] == "ready":
                self.say("launch")
        self.machine.await_state(self.host, "running")
        self.machine.goes_on_at(self.host)
        self.stick.clear_mounts()  # each holds a loop device
        # Each layer is looked at again and again: without an end to them the calls would never end either. Nor would the overlays
        # that checkpoints which fail leave on the host.
        if self.now()["Layers"] >= MOST_LAYERS:
            self.say("merge")
        if self.failures >= MOST_LAYERS:
            self.failures = 0
            self.say("checkpoint")


def every_call_fails(job, side, kind, how, every, seed):
    """Plays one machine's jobs; returns Outcomes. Of so many calls one fails, the first by the seed."""
    trial = Trial()
    try:
        step = job.sides[side][kind] * every
        for number in range(1 + seed % min(every, makers.FEWEST_CALLS), 10_000, step):
            if not trial.fail_once(job, side, kind, number, how):
                break
    finally:
        trial.end()
    if trial.outcomes.tried < 3 and every == 1:
        raise Failure(f"only {trial.outcomes.tried} calls could be made to fail")
    return trial.outcomes


def scenes(words, wish, seed):
    """(sentence, act) for each side and kind of call of these jobs, failing once and for good."""
    for word in words or [*JOBS, *makers.JOBS]:
        if word in makers.JOBS:
            yield from makers.scenes(makers.JOBS[word], wish, seed)
            continue
        job = JOBS[word]
        for side, kind, how in makers.rows(job, wish, seed):
            yield (f"ext4: {job.name} whose Nth {KINDS[kind]} on {SIDES[side]} fails, {HOWS[how]}, loses nothing",
                   lambda row=(job, side, kind, how): say(f"          {every_call_fails(*row, wish.every, seed)}"))
