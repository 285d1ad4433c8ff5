"""The log of a device's block writes, as QEMU's blklogwrites keeps it (dm-log-writes' format), and the states that a
power cut may leave: any prefix of it, and the last flushed state with any of the writes since then."""
import itertools
import mmap
import random
import struct

MAGIC = 0x6a736677736872
SECTOR = 512
FLUSH, FUA, DISCARD = 1, 2, 4
SMALL = 8  # writes of an epoch of which every subset is tried
RANDOM_SUBSETS = 50


class Write:
    """Bytes that came onto the medium, or, without data, a discard, after which they read as zeros. `end` is how
    long the log was when it was done."""

    __slots__ = ("offset", "size", "data", "end")

    def __init__(self, offset, size, data, end):
        self.offset, self.size, self.data, self.end = offset, size, data, end


class Log:
    """A closed log file. `epochs` are lists of writes, with a flush after each list but the last."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        magic, _, _, self.sector = struct.unpack_from("<QQQI", self.bytes)
        if magic != MAGIC:
            raise ValueError(f"{path} is no log of block writes")
        self.epochs = [[]]
        self._parse()
        self.writes = sum(map(len, self.epochs))

    def _parse(self):
        at = self.sector
        while at + self.sector <= len(self.bytes):
            sector, count, flags, _ = struct.unpack_from("<QQQQ", self.bytes, at)
            if flags & ~(FLUSH | DISCARD):
                raise ValueError(f"the log has an entry with flags {flags}, which this rig knows nothing of")
            data, size = at + self.sector, count * self.sector
            at = data + (0 if flags & DISCARD else size)
            if at > len(self.bytes):
                raise ValueError("the log ends within an entry")
            if count:
                where = None if flags & DISCARD else data
                self.epochs[-1].append(Write(sector * self.sector, size, where, at))
            elif flags & FLUSH and self.epochs[-1]:
                self.epochs.append([])

    def data(self, write):
        return memoryview(self.bytes)[write.data:write.data + write.size]


class State:
    """One thing that the medium may hold: all epochs before `epoch`, and of this one the writes numbered in
    `written`. `end`: what was acknowledged before the log was so long has to be there."""

    __slots__ = ("epoch", "written", "end", "kind")

    def __init__(self, epoch, written, end, kind):
        self.epoch, self.written, self.end, self.kind = epoch, written, end, kind

    def __str__(self):
        some = ",".join(map(str, self.written[:12])) + (",…" if len(self.written) > 12 else "")
        return f"{self.kind} of epoch {self.epoch}: writes [{some}], {len(self.written)} of it"


def states_of(log, seed):
    """All states of a log, epoch by epoch: [[State, …], …]."""
    return [prefixes(number, epoch) + subsets(number, epoch, seed) for number, epoch in enumerate(log.epochs)]


def prefixes(number, epoch):
    return [State(number, range(count + 1), write.end, "prefix") for count, write in enumerate(epoch)]


def subsets(number, epoch, seed):
    """Those that are no prefixes, and none at all, with what was acknowledged before the next flush."""
    if not epoch:
        return []
    count, end = len(epoch), epoch[-1].end
    if count <= SMALL:
        chosen = [some for size in range(count) for some in itertools.combinations(range(count), size)
                  if not some or some != tuple(range(size))]
        chosen += [tuple(range(size)) for size in range(1, count)]
    else:
        dice = random.Random(f"{seed}/{number}")
        chosen = [()]
        while len(chosen) < RANDOM_SUBSETS + 1:
            share = dice.choice((0.1, 0.5, 0.9, 1 - 1 / count))
            chosen.append(tuple(n for n in range(count) if dice.random() < share))
    return [State(number, some, end, "subset") for some in chosen]


def sample(states, budget, seed, always=()):
    """As many states as the budget says, drawn by the seed from all epochs alike; those of the epochs `always` before
    others, as there something was acknowledged."""
    everything = [state for epoch in states for state in epoch]
    if budget is None or len(everything) <= budget:
        return states
    dice = random.Random(seed)
    urgent = [state for number in sorted(always) for state in states[number]]
    chosen = set(map(id, dice.sample(urgent, min(len(urgent), budget // 2))))
    rest = [state for state in everything if id(state) not in chosen]
    # An epoch that is drawn first and a state within it: a long one does not hide the short ones.
    by_epoch = {}
    for state in rest:
        by_epoch.setdefault(state.epoch, []).append(state)
    while len(chosen) < budget and by_epoch:
        number = dice.choice(list(by_epoch))
        epoch = by_epoch[number]
        chosen.add(id(epoch.pop(dice.randrange(len(epoch)))))
        if not epoch:
            del by_epoch[number]
    return [[state for state in epoch if id(state) in chosen] for epoch in states]
