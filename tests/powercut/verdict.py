"""What has to hold of a device after a power cut: some generation complete and bit-exact, and none older than what was
acknowledged. Read by the product's own reader (reader.cpp), disks by qemu-img."""
import hashlib
import json
import os
import subprocess

from checks import run
from host import BUILD

# Commits that leave what the disks show as it was.
SAME_DISKS = {"check out", "launch undone", "merge begun", "merge", "fold begun", "fold"}


def leaves_disks(generation):
    return generation["what"].split(", ")[0] in SAME_DISKS


class Lost(Exception):
    """A promise is broken; the text says which."""


def opened(files):
    """A chain as qemu-img's option that opens it read-only by these names alone."""
    below = None
    for file in files:
        below = {"driver": "qcow2", "backing": below, "file": {"driver": "file", "filename": file, "locking": "off"}}
    return "json:" + json.dumps(below)


class Verdict:
    def __init__(self, scratch):
        self._reader = subprocess.Popen([os.path.join(BUILD, "bin", "powercut_reader"), os.path.join(scratch, "key")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
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
        capsules = self._ask(f"go on {place}")
        for generation in capsules[0]["generations"]:
            wrong = [thing["path"] for thing in generation["objects"] if thing.get("found") != thing["wanted"]
                     and os.path.basename(thing["path"]).split("-")[0].split(".")[0] not in ("image", "cow")]
            if wrong:
                raise Lost(f"after two commits on top of generation {newest}, {', '.join(wrong)} is not as it was written")
        found = [generation["seq"] for generation in capsules[0]["generations"]]
        if found != [newest + 2, newest + 1] or capsules[0]["problems"]:
            raise Lost(f"after two commits on top of generation {newest} there are {found}: {capsules[0]['problems']}")

    def _ask(self, question):
        self._reader.stdin.write(question + "\n")
        self._reader.stdin.flush()
        seen = json.loads(self._reader.stdout.readline())
        if "trouble" in seen:
            raise Lost(f"'{question.rpartition(' ')[0]}': {seen['trouble']}")
        return seen["capsules"]

    def close(self):
        self._reader.stdin.close()
        self._reader.wait()

    def _check_generation(self, capsule, generation, newest):
        name = f"generation {generation['seq']} ({generation['what']})"
        found = {}
        merging = []
        for thing in generation["objects"]:
            if "trouble" in thing:
                raise Lost(f"{name}: {thing['trouble']}")
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
        files = [os.path.join(capsule, path) for path in chain]
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
