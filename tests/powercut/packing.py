"""Packs whose calls fail, of a machine that is off."""
import os

import counter
from day import define_counter
from making import Making
from travel import digest, equal


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
