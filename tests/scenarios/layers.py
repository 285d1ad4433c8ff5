"""What scenarios about merges share: sticks with layers on them, and looks at their files while QEMU works on them."""
import contextlib
import json
import os
import signal
import threading

from travel import *

LONG = "SATCHEL_LONG" in os.environ
NEVER = {"layers": 0, "size": "0B"}
SLOW = {"rate": "32KiB"}
# What is compared before a merge would be as slow.
SLOW_AND_WHOLE = {"merge": SLOW, "generations": {"keep": 0}, "check": {"disks": "none"}}


def chain(place, machine):
    return head_of(place, machine)["disks"][0]["chain"]


def generations(place, machine):
    return sorted(seq_of(machine.path_on(place, "slots", number)) for number in "01")


def opened(files):
    """A chain as qemu-img's option that opens it without a look at QEMU's locks."""
    below = None
    for file in files:
        below = {"driver": "qcow2", "backing": below, "file": {"driver": "file", "filename": file, "locking": "off"}}
    return "json:" + json.dumps(below)


def sound(place, machine):
    """Fails unless every file that either slot's generation names is sound. A cluster that was taken and
    is not used yet (status 3) is no damage."""
    for seq in generations(place, machine):
        for file in head_of(place, machine, seq)["disks"][0]["chain"]:
            path = machine.path_on(place, file)
            checked = run("qemu-img", "check", opened([path]), check=False)
            if checked.returncode not in (0, 3):
                raise Failure(f"{file} of generation {seq}:\n{checked.stdout}{checked.stderr}")


def content(place, machine, seq=None):
    """A digest of the whole disk as a generation shows it."""
    files = [machine.path_on(place, file) for file in head_of(place, machine, seq)["disks"][0]["chain"]]
    raw = os.path.join(WORLD, f"content-{threading.get_ident()}.raw")
    run("qemu-img", "convert", "-O", "raw", opened(files), raw)
    return digest(raw)


def layered_stick(layers, name="p", **how):
    """A stick with a machine of so many layers, and the host that packed it, stopped."""
    host, stick, machine = new_host(name, merge=NEVER, fold={"cow_limit": "0%"}), new_stick(**how), Machine("traveller")
    pack_here(host, stick, machine)
    for number in range(layers):
        if number > 0:
            machine.insert(host, stick)
        # Something of its own in each layer.
        machine.ticks.await_more(3)
        machine.eject(host)
        pull(host, stick)
    host.stop()
    return host, stick, machine


_layered = None


def five_layers(**how):
    """As layered_stick(5), made once for all scenes: (stick, machine)."""
    global _layered
    if _layered is None:
        _, stick, machine = layered_stick(5)
        kept = os.path.join(WORLD, "layered.img")
        run("cp", "--sparse=always", stick.image, kept)
        _layered = (kept, machine)
    stick = new_stick(fs=None, **how)
    run("cp", "--sparse=always", _layered[0], stick.image)
    machine = _layered[1]
    return stick, Machine("traveller", Ticks(*machine.ticks.paths), machine.uuid)


def configure(host, **settings):
    host.configure({"libvirt": {"uri": host.uri}, "host_name": f"host-{host.name}",
                    "space": {"keep_free_host": "64MiB"}, **settings})


def await_merged(host, machine, seconds=180, layers=0):
    return wait_for(lambda: (now := machine.here(host)) and now["Layers"] == layers and now["Job"] == "/" and now, seconds,
                    "the layers are merged")


def writers():
    """Process ids of those that merge."""
    return [int(line.split()[0]) for line in run("ps", "-eo", "pid=,comm=").stdout.splitlines()
            if "qemu-storage" in line]


class Looking:
    """Looks at the stick again and again, beside the scene, while who merges is held still: every file is sound, and
    both generations show what the newest one showed at first."""

    def __init__(self, place, machine):
        self.place, self.machine, self.looks, self.error, self._over = place, machine, 0, None, False
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self._over:
            try:
                self._look()
            except Exception as error:  # told at the end of the block
                self.error = error
                return

    def _look(self):
        held = writers()
        for pid in held:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        try:
            before = generations(self.place, self.machine)
            sound(self.place, self.machine)
            shown = {content(self.place, self.machine, seq) for seq in before}
        except (Failure, FileNotFoundError):
            # A commit of the daemon's may have come between.
            if before == generations(self.place, self.machine):
                raise
            return
        finally:
            for pid in held:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        if before == generations(self.place, self.machine):
            equal("what the generations show", shown, {self.first} if self.looks else {*shown})
            self.first = shown.pop()
            self.looks += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, failure, *_):
        try:
            if failure is None:  # one look takes long on a busy computer, and does not count where a commit came between
                wait_for(lambda: self.looks or self.error, 120, "somebody looked")
        finally:
            self._over = True
            self._thread.join()
        if self.error:
            raise self.error


__all__ = [name for name in globals() if not name.startswith("_")]
