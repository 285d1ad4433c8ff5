"""A short day on vfat or exFAT without a daemon: the product's own code (library_day.cpp) packs, checks out, ejects, merges and folds in
the small computer, and its QEMU records what it writes."""
import json
import os
import random

from checks import Failure, run, wait_for
from host import BUILD
from recording import Recording, hear_marks
from small import Small

SIZE, SHARED, LAYERED = 1 << 20, 512 << 10, 128 << 10  # of the disk, and what COW file and layer have of it
PORT = "/dev/vport0p2"


class Files:
    """What is written: a disk's image, a COW file and a layer over it, their bytes for merges in place, and memory."""

    def __init__(self, directory, seed):
        self.directory, self._dice = directory, random.Random(seed)
        os.makedirs(directory, exist_ok=True)
        self.image, self.cow, self.layer, self.fresh = (os.path.join(directory, name + ".qcow2") for name in ("image", "cow", "layer", "fresh"))
        everything = self.bytes("everything", SIZE)
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", everything, self.image)
        self.shared, self.layered = self.bytes("shared", SHARED), self.bytes("layered", LAYERED)
        for file, below, content in ((self.cow, self.image, self.shared), (self.layer, self.cow, self.layered), (self.fresh, self.image, None)):
            run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", below, file)
            if content:
                run("qemu-io", "-c", f"write -s {content} 0 {os.path.getsize(content)}", file)
        self.memories = [self.bytes(f"memory{n}", 900 << 10) for n in range(3)]
        self.map = self.bytes("map", 2000)

    def bytes(self, name, size):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(self._dice.randbytes(size))
        return path

    def in_place(self, path, file, content):
        """Patches that let a file of the capsule show a content at the disk's beginning."""
        with open(content, "rb") as whole:
            shown = whole.read()
        patches = []
        for start, offset, length in places(file, len(shown)):
            part = f"{content}.{start}"
            with open(part, "wb") as out:
                out.write(shown[start:start + length])
            patches.append((path, part, offset))
        return patches

    def all(self):
        return [os.path.join(self.directory, name) for name in sorted(os.listdir(self.directory))]


def places(file, size):
    """Where a qcow2 file has what the disk shows at its beginning: [(offset in the disk, offset in the file, length), …]."""
    found = [(part["start"], part["offset"], min(part["length"], size - part["start"]))
             for part in json.loads(run("qemu-img", "map", "--output=json", file).stdout) if part["start"] < size and part["depth"] == 0]
    if sum(length for _, _, length in found) != size:
        raise Failure(f"{file} has not all of its first {size} bytes itself")
    return found


class LoggedImage:
    """A stick as recording.Recording wants one."""

    def __init__(self, directory, fs, image=None):
        os.makedirs(directory, exist_ok=True)
        self.fs, self.marks = fs, []
        self.image, self.begun, self.log = (os.path.join(directory, name) for name in ("image", "begun", "log"))
        if image:
            run("cp", "--sparse=always", image, self.image)
        else:
            run("truncate", "-s", "640M", self.image)
            run(f"mkfs.{fs}", "-n", "SATCHEL", self.image)
        run("cp", "--sparse=always", self.image, self.begun)
        open(self.log, "w").close()

    def mark(self, seq, words):
        self.marks.append((os.path.getsize(self.log), int(seq), words))

    def end_recording(self):
        self.marks.sort()
        return self.marks


