#!/usr/bin/python3
"""Checks rules of the code that a machine can check. Usage: check_style.py includes|lengths|sleeps [TREE]

includes  what may include what (the layers of docs/ARCHITECTURE.md; each C library in one folder)
lengths   implementation files to 300 lines, headers to 140 (a warning), nothing above 350; main.cpp to 80
sleeps    no test waits for time to pass: it awaits a condition with a deadline
"""
import os
import re
import sys

# For each folder of lib/, which other folders it may include. Its own is always allowed.
FOUNDATION = {"base", "async", "ports"}
MAY_INCLUDE = {
    "base": set(),
    "async": {"base"},
    "ports": {"base", "async"},
    "core": {"base"},
    "crypto": {"base"},
    "format": {"base", "async", "crypto", "machine"},
    "disk": {"base", "async"},
    "machine": {"base", "ports"},
    "hibernation": {"base", "async", "crypto"},
    "session": {"base", "async", "format", "machine", "crypto"},
    "guestfs": {"base", "async", "sync"},
    "config": {"base", "machine", "sync"},
    "sync": {"base", "async", "crypto"},
    "osinfo": {"base"},
    "libvirt": FOUNDATION | {"machine"},
    "udev": FOUNDATION,
    "bus": FOUNDATION,
    "udisks": FOUNDATION | {"bus"},
    "runtime": FOUNDATION | {"core", "crypto", "format", "disk", "machine", "hibernation", "session", "config", "sync"},
}

# A library's headers, by pattern, and the only folders that include them.
ONLY_IN = [
    (r"systemd/sd-(bus|event)\.h|systemd/sd-bus-.*", ("lib/bus",)),
    (r"systemd/sd-daemon\.h", ("daemon",)),
    (r"systemd/sd-journal\.h", ("daemon",)),
    (r"libvirt/.*", ("lib/libvirt",)),
    (r"libudev\.h", ("lib/udev",)),
    (r"guestfs\.h", ("lib/guestfs",)),
    (r"libnbd\.h", ("lib/disk",)),
    (r"(osinfo|glib|gio)/.*|glib.*\.h", ("lib/osinfo",)),
    (r"sodium.*\.h", ("lib/crypto",)),
    (r"zstd\.h", ("lib/hibernation",)),
    (r"pugixml\.hpp", ("lib/machine", "lib/libvirt")),  # domains there; capabilities, CPUs and chains here
    (r"yaml-cpp/.*", ("lib/config",)),
    (r"CLI/.*", ("cli", "daemon")),
    (r"spdlog/.*", ("daemon/log",)),
    (r"fmt/.*", ()),
    (r"boost/asio\.hpp", ()),
]
NOT_IN_HEADERS = [r"nlohmann/(?!json_fwd).*", r"spdlog/.*", r"yaml-cpp/.*"]
SLEEPS = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w.])sleep\s*\(|\btime\.sleep\b|^\s*sleep\s+\d")
# Where a sleep is the polling step of one shared wait, or the test guest's clock.
SLEEP_ALLOWED = {"tests/world/checks.py", "tests/world/kernel.py", "tests/world/inside.py",
                 "tests/world/check_enter.py", "tests/guest/ticker.cpp", "tests/style/check_style.py"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def files(tree, folders, endings):
    for folder in folders:
        for place, inner, names in os.walk(os.path.join(tree, folder)):
            inner.sort()
            for name in sorted(names):
                if name.endswith(endings):
                    path = os.path.join(place, name)
                    with open(path, errors="replace") as file:
                        yield os.path.relpath(path, tree), file.read().splitlines()


def includes(tree):
    wrong = []
    for path, lines in files(tree, ("lib", "daemon", "worker", "cli"), (".cpp", ".hpp")):
        for number, line in enumerate(lines, 1):
            if match := INCLUDE.match(line):
                if why := why_not(tree, path, match[1], match[2]):
                    wrong.append(f"{path}:{number}: {match[2]}: {why}")
    return wrong


def why_not(tree, path, kind, header):
    """Why a file may not include a header, or None."""
    for pattern, folders in ONLY_IN:
        if kind == "<" and re.fullmatch(pattern, header) and not path.startswith(folders or ("\0",)):
            return "only in " + " and ".join(folders) if folders else "nowhere"
    if path.endswith(".hpp") and any(re.fullmatch(pattern, header) for pattern in NOT_IN_HEADERS):
        return "not in a header"
    folder = path.split("/")[1] if path.startswith("lib/") else None
    other = header.split("/")[0]
    if kind == "<":
        if folder == "core" and "/" in header:
            return "the core includes the standard library, lib/base and itself only"
        return None
    if header.endswith(".cpp"):
        return "a source file is never included"
    if "/" not in header or not os.path.isdir(os.path.join(tree, "lib", other)):
        return "includes are relative to lib/" if folder else None
    if folder and other != folder and other not in MAY_INCLUDE.get(folder, set()):
        return f"lib/{folder} does not include lib/{other}"
    return None


def lengths(tree):
    wrong = []
    for path, lines in files(tree, ("lib", "daemon", "worker", "cli", "tests", "bench"), (".cpp", ".hpp", ".py")):
        count = len(lines)
        usual = 140 if path.endswith(".hpp") else 300
        limit = 80 if path.endswith("/main.cpp") else 350
        if count > limit:
            wrong.append(f"{path}: {count} lines, the limit is {limit}")
        elif count > usual and limit == 350:
            print(f"warning: {path}: {count} lines, more than the usual {usual}")
    return wrong


def sleeps(tree):
    return [f"{path}:{number}: {line.strip()}"
            for path, lines in files(tree, ("lib", "daemon", "worker", "cli", "tests"), (".cpp", ".hpp", ".py", ".sh", "demo"))
            if path not in SLEEP_ALLOWED
            for number, line in enumerate(lines, 1) if SLEEPS.search(line)]


def main():
    checks = {"includes": includes, "lengths": lengths, "sleeps": sleeps}
    if len(sys.argv) < 2 or sys.argv[1] not in checks:
        sys.exit(__doc__)
    tree = sys.argv[2] if len(sys.argv) > 2 else \
        os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    wrong = checks[sys.argv[1]](tree)
    print("\n".join(wrong) if wrong else f"{sys.argv[1]}: nothing to say")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
