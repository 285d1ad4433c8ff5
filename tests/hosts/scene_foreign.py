"""Scene 7: sticks that are not ours."""
from checks import say
from scenes import equal, expect

FOREIGN = (("vfat FOTOS", dict(fs="vfat", label="FOTOS")), ("ext4 backup", dict(label="backup")), ("blank", dict(fs=None)),
           ("two partitions", dict(parts=(("exfat", "MUSIC", 32), ("ext4", "MY SATCHEL", 32)))))


def others_are_left_alone(stage):
    """Sticks that aren't ours start no daemon, are neither mounted nor written, and a daemon that runs says nothing of them"""
    b = stage.b
    sticks = [(what, stage.stick(size="32M", **how)) for what, how in FOREIGN]
    contents = [stick.content() for _, stick in sticks]
    b.run("systemctl", "stop", "satcheld.service")
    for what, stick in sticks:
        comes_and_goes(b, stick)
        expect(f"satcheld was started by: {what}", not b.running())
    b.run("systemctl", "start", "satcheld.service")
    began = b.now()
    for what, stick in sticks:
        comes_and_goes(b, stick)
        for line in b.journal(began).splitlines():
            say(f"    b's journal: {line}")
        equal(f"what satcheld says at {what}", b.journal(began), "")
    equal("what is on the sticks", [stick.content() for _, stick in sticks], contents)


def comes_and_goes(host, stick):
    """Plugged in, seen by udev and whoever listens to it, and pulled."""
    stick.plug(host)
    stick.node()
    host.run("udevadm", "settle")
    equal("what is mounted", host.mounts(), {})
    if host.running():
        equal("devices of satcheld", host.devices(), [])
    stick.pull()


SCENES = (others_are_left_alone,)
