"""A machine on its way between two hosts: what a person does with it, where it comes to rest, and what has to hold then."""
import contextlib
import json
import os
import shutil

from checks import Failure, run, wait_for
from day import start_counter
from heard import Heard
from host import Host
from instants import other_node
from layers import NEVER, writers
from libvirtd import SystemHost
from stick import Stick
from travel import CAPSULE, Machine, new_host, throw_away
from verdict import Lost, Verdict

WORLD = os.environ.get("WORLD", "/nonexistent")
PATIENCE = 90  # seconds for what takes two
NEVER_WELL = ("failed", "diverged", "locked", "untrusted")


class Interrupted(Exception):
    """The deed was struck: nobody waits for its end any longer."""


class Journey:
    """One machine, its stick, its two hosts of which one at a time is awake."""

    def __init__(self, pullable=True, kind=SystemHost, **settings):
        settings = {"merge": NEVER, "fold": {"cow_limit": "0%"}, "cache": {"disks_of": "everywhere"}, **settings}
        self.hosts = [new_host(name, kind, **settings) for name in "ab"]
        self.where, self.stick = self.hosts[0], Stick("192M", pullable=pullable)
        self.heard = Heard()
        self.machine = Machine("traveller", self.heard)
        self.verdict, self.acknowledged = Verdict(WORLD), 0
        self.node, self.struck = None, False

    def begin(self, written=False):
        """The guest runs at the first host, which has the empty stick. written: its disk is one that it has used for long."""
        self.heard.at(start_counter(self.where, self.machine.name, written))
        self.heard.await_count(2)
        self.where.start()
        self.plug()

    def end(self):
        self.verdict.close()
        for host in self.hosts:
            host.kill()
            host.end_guests()
        throw_away(self.stick)
        Host.all.clear()

    def keep(self, directory):
        """All that there is to look at after a failure."""
        os.makedirs(directory, exist_ok=True)
        run("cp", "--sparse=always", self.stick.image, directory)
        for host in self.hosts:
            shutil.copytree(host.directory, os.path.join(directory, host.name), dirs_exist_ok=True, symlinks=True,
                            ignore=lambda place, names: [n for n in names if not is_plain(os.path.join(place, n))])

    # What a person does.

    def plug(self):
        """Under another node than the last time."""
        with other_node(self.stick, self.node):
            self.node = self.stick.plug()

    def pull(self):
        self.stick.pull()

    def go_elsewhere(self):
        """From a host at which it is not needed any more to the other one."""
        self.where.stop()
        self.where = next(host for host in self.hosts if host is not self.where)
        self.where.start()

    # Where it comes to rest.

    def now(self):
        return self.machine.here(self.where)

    def rest(self, *states, without=False):
        """Waits until nothing is under way and it is in one of these states; returns its properties, or None when the host
        knows nothing of it and `without` allows that."""
        def there():
            if self.struck:
                raise Interrupted
            now = self.now()
            if now is None and not without:
                raise Failure("the host shows no such machine")
            # Of a stick that is out it may be told before its going is.
            if now and now["State"] in NEVER_WELL and now["Job"] == "/" and self.stick.node:
                raise Lost(f"it is {now['State']}: {now['Detail']}")
            if now and (now["Job"] != "/" or now["State"] not in states):
                raise Failure(f"it is {now['State']}: {now['Detail']}")
            return now or "nothing"
        now = wait_for(there, PATIENCE, f"the machine rests, {' or '.join(states)}")
        if now == "nothing":
            return None
        self.acknowledged = max(self.acknowledged, now["Generation"])
        return now

    def is_stranded(self):
        """Kept on its host, without its stick."""
        self.rest("stranded")
        wait_for(lambda: self.struck or not self.where.guests(), PATIENCE, "the guest is saved on its host")
        if self.struck:
            raise Interrupted

    def clear_away(self):
        """As a pack that was disturbed has the person do: what it left on the stick, shown as failed, is removed."""
        for path, faces in self.where.objects().items():
            shown = faces.get(CAPSULE)
            if shown and shown["State"] == "failed" and "remove the capsule" in shown["Detail"] + shown["NextStep"]:
                shutil.rmtree(os.path.join(self.stick.mounted_at(), "satchel", shown["Id"]))

    # What has to hold.

    def listen(self):
        """Exactly one guest runs, and it goes on counting where it was, unbroken."""
        guests = [(host.name, pid) for host in self.hosts for pid in host.guests().values()]
        if len(guests) != 1:
            raise Lost(f"{len(guests)} guests run: {guests}")
        self.heard.at(serial_of(guests[0][1]))
        try:
            self.heard.await_more(2)
            self.heard.check_unbroken()
        except RuntimeError as broken:
            raise Lost(str(broken)) from broken
        except Failure as failure:
            raise Lost(str(failure)) from failure
        self.heard.forget()
        return guests[0][1]

    def look(self):
        """What is on the stick is whole, and no older than what was acknowledged."""
        wait_for(lambda: not writers(), 20, "nobody merges any more")
        mounted = self.stick.mounted_at()
        if not mounted:
            with self.stick.mount_ro() as place:
                self.verdict.check(place, self.acknowledged)
            return
        try:
            self.verdict.check(mounted, self.acknowledged)
        except Lost:
            # What a daemon asked for before it was killed is still done: UDisks2 may have unmounted it meanwhile.
            if self.stick.mounted_at() == mounted:
                raise
            self.look()

    def folders(self):
        """Those that the daemon writes to."""
        place = self.stick.mounted_at()
        return [self.where.state, self.where.runtime] + ([os.path.join(place, "satchel")] if place else [])


