"""Days that are disturbed: the daemon is killed, or the stick pulled, once in every deed."""
import enum
import os
import signal

from checks import Failure, say, wait_for
from instants import Doing, Instant, Measures
from journey import DEEDS, KILL_DAY, PATIENCE, PULL_DAY, Journey
from travel import device, newest_slot, seq_of
from verdict import Lost


class Enough(Exception):
    """All strikes that were asked for have been played."""


class Tally:
    """What came of the strikes of one kind."""

    def __init__(self, kind):
        self.kind, self.tried, self.lost, self.ended = kind, 0, 0, {}

    def count(self, deed, outcome):
        self.ended.setdefault(deed, {}).setdefault(outcome, 0)
        self.ended[deed][outcome] += 1

    def tell(self):
        for deed, outcomes in self.ended.items():
            say(f"          {deed}: " + ", ".join(f"{count} {how}" for how, count in sorted(outcomes.items())))
        say(f"          {self.kind}: {self.tried} tried, {self.tried - self.lost} survived, {self.lost} lost")


def whole_day(journey, names, measures, step=None):
    """Every deed once, undisturbed and measured, or struck by step(journey, deed)."""
    journey.begin()
    for name in names:
        deed = DEEDS[name]
        if step:
            step(journey, deed)
        else:
            deed.begin(journey)
        complete(journey, deed, measures)


def complete(journey, deed, measures):
    """What is left of a deed is done and measured; then all has to be well."""
    with Doing(lambda: deed.complete(journey), journey.folders()) as doing:
        doing.watch(PATIENCE)
    if doing.error:
        raise doing.error
    if doing.changes.count:
        measures.learn(deed.name, doing)
    now = journey.rest(deed.result)
    journey.look()
    if now["State"] in ("running", "detached"):
        journey.listen()


def struck(journey, deed, instant, measures, strike):
    """A deed in whose middle strike() comes; returns in words when."""
    deed.begin(journey)
    with Doing(lambda: deed.act(journey), journey.folders()) as doing:
        when = instant.await_in(doing, measures.of(deed.name))
        strike()
        journey.struck = True
    journey.struck = False
    if isinstance(doing.error, (Lost, AttributeError, TypeError, NameError)):
        raise doing.error
    return when


def kill(journey, deed, instant, measures):
    """The daemon is killed in the middle of a deed and started again. Returns (when, what became of the machine)."""
    before = set()

    def strike():
        before.update(journey.where.guests().values())
        journey.where.kill()

    when = struck(journey, deed, instant, measures, strike)
    say_when(deed, f"killed {when}")
    journey.look()
    journey.where.start()
    return when, settle(journey, deed, before, MayEnd.never if deed.is_quiet else MayEnd.yes)


class MayEnd(enum.Enum):
    """Whether a strike may end a guest, to go on from what was saved of it."""
    yes, never = True, False


def settle(journey, deed, before, may_end):
    """Waits for the machine to rest after a strike; returns what became of it. `before`: what ran at the strike."""
    if not journey.stick.node:
        return settle_without_stick(journey, before)
    if deed.name == "pack":
        wait_until_shown(journey)
        now = journey.rest("running", "ready", without=True)
        outcome = "packed" if now and now["State"] == "running" else "not packed"
        if now and now["State"] == "ready":
            # Committed, and then undone: the device has it as it was, and it goes on here on its own disks.
            journey.where.must("remove", "--yes", journey.machine.name)
            journey.acknowledged = 0
    else:
        journey.rest("running")
        outcome = "ran on"
    now = journey.listen()
    if now not in before:
        if may_end is MayEnd.never or outcome == "not packed":
            raise Lost(f"the guest was disturbed: QEMU {before} runs no longer, {now} does")
        outcome = "went on from what was saved"
    journey.look()
    return outcome


def settle_without_stick(journey, before):
    if journey.rest("stranded", "detached")["State"] == "stranded":
        journey.is_stranded()
        return "kept on the host"
    return "ran on" if journey.listen() in before else "went on from what was saved"


def wait_until_shown(journey):
    wait_for(lambda: (seen := device(journey.where, journey.stick)) and seen["MountPoint"], 60, "the host shows the stick")


