"""What the words of docs/FAILURES.md mean: each is one look at the device, the bus or the guest.

A cell holds phrases, divided by semicolons; a phrase is one of WORDS, with texts in quotes where it takes them, or
several such divided by " or ", of which one has to hold."""
import re

from checks import Failure, wait_for
from rig import look
from travel import expect

QUOTED = re.compile(r'"([^"]*)"')
PATIENCE = 90


def phrases(cell):
    """[[(words, quotes), …alternatives], …]; fails where the test doesn't know the words."""
    found = []
    for phrase in cell.split(";"):
        alternatives = []
        for part in phrase.split(" or "):
            quotes = QUOTED.findall(part)
            words = " ".join(QUOTED.sub("", part).split()).removesuffix(":").strip()
            if words not in WORDS:
                raise Failure(f"nobody knows what '{words}' means")
            alternatives.append((words, quotes))
        found.append(alternatives)
    return found


def check(cell, scene):
    for alternatives in phrases(cell):
        wait_for(lambda alternatives=alternatives: holds(alternatives, scene), PATIENCE, f"'{cell}'", every=0.1)


def holds(alternatives, scene):
    missed = []
    for words, quotes in alternatives:
        try:
            WORDS[words](scene, *quotes)
            return True
        except Failure as not_so:
            missed.append(str(not_so))
    raise Failure("; ".join(missed))


# What the device holds


def made(what):
    def held(scene):
        found = scene.held()
        expect(f"it holds {found}", found.number > scene.before and found.what == what)
    return held


def no_generation(scene):
    found = scene.held()
    expect(f"it holds {found}", found.number == 0)


def the_generation_before(scene):
    found = scene.held()
    expect(f"it holds {found}, and held generation {scene.before} before", found.number == scene.before)


# What the user sees


def state(wanted):
    def seen(scene, *quotes):
        now = scene.machine.here(scene.host)
        expect("it is not on the bus", now)
        expect(f"it is {now['State']}: {now['Detail']} {now['NextStep']}", now["State"] == wanted and now["Job"] == "/")
        for quote in quotes:
            expect(f"'{quote}' is not in: {now['Detail']} {now['NextStep']}", quote in f"{now['Detail']} {now['NextStep']}")
    return seen


def nothing(scene):
    now = scene.machine.here(scene.host)
    expect(f"it is on the bus: {now}", now is None)


def an_unfinished_machine(scene, *quotes):
    found = [f"{now['State']}: {now['Detail']} {now['NextStep']}" for now in scene.unfinished()]
    expect("there is none", found)
    for quote in quotes:
        expect(f"'{quote}' is not in: {found}", any(quote in text for text in found))


def the_command_fails(scene, *quotes):
    status, output, errors = scene.answer()
    expect(f"the command ended with status {status}: {output}{errors}", status != 0)
    for quote in quotes:
        expect(f"'{quote}' is not said in: {output}{errors}", quote in output + errors)


def the_command_succeeds(scene):
    status, output, errors = scene.answer()
    expect(f"the command ended with status {status}: {output}{errors}", status == 0)


def the_machine_runs(scene):
    heard = scene.ticks_here()
    before = heard.last()
    wait_for(lambda: heard.last() >= before + 2, 10, f"the machine counts (it is at {heard.last()})")
    heard.check_unbroken()


def the_machine_stands_still(scene):
    said = scene.host.virsh("domstate", "traveller").strip()
    expect(f"libvirt says that it is {said}", said == "paused")


def no_machine_runs(scene):
    running = scene.host.virsh("list", "--name").split()
    expect(f"there are {running}", not running and not scene.host.guests())


# What happens next


def runs_on(scene):
    scene.runs()
    expect("another QEMU runs than before", scene.host.guests() == scene.guests)
    expect(f"it has booted: {scene.boots()}", scene.boots() == scene.booted)


def checked_out_again(scene):
    now = look(scene.stick, scene.verdict)
    expect(f"it holds {now}", now.number == scene.held().number + 1 and now.what == "check out")


def goes_on_where_it_was(scene):
    now = scene.runs()
    expect(f"it has booted: {scene.boots()}", scene.boots() == scene.booted)
    expect(f"it is a new session: generation {now['Generation']}", now["Generation"] == scene.held().number)


def resumes_from_the_device(scene):
    now = scene.runs()
    expect(f"it has booted: {scene.boots()}", scene.boots() == scene.booted)
    expect(f"it is no new session: generation {now['Generation']}", now["Generation"] > scene.held().number)


def stays_on_its_own_disks(scene):
    scene.goes_on_as_it_was()


def boots_from_its_disks(scene):
    scene.runs()
    expect("it has not booted", scene.boots() > scene.booted)


def done_when_asked_again(scene):
    scene.ask_again()


WORDS = {
    "no generation": no_generation,
    "the generation before": the_generation_before,
    "the new generation": made("eject"),
    "the checkpoint": made("checkpoint"),
    "the check-out": made("check out"),
    "the check-out, taken back": made("launch undone"),
    "the packed machine": made("pack"),
    "the created machine": made("create"),
    "the imported machine": made("import"),
    "the beginning of a merge": made("merge begun"),
    "the merge": made("merge"),
    "the beginning of a fold": made("fold begun"),
    "the fold": made("fold"),
    "the compaction": made("compact"),
    "nothing of the machine": nothing,
    "an unfinished machine": an_unfinished_machine,
    "the command fails": the_command_fails,
    "the command succeeds": the_command_succeeds,
    "the machine runs": the_machine_runs,
    "the machine stands still": the_machine_stands_still,
    "no machine runs": no_machine_runs,
    "runs on": runs_on,
    "checked out again": checked_out_again,
    "goes on where it was": goes_on_where_it_was,
    "resumes from the device": resumes_from_the_device,
    "stays on its own disks": stays_on_its_own_disks,
    "boots from its disks": boots_from_its_disks,
    "done when asked again": done_when_asked_again,
    **{name: state(name) for name in ("absent", "ready", "running", "safe", "stranded", "failed", "diverged")},
}

