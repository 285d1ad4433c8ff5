"""Sticks whose block writes are recorded, and hosts whose daemon tells when a commit record was read back."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading

from checks import Failure, run, wait_for
from host import BUILD, Host
from stick import Stick, settle

WORLD = os.environ.get("WORLD", "/nonexistent")
TRANSFER_KIB = 120  # what a USB stick gets in one write


class RecordedStick(Stick):
    """A stick between whose image and loop device a qemu-storage-daemon writes down every write and flush, from the
    first plug on. `begun` is a copy of the image before that."""

    def __init__(self, fs, size="640M", image=None):
        super().__init__(size, fs=None if image else fs)
        self.fs, self.marks = fs, []
        if image:
            run("cp", "--sparse=always", image, self.image)
        self.begun, self.log, self.marks_path = (os.path.join(WORLD, self.name + end)
                                                 for end in (".begun", ".log", ".marks"))
        run("cp", "--sparse=always", self.image, self.begun)
        open(self.log, "w").close()
        self._recorder = None
        self.served = True

    def plug(self):
        node = super().plug()
        with open(f"/sys/block/{os.path.basename(node)}/queue/max_sectors_kb", "w") as limit:
            limit.write(str(TRANSFER_KIB))
        return node

    def pull(self):
        """It must not be in use."""
        node, self.node = self.node, None
        run("losetup", "-d", node)
        wait_for(lambda: self._backing(node) is None, 10, f"{node} is free (is it still mounted?)")
        settle()

    def mark(self, seq, words):
        """From here on generation `seq` has to be on the device: somebody was told so."""
        self.marks.append((os.path.getsize(self.log), int(seq), words))

    def end_recording(self):
        """Unplugged, it is recorded no longer; returns the marks, those of the daemon's own read-backs among them."""
        if self._recorder:
            self._recorder.send_signal(signal.SIGTERM)
            if self._recorder.wait(60) != 0:
                raise Failure(f"qemu-storage-daemon ended with status {self._recorder.returncode}")
            self._recorder = None
        if os.path.exists(self.marks_path):
            with open(self.marks_path) as file:
                self.marks += [(*map(int, line.split()), "its record was read back") for line in file]
        self.marks.sort()
        return self.marks

    def _serve(self):
        path = self._served_path()
        if self._recorder:
            return path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "w").close()
        with open(os.path.join(WORLD, "log", self.name + ".log"), "ab") as errors:
            self._recorder = subprocess.Popen(
                ["qemu-storage-daemon",
                 "--blockdev", f"driver=file,node-name=image,filename={self.image},discard=unmap",
                 "--blockdev", f"driver=file,node-name=log,filename={self.log}",
                 "--blockdev", "driver=blklogwrites,node-name=recorded,file=image,log=log,discard=unmap",
                 "--export", f"type=fuse,id=disk,node-name=recorded,mountpoint={path},writable=on"],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        wait_for(lambda: os.path.ismount(path), 20, f"qemu-storage-daemon serves {self.name}")
        return path


def hear_marks(path, stick):
    """The other end of a witness's port: each generation that it saw read back is a mark of the stick that stick() gives. The
    witness waits for the answer, so that the log is what it was then."""
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    heard.connect(path)

    def listen():
        with contextlib.suppress(OSError):  # closed
            for line in heard.makefile("r"):
                stick().mark(int(line), "its record was read back")
                heard.sendall(b"\n")

    threading.Thread(target=listen, daemon=True).start()
    return heard


class PreloadedHost(Host):
    """A host whose daemon, and all that it starts, has a library of this rig loaded, and these variables."""

    def __init__(self, name, library, variables, settings=None, **options):
        shutil.rmtree(os.path.join(WORLD, name), ignore_errors=True)
        self._more = {"LD_PRELOAD": os.path.join(BUILD, "bin", library), **variables}
        super().__init__(name, {"host_name": f"host-{name}", "space": {"keep_free_host": "64MiB"},
                                "merge": {"layers": 0, "size": "0B"}, "fold": {"cow_limit": "0%"}, **(settings or {})},
                         **options)

    def environment(self):
        return dict(super().environment(), **self._more)


def witnessed_host(name, stick, forgetful=False):
    """Each commit record that its daemon reads back is a mark in the stick's recording. forgetful: nothing that it or
    its children ask for is synced."""
    variables = {"POWERCUT_LOG": stick.log, "POWERCUT_MARKS": stick.marks_path}
    return PreloadedHost(name, "powercut_witness.so", {**variables, **({"POWERCUT_FORGET": "1"} if forgetful else {})})


class Recording:
    """Files of one recording: image before, log, image after, marks. They can be kept in a directory."""

    def __init__(self, name, fs, begun, log, ended, marks):
        self.name, self.fs, self.begun, self.log, self.ended, self.marks = name, fs, begun, log, ended, marks

    @classmethod
    def of(cls, name, stick):
        return cls(name, stick.fs, stick.begun, stick.log, stick.image, stick.end_recording())

    def forget(self):
        for name in (self.begun, self.log, self.ended):
            os.unlink(name)

    def keep(self, directory):
        place = os.path.join(directory, self.name)
        os.makedirs(place, exist_ok=True)
        for name in ("begun", "log", "ended"):
            run("cp", "--sparse=always", getattr(self, name), os.path.join(place, name))
        with open(os.path.join(place, "recording.json"), "w") as file:
            json.dump({"name": self.name, "fs": self.fs, "marks": self.marks}, file)

    @classmethod
    def kept(cls, place):
        with open(os.path.join(place, "recording.json")) as file:
            about = json.load(file)
        begun, log, ended = (os.path.join(place, name) for name in ("begun", "log", "ended"))
        return cls(about["name"], about["fs"], begun, log, ended, [tuple(mark) for mark in about["marks"]])
