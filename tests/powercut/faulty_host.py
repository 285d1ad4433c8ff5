"""A computer whose own disk fails, too."""
import contextlib
import os

from libvirtd import SystemHost
from own_disk import own_disk
from recording import PreloadedHost


class FaultyHost(PreloadedHost, SystemHost):
    """Its disk is a filesystem of its own, so that calls to it are told from those to the stick. libvirtd's files are elsewhere:
    its calls don't fail."""

    def __init__(self, faults):
        super().__init__("e", "powercut_faults.so", {"POWERCUT_FAULTS": faults.path}, {"on_insert": "ask"})
        self._own = contextlib.ExitStack()
        self.disk = self.directory = self._own.enter_context(own_disk("disk"))
        self.state = os.path.join(self.disk, "state")
        os.makedirs(self.state, mode=0o711, exist_ok=True)

    def end(self):
        self.kill()
        self.end_guests()

    def throw_away(self):
        self._own.close()
