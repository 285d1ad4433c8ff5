"""Formats of a stick that fails the Nth request that it gets, whosever it is: the daemon's own probing, UDisks2's or mkfs's."""
import os

from checks import Failure, run
from failing import WORLD, Outcomes
from making import NotWhole, check_words, equal, expect
from recording import PreloadedHost
from stick import Stick
from travel import device, plug, throw_away, wait_for

# What nbdkit's plugin does first with each request of a kind; requests come one after the other.
FAIL = """if [ -e {order} ]; then
  read -r wanted number how <{order}
  if [ "$wanted" = {kind} ]; then
    n=$(( $(cat {count}) + 1 )); echo $n >{count}
    if [ $n -eq $number ]; then echo "$0" >{hit}; fi
    if [ $n -eq $number ] || {{ [ $how = on ] && [ $n -gt $number ]; }}; then
      {drop}
      if [ $how = lie ]; then exit 0; fi
      echo EIO >&2; exit 1
    fi
  fi
fi
"""


class FailingStick(Stick):
    """Fails the Nth request that changes something, or that reads, as it is told."""

    def __init__(self, size):
        super().__init__(size, pullable=True)
        self._order, self._count, self._hit = (os.path.join(WORLD, f"{self.name}.{end}") for end in ("order", "count", "hit"))

        def fail(kind, drop=":"):
            return FAIL.format(kind=kind, order=self._order, count=self._count, hit=self._hit, drop=drop)
        # What was read once would come from this computer's memory.
        self._loop = ["--direct-io=on"]
        self._medium = [
            "eval", f"get_size=echo {os.path.getsize(self.image)}", "can_write=exit 0", "can_flush=exit 0",
            f"pread={fail('look')}dd if={self.image} skip=$4 count=$3 iflag=skip_bytes,count_bytes status=none",
            f"pwrite={fail('change', 'cat >/dev/null')}dd of={self.image} seek=$4 oflag=seek_bytes conv=notrunc status=none",
            f"flush={fail('change')}exit 0"]

    def arm(self, kind, number, how):
        with open(self._count, "w") as file:
            file.write("0\n")
        with open(self._order + ".new", "w") as file:
            file.write(f"{kind} {number} {how}\n")
        os.replace(self._order + ".new", self._order)

    def disarm(self):
        """Whether the request was met."""
        os.unlink(self._order)
        try:
            os.unlink(self._hit)
            return True
        except FileNotFoundError:
            return False


class Format:
    name, writes_to, sides = "a format", "stick", {"stick": {"change": 1, "look": 1}}
    lies_from = 140  # before that the device is probed for what it really keeps, which notices

    def __init__(self):
        self.outcomes, self.stick = Outcomes(), FailingStick("48M")
        self.host = PreloadedHost("e", "powercut_faults.so", {}, {"on_insert": "ask"})
        self.host.start()
        plug(self.host, self.stick)

    def end(self):
        self.host.kill()
        throw_away(self.stick)

    def ask(self):
        return self.host.ctl("format", self.stick.node, "--yes")

    def fail_once(self, side, kind, number, how):
        """One format whose request of that number fails. Returns whether there were so many."""
        self.stick.arm(kind, number, how)
        status, output, errors = self.ask()
        failed = self.stick.disarm()
        try:
            if status != 0:
                expect("it fails although nothing was made to fail", failed)
                check_words(side, kind, status, output + errors)
                again = self.ask()
                expect(f"another try fails: {again}", again[0] == 0)
            try:
                self.is_whole()
            except Failure as not_whole:
                raise NotWhole(f"it is told as done, and {not_whole}") from not_whole
        except Failure as failure:
            raise type(failure)(f"{kind} {number} of {self.name} fails ({how}): {failure}\n"
                          f"satchelctl said, with status {status}: {output[-600:]}{errors[-600:]}") from failure
        self.outcomes.count("done" if not failed else "done all the same" if status == 0 else "failed, then done")
        return failed

    def is_whole(self):
        """An empty filesystem, sound and on the medium, that the host shows."""
        wait_for(lambda: (seen := device(self.host, self.stick)) and seen["MountPoint"], 60, "the host shows the stick, mounted")
        self.host.must("eject", self.stick.node)
        checked = run("e2fsck", "-f", "-n", self.stick.image, check=False)
        equal("the status of e2fsck", checked.returncode, 0)
        equal("its label", run("e2label", self.stick.image).stdout.strip(), "SATCHEL")
        with self.stick.mount_ro() as place:
            equal("what is on it", os.listdir(place), ["lost+found"])