def pull(journey, deed, instant, measures):
    """The stick is pulled in the middle of a deed and put back under another node. Returns (when, what became of it)."""
    before = set()

    def strike():
        before.update(journey.where.guests().values())
        journey.pull()

    when = struck(journey, deed, instant, measures, strike)
    way = instant.dice.choice(("at once", "at rest", "after a restart", "after a kill"))
    when += f", back {way}"
    say_when(deed, f"pulled {when}")
    journey.look()
    if way == "at rest" or way == "after a restart":
        journey.rest("stranded", "absent", "safe", without=True)
    if way == "after a restart":
        journey.where.stop()
    if way == "after a kill":
        journey.where.kill()
    if journey.where.process is None:
        journey.where.start()
    journey.plug()
    return when, settle(journey, deed, before, MayEnd.yes)


def say_when(deed, words):
    if "SATCHEL_TELL" in os.environ:
        say(f"          {deed.name}: {words}")


KINDS = {"kill": (kill, KILL_DAY), "pull": (pull, PULL_DAY)}


class Disturbed:
    """Strikes of both kinds, and the control."""

    def __init__(self, checks, seed, keep):
        self.checks, self.seed, self.keep, self.measures = checks, seed, keep, Measures()

    def measure(self):
        """An undisturbed day, which shows how long everything takes."""
        journey = Journey()
        try:
            whole_day(journey, KILL_DAY, self.measures)
        except Exception:
            self.evidence(journey, "undisturbed")
            raise
        finally:
            journey.end()

    def play(self, kind, total):
        """So many strikes, day after day; a day that went wrong is not gone on with."""
        tally = Tally(kind)
        strike, names = KINDS[kind]

        def step(journey, deed):
            if tally.tried == total:
                raise Enough
            number, tally.tried = tally.tried, tally.tried + 1
            tally.step = f"{kind} {number} ({deed.name})"
            when, outcome = strike(journey, deed, Instant(self.seed, kind, number), self.measures)
            tally.step += f" {when}"
            tally.count(deed.name, outcome)

        while tally.tried < total:
            self.day(tally, names, step)
            say(f"          {tally.tried} of {total}, {tally.lost} lost")
        tally.tell()
        return tally

    def day(self, tally, names, step):
        journey, tally.step, before = Journey(), "the day's beginning", (tally.tried, tally.lost)
        try:
            whole_day(journey, names, self.measures, step)
        except Enough:
            pass
        except Exception as error:
            tally.lost += 1
            self.checks.that(f"{tally.step}, seed {self.seed}", False, f"{type(error).__name__}: {error}")
            self.evidence(journey, tally.step)
        finally:
            journey.end()
        self.checks.passed += tally.tried - before[0] - (tally.lost - before[1])

    def evidence(self, journey, step):
        for host in journey.hosts:
            say(f"---- log of host {host.name}\n{host.log()[-5000:]}")
        if self.keep:
            journey.keep(os.path.join(self.keep, step.partition(" (")[0].replace(" ", "-")))

    def control(self):
        """Judged by the same, a stick whose newest generation was replaced by the one before is lost, and so is a guest
        that was ended with the daemon."""
        expect_lost("the newest generation was replaced by the one before", self.replaced)
        expect_lost("the guest was killed with the daemon", self.ended)

    def replaced(self, journey):
        DEEDS["eject"].act(journey)
        journey.look()
        journey.pull()
        with journey.stick.mount_rw() as place:
            leave_older(place, journey.machine)
        journey.look()

    def ended(self, journey):
        before = set(journey.where.guests().values())
        journey.where.kill()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        journey.where.start()
        settle(journey, DEEDS["run"], before, MayEnd.never)


def leave_older(place, machine):
    """Only the generation before the newest is left to be found."""
    newest = newest_slot(place, machine)
    if min(seq_of(machine.path_on(place, "slots", number)) for number in "01") == 0:
        raise Failure("there is no generation before")
    with open(newest, "r+b") as slot:
        slot.write(bytes(os.path.getsize(newest)))


def expect_lost(what, wrong):
    journey = Journey()
    try:
        journey.begin()
        DEEDS["pack"].act(journey)
        journey.look()
        try:
            wrong(journey)
        except (Lost, Failure) as found:
            say(f"          {what}: {found}")
        else:
            raise Failure(f"{what}, and that was not found out: this rig would find nothing")
    finally:
        journey.end()
