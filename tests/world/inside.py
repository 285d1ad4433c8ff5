"""What happens in a private world: its mounts and devices, its services, then the command."""
import glob
import os
import shutil
import signal
import stat
import subprocess
import sys
import time

import kernel

UDEVD = "/usr/lib/systemd/systemd-udevd"
UDISKSD = "/usr/libexec/udisks2/udisksd"
POLKITD = "/usr/lib/polkit-1/polkitd"
TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUS = "/run/dbus/system_bus_socket"
LOOPS = 256
# Seconds that a service may take to be ready, on a busy machine.
PATIENCE = 30 * float(os.environ.get("SATCHEL_PATIENCE", "1"))

# A loop device that belongs to another world, or to the machine, is none of this one's business; nor is one
# that a scenario attached to look at a stick independently. Nobody here opens it.
FENCE = """\
SUBSYSTEM!="block", GOTO="world_end"
KERNEL!="loop*", GOTO="world_alien"
TEST!="loop/backing_file", GOTO="world_end"
ATTR{{loop/backing_file}}=="{world}/look/*", GOTO="world_alien"
ATTR{{loop/backing_file}}=="{world}/*", GOTO="world_end"
LABEL="world_alien"
ENV{{UDEV_DISABLE_PERSISTENT_STORAGE_RULES_FLAG}}="1", ENV{{UDISKS_IGNORE}}="1"
OPTIONS+="nowatch"
LABEL="world_end"
"""

BUS_CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={bus}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
  </policy>
  <policy user="root">
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/>
  </policy>
  <include ignore_missing="yes">/usr/share/dbus-1/system.d/org.freedesktop.UDisks2.conf</include>
  <include ignore_missing="yes">/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>
  <include ignore_missing="yes">{tree}/config/dbus/org.satchel.Satchel1.conf</include>
</busconfig>
"""


def missing_programs():
    """Names of needed programs that this machine lacks."""
    names = ["dbus-daemon", "busctl", "losetup", "mke2fs", "udevadm", "mount", UDEVD, UDISKSD]
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [name for name in names if not shutil.which(name, path=path)]


def be_first_process(world, command):
    """As process 1: start the rest as a child, reap orphans, end with the child's status, and with that
    everything else in the world."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = furnish_and_run(world, command)
        except Exception as error:
            print(f"enter: {error}", file=sys.stderr)
        finally:
            sys.stderr.flush()
            os._exit(status)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM))
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status) % 256


def furnish_and_run(world, command):
    logs = os.path.join(world, "log")
    for name in ("log", "look", "world"):
        os.mkdir(os.path.join(world, name))
    os.environ.update(WORLD=world, DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={BUS}",
                      PATH=os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin",
                      PYTHONPATH=os.path.join(TREE, "tests", "world"), PYTHONDONTWRITEBYTECODE="1")
    os.environ.setdefault("SATCHEL_SOURCE", TREE)
    show_kernel()
    for name in ("DBUS_SESSION_BUS_ADDRESS", "NOTIFY_SOCKET", "XDG_RUNTIME_DIR", "LIBVIRT_DEFAULT_URI"):
        os.environ.pop(name, None)
    mount_all(world)
    kernel.loopback_up()
    start_bus(world, logs)
    start_udev(world, logs)
    if os.path.exists(POLKITD):
        start_service(logs, "polkitd", [POLKITD, "--no-debug"], "org.freedesktop.PolicyKit1")
    start_service(logs, "udisksd", [UDISKSD], "org.freedesktop.UDisks2")
    status = run_command(command)
    keep_logs(logs)
    return status


def show_kernel():
    """libguestfs' appliance boots an installed kernel; where there is none, the one that packaging/quickstart
    unpacked. supermin, which builds the appliance, wants a /lib/modules to be there all the same."""
    unpacked = os.path.join(TREE, "build", "kernel")
    found = sorted(glob.glob(os.path.join(unpacked, "boot", "vmlinuz-*")))
    if found and not glob.glob("/lib/modules/*/modules.dep"):
        version = os.path.basename(found[-1]).removeprefix("vmlinuz-")
        os.environ.update(SUPERMIN_KERNEL=found[-1], SUPERMIN_KERNEL_VERSION=version,
                          SUPERMIN_MODULES=os.path.join(unpacked, "lib", "modules", version))
        os.makedirs("/lib/modules", exist_ok=True)


def run_command(command):
    running = subprocess.Popen(command)

    def end(*_):
        running.terminate()
        signal.signal(signal.SIGALRM, lambda *_: running.kill())
        signal.alarm(3)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from a terminal it has reached the command as well
    status = running.wait()
    return status if status >= 0 else 128 - status


def keep_logs(logs):
    """$SATCHEL_WORLD_LOGS names a directory that gets a copy of the services' logs."""
    wanted = os.environ.get("SATCHEL_WORLD_LOGS")
    if wanted:
        shutil.copytree(logs, wanted, dirs_exist_ok=True)


