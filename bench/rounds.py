"""Ejects and inserts of the same machine, as a capsule and as a script with virsh does them, in turn."""
import os
import shutil
import subprocess

import encoder
import growth
import reads
import resting
from machines import *
from peers import Peers

BURST = 0.05  # seconds: a stick has none


class Samples(dict):
    """{what was measured: [values, one a round]}"""

    def add(self, what, value):
        self.setdefault(what, []).append(value)
        say(f"    {what}: {value:,.2f}" if isinstance(value, float) else f"    {what}: {value:,}")


class Rounds:
    def __init__(self, kind, speed, size, patience):
        """speed: bytes a second of both sticks; size: theirs; patience: seconds to wait for a calm machine each time."""
        self.speed, self.patience, self.samples, self.played = speed, patience, Samples(), 0
        say(f"== the machine starts ({kind.memory} MiB)")
        self.desk = Desk(kind)
        self.samples.add("virsh alone, s", self.desk.virsh_seconds())
        say(f"== it is packed on a stick of {speed / 1e6:g} MB/s")
        self.stick = Stick(size, rate=speed, burst=BURST)
        self.other = Stick(size, rate=speed, burst=BURST, label="PLAIN")
        self.machine = packed(self.desk, self.stick)

    def play(self, desk):
        """A round. desk: whether a script with virsh is measured with the same machine."""
        self.played += 1
        say(f"== round {self.played}")
        self.capsule_round("abcefgh"[self.played % 7])
        if desk:
            self.desk_round()

    def read(self):
        """What reads of the machine's disk cost, through all that the rounds left on its stick."""
        say("== its disk is read")
        place = os.path.join(WORLD, "look", "stick")
        os.makedirs(place, exist_ok=True)
        self.stick.plug()
        run("mount", "-o", "ro", self.stick.node, place)
        reads.measure(self.samples, self.machine, place, WORLD)
        run("umount", place)
        self.stick.pull()

    def grow(self, quick):
        say("== its memory grows")
        growth.measure(self.samples, WORLD, quick)

    def rest(self, seconds):
        """What a daemon costs beside a machine that runs."""
        say("== the daemon rests")
        host = new_host("r", **QUIET)
        host.start()
        self.machine.insert(host, self.stick)
        resting.measure(host.process.pid, self.samples, seconds)
        host.stop()
        host.end_guests()

    def timed(self, what, work):
        """What it takes, begun when nobody else computes; a sample tells of how many begun without that."""
        self.samples.setdefault("begun on a busy machine", []).append(0 if calm(self.patience) else 1)
        seconds, _ = timed(work)
        self.samples.add(f"{what}, s", seconds)
        return seconds

    # ---- the capsule

    def capsule_round(self, name):
        host = new_host(name, **QUIET)
        host.start()
        self._insert(host, "insert, new host")
        self.machine.act(host, "w")
        self._eject(host, "eject, working")
        self._look("working")
        self._insert(host, "insert, known host")
        self.machine.act(host, "idle")
        self._eject(host, "eject, idle")
        self._look("idle")
        if "f" in self.desk.kind.letters:
            self.machine.insert(host, self.stick)
            self.machine.act(host, "f")
            self._eject(host, "eject, new file")
            self._look("new file")
        host.stop()

    def _insert(self, host, what):
        self.timed(what, lambda: self.machine.insert(host, self.stick))
        self.samples.add(f"{what}, bytes read", self.stick.crossed()[0])

    def _eject(self, host, what):
        run("sync", "-f", self.stick.mounted_at(), timeout=900)
        before = self.stick.crossed()
        self.timed(what, lambda: self.machine.eject(host))
        read, written = (now - then for now, then in zip(self.stick.crossed(), before))
        self.samples.add(f"{what}, bytes written", written)
        self.samples.add(f"{what}, bytes read", read)
        pull(host, self.stick)

    def _look(self, what):
        """What was written, by files, and what others would have written."""
        folder = os.path.join(WORLD, "parts")
        sizes = parts_of(self.stick, self.machine, folder)
        self.samples.add(f"eject, {what}, memory file bytes", sizes["memory"])
        self.samples.add(f"eject, {what}, disk file bytes", sizes["disk"])
        peers = Peers(folder)
        for name, (size, seconds) in (peers.memory() if what == "idle" else peers.all()).items():
            self.samples.add(f"{what}, {name}, bytes", size)
            self.samples.add(f"{what}, {name}, s", seconds)
        if what == "idle":
            encoder.measure(peers.before, peers.after, self.samples)
        shutil.rmtree(folder)

    # ---- the script with virsh

    def desk_round(self):
        desk = self.desk
        place = os.path.join(WORLD, "look", "other")
        os.makedirs(place, exist_ok=True)
        desk.begin()
        desk.act("w")
        for how, save, restore in (("plain", self._save_plain, self._restore_plain),
                                   ("zstd", self._save_zstd, self._restore_zstd)):
            self._mount(place)
            before = self.other.crossed()[1]
            self.timed(f"virsh save, {how}", lambda: self._to_stick(save, place))
            self.samples.add(f"virsh save, {how}, bytes written", self.other.crossed()[1] - before)
            self.other.pull()
            self.other.plug()
            self.timed(f"virsh restore, {how}", lambda: (run("mount", self.other.node, place), restore(place)))
            run("find", place, "-maxdepth", 1, "-type", "f", "-delete")
            run("umount", place)
            self.other.pull()
        self.timed("save to nobody", self._save_nowhere)
        self.samples.add("QEMU's start, s", desk.qemu_seconds())
        desk.end()

    def _mount(self, place):
        self.other.plug()
        run("mount", self.other.node, place)

    def _to_stick(self, save, place):
        save(place)
        run("cp", "--sparse=always", DISK, os.path.join(place, "overlay.qcow2"))
        run("sync", "-f", place, timeout=900)
        run("umount", place, timeout=900)

    def _save_plain(self, place):
        self.desk.host.virsh("save", NAME, os.path.join(place, "memory"), timeout=900)

    def _restore_plain(self, place):
        self.desk.host.virsh("restore", os.path.join(place, "memory"), timeout=900)

    # libvirt opens a FIFO twice: for the stream behind a header that says it is not whole yet, and again for the header as
    # it has to be, which differs in its first 16 bytes. Whether a reader sees an end between the two is a matter of luck,
    # so somebody holds the FIFO open until virsh is done, and the second header stands behind the stream.

    def _fifo(self):
        path = os.path.join(WORLD, "fifo")
        if not os.path.exists(path):
            os.mkfifo(path)
        return path

    def _beside(self, script, *virsh):
        """A shell script beside a virsh, which saves to, or restores from, the FIFO."""
        held = os.open(self._fifo(), os.O_RDWR | os.O_CLOEXEC) if virsh[0] == "save" else None
        with subprocess.Popen(["bash", "-euc", "set -o pipefail\n" + script]) as beside:
            try:
                self.desk.host.virsh(*virsh, timeout=900)
            except Failure:
                beside.kill()
                raise
            finally:
                if held is not None:
                    os.close(held)
        if beside.returncode != 0:
            raise Failure(f"{script}: exit status {beside.returncode}")

    def _save_zstd(self, place):
        self._beside(f"zstd -q -1 -T0 -c <'{self._fifo()}' >'{place}/memory.zst'", "save", NAME, self._fifo())

    def _restore_zstd(self, place):
        self._beside(f"(printf LibvirtQemudSave; zstd -dcq '{place}/memory.zst' | tail -c +17 | head -c -92) >'{self._fifo()}'",
                     "restore", self._fifo())

    def _save_nowhere(self):
        self._beside(f"cat '{self._fifo()}' >/dev/null", "save", NAME, self._fifo())
