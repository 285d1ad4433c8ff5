"""The Nth call of a job that touches the stick fails with EIO, N = 1, 2, 3 … until the job passes: each time the guest
lives on, here or on the stick, with every count, and the stick's newest generation is whole."""
import makers
from checks import Failure, say, wait_for
from day import pack_counter
from failing import HOWS, KINDS, WORLD, Faults, Outcomes
from recording import PreloadedHost
from stick import Stick
from travel import Machine, plug, pull, throw_away
from verdict import Verdict
MOST_LAYERS = 4
SETTLED = ("running", "stranded", "safe", "ready", "failed")


class Trial:
    """A host, a stick and a machine that runs between two tries."""

    def __init__(self):
        self.faults, self.outcomes, self.verdict = Faults(), Outcomes(), Verdict(WORLD)
        self.stick, self.machine = Stick("640M", pullable=True), Machine("traveller")
        self.host = PreloadedHost("e", "powercut_faults.so", {"POWERCUT_FAULTS": self.faults.path}, {"on_insert": "ask"})
        self.failures = 0
        pack_counter(self.host, self.stick, self.machine)

    def end(self):
        self.verdict.close()
        self.host.kill()
        self.host.end_guests()
        throw_away(self.stick)

    def now(self):
        return self.machine.here(self.host)

    def say(self, *words):
        """Asks for something that nothing is to fail in."""
        self.host.must(*words, self.machine.name)

    def plug(self, anew=True):
        """It is there and read; plugged in anew where that is needed."""
        if anew:
            pull(self.host, self.stick)
        plug(self.host, self.stick)

    def fail_once(self, job, kind, number, how):
        """One job whose call of that number fails; afterwards the machine runs again. Returns the call, or None when there were
        fewer."""
        if not job.has_work(self.now()):
            job.prepare(self)
        generation = self.now()["Generation"]
        self.faults.arm(self.stick.mounted_at(), kind, number, how)
        status, output, errors = self.host.ctl(*job.words, self.machine.name)
        failed = self.faults.disarm()
        self.failures += status != 0
        try:
            if failed is None and status != 0:
                raise Failure(f"it fails although nothing was made to fail:\n{output}{errors}")
            now = self.settled()
            outcome = job.outcome(status, now)
            with self.stick.mount_ro() as look:
                self.verdict.check(look, generation + (status == 0 and job.commits))
            self.bring_back(now)
        except Failure as failure:
            raise Failure(f"{kind} {number} of {job.name} ({failed}) fails {HOWS[how]}: {failure}\n"
                          f"satchelctl said, with status {status}: {output[-600:]}{errors[-600:]}") from failure
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


class Job:
    """commits: it leaves a new generation when it succeeds. steps: of so many calls of each kind one is tried. has_work: whether a
    machine that runs is as prepare leaves it."""

    def __init__(self, name, words, commits, steps, prepare=lambda trial: None, has_work=lambda now: False):
        self.name, self.words, self.commits, self.steps, self.prepare, self.has_work = name, words, commits, steps, prepare, has_work

    def outcome(self, status, now):
        if status == 0:
            return "done all the same"
        if not now["Detail"] and now["State"] != "running":
            raise Failure(f"it is {now['State']} and no reason is given")
        return {"running": "runs on", "stranded": "kept on this host"}.get(now["State"], now["State"])


class Eject(Job):
    def outcome(self, status, now):
        if (status == 0) != (now["State"] == "safe"):
            raise Failure(f"the eject has status {status} and the machine is {now['State']}: {now['Detail']}")
        return super().outcome(status, now)


def has_a_layer(now):
    return now["Layers"] > 0


def leave_a_layer(trial):
    trial.say("eject")
    trial.plug()
    trial.say("launch")
    trial.machine.goes_on_at(trial.host)


def leave_two_segments(trial):
    leave_a_layer(trial)
    leave_a_layer(trial)


def be_there_only(trial):
    trial.say("eject")
    trial.plug()


ALL = {"change": 1, "room": 1, "read": 1, "look": 25}  # whatever reads slots and heads does so again and again
JOBS = {job.words[0]: job for job in (
    Eject("an eject", ("eject",), True, ALL),
    Job("a checkpoint", ("checkpoint",), True, ALL),
    Job("a launch", ("launch",), True, ALL, be_there_only),
    Job("a merge", ("merge",), True, ALL, leave_a_layer, has_a_layer),
    Job("a fold", ("fold",), True, ALL, leave_a_layer, has_a_layer),
    Job("a compaction", ("compact",), True, ALL, leave_two_segments),
    Job("a verification", ("verify",), False, {"read": 1, "look": 10}))}


def every_call_fails(job, kind, how, every, seed):
    """Plays one machine's jobs; returns Outcomes. Of so many calls one fails, the first by the seed."""
    trial = Trial()
    try:
        step = job.steps[kind] * every
        for number in range(1 + seed % every, 10_000, step):
            if not trial.fail_once(job, kind, number, how):
                break
    finally:
        trial.end()
    if trial.outcomes.tried < 3 and every == 1:
        raise Failure(f"only {trial.outcomes.tried} calls could be made to fail")
    return trial.outcomes


def scenes(words, wish, seed):
    """(sentence, act) for each kind of call of these jobs, failing once and for good."""
    for word in words or [*JOBS, *makers.JOBS]:
        if word in makers.JOBS:
            yield from makers.scenes(makers.JOBS[word], wish, seed)
            continue
        job = JOBS[word]
        for kind in job.steps:
            for how, long in HOWS.items():
                yield (f"ext4: {job.name} whose Nth {KINDS[kind]} on the stick fails, {long}, loses nothing",
                       lambda job=job, kind=kind, how=how: say(f"          {every_call_fails(job, kind, how, wish.every, seed)}"))
