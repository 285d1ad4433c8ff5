"""The computer that a stick comes to after a power cut: this one, with its kernel's filesystems and the product's own
reader (reader.cpp), or a small one (small.py)."""
import contextlib
import fcntl
import json
import os
import struct
import subprocess

import kernel
from checks import Failure
from host import BUILD

LOOP_CTL_GET_FREE, LOOP_CONFIGURE, BTRFS_FORGET = 0x4C82, 0x4C0A, 0x50009405
READER = os.path.join(BUILD, "bin", "powercut_reader")


class Reader:
    """What asks the reader and hears its answers; how is for those who inherit."""

    def _listen(self, questions, answers):
        self._questions, self._answers = questions, answers

    def ask(self, question):
        """Its answer, of which "trouble" is a member when it could not."""
        self._questions.write(question.encode() + b"\n")
        self._questions.flush()
        line = self._answers.readline()
        if not line:
            raise Failure(f"the reader ended at '{question}'{self.last_words()}")
        return json.loads(line)

    def last_words(self):
        return ""


class LocalReader(Reader):
    def __init__(self, scratch):
        self._process = subprocess.Popen([READER, os.path.join(scratch, "key")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._listen(self._process.stdin, self._process.stdout)

    def file(self, path):
        """Where this program can read a file of the stick."""
        return path

    def close(self):
        self._process.stdin.close()
        self._process.wait()


class Here(LocalReader):
    def __init__(self, image, fs, store):
        super().__init__(store.memory)
        self.fs, self.place = fs, store.mounted
        self.node = self.repairs = attach(image)

    def mount(self):
        """None, or why it does not let itself be mounted."""
        try:
            kernel.mount(self.node, self.place, self.fs, kernel.MS_NOSUID | kernel.MS_NODEV, None)
            return None
        except OSError as error:
            return str(error)

    def unmount(self):
        kernel.umount(self.place)

    def tidy(self):
        """It is about to hold something else."""
        if self.fs == "btrfs":
            forget(self.node)

    def close(self):
        super().close()
        detach(self.node)


def attach(image):
    """A loop device over an image, without a process for it."""
    while True:
        with open("/dev/loop-control", "rb+", buffering=0) as control:
            node = f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}"
        with open(image, "rb+", buffering=0) as file, open(node, "rb+", buffering=0) as loop:
            named = image.encode()[:63]
            configuration = struct.pack("<II", file.fileno(), 0) + bytes(56) + named + bytes(64 - len(named)) + bytes(112 + 64)
            try:
                fcntl.ioctl(loop, LOOP_CONFIGURE, configuration)
                return node
            except OSError as error:  # somebody else was faster
                if error.errno != 16:
                    raise


def detach(node):
    with open(node, "rb", buffering=0) as loop:
        fcntl.ioctl(loop, kernel.LOOP_CLR_FD)


def forget(node):
    """btrfs remembers devices by what they held; this one holds something else next time."""
    with open("/dev/btrfs-control", "rb+", buffering=0) as control, contextlib.suppress(OSError):
        fcntl.ioctl(control, BTRFS_FORGET, bytearray(struct.pack("<q4088s", 0, node.encode())))
