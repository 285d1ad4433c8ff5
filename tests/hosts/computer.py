"""A computer under QEMU's emulation: its disk is a copy of a snapshot over the base system, its USB ports are reached by QMP."""
import os
import shutil
import subprocess

import kernel
from checks import Failure, run, wait_for
from hand import Done, Hand
from qmp import Qmp

MEMORY = "1536"  # libguestfs asks for 1280 MiB
PORTS = 4


class Computer:
    """name: also the host name. work: a short path for its files. disk: a qcow2 file of its own."""

    all = []

    def __init__(self, name, base, work, disk):
        self.name, self.base, self.disk = name, base, disk
        self.work = os.path.join(work, name)
        os.makedirs(self.work, exist_ok=True)
        self.process = self.qmp = self.hand = None
        self.plugged = {}
        Computer.all.append(self)

    # ---- power

    def start(self, snapshot=None):
        """Power on, or go on from a snapshot in its disk; returns once it answers."""
        path = self.path
        this = os.getpid()
        command = ["qemu-system-x86_64", "-name", self.name, "-nodefaults", "-no-user-config", "-display", "none",
                   # Retpolines and large pages cost an emulation much. The TSC jumps at a loadvm, at which watchdogs bite.
                   # Not "max": with it QEMU 7.2 emulates something wrong, and systemd fails in fsync and mount. No KVM
                   # inside: what runs there is emulated too.
                   "-machine", "q35,accel=tcg", "-cpu", "qemu64,svm=off", "-smp", "1", "-m", MEMORY, "-nic", "none",
                   "-kernel", self.base.kernel, "-initrd", self.base.initrd,
                   "-append", "root=/dev/vda rw console=tty0 console=ttyS0 quiet systemd.show_status=no mitigations=off transparent_hugepage=never clocksource=hpet tsc=unstable",
                   "-drive", f"file={self.disk},if=virtio,format=qcow2,cache=unsafe,discard=unmap",
                   "-vga", "std", "-serial", f"file:{path('console')}", "-device", "virtio-rng-pci", "-device", "vmgenid,guid=auto",
                   "-device", "virtio-serial-pci", "-chardev", f"socket,id=hand,path={path('hand')},server=on,wait=off",
                   "-device", "virtserialport,chardev=hand,name=org.satchel.test",
                   "-device", f"qemu-xhci,id=xhci,p2={PORTS},p3={PORTS}", "-qmp", f"unix:{path('qmp')},server=on,wait=off"]
        if snapshot:
            command += ["-loadvm", snapshot]
        with open(path("qemu"), "ab") as log:
            self.process = subprocess.Popen(["nice", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=lambda: kernel.die_with_parent(this))
        wait_for(self._is_up, 60, f"QEMU of {self.name} opens its sockets")
        self.qmp, self.hand = Qmp(path("qmp")), Hand(path("hand"), self.name)
        if snapshot:
            self.hand.seed()
        else:
            self.await_hand()

    def path(self, name):
        return os.path.join(self.work, name)

    def _is_up(self):
        if self.process.poll() is not None:
            with open(self.path("qemu"), errors="replace") as log:
                raise RuntimeError(f"QEMU of {self.name} ended:\n{log.read()[-2000:]}")
        return all(os.path.exists(self.path(name)) for name in ("qmp", "hand"))

    def await_hand(self, seconds=300):
        wait_for(self.hand.there, seconds, f"{self.name} has booted so far that it answers\n{self.console()[-1500:]}")

    def settle(self, seconds=300):
        """Wait until all has started that starts at boot."""
        wait_for(lambda: self.run("systemctl", "is-system-running", check=False).out.strip() in ("running", "degraded"),
                 seconds, f"{self.name} has started all", every=1)

    def save(self, snapshot):
        self.qmp.human(f"savevm {snapshot}")

    def back_to(self, snapshot):
        """As it was then, with nothing plugged in."""
        if not self.process or self.process.poll() is not None:
            self.end()
            self.start(snapshot)
            return
        for stick in list(self.plugged):
            stick.pull()
        self.hand.forget()
        self.qmp.human(f"loadvm {snapshot}")
        self.hand.seed()

    def await_off(self, seconds=300):
        """It was asked to power off: until QEMU ends."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"{self.name} does not power off within {seconds} s\n{self.console()[-3000:]}") from late
        self.end()

    def await_reboot(self, before, seconds=400):
        """It was asked to reboot: until it answers with another boot id than before."""
        def anew():
            return self.hand.there() and self.run("cat", "/proc/sys/kernel/random/boot_id", timeout=20).out != before
        wait_for(anew, seconds, f"{self.name} boots again\n{self.console()[-1500:]}", every=1)

    def end(self):
        """As a power cut."""
        if self.process:
            self.process.kill()
            self.process.wait()
            for stick in list(self.plugged):
                stick.unplugged()
            self.qmp.close()
            self.hand.close()
            self.process = None
            for name in ("qmp", "hand"):  # a QEMU that ends by itself has removed them
                if os.path.exists(self.path(name)):
                    os.unlink(self.path(name))

    # ---- what is done in it

    def run(self, *command, check=True, timeout=120, input=""):
        """A program in it, as root; the result has status, out, err."""
        done = Done(self.hand.ask(timeout + 30, run=[str(word) for word in command], timeout=timeout, input=input))
        if check and done.status != 0:
            raise Failure(f"{self.name}: {' '.join(map(str, command))}: exit status {done.status}\n"
                          f"{done.out[-2000:]}{done.err[-2000:]}")
        return done

    def shell(self, script, **how):
        return self.run("/bin/sh", "-c", script, **how)

    def put(self, path, content, mode=0o644):
        self.hand.put(path, content, mode)

    def text(self, path):
        """What is in a file, or nothing while it is not there."""
        try:
            return self.hand.get(path).decode(errors="replace")
        except Failure:
            return ""

    def begin(self, *command, timeout=300):
        """The same without waiting: finish() gives the result."""
        return self.hand.begin(run=[str(word) for word in command], timeout=timeout, input="")

    def finish(self, pending, seconds=300):
        return Done(self.hand.finish(pending, seconds, "what was begun"))

    def console(self):
        try:
            with open(self.path("console"), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""


def end_all(keep=False):
    for computer in Computer.all:
        computer.end()
        if not keep:
            shutil.rmtree(computer.work, ignore_errors=True)
    Computer.all.clear()


def copy_disk(source, target):
    run("cp", "--sparse=always", "--reflink=auto", source, target)
    return target


def new_disk(base, path):
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base.disk, "-F", "raw", path)
    return path
