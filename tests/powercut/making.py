"""The Nth call of a job that makes a machine on a stick, or writes one elsewhere, fails, N = 1, 2, 3 … until the job passes. Each
time it says what is wrong and what to do, what it reads from is as it was, the stick holds nothing new or all of it, and asked for
once more it succeeds, bit by bit."""
import os

import counter
from checks import Failure, run
from failing import WORLD, Faults, Outcomes
from faulty_host import FaultyHost
from host import NAME, Host
from stick import Stick
from travel import CAPSULE, Machine, as_the_head_has_it, equal, expect, head_of, plug, pull, throw_away, wait_for
from verdict import Lost, Verdict

FAILED, NO_SPACE = 1, 4  # exit statuses: a flaw of the program; there is no room
UNFINISHED = "remove the capsule"


class NotWhole(Failure):
    """What was told as done is not."""


class Making:
    """A host and a stick between two tries of a job. `sides`: of so many calls of each kind one is tried, on the stick and on the
    host's own disk."""

    name, writes_to = "", "stick"
    disk_is_lost = False  # all calls to this computer's own disk failed to the end of the try
    lies_from = 12  # before that calls make directories, whose lack is noticed
    sides = {side: {"change": 1, "room": 1, "read": 1, "look": 25} for side in ("stick", "host")}

    def __init__(self):
        self.faults, self.outcomes, self.verdict = Faults(), Outcomes(), Verdict(WORLD)
        self.host, self.stick = FaultyHost(self.faults), Stick("192M")
        self.disk = self.host.disk
        self.machine = Machine("traveller")
        self.prepare()

    def end(self):
        self.verdict.close()
        self.host.end()
        throw_away(self.stick)
        self.host.throw_away()

    def prepare(self):
        """All that comes before the first try."""
        self.host.start()
        plug(self.host, self.stick)

    def command(self):
        """satchelctl's words."""
        raise NotImplementedError

    def fail_once(self, side, kind, number, how):
        """One job whose call of that number fails. Returns the call, or None when there were fewer."""
        self.disk_is_lost = (side, how) == ("host", "on")
        self.faults.arm(self.stick.mounted_at() if side == "stick" else self.disk, kind, number, how)
        status, output, errors = self.host.ctl(*self.command())
        failed = self.faults.disarm()
        try:
            if status == 0:
                outcome = self.passed(failed)
            elif failed is None:
                raise Failure("it fails although nothing was made to fail")
            else:
                outcome = self.refused(side, kind, status, output + errors)
        except Failure as failure:
            raise type(failure)(f"{kind} {number} of {self.name} on the {side} ({failed}) fails ({how}): {failure}\n"
                          f"satchelctl said, with status {status}: {output[-600:]}{errors[-600:]}") from failure
        self.outcomes.count(outcome)
        return failed

    def passed(self, failed):
        try:
            self.is_whole()
        except (Failure, Lost) as not_whole:
            raise NotWhole(f"it is told as done, and {not_whole}") from not_whole
        self.take_away()
        return "done all the same" if failed else "done"

    def refused(self, side, kind, status, said):
        check_words(side, kind, status, said)
        self.is_untouched()
        outcome = "failed, " + self.left_behind()
        self.try_again()
        self.is_whole()
        self.take_away()
        return outcome

    def try_again(self):
        self.host.must(*self.command())

    def is_untouched(self):
        """What the job reads from is as it was."""

    def left_behind(self):
        """What the stick has after a failure: nothing that counts. As words; when it returns, nothing is left."""
        place = self.stick.mounted_at()
        left = ids_below(place)
        if not left:
            return "nothing left"
        if all(is_bare(os.path.join(place, "satchel", name)) for name in left):
            return "bare directories that go with the next try"  # take_away() finds them otherwise
        self.host.must("eject", self.stick.node)
        pull(self.host, self.stick)
        plug(self.host, self.stick)
        shown = self.shown()
        equal("machines that are shown", [now["Id"] for now in shown], left)
        if shown[0]["State"] == "ready":
            self.is_whole()
            words = "all of it there"
        else:
            expect(f"nobody is told to remove it: {shown[0]}", UNFINISHED in shown[0]["NextStep"])
            words = "an unfinished machine to be removed"
        self.remove(shown[0])
        return words

    def shown(self):
        """All machines that the host shows, at rest."""
        def at_rest():
            found = [dict(faces[CAPSULE], path=path) for path, faces in self.host.objects().items() if CAPSULE in faces]
            return (all(now["Job"] == "/" and now["State"] in ("ready", "failed") for now in found) and found) or None
        return wait_for(at_rest, 60, "the stick's machines are shown, at rest")

    def is_whole(self):
        """The stick has the machine, complete and bit by bit the one that it was made of: on the medium, not in memory alone."""
        self.machine.here(self.host)
        with self.stick.mount_ro() as place:
            self.is_right(place, head_of(place, self.machine, self.verdict.check(place, 1)))

    def is_right(self, place, head):
        expect("its disk is not the one that it was made of", self.shown_by(place, head) == self.content)

    def shown_by(self, place, head):
        """What its disk shows."""
        chain = [self.machine.path_on(place, path) for path in head["disks"][0]["chain"]]
        raw = os.path.join(WORLD, "shown.raw")
        run("qemu-img", "convert", "-U", "-O", "raw", as_the_head_has_it(chain), raw)
        return read(raw)

    def take_away(self):
        """The stick is as before the job."""
        self.remove(self.machine.here(self.host))

    def remove(self, now):
        Host.busctl("call", NAME, now["path"], CAPSULE, "Remove", "a{sv}", "0")
        wait_for(lambda: not any(path == now["path"] for path in self.host.objects()), 30, "it is removed")
        equal("directories left on the stick", ids_below(self.stick.mounted_at()), [])


class Create(Making):
    """Of a disk image."""

    name = "a create"

    def prepare(self):
        super().prepare()
        self.content = counter.disk()
        self.image = os.path.join(self.disk, "image.raw")
        with open(self.image, "wb") as file:
            file.write(self.content)

    def command(self):
        return ("create", "traveller", "--disk", self.image, "--memory", "32MiB", "--cpus", "1", "--network", "none")

    def is_untouched(self):
        expect("the image has changed", read(self.image) == self.content)


def check_words(side, kind, status, said):
    """An error that tells what to do, and the right thing."""
    expect(f"it is told as a flaw of the program: {said}", status != FAILED)
    expect(f"no next step is told: {said}", len([part for part in said.split(". ") if part.strip()]) > 1 or said.count("\n") > 1)
    if kind == "room":
        equal("the status of a job without room", status, NO_SPACE)
    if side == "host":
        expect(f"another plugging in helps no disk of this computer: {said}", "Plug the device in again and retry." not in said)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def is_bare(place):
    """A directory that is no machine yet, and holds nothing."""
    files = [os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names]
    return len(files) < 2 and not any(read(path).strip(b"\0") for path in files)


def ids_below(place):
    """Directories on a stick that are, or were to be, machines."""
    folder = os.path.join(place, "satchel")
    return sorted(name for name in os.listdir(folder) if len(name) == 36) if os.path.isdir(folder) else []
