"""Every call of the jobs that make a machine, write one elsewhere or remove one: which are played, and that the rig finds out what is wrong."""
import random

from carried import Export, Import
from checks import Failure, say
from failing import HOWS, KINDS, Outcomes
from formatting import Format
from making import Create, NotWhole
from packing import Pack, PackRunning
from removing import Remove

JOBS = {"create": Create, "pack": Pack, "pack-running": PackRunning, "import": Import, "export": Export, "format": Format,
        "remove": Remove}
FEWEST_CALLS = 12  # the first that fails is one of so many: hardly a row has fewer
MOST_WRONG = 6  # failures of one job, after which its rest is not played


class Rounds:
    """One try after the other of a job, on a bench that is made anew where one went wrong."""

    def __init__(self, make):
        self._make, self._bench, self.wrong = make, make(), []

    def fail_once(self, outcomes, *call):
        """Whether there were so many calls."""
        self._bench.outcomes = outcomes
        try:
            return self._bench.fail_once(*call)
        except (Failure, RuntimeError) as wrong:
            say(f"          WRONG: {wrong}")
            self.wrong.append(wrong)
            if len(self.wrong) == MOST_WRONG:
                raise Failure(f"{MOST_WRONG} times; the rest is not played") from wrong
            self.renew()
            return True

    def renew(self):
        self._bench.end()
        self._bench = self._make()

    def end(self):
        self._bench.end()


def rows(job, wish, seed):
    """(side, kind of call, once or for good) of a job: of so many one is played."""
    draw = random.Random(f"{seed} {job.name} rows")
    found = [(side, kind, how) for side in job.sides if wish.side in (None, side) for kind in job.sides[side] for how in HOWS]
    return sorted(draw.sample(found, -(-len(found) // wish.share)))


def every_call_fails(make, wish, seed):
    """Of so many calls one fails, the first by the seed; on one side only, where it is named. Of so many rows one is played."""
    rounds, draw = Rounds(make), random.Random(f"{seed} {make.name}")
    try:
        for side, kind, how in rows(make, wish, seed):
            step = make.sides[side][kind] * wish.every
            outcomes, number = Outcomes(), draw.randint(1, min(step, FEWEST_CALLS))
            while rounds.fail_once(outcomes, side, kind, number, how):
                number += step
            say(f"          {side}: {KINDS[kind]}, {HOWS[how]}: every {step}, up to call {number}; {outcomes}")
    finally:
        rounds.end()
    if rounds.wrong:
        raise Failure(f"{len(rounds.wrong)} went wrong")


def a_lie_is_found_out(make):
    """A write that is not done, and is told as done: what the rig would see of a job that swallows an error."""
    rounds = make()
    try:
        number, met = rounds.lies_from, True
        while met:
            try:
                met = rounds.fail_once(rounds.writes_to, "change", number, "lie")
            except NotWhole as found:
                say(f"          as in: {str(found).splitlines()[0]}")
                return
            except Failure:  # the job itself has noticed
                rounds.end()
                rounds = make()
            number += 3
    finally:
        rounds.end()
    raise Failure(f"no lie up to call {number} was found out: this rig would not find a job that swallows errors")


def scenes(make, wish, seed):
    """(sentence, act) of one job."""
    yield (f"{make.name} of which any call fails says so, leaves nothing that counts, and succeeds when it is asked for again",
           lambda: every_call_fails(make, wish, seed))
    if make.lies_from is None:
        return
    yield f"{make.name} that swallows an error is found out", lambda: a_lie_is_found_out(make)
