"""A small computer under QEMU's emulation: Debian's cloud kernel, which has vfat and exFAT, and of programs the product's reader
alone. The stick is its only disk, and other states of it are put there while it is not mounted."""
import os
import re
import shutil
import socket
import subprocess

import kernel
from checks import Failure, run, wait_for
from guest import load
from next_computer import READER, Reader

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "nls_cp437", "nls_ascii", "nls_iso8859-1", "nls_utf8", "vfat", "exfat")
# UDisks' own, but for those that say whose the files are, and for vfat's "flush", which waits a tenth of a second at each close.
OPTIONS = {"vfat": "shortname=mixed,utf8=1,showexec,errors=remount-ro", "exfat": "iocharset=utf8,errors=remount-ro"}
MEMORY = "256"


def build(directory, more):
    """(kernel, initrd, the reader's path in it), made in the directory when they are missing. more: other files in it."""
    guest = load("build")
    image, modules = guest.newest_kernel(MODULES)
    initrd, init, reader = (os.path.join(directory, name) for name in ("small.initrd", "small.init", "powercut_reader"))
    if not os.path.exists(initrd):
        run("g++", "-std=c++20", "-O2", "-static", "-s", "-o", init, os.path.join(HERE, "init.cpp"))
        run("strip", "-o", reader, READER)
        libraries = re.findall(r"(/\S+) \(0x", run("ldd", READER).stdout)
        guest.make_initrd(initrd, init, modules, [reader, *libraries, *more])
    return image, initrd, reader


class Small(Reader):
    """image: the stick's, a file that others may write to whenever it is not mounted. scratch: a directory of its own."""

    place = "/stick"

    def __init__(self, image, fs, scratch, more=(), environment=(), devices=()):
        """more: files that it has besides. environment: of the reader. devices: of QEMU, in place of the one disk."""
        self.fs, self.repairs, self._fetched = fs, image, os.path.join(scratch, "fetched")
        self._console = os.path.join(scratch, "small.console")
        os.makedirs(self._fetched, exist_ok=True)
        boots, initrd, reader = build(scratch, more)
        port, this = os.path.join(scratch, "small.port"), os.getpid()
        with open(self._console + ".qemu", "wb") as errors:
            self._process = subprocess.Popen(
                ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35,accel=tcg",
                 "-cpu", "qemu64,svm=off", "-m", MEMORY, "-nic", "none", "-no-reboot", "-kernel", boots, "-initrd", initrd, "-append",
                 " ".join(["console=ttyS0 quiet loglevel=3 mitigations=off panic=-1", *environment, "--", reader, "/tmp/key"]),
                 "-serial", f"file:{self._console}",
                 "-device", "virtio-serial-pci", "-chardev", f"socket,id=port,path={port},server=on,wait=on",
                 "-device", "virtserialport,chardev=port", *(devices or disk(image))],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, preexec_fn=lambda: kernel.die_with_parent(this))
        wait_for(lambda: os.path.exists(port), 30, "QEMU opens its socket")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(300)
        self._socket.connect(port)
        os.unlink(port)
        self._listen(self._socket.makefile("wb"), self._socket.makefile("rb"))

    def mount(self):
        return self.ask(f"mount {self.fs} {OPTIONS[self.fs]} /dev/vda {self.place}").get("trouble")

    def unmount(self):
        trouble = self.ask(f"unmount {self.place}").get("trouble")
        if trouble:
            raise Failure(f"the stick can't be unmounted: {trouble}{self.last_words()}")

    def tidy(self):
        shutil.rmtree(self._fetched)
        os.makedirs(self._fetched)

    def file(self, path):
        """A copy of a file of the stick, kept until another state of it is looked at."""
        copy = os.path.join(self._fetched, path.replace("/", "%"))
        if not os.path.exists(copy):
            size = self.ask(f"fetch {path}")["size"]
            with open(copy, "wb") as file:
                file.write(self._answers.read(size))
        return copy

    def last_words(self):
        with open(self._console, errors="replace") as file:
            return "\n" + file.read()[-2000:]

    def close(self):
        self._process.terminate()
        self._process.wait()
        self._socket.close()


def disk(image):
    return ["-blockdev", f"driver=file,node-name=stick,filename={image},locking=off,cache.no-flush=on", "-device", "virtio-blk-pci,drive=stick"]
