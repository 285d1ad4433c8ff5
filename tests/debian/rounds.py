"""A real Debian machine and two computers: rounds of changes on all sides, each host's files as worked out
independently; trees that mean no good, and a hundred thousand files."""
import copy
import datetime
import json
import os
import pwd
import random
import threading
import time

from machine import *
from trees import Expectation, Hand, is_executable, snapshot

ROUNDS = int(os.environ.get("SATCHEL_ROUNDS", "10"))
MANY = int(os.environ.get("SATCHEL_MANY", "100000"))
SEED = int(os.environ.get("SATCHEL_SEED", "1"))
OWNER = pwd.getpwnam("games")  # an ordinary user that every Debian has


def syncing_host(name, rules):
    """A host that has folders for the machine's: {guest: folder}. rules(): the machine's UUID is not known before the pack."""
    home = os.path.join(WORLD, "home-" + name)
    os.makedirs(home, exist_ok=True)
    os.chown(home, OWNER.pw_uid, OWNER.pw_gid)
    host = new_host(name)
    host.folders = {guest: os.path.join(home, f"tree{number}") for number, guest in enumerate(rules)}
    return host


def settle(host, machine):
    configure_sync = [{"guest": guest, "to": folder, "owner": OWNER.pw_name} for guest, folder in host.folders.items()]
    host.configure({"libvirt": {"uri": host.uri}, "host_name": f"host-{host.name}", "space": {"keep_free_host": "64MiB"},
                    "capsules": {machine.uuid: {"sync": configure_sync}}})


def packed_at(host):
    """A stick with the machine, which runs at that host: (stick, machine)."""
    stick = new_stick("8G")
    machine = Debian(host)
    host.start()
    plug(host, stick)
    host.must("pack", machine.name, stick.node, timeout=900)
    machine.await_state(host, "running")
    return stick, machine


def minutes(begin, end):
    """Each minute of a span, as the names of conflicts and trash folders have it."""
    at = datetime.datetime.fromtimestamp(begin)
    while at.timestamp() <= end + 60:
        yield at.strftime("%Y-%m-%d %H.%M").encode()
        at += datetime.timedelta(minutes=1)


def differences(expected, real):
    return ([f"missing: {each} {expected[each][0]}" for each in expected if each not in real] +
            [f"not expected: {each} {real[each][0]}" for each in real if each not in expected] +
            [f"differs: {each}: {expected[each]!r:.80} expected, {real[each]!r:.80} found"
             for each in expected if each in real and expected[each] != real[each]])


def sync(host, machine):
    """(report by guest folder, minutes it may have named)"""
    begin = time.time()
    report = json.loads(host.must("--json", "sync", machine.name, timeout=3000))
    for rule in report["rules"]:
        expect(f"{rule['guest']}: {rule.get('fault')}", "fault" not in rule)
    return {rule["guest"]: rule for rule in report["rules"]}, list(minutes(begin, time.time()))


def check_synced(host, machine, stick, expectations):
    """Syncs, and compares each folder with what was worked out from what this computer's own kernel reads of the disks."""
    with machine.looked_at(stick) as looks:
        guests = {guest: snapshot(os.fsencode(place)) for guest, place in looks.items()}
        executable = {guest: {path for path, seen in tree.items() if seen[0] == "f" and
                              is_executable(os.path.join(os.fsencode(looks[guest]), path))}
                      for guest, tree in guests.items()}
    before = {guest: snapshot(os.fsencode(folder)) if os.path.isdir(folder) else {}
              for guest, folder in host.folders.items()}
    reports, moments = sync(host, machine)
    for guest, folder in host.folders.items():
        real = snapshot(os.fsencode(folder))
        wrong = {}
        for moment in moments:  # a long sync may begin in one minute and come to this folder in another
            expectation = copy.deepcopy(expectations[guest])
            expected, _, came = expectation.sync(guests[guest], before[guest], moment)
            wrong[moment] = differences(expected, real)
            if not wrong[moment]:
                break
        else:
            raise Failure(f"{guest} at {host.name}, {reports[guest]['summary']}:\n" + "\n".join(min(wrong.values(), key=len)))
        expectations[guest] = expectation
        for path, where in came.items():
            ours = os.path.join(os.fsencode(folder), where)
            if "vdd" not in guest and not os.path.islink(ours) and os.path.isfile(ours):
                equal(f"executable: {ours}", is_executable(ours), path in executable[guest])
            equal(f"owner of {ours}", os.lstat(ours).st_uid, OWNER.pw_uid)
    return reports


def change_host(host, chance):
    """People at this host change their files as well."""
    for folder in host.folders.values():
        hand = Hand(os.fsencode(folder), chance, None)
        for _ in range(chance.randrange(5)):
            hand.act()
        run("chown", "-hR", f"{OWNER.pw_uid}:{OWNER.pw_gid}", folder)


