"""The job that makes a filesystem: its stick, which stops within requests, and what is looked at."""
import os

from checks import run, wait_for
from rig import Holding
from scene import Scene
from stick import Stick
from travel import Machine, device, equal, plug

# What nbdkit does first with each request that changes something: at the one that the order counts up to, of those that
# come while mkfs is at work, it stops, and says so as a program of the daemon's does.
STOP = """if read -r deed who number <{order} 2>/dev/null && [ "$deed $who" = "request mkfs" ] && pgrep -x 'mkfs.ext4|mke2fs' >/dev/null; then
  n=$(( $(cat {order}.count 2>/dev/null || echo 0) + 1 )); echo $n >{order}.count
  if [ $n -eq $number ]; then echo "$$ request mkfs" >{order}.hit; kill -STOP $$; fi
fi
"""


class StoppingStick(Stick):
    """Stops at the Nth request of mkfs's that changes something."""

    def __init__(self, order):
        super().__init__("48M", pullable=True)
        stop = STOP.format(order=order)
        self._medium = [
            "eval", f"get_size=echo {os.path.getsize(self.image)}", "can_write=exit 0", "can_flush=exit 0",
            f"pread=dd if={self.image} skip=$4 count=$3 iflag=skip_bytes,count_bytes status=none",
            f"pwrite={stop}dd of={self.image} seek=$4 oflag=seek_bytes conv=notrunc status=none", f"flush={stop}exit 0"]


class Format(Scene):
    """Of a stick that is plugged in, and was one of Satchel's before."""

    settings = {"on_insert": "ask"}

    def __init__(self, base, instants, verdict):
        super().__init__(base, instants, verdict, stick=StoppingStick(instants.path))
        self.machine = Machine("traveller")

    def prepare(self):
        super().prepare()
        plug(self.host, self.stick)
        self.command = ("format", self.stick.node, "--yes")

    def look(self):
        """A stick that is half made holds nothing; nor does one that can't be mounted."""
        if not self.stick.mounted_at() and run("e2fsck", "-f", "-n", self.stick.image, check=False).returncode != 0:
            return Holding.nothing()
        return super().look()

    def ask_again(self):
        self.host.must("format", self.stick.node, "--yes")

    def end(self):
        """An empty filesystem, sound and on the medium, that the host shows."""
        wait_for(lambda: (seen := device(self.host, self.stick)) and seen["MountPoint"], 60, "the host shows the stick, mounted")
        self.host.must("eject", self.stick.node)
        equal("the status of e2fsck", run("e2fsck", "-f", "-n", self.stick.image, check=False).returncode, 0)
        equal("its label", run("e2label", self.stick.image).stdout.strip(), "SATCHEL")
        with self.stick.mount_ro() as place:
            equal("what is on it", os.listdir(place), ["lost+found"])
