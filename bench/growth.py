"""How an eject's cost grows with a guest's memory and with what changed of it, by bench_growth."""
import os
import shutil
import tempfile

from checks import run
from machines import BUILD_BENCH

SHARES = 1, 10, 100, 500  # in a thousand
SIZES = {256: (10,), 1024: (10,), 4096: SHARES, 16384: (10,)}  # MiB
QUICK = {64: (10,), 256: SHARES}


def measure(samples, folder, quick=False):
    """folder: for the segment of the first memory, which is a fortieth of it."""
    bench = os.path.join(BUILD_BENCH, "bench_growth")
    if not os.path.exists(bench):
        print("    growth is not measured: no bench_growth in the build (ninja bench_growth)")
        return
    for mebibytes, shares in (QUICK if quick else SIZES).items():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            said = run(bench, work, mebibytes, *shares, timeout=1800).stdout
        for line in said.splitlines():
            _, _, share, *words = line.split()
            got = {name: float(value) for name, value in zip(words[::2], words[1::2])}
            of = f"growth, {mebibytes} MiB, {int(share)} ‰"
            samples.add(f"{of}, s", got["base"] + got["encode"])
            samples.add(f"{of}, bytes written", int(got["written"]))
            samples.add(f"{of}, bytes changed", int(got["changed"]))
            samples.add(f"{of}, index bytes", int(got["index"]))
            samples.add(f"{of}, peak MiB", got["peak"] / 2**20)
