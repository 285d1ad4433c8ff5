"""The test's hand in a computer: the other end of the agent's virtio port."""
import base64
import json
import os
import socket
import threading
import time

from checks import Failure

PART = 256 * 1024


class Done:
    def __init__(self, answer):
        self.status, self.out, self.err = answer["status"], answer["out"], answer["err"]


class Pending:
    """An answer that comes later."""

    def __init__(self):
        self.here, self.answer = threading.Event(), None


class Hand:
    def __init__(self, path, name):
        self.name, self._pending, self._next, self._lock = name, {}, 0, threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        lines = self._socket.makefile("r", encoding="utf-8")
        try:
            for line in lines:
                try:
                    answer = json.loads(line)
                except json.JSONDecodeError:
                    continue  # the rest of an answer from before the snapshot
                pending = self._pending.pop(answer["id"], None)
                if pending:
                    pending.answer = answer
                    pending.here.set()
        except OSError:
            pass  # closed

    def begin(self, **wish):
        """Ask without waiting."""
        pending = Pending()
        with self._lock:
            self._next += 1
            number = f"{os.getpid()}-{self._next}"
            self._pending[number] = pending
            self._socket.sendall(json.dumps({"id": number, **wish}).encode() + b"\n")
        return pending

    def finish(self, pending, seconds, what):
        if not pending.here.wait(seconds):
            raise Failure(f"{self.name} has not answered within {seconds} s: {what}")
        if "failed" in pending.answer:
            raise Failure(f"{self.name}: {what}: {pending.answer['failed']}")
        return pending.answer

    def ask(self, seconds=120, **wish):
        what = " ".join(wish["run"]) if "run" in wish else str(next(iter(wish.items())))
        return self.finish(self.begin(**wish), seconds, what)

    def forget(self):
        """Nobody will answer what is still asked: the computer went back to a snapshot, or off."""
        self._pending.clear()

    def put(self, path, content, mode=0o644):
        for at in range(0, max(len(content), 1), PART):
            self.ask(put=path, data=base64.b64encode(content[at:at + PART]).decode(), mode=mode, append=at > 0)

    def get(self, path):
        return base64.b64decode(self.ask(get=path)["data"])

    def seed(self):
        """After a snapshot: entropy of its own, so that two computers from one snapshot never agree, and the time."""
        self.ask(seed=base64.b64encode(os.urandom(64)).decode(), time=time.time())

    def there(self):
        """Whether somebody answers now."""
        pending = self.begin(run=["/bin/true"])
        return pending.here.wait(1)

    def close(self):
        self._socket.close()
