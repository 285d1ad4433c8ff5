"""A machine whose firmware is in flash, with variables of its own beside it."""
import json
import os

from scene_carry import as_a_witness_sees_it
from scenes import equal, expect

# SeaBIOS starts from flash as well, and boots what is too small for EFI. Which firmware it is, Satchel takes from its
# description, as of any other. libvirt's AppArmor profiles have firmware in few directories.
SEABIOS = "/usr/share/seabios/bios-256k.bin"
LOADER = "/usr/share/OVMF/SEABIOS.fd"
TEMPLATE = "/usr/share/OVMF/SEABIOS_VARS.fd"
DESCRIPTION = "/etc/qemu/firmware/10-seabios.json"


def firmware_variables_travel(stage):
    """A machine takes its firmware's variables along; on the computer they are a file of QEMU's user alone, below the session's directory"""
    a, b = stage.a, stage.b
    first = os.urandom(64 << 10)
    for host in (a, b):
        host.run("mkdir", "-p", os.path.dirname(TEMPLATE), os.path.dirname(DESCRIPTION))
        host.run("cp", SEABIOS, LOADER)
        host.put(TEMPLATE, first if host is a else bytes(64 << 10))
        host.put(DESCRIPTION, json.dumps(description()).encode())
    machine = stage.own_machine(firmware=f"    <loader readonly='yes' type='pflash'>{LOADER}</loader>\n"
                                         f"    <nvram template='{TEMPLATE}'>/var/lib/libvirt/qemu/nvram/own_VARS.fd</nvram>\n")
    stick = stage.stick()
    stick.plug(a)
    machine.pack(a, stick)
    machine.eject(a)
    stick.pull()
    stick.plug(b)
    machine.goes_on_at(b)
    as_a_witness_sees_it(b, stick, machine)
    has_variables(b, machine, first)
    machine.eject(b)
    equal("what b keeps of them", b.shell(f"ls -d /var/lib/satchel/sessions/{machine.uuid}", check=False).out, "")
    stick.pull()
    stick.plug(a)
    machine.goes_on_at(a)
    has_variables(a, machine, first)
    machine.eject(a)


def has_variables(host, machine, content):
    path = f"/var/lib/satchel/sessions/{machine.uuid}/nvram.fd"
    equal("owner and mode of the firmware's variables", host.run("stat", "-c", "%U %a", path).out.strip(), "libvirt-qemu 600")
    expect("the firmware's variables are others than at the start", host.hand.get(path) == content)
    expect("bob can read them", host.run("runuser", "-u", "bob", "--", "cat", path, check=False).status != 0)
    pid = host.run("pgrep", "-f", f"guest={machine.name}").out.split()[0]
    expect("QEMU has them not open", path in host.run("ls", "-l", f"/proc/{pid}/fd").out)


def description():
    return {"description": "SeaBIOS in flash", "interface-types": ["uefi"], "features": [], "tags": [],
            "mapping": {"device": "flash", "executable": {"filename": LOADER, "format": "raw"},
                        "nvram-template": {"filename": TEMPLATE, "format": "raw"}},
            "targets": [{"architecture": "x86_64", "machines": ["pc-i440fx-*"]}]}


SCENES = (firmware_variables_travel,)
