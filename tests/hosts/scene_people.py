"""Scene 9: who may do what, by the real polkitd."""
from host_computer import by
from scenes import equal, expect

NOT_AUTHORISED = 5


def who_may_what(stage):
    """Ann, who sits at the computer, may eject and launch; bob may not; nobody but root may pack or format"""
    b = stage.b
    stick, machine = stage.travelling()
    stick.plug(b)
    machine.goes_on_at(b)
    blank = stage.stick(size="32M", fs=None).plug(b, port=2)
    node, content, node_of_stick = blank.node(), blank.content(), stick.node()
    for who, ask in (("bob, logged in nowhere", by_himself("bob")), ("bob, in the background", in_session("bob"))):
        refused(b, ask, who, "eject", machine.name)
    for who, ask in (("bob", by_himself("bob")), ("ann", in_session("ann"))):
        refused(b, ask, who, "pack", machine.name, node_of_stick)
        refused(b, ask, who, "format", "--yes", node)
    asked = what_an_agent_shows(b, "pack", machine.name, node_of_stick)
    expect(f"nobody is told what a password is for: {asked}",
           f"Authentication is required to pack the machine: {machine.name}, on {node_of_stick} (SATCHEL)" in asked)
    unmounted = by_himself("bob")(b, "udisksctl", "unmount", "--no-user-interaction", "-b", node_of_stick)
    expect(f"bob can unmount: {unmounted.out}{unmounted.err}", unmounted.status != 0 and "Not authorized" in unmounted.err)
    equal("the machine's state", b.capsule()["State"], "running")
    blank.pull()
    equal("what is on the blank stick", blank.content(), content)

    said = b.in_session("ann", "satchelctl", "eject", machine.name)
    expect(f"ann can't eject: {said.out}{said.err}", said.status == 0 and "You can unplug" in said.out)
    machine.is_safe(b)
    stick.pull()
    waits_for_a_person(b)
    stick.plug(b)
    b.await_state("ready")
    refused(b, by_himself("bob"), "bob", "launch", machine.name)
    said = b.in_session("ann", "satchelctl", "launch", machine.name)
    expect(f"ann can't launch: {said.out}{said.err}", said.status == 0)
    machine.goes_on_at(b)
    machine.eject(b)


def by_himself(user):
    return lambda host, *command: host.run(*by(user), *command, check=False)


def in_session(user):
    return lambda host, *command: host.in_session(user, *command)


def refused(host, ask, who, *command):
    """satchelctl says so, with the exit status that tells a program."""
    done = ask(host, "satchelctl", *command)
    expect(f"{who}: satchelctl {' '.join(command)}: status {done.status}, {done.out}{done.err}",
           done.status == NOT_AUTHORISED and "you may not (polkit action org.satchel." in done.err)


def what_an_agent_shows(host, *command):
    """What ann reads on a terminal when a password is wanted, which she does not have."""
    host.put("/usr/local/bin/ask", AGENT.encode(), 0o755)
    return host.in_session("ann", "timeout", "100", "script", "-qec", " ".join(("ask", *command)), "/dev/null").out


AGENT = """#!/bin/sh
mkfifo "$XDG_RUNTIME_DIR/agent"
pkttyagent --process $$ --notify-fd 3 3>"$XDG_RUNTIME_DIR/agent" &
read -r _ <"$XDG_RUNTIME_DIR/agent"
exec satchelctl "$@"
"""


def waits_for_a_person(host):
    host.put("/etc/satchel/satchel.yaml", b"on_insert: ask\n")
    host.run("systemctl", "restart", "satcheld.service")


SCENES = (who_may_what,)