def mount_all(world):
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    make_devices(os.path.join(world, "world"))
    for place in ("/run", "/media", "/var/lib/udisks2"):
        if os.path.isdir(place):
            kernel.mount("tmpfs", place, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=0755")
    for place in ("/run/dbus", "/run/udev/rules.d", "/run/lock", "/run/mount"):
        os.makedirs(place)
    show_policies(world)
    show_qemu_user(world)


def make_devices(place):
    """A /dev of its own: the machine's character devices, loop devices, no disk."""
    kernel.mount("tmpfs", place, "tmpfs", kernel.MS_NOSUID, "mode=0755")
    for folder, folders, files in os.walk("/dev"):
        folders[:] = [name for name in folders if name not in
                      ("pts", "shm", "disk", "block", "char", "mapper", "mqueue", "hugepages")
                      and not os.path.islink(os.path.join(folder, name))]
        target = os.path.join(place, os.path.relpath(folder, "/dev"))
        os.makedirs(target, exist_ok=True)
        for name in files:
            node = os.lstat(os.path.join(folder, name))
            copy = os.path.join(target, name)
            if stat.S_ISCHR(node.st_mode):
                os.mknod(copy, node.st_mode, node.st_rdev)
                os.chmod(copy, stat.S_IMODE(node.st_mode))
                os.chown(copy, node.st_uid, node.st_gid)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, os.path.join(place, name))
    for number in range(LOOPS):
        os.mknod(os.path.join(place, f"loop{number}"), stat.S_IFBLK | 0o660, os.makedev(7, number))
    for name, minor in (("loop-control", 237), ("fuse", 229)):  # opening one loads its module
        if not os.path.exists(os.path.join(place, name)):
            os.mknod(os.path.join(place, name), stat.S_IFCHR | 0o660, os.makedev(10, minor))
    for name in ("pts", "shm"):
        os.mkdir(os.path.join(place, name))
    kernel.mount("/dev/pts", os.path.join(place, "pts"), flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.mount("tmpfs", os.path.join(place, "shm"), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV)
    # systemd's. libvirt looks at each mount of hugetlbfs that the kernel tells of, and this one would be out of its sight.
    if os.path.ismount("/dev/hugepages"):
        kernel.umount("/dev/hugepages")
    kernel.mount(place, "/dev", flags=kernel.MS_MOVE)


def show_policies(world):
    """Add the tree's polkit actions to those of the machine."""
    actions = "/usr/share/polkit-1/actions"
    ours = os.path.join(TREE, "config", "polkit")
    if not os.path.isdir(actions) or not os.path.isdir(ours):
        return
    both = os.path.join(world, "actions")
    shutil.copytree(actions, both)
    for name in os.listdir(ours):
        if name.endswith(".policy"):
            shutil.copy(os.path.join(ours, name), both)
    kernel.mount(both, actions, flags=kernel.MS_BIND)


def show_qemu_user(world):
    """libvirt's QEMU driver looks QEMU's user up, even where it is told to use another. It comes with the package
    of the system-wide libvirtd; where that is not installed, the user exists in this world alone."""
    for path, line in (("/etc/passwd", "libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin\n"),
                       ("/etc/group", "libvirt-qemu:x:64055:\n")):
        with open(path) as file:
            text = file.read()
        if "libvirt-qemu:" not in text:
            copy = os.path.join(world, os.path.basename(path))
            with open(copy, "w") as file:
                file.write(text.rstrip("\n") + "\n" + line)
            kernel.mount(copy, path, flags=kernel.MS_BIND)


def start_bus(world, logs):
    config = os.path.join(world, "bus.conf")
    with open(config, "w") as file:
        file.write(BUS_CONFIG.format(bus=BUS, tree=TREE))
    reader, writer = os.pipe()
    spawn(logs, "dbus-daemon", ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile",
                                f"--print-address={writer}"], pass_fds=[writer])
    os.close(writer)
    with open(reader) as answer:
        if not answer.readline():
            raise RuntimeError("the private bus does not start:\n" + log_of(logs, "dbus-daemon"))


def start_udev(world, logs):
    with open("/run/udev/rules.d/59-world.rules", "w") as rules:
        rules.write(FENCE.format(world=world))
    shutil.copy(os.path.join(TREE, "udev-rules", "71-satchel.rules"), "/run/udev/rules.d/")
    process = spawn(logs, "udevd", [UDEVD])
    await_ready(logs, "udevd", process, ["udevadm", "control", "--ping", "--timeout=5"])


def start_service(logs, name, command, bus_name):
    process = spawn(logs, name, command)
    await_ready(logs, name, process, ["busctl", "--system", "--no-pager", "status", bus_name])


def spawn(logs, name, command, **options):
    with open(os.path.join(logs, name + ".log"), "ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True, **options)


def await_ready(logs, name, process, question):
    deadline = time.monotonic() + PATIENCE
    while subprocess.run(question, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{name} does not become ready:\n" + log_of(logs, name))
        time.sleep(0.02)


def log_of(logs, name):
    with open(os.path.join(logs, name + ".log"), errors="replace") as log:
        return log.read()[-2000:]
