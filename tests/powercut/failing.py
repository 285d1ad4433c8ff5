"""Calls that fail, and what came of it: which call of whom fails is told to faults.cpp."""
import os

WORLD = os.environ.get("WORLD", "/nonexistent")
KINDS = {"change": "write, fsync or other change", "read": "read", "look": "open or read",
         "room": "write or other call that takes room"}
SIDES = {"stick": "the stick", "host": "the computer's own disk"}
HOWS = {"once": "this once", "on": "and all after it, for good"}


class Outcomes:
    def __init__(self):
        self.tried, self.ended = 0, {}

    def count(self, how):
        self.tried += 1
        self.ended[how] = self.ended.get(how, 0) + 1

    def __str__(self):
        return f"{self.tried} tried: " + ", ".join(f"{count} {how}" for how, count in sorted(self.ended.items()))


class Faults:
    """Lets the calls of a daemon fail (faults.cpp)."""

    def __init__(self):
        self.path = os.path.join(WORLD, "faults")
        self.hit_path, self.counted = self.path + ".hit", 0

    def arm(self, place, kind, number, how):
        with open(self.path + ".count.new", "wb") as file:
            file.write(bytes(8))
        os.replace(self.path + ".count.new", self.path + ".count")
        new = self.path + ".new"
        with open(new, "w") as file:
            file.write(f"{os.stat(place).st_dev} {kind} {number} {how}\n")
        os.replace(new, self.path)

    def disarm(self):
        """What has failed, or None when there were fewer calls: so many as `counted` says."""
        os.unlink(self.path)
        with open(self.path + ".count", "rb") as file:
            self.counted = int.from_bytes(file.read(), "little")
        try:
            with open(self.hit_path) as file:
                return file.read().strip()
        except FileNotFoundError:
            return None
        finally:
            if os.path.exists(self.hit_path):
                os.unlink(self.hit_path)
