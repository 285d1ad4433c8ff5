#!/usr/bin/python3
"""What scenarios build on does what it says: sticks, the test guest, libvirt's embedded driver."""
import os

from world import Failure, Host, Stick, play, wait_for

UDISKS = "org.freedesktop.UDisks2"


def ask_udisks(stick, method):
    return Host.busctl("call", UDISKS, f"/org/freedesktop/UDisks2/block_devices/{os.path.basename(stick.node)}",
                       f"{UDISKS}.Filesystem", method, "a{sv}", "0", check=False)


def mount(stick):
    wait_for(lambda: "/media/" in ask_udisks(stick, "Mount"), 20, f"UDisks2 mounts {stick.node}")
    return stick.mounted_at()


def write(path, size):
    with open(path, "wb", buffering=0) as file:
        file.write(os.urandom(size))
        os.fsync(file.fileno())


def expect_error(act):
    try:
        act()
    except OSError:
        return
    raise Failure("no error was reported")


def a_stick_is_tagged_mounted_and_read_back():
    """A stick with our label is tagged while it is there, mounts where people see it, and can be looked at
    from outside"""
    stick = Stick("64M")
    stick.plug()
    properties = stick.properties()
    assert ":satchel:" in properties["CURRENT_TAGS"] and properties["UDISKS_AUTO"] == "0", properties
    place = mount(stick)
    assert place == "/media/SATCHEL", place
    assert os.stat(place).st_mode & 0o005 == 0o005
    write(os.path.join(place, "some"), 1 << 20)
    assert stick.crossed()[1] >= 1 << 20
    with stick.mount_ro() as look:
        assert os.path.getsize(os.path.join(look, "some")) == 1 << 20
    ask_udisks(stick, "Unmount")
    node = stick.node
    stick.pull()
    stick.node = node
    assert ":satchel:" not in stick.properties().get("CURRENT_TAGS", ""), "the tag stays"
    stick.node = None


def other_labels_are_left_alone():
    """A stick with another label is not ours, in lower case it is"""
    for label, ours in (("HOLIDAY", False), ("satchel-blue", True), ("SATCHEL2", True), ("MYSATCHEL", False)):
        stick = Stick("16M", label=label)
        stick.plug()
        assert (":satchel:" in stick.properties().get("CURRENT_TAGS", "")) == ours, label
        assert ("UDISKS_AUTO" in stick.properties()) == ours, label
        stick.pull()


def a_pullable_stick_fails_and_vanishes():
    """A pullable stick can fail its writes, is gone at once in use, and comes back with what was synced"""
    stick = Stick("64M", pullable=True)
    stick.plug()
    place = mount(stick)
    write(os.path.join(place, "kept"), 100_000)
    stick.fail("pwrite")
    expect_error(lambda: write(os.path.join(place, "lost"), 100_000))
    stick.heal()
    stick.pull()
    expect_error(lambda: write(os.path.join(place, "later"), 100_000))
    with stick.mount_ro() as look:
        assert os.path.getsize(os.path.join(look, "kept")) == 100_000


def the_guest_survives_a_save():
    """The test guest, on two disks and writing hard, goes on unbroken after a save and a restore, and boots
    from its disk alone"""
    host = Host("a")
    ticks = host.new_guest("box", append="satchel.hard=2", disks=2)
    ticks.await_count(5)
    image = os.path.join(host.directory, "saved")
    host.virsh("save", "box", image)
    assert not host.guests()
    host.virsh("restore", image)
    ticks.await_more(10)
    ticks.check_unbroken()
    host.end_guests()
    last = ticks.last()
    wait_for(lambda: not host.guests(), 10, "the guest is dead")
    wait_for(lambda: host.virsh("list", "--name").strip() == "", 20, "libvirt knows")
    host.virsh("start", "box")
    wait_for(lambda: len(ticks.boots()) == 2 or ticks.broken(), 60, "the guest boots again")
    assert last <= ticks.boots()[1] <= last + 1, (last, ticks.boots())
    ticks.await_more(3)
    ticks.check_unbroken()


def the_guest_boots_by_efi_and_halts_by_itself():
    """The same disk boots by EFI, as raw on a pc machine too, and the guest powers itself off where told"""
    host = Host("b")
    by_efi = host.new_guest("efi", append="satchel.halt=8", efi=True)
    by_bios = host.new_guest("bios", append="satchel.halt=8", format="raw", machine="pc")
    for ticks in (by_efi, by_bios):
        wait_for(lambda: ticks.halted() or ticks.broken(), 120, f"a guest halts {ticks.lines()[-1:]}")
        assert ticks.check_unbroken() == list(range(1, 9))


if __name__ == "__main__":
    play("world", a_stick_is_tagged_mounted_and_read_back, other_labels_are_left_alone,
         a_pullable_stick_fails_and_vanishes, the_guest_survives_a_save,
         the_guest_boots_by_efi_and_halts_by_itself)
