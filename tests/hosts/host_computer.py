"""A computer with satchel installed: what its people do and see."""
import json
import os
import re

from checks import Failure, say, wait_for
from computer import Computer

SERVICE = "org.satchel.Satchel1"
CAPSULE, DEVICE = SERVICE + ".Capsule", SERVICE + ".Device"


def by(user):
    """The beginning of a command that somebody else gives, outside of any session."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


class Host(Computer):
    def become(self, name):
        """This computer's own identity: two from one snapshot have the same."""
        self.shell(f"hostnamectl hostname {name}; sed -i 's/ base$/ {name}/' /etc/hosts; "
                   "rm -f /etc/machine-id; systemd-machine-id-setup >/dev/null; systemctl restart systemd-journald")

    def begin_install(self, deb):
        with open(deb, "rb") as file:
            self.put("/root/" + os.path.basename(deb), file.read())
        return self.begin("apt-get", "-q", "-y", "--no-install-recommends", "install", "/root/" + os.path.basename(deb))

    def finish_install(self, pending):
        done = self.finish(pending)
        if done.status != 0:
            raise Failure(f"{self.name}: the package does not install:\n{done.out[-3000:]}{done.err[-3000:]}")

    # ---- satchel

    def ctl(self, *arguments, user=None, check=True, timeout=300):
        """satchelctl by root, or by somebody else."""
        return self.run(*(by(user) if user else []), "satchelctl", *arguments, check=check, timeout=timeout)

    def in_session(self, user, *command):
        """A program of somebody's user manager, as a click starts one: ann's belongs to the session at the computer, bob's to none."""
        return self.run("systemd-run", "-q", f"--machine={user}@", "--user", "--pipe", "--wait", "--collect", *command, check=False, timeout=240)

    def objects(self):
        """All that is on the bus, as an unprivileged person sees it: {path: {interface: {property: value}}}."""
        return self.hand.ask(objects=SERVICE, by="bob")["objects"]

    def told_by_busctl(self):
        """The same, by the program that people have."""
        said = self.run(*by("bob"), "busctl", "--system", "--json=short", "call", SERVICE, "/org/satchel/Satchel1",
                        "org.freedesktop.DBus.ObjectManager", "GetManagedObjects").out
        return {path: {face: {name: value["data"] for name, value in properties.items()} for face, properties in faces.items()}
                for path, faces in json.loads(said)["data"][0].items()}

    def capsule(self, name="counter"):
        """A machine's properties, or None while there is none of that name."""
        for path, faces in self.objects().items():
            if faces.get(CAPSULE, {}).get("Name") == name:
                return dict(faces[CAPSULE], path=path)
        return None

    def devices(self):
        return [dict(faces[DEVICE], path=path) for path, faces in self.objects().items() if DEVICE in faces]

    def await_state(self, *states, name="counter", seconds=180):
        """Waits until the machine is that; fails at once when it failed unasked."""
        def there():
            now = self.capsule(name)
            if now is None:
                raise Failure("it is not on the bus")
            if now["State"] == "failed" and "failed" not in states:
                raise RuntimeError(f"{self.name}: {name} failed: {now['Detail']}")
            if now["State"] not in states:
                raise Failure(f"it is {now['State']}: {now['Detail']}")
            return now
        return wait_for(there, seconds, f"{self.name}: {name} is {' or '.join(states)}", every=0.3)

    def running(self):
        return self.run("systemctl", "is-active", "satcheld.service", check=False).out.strip() == "active"

    def pid(self):
        return int(self.run("systemctl", "show", "-P", "MainPID", "satcheld.service").out)

    def journal(self, since=None, unit="satcheld.service"):
        when = ["--since", f"@{since:.3f}"] if since else []
        return self.run("journalctl", "-q", "--no-pager", "-o", "cat", "-u", unit, *when).out

    def now(self):
        return float(self.run("date", "+%s.%N").out)

    def shows(self, command="list", user="bob"):
        """Prints what a person there sees."""
        said = self.ctl(command, user=user, check=False)
        for line in (said.out + said.err).splitlines():
            say(f"    {self.name}$ {line}")

    # ---- sticks and witnesses

    def node(self, stick):
        """The node of a plugged stick, or None while udev has not told of it."""
        said = self.shell(f"readlink -e /dev/disk/by-id/usb-*{stick.serial}* | head -n 1", check=False).out.strip()
        return said or None

    def mounts(self):
        """What is mounted from USB sticks: {node: (place, type, options)}."""
        found = {}
        for line in self.hand.get("/proc/self/mountinfo").decode().splitlines():
            before, after = line.split(" - ")
            kind, node = after.split()[:2]
            if re.match(r"/dev/sd", node):
                found[node] = (before.split()[4], kind, before.split()[5])
        return found

    def domains(self):
        return self.run("virsh", "-q", "list", "--all", "--name").out.split()

    def denials(self):
        """What AppArmor refused since boot."""
        return [line for line in self.shell("journalctl -q -k --no-pager -o cat | grep 'apparmor=\"DENIED\"'", check=False).out.splitlines()]
