#!/usr/bin/python3
"""Nothing of a private world outlives it, however it ends. Run outside of a world, as root."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ENTER = os.path.join(HERE, "enter")
sys.path.insert(0, HERE)
import kernel

# Leaves everything that could stay behind, then says so and waits.
MESS = """
set -eu
truncate -s 64M $WORLD/a.img; mke2fs -q -t ext4 -L SATCHEL $WORLD/a.img
D=$(losetup -f --show $WORLD/a.img)
export B=/org/freedesktop/UDisks2/block_devices/$(basename $D)
timeout 20 sh -c 'until busctl --system call org.freedesktop.UDisks2 $B org.freedesktop.UDisks2.Filesystem \
    Mount "a{sv}" 0; do udevadm settle; done' >$WORLD/mounted 2>&1
findmnt $D >/dev/null
setsid sleep 987654 & (setsid nohup sleep 987654 >/dev/null 2>&1 &)
"""
ENDINGS = {
    "its command ends": None,
    "it is interrupted": signal.SIGINT,
    "it is terminated": signal.SIGTERM,
    "its terminal hangs up": signal.SIGHUP,
    "it is killed": signal.SIGKILL,
}


def processes():
    """Ids of what belongs to a world by its environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environ:
                text = environ.read()
        except OSError:
            continue
        if match := re.search(rb"(?:^|\0)WORLD=([^\0]+)", text):
            found.append((match[1].decode(), int(pid)))
    return found


def left_of(world):
    left = [f"process {pid}" for name, pid in processes() if name == world]
    left += [f"/dev/{name}" for name in os.listdir("/sys/block") if name.startswith("loop")
             and (kernel.loop_file("/dev/" + name) or "").startswith(world + "/")]
    with open("/proc/self/mountinfo") as mounts:
        left += [line for line in mounts if world in line or "/media/SATCHEL" in line]
    return left + ([world] if os.path.exists(world) else [])


def ends_clean(number):
    with tempfile.TemporaryFile("w+") as out:
        tail = "echo ready $WORLD" + ("" if number is None else "; exec sleep 987654")
        process = subprocess.Popen([ENTER, "bash", "-c", MESS + tail], stdout=out)
        world = None
        deadline = time.monotonic() + 60
        while world is None:
            out.seek(0)
            if match := re.search(r"ready (\S+)\n", out.read()):
                world = match[1]
            elif process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                return ["the world did not come up"]
            else:
                time.sleep(0.05)
        if number is not None:
            process.send_signal(number)
        status = process.wait(timeout=60)
        expected = 0 if number is None else -9 if number == signal.SIGKILL else 128 + number
        if status != expected:
            return [f"exit status {status}, not {expected}"]
    deadline = time.monotonic() + 30
    while (left := left_of(world)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def main():
    if os.geteuid() != 0:
        print("skipped: only root can make a private world")
        return 77
    failed = 0
    for name, number in ENDINGS.items():
        left = ends_clean(number)
        failed += bool(left)
        print(f"{'FAILED' if left else 'ok'}: nothing is left when {name} {left or ''}")
    status = subprocess.run([ENTER, "sh", "-c", "exit 42"]).returncode
    failed += status != 42
    print(f"{'ok' if status == 42 else 'FAILED'}: the command's exit status is passed on ({status})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
