"""Hosts: satcheld with directories of its own and libvirt's embedded driver. Of the hosts in a world one at
a time may run, as each wants the same name on the bus."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading

from checks import PATIENCE, Failure, run, wait_for
from guest import Ticks, domain_xml, make_disk, write_disk

WORLD = os.environ.get("WORLD", "/nonexistent")
BUILD = os.environ.get("SATCHEL_BUILD", "/nonexistent")
NAME = "org.satchel.Satchel1"
QUERIES = ("dumpxml", "list", "ttyconsole")

# QEMU as root, with nothing that needs systemd, cgroups or security labels.
QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
security_default_confined = 0
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
"""


class Host:
    """A computer that runs satcheld. Its name should be one letter: socket paths below it are long."""

    all = []

    def __init__(self, name, settings=None):
        self.name, self.process, self.notified = name, None, []
        self.directory = os.path.join(WORLD, name)
        self.state, self.runtime, self.configuration, self.root = (
            os.path.join(self.directory, part) for part in ("state", "run", "etc", "v"))
        self.log_path = os.path.join(self.directory, "log")
        for place in (self.state, self.runtime, self.configuration, os.path.join(self.root, "etc")):
            os.makedirs(place, mode=0o711, exist_ok=True)
        with open(os.path.join(self.root, "etc", "qemu.conf"), "w") as file:
            file.write(QEMU_CONF)
        self.uri = f"qemu:///embed?root={self.root}"
        # JSON is YAML.
        self.configure({"libvirt": {"uri": self.uri}, **(settings or {})})
        Host.all.append(self)

    def configure(self, settings):
        """Replace satchel.yaml, for the next start."""
        with open(os.path.join(self.configuration, "satchel.yaml"), "w") as file:
            json.dump(settings, file, indent=2)
            file.write("\n")

    def environment(self):
        return dict(os.environ, STATE_DIRECTORY=self.state, RUNTIME_DIRECTORY=self.runtime,
                    CONFIGURATION_DIRECTORY=self.configuration)

    def start(self, seconds=60):
        """Start satcheld; returns once it said READY=1 and owns its name."""
        address = os.path.join(self.directory, "notify")
        if os.path.exists(address):
            os.unlink(address)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self.notified = []
        # As systemd does, all the time: who tells it something waits while nobody reads.
        self._listener = threading.Thread(target=self._listen, args=(self._socket, self.notified), daemon=True)
        self._listener.start()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([program("satcheld")], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=dict(self.environment(), NOTIFY_SOCKET=address),
                                            start_new_session=True)
        wait_for(self._ready, seconds, f"satcheld of host {self.name} is ready\n{self.log()[-3000:]}")

    def _ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"satcheld ended with status {self.process.returncode}:\n{self.log()[-3000:]}")
        return "READY=1" in self.notifications() and self.owns_name()

    def notifications(self):
        """All that the daemon told systemd since its start, line by line."""
        return list(self.notified)

    @staticmethod
    def _listen(heard, notified):
        while told := heard.recv(65536):
            notified += told.decode().splitlines()

    @staticmethod
    def owns_name():
        return run("busctl", "--system", "--no-pager", "status", NAME, check=False).returncode == 0

    def stop(self, seconds=60):
        """Stop satcheld as systemd does; returns its exit status. Guests go on running."""
        return self._end(signal.SIGTERM, seconds)

    def kill(self):
        """Kill satcheld, as a crash would."""
        return self._end(signal.SIGKILL, 10)

    def _end(self, number, seconds):
        if self.process is None:
            return None
        process, self.process = self.process, None
        process.send_signal(number)
        try:
            return process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired as late:
            process.kill()
            process.wait()
            raise Failure(f"satcheld of host {self.name} does not stop\n{self.log()[-3000:]}") from late
        finally:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._listener.join()
            self._socket.close()

    def log(self):
        try:
            with open(self.log_path, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def ctl(self, *arguments, timeout=300, **options):
        """satchelctl; returns (exit status, output, errors)."""
        done = run(program("satchelctl"), *arguments, check=False, timeout=timeout, env=self.environment(),
                   **options)
        return done.returncode, done.stdout, done.stderr

    def must(self, *arguments, timeout=300):
        """satchelctl that has to succeed; returns its output."""
        status, output, errors = self.ctl(*arguments, timeout=timeout)
        if status != 0:
            raise Failure(f"satchelctl {' '.join(map(str, arguments))}: exit status {status}\n{output}{errors}")
        return output

    def status(self):
        """satchelctl --json status, parsed."""
        return json.loads(self.must("--json", "status"))

    @staticmethod
    def busctl(*arguments, check=True):
        """busctl on the world's system bus, as an independent witness; returns its output."""
        return run("busctl", "--system", "--no-pager", *arguments, check=check).stdout

    @classmethod
    def property(cls, path, interface, name):
        """A property's value, by busctl."""
        shown = cls.busctl("--json=short", "get-property", NAME, path, interface, name)
        return json.loads(shown)["data"]

    def objects(self):
        """All objects on the bus: {path: {interface: {property: value}}}."""
        shown = self.busctl("--json=short", "call", NAME, "/org/satchel/Satchel1",
                            "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        return {path: {interface: {name: value["data"] for name, value in properties.items()}
                       for interface, properties in interfaces.items()}
                for path, interfaces in json.loads(shown)["data"][0].items()}

    def virsh(self, *arguments, check=True, timeout=120):
        """virsh on this host's guests; only while satcheld, which has the same root open, does not run."""
        if self.process is not None:
            raise Failure("virsh and satcheld cannot both have an embedded driver's root")
        command = ("virsh", "-q", "-c", self.uri, *arguments)
        # libvirt's embedded driver crashes now and then as virsh ends: what only asks is asked once more.
        if arguments[0] in QUERIES and (answer := run(*command, check=False, timeout=timeout)).returncode == 0:
            return answer.stdout
        return run(*command, check=check, timeout=timeout).stdout

    def new_guest(self, name, append="", disks=1, format="qcow2", start=True, efi=False, content=None, **domain):
        """Define a test machine here and start it; returns its Ticks. Its disks are DIRECTORY/NAME-vda…; content: the first
        disk's bytes, of a machine other than tests/guest."""
        serial = os.path.join(self.directory, name + ".serial")
        place = [os.path.join(self.directory, f"{name}-{disk}.{format}") for disk in ("vda", "vdb")[:disks]]
        if content:
            write_disk(place[0], content, format)
        else:
            make_disk(place[0], append + (" satchel.disks=2" if disks == 2 else ""), format)
        if disks == 2:
            make_disk(place[1], format=format, empty=64)
        description = os.path.join(self.directory, name + ".xml")
        with open(description, "w") as file:
            file.write(domain_xml(name, place, format=format, serial=serial,
                                  efi=os.path.join(self.directory, name + ".nvram") if efi else None, **domain))
        self.virsh("define", description)
        if start:
            self.virsh("start", name)
        return Ticks(serial)

    def serial_of(self, capsule):
        """The Ticks of a capsule that this host launched, by its UUID; all its sessions here in one file."""
        return Ticks(os.path.join(self.state, "serial", capsule + ".log"))

    def guests(self):
        """Process ids of the QEMUs that run on this host, by name of the guest."""
        return qemus(lambda _, words: any(self.root + "/" in word for word in words))

    def end_guests(self):
        """Kill what runs here, as a power cut would."""
        for pid in self.guests().values():
            os.kill(pid, signal.SIGKILL)


def qemus(belongs):
    """Process ids of QEMUs by name of the guest: those of which belongs(pid, its command line) holds."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
            if os.path.basename(words[0]).startswith("qemu-system") and belongs(pid, words):
                name = next((w for w in words if w.startswith("guest=")), "guest=?").split(",")[0]
                found[name.removeprefix("guest=")] = int(pid)
    return found


def program(name):
    """A program of the build."""
    for folder in ("daemon", "cli", "bin", "."):
        path = os.path.join(BUILD, folder, name)
        if os.path.isfile(path):
            return path
    raise RuntimeError(f"no {name} in the build $SATCHEL_BUILD={BUILD}")
