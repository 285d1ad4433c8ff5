"""Tries the states of one recording, and counts what came of them."""
import bisect
import time

from blocklog import Log, State, sample, states_of
from checks import Failure, say
from medium import Medium, NotMountable, require_complete
from small import OPTIONS
from verdict import Damaged, Lost, Verdict

GO_ON = 5  # of so many states one is one that the next computer commits on; of those without a journal each


class Figures:
    def __init__(self, recording, log, possible):
        self.name, self.possible = recording.name, possible
        self.writes, self.epochs = log.writes, len(log.epochs)
        self.tried = {"prefix": 0, "subset": 0, "mark": 0}
        self.repaired = self.continued = self.seconds = 0
        self.losses = []
        self.newest = {}

    def total(self):
        return sum(self.tried.values())

    def __str__(self):
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.tried.items())
        return (f"{self.name}: {self.writes} writes, {self.epochs} flush epochs, {self.possible} states possible; "
                f"{self.total()} tried ({kinds}), {self.total() - len(self.losses)} survived, {len(self.losses)} lost, "
                f"{self.repaired} after a repair, {self.continued} gone on from; generations found: "
                + " ".join(f"{seq}:{count}" for seq, count in sorted(self.newest.items()))
                + f"; {self.seconds:.0f} s")


class Marks:
    """What was acknowledged when: (length of the log, generation, words), sorted."""

    def __init__(self, marks):
        self._ends = [end for end, _, _ in marks]
        self._newest = []
        for _, seq, _ in marks:
            self._newest.append(max(seq, self._newest[-1] if self._newest else 0))

    def before(self, end):
        """The newest generation that was acknowledged when the log was no longer than that."""
        count = bisect.bisect_right(self._ends, end)
        return self._newest[count - 1] if count else 0

    def firsts(self):
        """Where each generation was acknowledged first."""
        return {seq: end for end, seq in zip(reversed(self._ends), reversed(self._newest))}.values()


def at_marks(log, marks):
    """The state of the medium at each first acknowledgement, by epoch."""
    found = {}
    for end in marks.firsts():
        number = max((n for n, epoch in enumerate(log.epochs) if n == 0 or (log.epochs[n - 1][-1].end <= end)), default=0)
        # A flush that came after the last write has begun the epoch after it.
        written = sum(write.end <= end for write in log.epochs[number])
        found.setdefault(number, []).append(State(number, range(written), end, "mark"))
    return found


def try_states(store, recording, seed, budget=None, tell=5):
    """Tries as many states as the budget says (None: all) of a recording; returns Figures. `tell` losses are told."""
    began = time.monotonic()
    log, marks = Log(recording.log), Marks(recording.marks)
    everything = states_of(log, seed)
    figures = Figures(recording, log, sum(map(len, everything)))
    forced = at_marks(log, marks)
    chosen = sample(everything, budget, seed, always=forced)
    medium = Medium(store, recording, log)
    verdict = Verdict(store.memory, medium.computer)
    try:
        for number, epoch in enumerate(log.epochs):
            walk(medium, epoch, forced.get(number, []) + chosen[number],
                 lambda state: judge(medium, verdict, marks, figures, state, tell))
        require_complete(medium, recording)
    finally:
        medium.close()
    figures.newest, figures.seconds = verdict.newest, time.monotonic() - began
    if not recording.marks:
        raise Failure(f"nothing was acknowledged in {recording.name}: the rig is deaf")
    return figures


def walk(medium, epoch, states, judged):
    """Goes through one epoch: its prefixes, then the states that lack some of its writes."""
    growing = [state for state in states if state.kind != "subset"]
    lacking = [state for state in states if state.kind == "subset"]
    if lacking:
        medium.snapshot()
    at = {}
    for state in growing:
        at.setdefault(len(state.written), []).append(state)
    for count in range(len(epoch) + 1):
        if count:
            medium.apply(epoch[count - 1:count])
        for state in at.get(count, ()):
            medium.be_as_is()
            judged(state)
    for state in lacking:
        medium.be_with([epoch[n] for n in state.written])
        judged(state)


def judge(medium, verdict, marks, figures, state, tell):
    figures.tried[state.kind] += 1
    acknowledged = marks.before(state.end)
    goes_on = medium.fs in OPTIONS or figures.total() % GO_ON == 0
    try:
        repaired = look(medium, verdict, acknowledged, goes_on, figures)
        figures.repaired += repaired
    except (Lost, NotMountable) as loss:
        figures.losses.append(f"{state}: {loss}")
        if len(figures.losses) <= tell:
            say(f"          LOST {figures.losses[-1]}")


def look(medium, verdict, acknowledged, goes_on, figures):
    """Whether it had to be repaired: to be mounted, to be read, or to be written to."""
    newest = None
    try:
        with medium.mounted() as (place, repaired):
            newest = verdict.check(place, acknowledged)
            if newest and goes_on:
                figures.continued += 1
                verdict.go_on(place, newest)
            return repaired
    except Damaged:
        with medium.mounted(repair=True) as (place, _):
            if newest is None:
                newest = verdict.check(place, acknowledged)
                figures.continued += bool(newest and goes_on)
            else:
                newest = verdict.newest_of(place, at_least=newest)
            if newest and goes_on:
                verdict.go_on(place, newest)
            return True
