"""Packs whose calls fail: of a machine that is off, and of one that runs all the while."""
import os

import counter
from checks import Failure
from day import define_counter, start_counter
from guest import Ticks
from making import Making, digest, equal, expect, plug, pull, wait_for


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
    """Of a machine that runs, and goes on while it is packed and after it was not."""

    name = "a pack of a running machine"
    seldom = 8  # of so many failures one is followed by another try, as then the machine moves

    def prepare(self):
        self.run_anew()
        Making.prepare(self)
        self.before, self.tries = self.here(), 0

    def run_anew(self):
        self.machine.ticks = Ticks(start_counter(self.host, "traveller"))
        self.machine.ticks.await_count(2)
        self.qemu = self.host.guests()

    def here(self):
        disks = self.host.virsh("domblklist", "traveller")
        return self.host.virsh("dumpxml", "--inactive", "traveller"), disks, self.host.guests(), self.sessions()

    def is_untouched(self):
        super().is_untouched()
        self.machine.ticks.await_more(1)
        self.machine.ticks.check_unbroken()

    def try_again(self):
        self.tries += 1
        if self.tries % self.seldom == 1:
            super().try_again()

    def is_packed(self):
        now = self.machine.here(self.host)
        return now and now["State"] != "ready"

    def is_whole(self):
        """It goes on from the stick, once more after an eject; or the device has what was packed of it, and it goes on here."""
        if not self.is_packed():
            return
        self.machine.await_state(self.host, "running")
        self.machine.ticks.await_more(1)
        self.machine.eject(self.host)
        with self.stick.mount_ro() as place:
            expect("the eject is not on the stick", self.verdict.check(place, 2) >= 2)
        pull(self.host, self.stick)
        plug(self.host, self.stick)
        self.machine.await_state(self.host, "ready")
        self.host.must("launch", self.machine.name)
        self.machine.goes_on_at(self.host)

    def take_away(self):
        if not self.machine.here(self.host):
            return
        if self.is_packed():
            self.machine.eject(self.host)
            pull(self.host, self.stick)
            plug(self.host, self.stick)
            self.machine.await_state(self.host, "ready")
            self.host.forget_guests()
        super().take_away()
        if not self.host.guests():
            os.unlink(os.path.join(self.disk, "traveller.serial"))
            self.run_anew()
            self.before = self.here()