def rounds_on_two_hosts():
    """Round by round the machine goes from one host to the other and changes its files there, people change theirs, and
    each sync leaves the host as an independent expectation has it; ext4, xfs, btrfs, NTFS, LVM"""
    chance = random.Random(SEED)
    guests = ("/home/ann/Documents", "/srv/xfs/tree", "lvm/vg/ext:/tree", "vdc:/tree", "vdd:/tree")
    hosts = [syncing_host(name, guests) for name in "ab"]
    stick, machine = packed_at(hosts[0])
    expectations = [{guest: Expectation(b"debian") for guest in guests} for _ in hosts]
    here = hosts[0]
    for host in hosts:
        settle(host, machine)
    for number in range(ROUNDS):
        machine.tell(here, "/opt/satchel/act", str(SEED * 1000 + number), str(1_600_000_000 + number * 1000))
        machine.eject(here)
        pull(here, stick)
        here.stop()
        at = number % 2 if chance.randrange(4) else 1 - number % 2
        here = hosts[at]
        here.start()
        machine.insert(here, stick)
        reports = check_synced(here, machine, stick, expectations[at])
        say(f"  round {number + 1} at {here.name}: " +
            "; ".join(f"{guest} {rule['summary']}" for guest, rule in reports.items()))
        again, _ = sync(here, machine)
        for guest, rule in again.items():
            expect(f"{guest}, synced again: {rule['summary']}", rule["summary"].startswith("nothing to do"))
        say("    nothing to do: " + "; ".join(f"{guest} {rule['took']}" for guest, rule in again.items()))
        change_host(here, chance)
    machine.eject(here)


def files_in(folder):
    return sum(len(names) for place, _, names in os.walk(folder) if ".satchel" not in place)


def killed_in_the_middle(host, machine, folder):
    """A sync whose daemon is killed when a tenth of the files has come."""
    running = threading.Thread(target=host.ctl, args=("sync", machine.name), kwargs={"timeout": 3000})
    running.start()
    wait_for(lambda: files_in(folder) > MANY // 10, 1800, "a tenth of the files is there")
    host.kill()
    running.join()
    say(f"  killed after {files_in(folder)} files")
    host.start()
    machine.await_state(host, "running")


def hostile_trees_and_many_files():
    """A tree full of traps is synced without harm, a hundred thousand files come, and a second sync finds nothing to do"""
    host = syncing_host("a", ("/srv/xfs/hostile", "/srv/xfs/many"))
    stick, machine = packed_at(host)
    settle(host, machine)
    machine.tell(host, "/opt/satchel/hostile", str(MANY))
    machine.eject(host)
    pull(host, stick)
    host.stop()
    host.start()
    machine.insert(host, stick)
    witnesses = {path: os.stat(path).st_mtime_ns for path in ("/etc", "/etc/passwd", "/etc/shadow", WORLD)}
    hostile, many = (host.folders[guest] for guest in ("/srv/xfs/hostile", "/srv/xfs/many"))
    killed_in_the_middle(host, machine, many)
    first, _ = sync(host, machine)
    for path, seen in witnesses.items():
        equal(path, os.stat(path).st_mtime_ns, seen)
    lines = {line["path"]: line["text"] for line in first["/srv/xfs/hostile"]["lines"] if line["mark"] == "!"}
    for name in ("passwd", "up", "etc", "disk", "null", "pipe", "socket"):
        expect(f"no line on {name}: {lines}", name in lines)
        expect(f"{name} came", not os.path.lexists(os.path.join(hostile, name)))
    for name in ("fine.txt", "new\nline", "-rf", "$(reboot)", "%s%n"):
        with open(os.path.join(hostile, name)) as file:
            equal(name, file.read(), "harmless\n")
    program = os.path.join(hostile, "root-shell")
    equal("set-id bits", os.stat(program).st_mode & 0o7000, 0)
    equal("what it says", run(program, user=OWNER.pw_uid).stdout, f"it runs as {OWNER.pw_uid}\n")
    equal("files", files_in(many), MANY)
    for line in first["/srv/xfs/hostile"]["lines"]:
        say(f"  {line['mark']} {line['path'][:80]} {line['text']}")
    say(f"  first: {first['/srv/xfs/many']['summary']}: {first['/srv/xfs/many']['took']}")
    second, _ = sync(host, machine)
    for guest, rule in second.items():
        expect(f"{guest}: {rule['summary']}", rule["summary"].startswith("nothing to do"))
    say(f"  second: {second['/srv/xfs/many']['took']}")
    machine.eject(host)


if __name__ == "__main__":
    scenes("debian", rounds_on_two_hosts, hostile_trees_and_many_files)
