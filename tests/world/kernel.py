"""The few system calls that Python 3.11 lacks: namespaces, mounts, loop devices, death of a parent."""
import ctypes
import fcntl
import glob
import os
import signal
import struct
import time

NEWNS, NEWIPC, NEWPID, NEWNET = 0x00020000, 0x08000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 0x1000, 0x2000, 0x4000, 0x40000
MNT_DETACH = 2
LOOP_CLR_FD, LOOP_GET_STATUS64 = 0x4C01, 0x4C05
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags):
    _checked(_libc.unshare(flags), "unshare")


def mount(source, target, kind=None, flags=0, options=None):
    encoded = [None if x is None else str(x).encode() for x in (source, target, kind, options)]
    _checked(_libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]),
             f"mount {target}")


def umount(target, flags=0):
    _checked(_libc.umount2(str(target).encode(), flags), f"umount {target}")


def die_with_parent(parent):
    """SIGKILL for this process when its parent ends. For use directly after fork; parent is the
    parent's process id as this process sees it (0 from within a new PID namespace)."""
    _checked(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        os._exit(1)  # it ended before


def loopback_up():
    """Bring the network interface lo up, which a new network namespace has down."""
    import socket
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, UP|RUNNING


def loop_file(node):
    """The path that a loop device was attached with (63 bytes of it), or None when it is free."""
    try:
        fd = os.open(node, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = fcntl.ioctl(fd, LOOP_GET_STATUS64, bytes(232))
    except OSError:
        return None
    finally:
        os.close(fd)
    return status[56:120].split(b"\0")[0].decode(errors="replace")


def detach_below(directory, seconds=10):
    """Detach the loop devices over files below a directory; returns those that stay all the same."""
    deadline = time.monotonic() + seconds
    while True:
        left = [node for node in glob.glob("/dev/loop[0-9]*")
                if "p" not in node[9:] and (loop_file(node) or "").startswith(directory + "/")]
        for node in left:
            try:
                fd = os.open(node, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    fcntl.ioctl(fd, LOOP_CLR_FD)
                finally:
                    os.close(fd)
            except OSError:
                pass
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)