def is_plain(path):
    return os.path.isfile(path) or (os.path.isdir(path) and not os.path.islink(path))


def serial_of(pid):
    """The file that a QEMU's serial port goes to."""
    folder = f"/proc/{pid}/fd"
    for number in os.listdir(folder):
        with contextlib.suppress(OSError):
            path = os.readlink(os.path.join(folder, number))
            if path.endswith(".serial") or os.path.basename(os.path.dirname(path)) == "serial":
                return path
    raise Failure(f"QEMU {pid} has no serial port's file open")


class Deed:
    """begin: what comes before, undisturbed; act: what may be struck; result: the state that it ends in; is_quiet: the guest
    is not to notice anything."""

    def __init__(self, name, begin, act, result="running", is_quiet=False):
        self.name, self.begin, self.act, self.result, self.is_quiet = name, begin, act, result, is_quiet

    def complete(self, journey):
        """What a strike has left undone is done."""
        now = journey.now()
        if now is None or now["State"] != self.result or self.name in ("merge", "fold", "compact", "checkpoint"):
            self.act(journey)


def nothing(_):
    pass


def says(*words):
    """A command of satchelctl to the machine."""
    return lambda journey: journey.where.must(*words, journey.machine.name, timeout=PATIENCE)


def pack(journey):
    wait_for(lambda: journey.struck or journey.stick.mounted_at(), PATIENCE, "the stick is mounted")
    journey.clear_away()
    journey.where.must("pack", journey.machine.name, journey.stick.node, timeout=PATIENCE)
    journey.rest("running")


def eject(*options):
    def act(journey):
        journey.where.must("eject", *options, journey.machine.name, timeout=PATIENCE)
        journey.rest("safe")
    return act


def plug_here(journey):
    if journey.stick.node:
        journey.pull()
    journey.plug()


def plug_elsewhere(journey):
    journey.pull()
    journey.go_elsewhere()
    journey.plug()


def strand(journey):
    journey.pull()
    journey.is_stranded()


def disks_are_kept(journey):
    """This host has copies of them as they are under the session."""
    now = journey.now()
    kept = os.path.join(journey.where.state, "disks", now["Id"], "head.json")

    def are_kept():
        with open(kept, encoding="utf-8") as head:
            return json.load(head)["generation"]["seq"] == now["Generation"]
    wait_for(lambda: os.path.exists(kept) and are_kept(), PATIENCE, "its disks are kept here")


def go_on_without(journey):
    if journey.rest("stranded", "detached")["State"] == "stranded":
        journey.where.must("launch", journey.machine.name, "--without-device", timeout=PATIENCE)
    journey.rest("detached")


def bring_back(journey):
    if journey.stick.node:
        strand(journey)
    journey.plug()


def runs(journey):
    journey.rest("running")


DEEDS = {deed.name: deed for deed in (
    Deed("pack", nothing, pack, is_quiet=True),
    Deed("run", nothing, lambda journey: journey.heard.await_more(2), is_quiet=True),
    Deed("checkpoint", nothing, says("checkpoint"), is_quiet=True),
    Deed("merge", nothing, says("merge"), is_quiet=True),
    Deed("fold", nothing, says("fold"), is_quiet=True),
    Deed("compact", nothing, says("compact"), is_quiet=True),
    Deed("eject", nothing, eject(), "safe"),
    Deed("eject and merge", nothing, eject("--merge"), "safe"),
    Deed("insert", plug_here, runs),
    Deed("insert elsewhere", plug_elsewhere, runs),
    Deed("pull", disks_are_kept, strand, "stranded"),
    Deed("go on without", nothing, go_on_without, "detached"),
    Deed("back", bring_back, runs))}

MORNING = ("pack", "run", "checkpoint", "eject", "insert", "eject", "insert elsewhere", "merge", "eject", "insert elsewhere", "eject", "insert")
EVENING = ("fold", "compact", "eject", "insert elsewhere", "eject and merge", "insert", "run", "eject", "insert elsewhere", "merge", "eject")
KILL_DAY = MORNING + ("pull", "go on without", "back") + EVENING
PULL_DAY = MORNING + ("back",) + EVENING
