"""Computers whose guests are libvirtd's, as on real ones: they, and what libvirt does with them, outlive satcheld."""
import contextlib
import os
import subprocess
import threading

from checks import run, say, wait_for
from host import QEMU_CONF, Host, qemus

SOCKET = "/run/libvirt/libvirt-sock"
# What a libvirtd has to itself: in the world it lies below its own directory.
PLACES = ("/etc/libvirt", "/run/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")
ENTER = 'for place in %s; do mkdir -p "$0$place" "$place" && mount --bind "$0$place" "$place" || exit 1; done; exec libvirtd --pid-file "$0.pid"'


class Libvirtd:
    """The system's libvirtd with directories of its own, in a mount namespace that sees what is mounted outside of it. Of
    several, one at a time is the one that programs reach. One that ends by itself is started anew, as systemd does it."""

    MOST_ENDS = 3

    def __init__(self, directory):
        self.directory, self.process, self.ends = directory, None, 0

    def serve(self):
        """Is there, and the one that programs reach."""
        if self.process is None:
            self._start()
        os.makedirs(os.path.dirname(SOCKET), exist_ok=True)
        own = self.directory + SOCKET
        if not os.path.islink(SOCKET) or os.readlink(SOCKET) != own:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(SOCKET)
            os.symlink(own, SOCKET)
        wait_for(self._answers, 60, "libvirtd answers")

    def _start(self):
        configuration = os.path.join(self.directory + "/etc/libvirt", "qemu.conf")
        os.makedirs(os.path.dirname(configuration), exist_ok=True)
        with open(configuration, "w") as file:
            file.write(QEMU_CONF)
        with open(os.path.join(self.directory, "libvirtd.log"), "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "-m", "--propagation", "slave", "sh", "-c", ENTER % " ".join(PLACES), self.directory],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        threading.Thread(target=self._watch, args=(self.process,), daemon=True).start()

    def _watch(self, process):
        process.wait()
        if self.process is not process:
            return  # it was ended
        self.ends += 1
        say(f"libvirtd ended by itself with status {process.returncode}")
        if self.ends <= self.MOST_ENDS:
            self._start()

    def _answers(self):
        if self.ends > self.MOST_ENDS:
            with open(os.path.join(self.directory, "libvirtd.log"), errors="replace") as file:
                raise RuntimeError(f"libvirtd ends again and again:\n{file.read()[-3000:]}")
        return run("virsh", "-q", "-c", SystemHost.URI, "version", check=False).returncode == 0

    def end(self):
        """As a power cut would; what it had started runs on."""
        process, self.process = self.process, None
        if process:
            process.kill()
            process.wait()

    def guests(self):
        """Process ids by name: those that see its directories."""
        own = self.directory + "/var/lib/libvirt"
        return qemus(lambda pid, _: os.path.samefile(f"/proc/{pid}/root/var/lib/libvirt", own))


class SystemHost(Host):
    """A computer with a libvirtd, of its own unless it is given one."""

    URI = "qemu:///system"

    def __init__(self, name, settings=None, libvirtd=None):
        super().__init__(name, {"libvirt": {"uri": self.URI}, **(settings or {})})
        self.uri, self.libvirtd = self.URI, libvirtd or Libvirtd(os.path.join(self.directory, "l"))
        self.root = self.libvirtd.directory

    def start(self, seconds=60):
        self.libvirtd.serve()
        super().start(seconds)

    def virsh(self, *arguments, check=True, timeout=120):
        self.libvirtd.serve()
        return run("virsh", "-q", "-c", self.uri, *arguments, check=check, timeout=timeout).stdout

    def guests(self):
        return self.libvirtd.guests()

    def end_guests(self):
        """As a power cut would, and libvirtd with them."""
        self.libvirtd.end()
        super().end_guests()

    def forget_guests(self):
        """No machine runs or is defined any more."""
        for name in self.virsh("list", "--all", "--name").split():
            self.virsh("destroy", name, check=False)
            self.virsh("undefine", "--nvram", name, check=False)
