"""Figures: what was measured beside what it is measured against, and whether the goal is reached."""
import statistics

UNITS = {"bytes": lambda x: f"{x / 1e6:,.3f} MB", "s": lambda x: f"{x:.2f} s", "GB/s": lambda x: f"{x:.2f} GB/s",
         "MiB": lambda x: f"{x:.1f} MiB", "share": lambda x: f"{100 * x:.2f} %", "": lambda x: f"{x:,.0f}"}


# What an eject may write beside the best of the others before --quick fails: a share, and what a filesystem and a head take.
WORSE, OVERHEAD = 1.1, 2_000_000


class Figure:
    """value and peer are in the unit. ratio: value / peer, or the other way round where more is better. at_most or
    at_least: the goal for the ratio, or for the value where there is no peer; None: it is only told."""

    def __init__(self, group, what, unit, value, peer_name=None, peer=None, more=False, at_most=None, at_least=None):
        self.group, self.what, self.unit, self.value = group, what, unit, value
        self.peer_name, self.peer, self.at_most, self.at_least = peer_name, peer, at_most, at_least
        self.ratio = None if peer is None else (peer / value if more else value / peer) if value and peer else None
        judged = value if peer is None else self.ratio
        self.reached = None
        if judged is not None and at_most is not None:
            self.reached = judged <= at_most
        if judged is not None and at_least is not None:
            self.reached = judged >= at_least

    def goal(self):
        limit = self.at_most if self.at_most is not None else self.at_least
        if limit is None:
            return ""
        shown = f"{limit:g} times" if self.peer is not None else UNITS[self.unit](limit)
        return ("at most " if self.at_most is not None else "at least ") + shown

    def cells(self):
        show = UNITS[self.unit]
        return [self.what, show(self.value), f"{show(self.peer)} {self.peer_name}" if self.peer is not None else "",
                f"{self.ratio:.2f}" if self.ratio is not None else "", self.goal(),
                "" if self.reached is None else "yes" if self.reached else "NO"]

    def as_json(self):
        return {name: getattr(self, name) for name in
                ("group", "what", "unit", "value", "peer_name", "peer", "ratio", "at_most", "at_least", "reached")}


