"""One row's scene, whatever the job."""
import threading

from guest import Ticks
from host import NAME, Host
from rig import FailingHost, look
from travel import CAPSULE, Machine, equal, expect, new_stick, run, wait_for


class Scene:
    """One row's: a host, a stick, a machine, and the job. `before` is the generation on the stick when the job begins."""

    command, settings = (), {}

    def __init__(self, base, instants, verdict, stick=None):
        self.base, self.verdict, self.stick = base, verdict, stick
        self.host = FailingHost("f", instants, **self.settings)
        if not stick:
            self.stick = new_stick("320M", fs=None, pullable=True)
            run("cp", "--sparse=always", base.image, self.stick.image)
        self.machine = Machine("traveller", Ticks(*base.paths), base.uuid)
        self.said, self._asking = None, None
        self._held, self.guests, self.node = None, {}, None

    def prepare(self):
        """All that comes before the job."""
        self.host.start()

    def begin(self):
        """Begins the job, beside what follows."""
        self._asking = threading.Thread(target=self._ask)
        self._asking.start()

    def _ask(self):
        self.said = self.host.ctl(*self.command)

    def is_over(self):
        return self._asking is not None and not self._asking.is_alive()

    def answer(self):
        """What satchelctl said: (exit status, output, errors)."""
        wait_for(self.is_over, 60, "satchelctl comes to an end")
        return self.said

    def ask_again(self):
        self.host.must(*self.command)

    def remember(self):
        """How things are right before the job."""
        self.before = self.look().number
        self.booted, self.guests = self.boots(), self.host.guests()
        self.node = self.stick.node

    def look(self):
        return look(self.stick, self.verdict)

    def held(self):
        """What the device holds, looked at once after the failure."""
        if self._held is None:
            self._held = self.look()
        return self._held

    def unfinished(self):
        """Capsules that no pack, create or import has finished."""
        return [dict(faces[CAPSULE], path=path) for path, faces in self.host.objects().items()
                if CAPSULE in faces and faces[CAPSULE]["State"] == "failed" and faces[CAPSULE]["Job"] == "/"]

    def remove_unfinished(self):
        """As they tell their user to."""
        for each in self.unfinished():
            Host.busctl("call", NAME, each["path"], CAPSULE, "Remove", "a{sv}", "0")
        wait_for(lambda: not self.unfinished(), 30, "what was not finished is removed")

    def ticks_here(self):
        return self.host.serial_of(self.machine.uuid or self.base.uuid)

    def boots(self):
        """How often the machine was heard to boot."""
        here = self.ticks_here()
        heard = self.machine.ticks or here
        if here.path not in heard.paths:
            heard = heard.then(here)
        return len(heard.boots())

    def runs(self):
        """The machine runs, and has not missed a count."""
        now = self.machine.await_state(self.host, "running", seconds=60)
        self.machine.goes_on_at(self.host, 2)
        return now

    def end(self):
        """Whatever has happened, in the end the machine is on its device and goes on from there."""
        self.bring_to_run()
        self.machine.eject(self.host)
        equal("what the device holds", self.look().what, "eject")

    def bring_to_run(self):
        if self.machine.here(self.host)["State"] not in ("running", "launching"):
            self.machine.await_state(self.host, "ready")
            self.host.must("launch", self.machine.name)
        self.runs()