class LibraryDay:
    def __init__(self, stick, files, scratch, forgetful=False, memory=None):
        """memory: the generation whose memory is on the stick."""
        os.makedirs(scratch, exist_ok=True)
        witness, marks = os.path.join(BUILD, "bin", "powercut_witness.so"), os.path.join(scratch, "marks")
        environment = [f"LD_PRELOAD={witness}", f"POWERCUT_PORT={PORT}"] + ["POWERCUT_FORGET=1"] * forgetful
        self.stick, self.files, self.seq, self.memory = stick, files, 0, memory
        self._computer = Small(stick.image, stick.fs, scratch, more=[witness, *files.all()], environment=environment, devices=[
            "-chardev", f"socket,id=marks,path={marks},server=on,wait=off", "-device", "virtserialport,chardev=marks",
            "-blockdev", f"driver=file,node-name=image,filename={stick.image},cache.no-flush=on",
            "-blockdev", f"driver=file,node-name=log,filename={stick.log},cache.no-flush=on",
            "-blockdev", "driver=blklogwrites,node-name=stick,file=image,log=log", "-device", "virtio-blk-pci,drive=stick"])
        wait_for(lambda: os.path.exists(marks), 30, "QEMU opens the marks' socket")
        self._marks = hear_marks(marks, lambda: stick)

    def plug(self):
        if trouble := self._computer.mount():
            raise Failure(f"it can't be mounted: {trouble}")

    def pull(self):
        self._computer.unmount()
        self.stick.mark(self.seq, "you can unplug the device now")

    def end(self):
        self._computer.close()
        self._marks.close()

    def commit(self, what, chain, write=(), patch=()):
        wish = {"what": what, "chain": ["vda/" + name for name in chain], "memory": self.memory, "write": write, "patch": patch}
        said = self._computer.ask(f"commit {self._computer.place} {json.dumps(wish)}")
        if "trouble" in said:
            raise Failure(f"{what}: {said['trouble']}")
        self.seq = said["seq"]
        self.stick.mark(self.seq, f"{what} is done")

    def save(self, what, chain, write=()):
        """A commit with new memory."""
        self.memory = self.seq + 1
        content = self.files.memories[self.memory % len(self.files.memories)]
        self.commit(what, chain, [*write, (f"memory/{self.memory}.pages", content), (f"memory/{self.memory}.map", self.files.map)])

    def session(self, chain, layer):
        """Ends with a layer on top of the chain, which it gives."""
        self.plug()
        self.commit("check out", chain)
        top = layer.format(self.seq + 1)
        self.save("eject", [*chain, top], [(f"vda/{top}", self.files.layer)])
        self.pull()
        return [*chain, top]


IMAGE, COW, NEXT_COW, LAYER = "image.qcow2", "cow.qcow2", "cow-2.qcow2", "layer-{}.qcow2"


def whole_day(fs, directory, seed):
    """Pack; two sessions that leave a layer, each merged, and a fold; and a third session. Returns the recording, and what the next one needs."""
    files, stick = Files(os.path.join(directory, "files"), seed), LoggedImage(os.path.join(directory, "stick"), fs)
    merge = files.in_place(f"vda/{COW}", files.cow, files.layered)
    fold = files.in_place(f"vda/{IMAGE}", files.image, files.shared) + files.in_place(f"vda/{IMAGE}", files.image, files.layered)
    day = LibraryDay(stick, files, os.path.join(directory, "day"))
    try:
        day.plug()
        day.save("pack", [IMAGE, COW], [(f"vda/{IMAGE}", files.image), (f"vda/{COW}", files.cow)])
        day.pull()
        for _ in range(2):
            chain = day.session([IMAGE, COW], LAYER)
            day.plug()
            day.commit("merge begun", chain)
            day.commit("merge", [IMAGE, COW], patch=merge)
            day.pull()
        day.plug()
        day.commit("fold begun", [IMAGE, COW])
        day.commit("fold", [IMAGE, NEXT_COW], [(f"vda/{NEXT_COW}", files.fresh)], fold)
        day.pull()
        day.session([IMAGE, NEXT_COW], LAYER)
    finally:
        day.end()
    return Recording.of(f"{fs}-library", stick), day


def forgetful_eject(recording, before, directory):
    """Another session, by code whose syncs do nothing."""
    stick = LoggedImage(os.path.join(directory, "forgetful-stick"), recording.fs, recording.ended)
    day = LibraryDay(stick, before.files, os.path.join(directory, "forgetful-day"), forgetful=True, memory=before.memory)
    try:
        day.session([IMAGE, NEXT_COW, LAYER.format(before.seq)], LAYER)
    finally:
        day.end()
    return Recording.of(f"{recording.fs}-library-forgetful", stick)
