"""Removals whose calls fail."""
from making import Create, check_words, equal, ids_below, plug, pull
from travel import CAPSULE, wait_for


class Remove(Create):
    """Of a machine that was made before each try."""

    name = "a removal"
    sides = {"stick": {"change": 1, "read": 1, "look": 25}}
    lies_from = None  # what is told as removed and is there keeps its directory from going

    def prepare(self):
        super().prepare()
        self.make()

    def make(self):
        """A machine, beside which nothing is left of the one before."""
        self.host.must(*super().command())
        equal("directories on the stick", ids_below(self.stick.mounted_at()), [self.machine.here(self.host)["Id"]])

    def command(self):
        return "remove", "--yes", "traveller"

    def is_there(self):
        """Whether the host, which has read the stick, takes it for a machine."""
        def states():
            found = [faces[CAPSULE] for faces in self.host.objects().values() if CAPSULE in faces]
            return {now["State"] for now in found} <= {"ready", "absent"} and (found,)
        found, = wait_for(states, 60, "the stick's machines are shown, at rest")
        return any(now["State"] == "ready" for now in found)

    def passed(self, failed):
        with self.stick.mount_ro() as place:
            equal("directories that are left", ids_below(place), [])
        self.make()
        return "done all the same" if failed else "done"

    def refused(self, side, kind, status, said):
        check_words(side, kind, status, said)
        self.host.must("eject", self.stick.node)
        pull(self.host, self.stick)
        plug(self.host, self.stick)
        whole = self.is_there()
        if whole:
            self.is_whole()
            self.try_again()
        self.make()
        return "failed, and it is whole" if whole else "failed, and what is left goes with the next that is made"
