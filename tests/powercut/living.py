"""Jobs with a machine that was packed, and what they may come to when calls of theirs fail."""
from checks import Failure, wait_for
from making import check_words
from travel import plug, pull

SETTLED = ("running", "stranded", "safe", "ready", "failed")
# Of so many calls of each kind one is tried: whatever reads slots and heads does so again and again.
ALL = {"change": 1, "room": 1, "read": 1, "look": 25}
BOTH = {"stick": ALL, "host": ALL}


class Job:
    """commits: it leaves a new generation when it succeeds. sides: of so many calls of each kind, to the stick and to the
    computer's own disk, one is tried. has_work: whether a machine that is at rest is as prepare leaves it."""

    def __init__(self, name, words, commits=False, sides=None, prepare=lambda trial: None, has_work=lambda now: False):
        self.name, self.words, self.commits, self.sides = name, words, commits, sides or BOTH
        self.prepare, self.has_work = prepare, has_work

    def act(self, trial):
        """Does it; returns (exit status, what was said)."""
        status, output, errors = trial.host.ctl(*self.words, trial.machine.name)
        return status, output + errors

    def judge(self, side, kind, status, said):
        """What is said when it fails."""
        if side == "host":
            check_words(side, kind, status, said)

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


class Pull(Job):
    """The device is pulled from a machine that runs."""

    def act(self, trial):
        pull(trial.host, trial.stick)
        trial.settled()
        return 0, ""

    def outcome(self, status, now):
        if now["State"] != "stranded":
            raise Failure(f"its device is pulled and it is {now['State']}: {now['Detail']}")
        return "kept on this host"


class Back(Job):
    """The device of a stranded machine comes back."""

    def act(self, trial):
        before = trial.now()["Detail"]
        plug(trial.host, trial.stick)

        def has_ended():
            now = trial.now()
            return now["Job"] == "/" and (now["State"] == "running" or now["Detail"] != before) and now
        now = wait_for(has_ended, 120, f"its device is looked at ({trial.now()})")
        return int(now["State"] != "running"), f"{now['Detail']} {now['NextStep']}"

    def judge(self, side, kind, status, said):
        """Nobody has asked for it."""
        if "Please report this" in said or "Plug the device in again and retry" in said:
            raise Failure(f"what failed is a disk of this computer, and it is said: {said}")


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


def be_stranded(trial):
    pull(trial.host, trial.stick)
    trial.settled()


JOBS = {job.words[0]: job for job in (
    Eject("an eject", ("eject",), True),
    Job("a checkpoint", ("checkpoint",), True),
    Job("a launch", ("launch",), True, prepare=be_there_only),
    Job("a merge", ("merge",), True, prepare=leave_a_layer, has_work=has_a_layer),
    Job("a fold", ("fold",), True, prepare=leave_a_layer, has_work=has_a_layer),
    Job("a compaction", ("compact",), True, prepare=leave_two_segments),
    Job("a verification", ("verify",), sides={"stick": {"read": 1, "look": 10}, "host": ALL}),
    Pull("a pull", ("pull",), sides={"host": ALL}),
    Back("a return", ("return",), sides={"host": ALL}, prepare=be_stranded, has_work=lambda now: now["State"] == "stranded"))}
