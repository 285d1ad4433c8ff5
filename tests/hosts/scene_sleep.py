"""Scene 4: the computer's sleep, as logind has it."""
import json

from checks import wait_for
from scenes import equal, expect

LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")


def goes_to_sleep(stage):
    """Asked to sleep while a machine is saved, the computer stays awake until that is done; asked later, it sleeps with the machine
    at work, which goes on when it wakes"""
    a, b = stage.a, stage.b
    stick, machine = stage.travelling()
    stick.plug(b, rate=400_000)
    machine.goes_on_at(b)
    equal("who holds sleep off", held_off(b), [])
    pending = b.begin("satchelctl", "eject", machine.name)
    b.await_state("ejecting")
    wait_for(lambda: held_off(b), 30, "sleep is held off", every=0.1)
    equal("who holds sleep off", held_off(b), [["sleep", f"Saving {machine.name} to its device.", "block"]])
    refused = suspend(b)
    expect(f"it was not refused: {refused.out}{refused.err}", refused.status != 0)
    done = b.finish(pending)
    expect(f"the eject failed: {done.out}{done.err}", done.status == 0)
    equal("who holds sleep off", wait_for(lambda: held_off(b) == [] and "nobody", 30, "sleep is no longer held off", every=0.1), "nobody")
    stick.pull()
    stick.plug(b, port=2)
    machine.goes_on_at(b)
    began = b.now()
    asked = suspend(b)
    expect(f"it may not sleep: {asked.out}{asked.err}", asked.status == 0)
    stage.timed("until b sleeps", lambda: b.qmp.await_event("SUSPEND"))
    b.qmp("system_wakeup")
    b.qmp.await_event("WAKEUP")
    stage.timed("until the machine goes on", lambda: machine.goes_on_at(b))
    told = b.journal(began)
    for sentence in (f"the computer goes to sleep with {machine.name} not ejected", "the computer is awake again"):
        expect(f"the journal does not say that {sentence}:\n{told}", sentence in told)
    machine.eject(b)
    stick.pull()
    stick.plug(a)
    machine.goes_on_at(a)
    machine.eject(a)


def held_off(host):
    """What satchel has logind wait for: what, why and how."""
    said = json.loads(host.run("busctl", "--json=short", "call", *LOGIND, "ListInhibitors").out)
    return [[what, why, mode] for what, who, why, mode, _, _ in said["data"][0] if who == "Satchel"]


def suspend(host):
    return host.in_session("ann", "busctl", "call", *LOGIND, "Suspend", "b", "false")


SCENES = (goes_to_sleep,)
