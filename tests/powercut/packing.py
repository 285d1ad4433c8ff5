"""Packs whose calls fail, of a machine that is off, and of one that runs."""
import contextlib
import os

import counter
from day import define_counter, start_counter
from guest import Ticks
from making import Making, check_words
from travel import await_device, digest, equal, expect, head_of, plug, pull, wait_for

PROGRAM = 32 * 512  # bytes of its disk that come before what the guest writes to (counter.S)


class Pack(Making):
    """Of a machine that is off."""

    name = "a pack"

    def prepare(self):
        define_counter(self.host, "traveller")
        super().prepare()
        self.content, self.before = counter.disk(), self.here()

    def command(self):
        return "pack", "traveller", self.stick.node

    def here(self):
        """All that makes the machine on this computer."""
        return self.host.virsh("dumpxml", "--inactive", "traveller"), digest(os.path.join(self.disk, "traveller.qcow2")), self.sessions()

    def sessions(self):
        place = os.path.join(self.host.state, "sessions")
        return os.listdir(place) if os.path.isdir(place) else []

    def is_untouched(self):
        equal("the machine on this computer", self.here(), self.before)


class PackRunning(Pack):
    """Of a machine that runs: it goes on, here or from the stick, whatever fails."""

    name = "a pack of a running machine"
    lies_from = 36  # before that it is the image's own directory and header, and what is written once more later

    def prepare(self):
        Making.prepare(self)
        self.start()

    def start(self):
        """From a fresh disk."""
        if "traveller" in self.host.virsh("list", "--all", "--name").split():
            self.host.virsh("undefine", "traveller")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.host.directory, "traveller.serial"))
        self.machine.ticks, self.machine.uuid = Ticks(start_counter(self.host, "traveller")), None
        self.machine.ticks.await_count(2)
        self.guests = self.host.guests()

    def goes_on(self):
        self.machine.ticks.await_more(2)
        self.machine.ticks.check_unbroken()
        equal("QEMU's process", self.host.guests(), self.guests)

    def is_untouched(self):
        self.goes_on()
        equal("sessions", self.sessions(), [])

    def refused(self, side, kind, status, said):
        self.goes_on()
        if self.disk_is_lost and self.sessions():
            self.start_again()
        if not self.disk_is_lost or not self.sessions():
            return super().refused(side, kind, status, said)
        # Its journal says that it was packed, and could be neither made durable nor taken back.
        check_words(side, kind, status, said)
        self.is_whole()
        self.take_away()
        return "failed, all of it there"

    def start_again(self):
        """The daemon, on a disk that works again: it takes away what it could not any more, or goes on with it."""
        self.host.stop()
        self.host.start()
        await_device(self.host, self.stick)
        self.goes_on()
        wait_for(lambda: not self.sessions() or self.is_shown(), 60, "the session is gone, or goes on")

    def is_shown(self):
        now = self.machine.here(self.host)
        return now and now["State"] == "running" and now["Job"] == "/"

    def left_behind(self):
        words = super().left_behind()
        self.goes_on()
        return words

    def is_whole(self):
        """Ejected, the stick has all of it, and it goes on from there."""
        self.machine.await_state(self.host, "running")
        self.goes_on()
        self.machine.eject(self.host)
        pull(self.host, self.stick)
        with self.stick.mount_ro() as place:
            self.is_right(place, head_of(place, self.machine, self.verdict.check(place, 2)))
        plug(self.host, self.stick)
        self.machine.await_state(self.host, "ready")
        self.host.must("launch", "traveller")
        self.machine.await_state(self.host, "running")
        self.machine.goes_on_at(self.host)
        self.machine.eject(self.host)
        pull(self.host, self.stick)
        plug(self.host, self.stick)

    def is_right(self, place, head):
        """All of its disk that it does not write to itself."""
        expect("its disk is not the one that it was made of", self.shown_by(place, head)[:PROGRAM] == counter.disk()[:PROGRAM])

    def take_away(self):
        self.remove(self.machine.await_state(self.host, "ready"))
        self.start()
