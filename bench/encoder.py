"""How fast the encoder is on the same bytes as memcpy, XXH3 and zstd, by bench_memory, on one core."""
import ctypes
import ctypes.util
import os
import shutil
import tempfile

from checks import run
from machines import BUILD_BENCH, timed

BLOCK = 1 << 20


def measure(before, after, samples):
    """before, after: streams of an idle guest."""
    bench = os.path.join(BUILD_BENCH, "bench_memory")
    if not os.path.exists(bench):
        print("    the encoder is not measured: no bench_memory in the build (ninja bench_memory)")
        return
    size = os.path.getsize(after)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(after)) as work:
        one = encoded(run("taskset", "-c", "0", bench, work, before, after, timeout=900).stdout)
        two = encoded(run(bench, work, before, after, timeout=900).stdout)
    samples.add("encoder, known pages, GB/s", size / one[1] / 1e9)
    samples.add("encoder, new pages, s", one[0])
    samples.add("encoder, idle, s", two[1])
    samples.add("zstd, new pages, s", timed(lambda: run("sh", "-c", f"taskset -c 0 zstd -q -1 -T1 -c '{before}' >/dev/null",
                                                        timeout=900))[0])
    peers(after, samples)


def encoded(said):
    """The seconds of each stream's encoding, without a copy beside it."""
    found = []
    for line in said.splitlines():
        words = line.split()
        if words and words[0].startswith("zstd-pages") and "+" not in words[0] and not words[0].endswith("-decode"):
            found.append(float(words[2]))
    return found


def peers(path, samples):
    """Both with the file in memory, block by block as the encoder gets it."""
    with open(path, "rb") as file:
        text = file.read()
    address = ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p).value
    target = ctypes.create_string_buffer(BLOCK)
    blocks = range(0, len(text) - BLOCK, BLOCK)
    seconds = min(timed(lambda: [ctypes.memmove(target, address + at, BLOCK) for at in blocks])[0] for _ in range(3))
    samples.add("memcpy, GB/s", len(blocks) * BLOCK / seconds / 1e9)
    library = ctypes.util.find_library("xxhash")
    if library and shutil.which("taskset"):
        xxh3 = ctypes.CDLL(library).XXH3_64bits
        xxh3.argtypes, xxh3.restype = (ctypes.c_void_p, ctypes.c_size_t), ctypes.c_uint64
        seconds = min(timed(lambda: [xxh3(address + at, BLOCK) for at in blocks])[0] for _ in range(3))
        samples.add("XXH3, GB/s", len(blocks) * BLOCK / seconds / 1e9)