class Figures:
    """All of a run, from its samples: medians."""

    def __init__(self, samples, speed):
        self.samples, self.speed, self.all = samples, speed, []
        self._bytes()
        self._eject()
        self._insert()
        self._encoder()
        self._growth()
        self._reads()
        self._idle()

    def has(self, what):
        return what in self.samples

    def median(self, what):
        return statistics.median(self.samples[what])

    def _add(self, group, what, unit, value, **how):
        self.all.append(Figure(group, what, unit, value, **how))

    def _peers(self, begin):
        """{name: bytes} of what was measured on the same bytes."""
        return {what.removeprefix(begin).removesuffix(", bytes"): self.median(what) for what in self.samples
                if what.startswith(begin) and what.endswith(", bytes")}

    def _bytes(self):
        group = "bytes"
        disk = self.median("eject, working, disk file bytes")
        written = self.median("eject, working, bytes written")
        self._against(group, "eject, working guest: written to the device", written, self._peers("working, "), 0.9)
        if self.has("eject, new file, bytes written"):
            self._against(group, "eject, half of the new memory is a new file", self.median("eject, new file, bytes written"),
                          self._peers("new file, "), 0.6)
        memory = self.median("eject, working, memory file bytes")
        alone = {name: size - disk for name, size in self._peers("working, ").items()
                 if name not in ("borg", "restic", "casync")}
        self._against(group, "working guest, files of memory alone", memory, alone, None)
        self._add(group, "working guest, the disk layer alone", "bytes", disk)
        memory = self.median("eject, idle, memory file bytes")
        self._add(group, "eject, idle guest: files of memory", "bytes", memory, at_most=1e5)
        self._against(group, "eject, idle guest: memory beside others", memory, self._peers("idle, "), None)
        self._add(group, "eject, idle guest: written to the device", "bytes", self.median("eject, idle, bytes written"))

    def _against(self, group, what, value, peers, at_most):
        if not peers:
            self._add(group, what, "bytes", value)
            return
        best = min(peers, key=peers.get)
        for name in sorted(peers, key=peers.get):
            self._add(group, what, "bytes", value, peer_name=name, peer=peers[name],
                      at_most=at_most if name == best else None)

    def _eject(self):
        group, value = "eject", self.median("eject, working, s")
        written = self.median("eject, working, bytes written")
        if self.has("virsh save, plain, s"):
            for how, goal in (("plain", 8), ("zstd", 3)):
                self._add(group, "eject, working guest, until safe", "s", value, peer_name=f"virsh save and copy, {how}",
                          peer=self.median(f"virsh save, {how}, s"), more=True, at_least=goal)
            least = self.median("save to nobody, s") - self.median("virsh alone, s") + written / self.speed
            self._add(group, "eject beside its least cost", "s", value, peer_name="save to nobody + bytes written / speed",
                      peer=least, at_most=1.15)
        else:
            self._add(group, "eject, working guest, until safe", "s", value)
        self._add(group, "eject, idle guest, until safe", "s", self.median("eject, idle, s"))

    def _insert(self):
        group, value = "insert", self.median("insert, new host, s")
        known, read = self.median("insert, known host, s"), self.median("insert, new host, bytes read")
        if self.has("virsh restore, plain, s"):
            plain, packed = (self.median(f"virsh restore, {how}, s") for how in ("plain", "zstd"))
            what = "insert to running, new host"
            self._add(group, what, "s", value, peer_name="virsh restore, plain", peer=plain, more=True, at_least=2.5)
            self._add(group, what, "s", value, peer_name="virsh restore, zstd", peer=packed, more=True)
            least = self.median("QEMU's start, s") - self.median("virsh alone, s") + read / self.speed
            self._add(group, "insert beside its least cost", "s", value, peer_name="QEMU's start + bytes read / speed",
                      peer=least, at_most=1.15)
            what = "insert to running, host that saw the generation"
            self._add(group, what, "s", known, peer_name="virsh restore, plain", peer=plain, more=True, at_least=10)
            self._add(group, what, "s", known, peer_name="virsh restore, zstd", peer=packed, more=True)
        else:
            self._add(group, "insert to running, new host", "s", value)
            self._add(group, "insert to running, host that saw the generation", "s", known)
        self._add(group, "read for an insert, new host", "bytes", read)
        self._add(group, "read for an insert, host that saw the generation", "bytes",
                  self.median("insert, known host, bytes read"))

    def _encoder(self):
        group = "encoder"
        if not self.has("encoder, known pages, GB/s"):
            return
        known = self.median("encoder, known pages, GB/s")
        self._add(group, "known pages, one core", "GB/s", known, at_least=1.5)
        for name in ("memcpy", "XXH3"):
            self._add(group, "known pages, one core", "GB/s", known, peer_name=name, peer=self.median(f"{name}, GB/s"))
        self._add(group, "new pages, one core", "s", self.median("encoder, new pages, s"), peer_name="zstd -1",
                  peer=self.median("zstd, new pages, s"), at_most=1)
        self._add(group, "idle guest: processing, two cores", "s", self.median("encoder, idle, s"), at_most=0.3)

    def _growth(self):
        """Straight lines: each end against the place on the line where it were cheapest."""
        group, grown = "growth", {}
        for what in self.samples:
            if what.startswith("growth, "):
                size, share, name = what.removeprefix("growth, ").split(", ")
                grown.setdefault((int(size.split()[0]), int(share.split()[0])), {})[name] = self.median(what)
        if not grown:
            return
        at_one = {size: got for (size, share), got in grown.items() if share == 10}
        small, large = min(size for size in at_one if size >= 1024 or max(at_one) < 1024), max(at_one)
        self._add(group, f"eject of {large >> 10 or large / 1024:g} GiB, 1 % changed: s a GiB", "s",
                  at_one[large]["s"] * 1024 / large, peer_name=f"of {small / 1024:g} GiB", peer=at_one[small]["s"] * 1024 / small,
                  at_most=1.2)
        many = max((size for size, share in grown if share == 500))
        few, some, half = (grown[many, share] for share in (1, 100, 500))
        def slope(to): return (to["s"] - few["s"]) / (to["bytes changed"] - few["bytes changed"]) * 2**30
        self._add(group, "s for a GiB that changed, 50 % changed", "s", slope(half), peer_name="10 % changed", peer=slope(some),
                  at_most=1.2)
        for share, got in ((1, few), (500, half)):
            one = grown[many, 10]
            self._add(group, f"written for what changed, {share / 10:g} % changed", "share", got["bytes written"] / got["bytes changed"],
                      peer_name="1 % changed", peer=one["bytes written"] / one["bytes changed"], at_most=1.1)
        self._add(group, f"index, of {large / 1024:g} GiB", "share", at_one[large]["index bytes"] / (large << 20), at_most=0.006)
        self._add(group, f"most that is resident, at {large / 1024:g} GiB", "MiB", at_one[large]["peak MiB"], at_most=256)

    def _reads(self):
        if self.has("reads, stick warm, s"):
            what = f"disk read through {self.median('reads, layers'):.0f} files of a chain"
            self._add("reads", f"{what} on the stick, warm", "s", self.median("reads, stick warm, s"),
                      peer_name="on this computer's disk", peer=self.median("reads, disk warm, s"), at_most=1.05)
            self._add("reads", f"{what} on the stick, for the first time", "s", self.median("reads, stick cold, s"))

    def _idle(self):
        group = "daemon"
        for name in ("satcheld", "udisksd", "boltd"):
            if self.has(f"{name}, resident MiB"):
                memory, often = (15, 0) if name == "satcheld" else (None, None)
                self._add(group, f"{name}, resident", "MiB", self.median(f"{name}, resident MiB"), at_most=memory)
                self._add(group, f"{name}, of that in memory of its own", "MiB", self.median(f"{name}, of its own MiB"))
                self._add(group, f"{name}, wake-ups a minute", "", self.median(f"{name}, wake-ups"), at_most=often)

    # ---- shown

    def show(self):
        head = ["what", "Satchel", "against", "ratio", "goal", "reached"]
        rows = [figure.cells() for figure in self.all]
        widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
        group = None
        for figure, row in zip(self.all, rows):
            if figure.group != group:
                group = figure.group
                print(f"\n{group}\n  " + "  ".join(cell.ljust(width) for cell, width in zip(head, widths)))
            print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        judged = [figure for figure in self.all if figure.reached is not None]
        begun = self.samples["begun on a busy machine"]
        if any(begun):
            print(f"\n{sum(begun)} of {len(begun)} times were taken while this machine did other things too")
        print(f"\n{sum(figure.reached for figure in judged)} of {len(judged)} goals reached")

    def worse(self):
        """A sentence for each eject that wrote clearly more than the best of the others would have: by bytes alone, which
        no busy machine changes."""
        found = []
        for what in ("working", "idle"):
            disk = self.median(f"eject, {what}, disk file bytes")
            best = min(self._peers(f"{what}, ").values()) + (0 if what == "working" else disk)
            written = self.median(f"eject, {what}, bytes written")
            if written > WORSE * best + OVERHEAD:
                found.append(f"an eject of a guest that was {what} wrote {written:,.0f} bytes, the best of the others {best:,.0f}")
        return found

    def as_json(self, **of_the_run):
        return {**of_the_run, "figures": [figure.as_json() for figure in self.all], "samples": self.samples}
