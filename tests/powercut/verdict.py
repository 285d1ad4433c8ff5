"""What has to hold of a device after a power cut: some generation complete and bit-exact, and none older than what was
acknowledged. Read by the product's own reader (reader.cpp), disks by qemu-img."""
import hashlib
import json
import os

from checks import run
from next_computer import LocalReader

# Commits that leave what the disks show as it was.
SAME_DISKS = {"check out", "launch undone", "merge begun", "merge", "fold begun", "fold", "compact"}


def leaves_disks(generation):
    return generation["what"].split(", ")[0] in SAME_DISKS


class Lost(Exception):
    """A promise is broken; the text says which."""


class Damaged(Lost):
    """The kernel finds the filesystem itself damaged: an error of a read, or no writes any more. It is its fsck's turn."""


DAMAGE = ("Input/output error", "Read-only file system")


def lost(text):
    return (Damaged if text.endswith(DAMAGE) else Lost)(text)


def opened(files):
    """A chain as qemu-img's option that opens it read-only by these names alone."""
    below = None
    for file in files:
        below = {"driver": "qcow2", "backing": below, "file": {"driver": "file", "filename": file, "locking": "off"}}
    return "json:" + json.dumps(below)


class Verdict:
    """reader: who is asked; one on this computer when none is given."""

    def __init__(self, scratch, reader=None):
        self._reader = reader or LocalReader(scratch)
        self._raw = os.path.join(scratch, "disk.raw")
        self._sound, self._contents = set(), {}  # by the digests of a chain's files
        self._shown = {}  # what the disks show, by generation
        self.newest = {}  # how often each was the newest

    def check(self, place, acknowledged):
        """Raises Lost, or returns the number of the newest generation, 0 where there is none."""
        capsules = self._ask(f"look {place}")
        if len(capsules) > 1:
            raise Lost(f"there are {len(capsules)} capsules")
        generations = capsules[0]["generations"] if capsules else []
        newest = generations[0]["seq"] if generations else 0
        problems = "; ".join(capsules[0]["problems"]) if capsules else ""
        if newest < acknowledged:
            raise Lost(f"generation {acknowledged} was acknowledged, and the newest is {newest} ({problems})")
        for generation in reversed(generations):
            self._check_generation(os.path.join(place, "satchel", capsules[0]["id"]), generation, generations[0])
        self.newest[newest] = self.newest.get(newest, 0) + 1
        return newest

    def go_on(self, place, newest):
        """Raises Lost unless the next computer can commit on top of the newest generation."""
        found = self._whole(self._ask(f"go on {place}"), f"after two commits on top of generation {newest}")
        if found != [newest + 2, newest + 1]:
            raise Lost(f"after two commits on top of generation {newest} there are {found}")

    def newest_of(self, place, at_least):
        """After a repair of what was committed on: the number of its newest generation."""
        found = self._whole(self._ask(f"look {place}"), "after a repair")
        if not found or found[0] < at_least:
            raise Lost(f"after a repair there are {found}, where generation {at_least} was")
        return found[0]

    @staticmethod
    def _whole(capsules, when):
        """The numbers of all generations, newest first, whose objects are as they were written."""
        for generation in capsules[0]["generations"]:
            wrong = [thing["path"] for thing in generation["objects"] if thing.get("found") != thing["wanted"]
                     and os.path.basename(thing["path"]).split("-")[0].split(".")[0] not in ("image", "cow")]
            if wrong:
                raise Lost(f"{when}, {', '.join(wrong)} is not as it was written")
        if capsules[0]["problems"]:
            raise Lost(f"{when}: {'; '.join(capsules[0]['problems'])}")
        return [generation["seq"] for generation in capsules[0]["generations"]]

    def _ask(self, question):
        seen = self._reader.ask(question)
        if "trouble" in seen:
            raise lost(f"'{question.rpartition(' ')[0]}': {seen['trouble']}")
        return seen["capsules"]

    def close(self):
        self._reader.close()

    def _check_generation(self, capsule, generation, newest):
        name = f"generation {generation['seq']} ({generation['what']})"
        found = {}
        merging = []
        for thing in generation["objects"]:
            if "trouble" in thing:
                raise lost(f"{name}: {thing['trouble']}")
            found[thing["path"]] = thing["found"]
            if thing["found"] != thing["wanted"]:
                merging.append(thing["path"])
        in_place = {path for chain in generation["chains"] for path in chain[:2]}
        for path in merging:
            if path not in in_place:
                raise Lost(f"{name}: {path} is not what its head says")
        shown = [self._content(capsule, name, chain, found) for chain in generation["chains"]]
        before = self._known(generation)
        if before is None and leaves_disks(newest) and newest["parent"] == generation["id"]:
            # Nobody saw it before the merge that the newest one is: then that shows what it did.
            digests = {thing["path"]: thing["found"] for thing in newest["objects"] if "found" in thing}
            before = [self._content(capsule, name, chain, digests) for chain in newest["chains"]]
        if before is None and merging:
            raise Lost(f"{name}: {', '.join(merging)} changed before anybody saw what it held")
        if before is not None and before != shown:
            raise Lost(f"{name}: its disks show something else than they did"
                       + (f" ({', '.join(merging)} changed in place)" if merging else ""))
        self._shown[generation["id"]] = shown

    def _known(self, generation):
        """What its disks have to show, where that is known."""
        shown = self._shown.get(generation["id"])
        return self._shown.get(generation["parent"]) if shown is None and leaves_disks(generation) else shown

    def _content(self, capsule, name, chain, found):
        """A digest of what a chain of just these files shows, all of them sound."""
        key = tuple((path, found[path]) for path in chain)
        if key in self._contents:
            return self._contents[key]
        files = [self._reader.file(os.path.join(capsule, path)) for path in chain]
        for path, file in zip(chain, files):
            if (path, found[path]) not in self._sound:
                checked = run("qemu-img", "check", opened([file]), check=False)
                # 3: clusters were taken that nothing uses; no damage.
                if checked.returncode not in (0, 3):
                    raise Lost(f"{name}: {path}: {checked.stdout[-500:]}{checked.stderr[-500:]}")
                self._sound.add((path, found[path]))
        converted = run("qemu-img", "convert", "-O", "raw", opened(files), self._raw, check=False)
        if converted.returncode != 0:
            raise Lost(f"{name}: {chain[-1]}: {converted.stderr[-500:]}")
        with open(self._raw, "rb") as file:
            self._contents[key] = hashlib.blake2b(file.read()).hexdigest()
        return self._contents[key]
