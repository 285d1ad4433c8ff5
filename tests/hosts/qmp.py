"""QEMU's control socket: one command at a time, events kept until somebody asks for them."""
import json
import socket

from checks import Failure


class Qmp:
    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(300)
        self._socket.connect(path)
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._events = []
        self._heard()  # the greeting
        self("qmp_capabilities")

    def _heard(self):
        line = self._lines.readline()
        if not line:
            raise Failure("QEMU closed its control socket")
        return json.loads(line)

    def __call__(self, command, **arguments):
        """Execute a command; returns what QEMU answers, raises Failure with its sentence."""
        names = {name.rstrip("_").replace("__", ".").replace("_", "-"): value for name, value in arguments.items()}
        self._socket.sendall(json.dumps({"execute": command, "arguments": names}).encode() + b"\n")
        while True:
            heard = self._heard()
            if "event" in heard:
                self._events.append(heard)
            elif "error" in heard:
                raise Failure(f"{command}: {heard['error']['desc']}")
            else:
                return heard["return"]

    def human(self, line):
        """A command of the human monitor; it answers with text when something is wrong."""
        said = self("human-monitor-command", command_line=line).strip()
        if "rror" in said:
            raise Failure(f"{line}: {said}")
        return said

    def await_event(self, name, **data):
        """The next such event, whose data has these values; those before it stay."""
        def fits(heard):
            return heard["event"] == name and all(heard.get("data", {}).get(k) == v for k, v in data.items())

        for heard in self._events:
            if fits(heard):
                self._events.remove(heard)
                return heard
        while True:
            heard = self._heard()
            if "event" in heard:
                if fits(heard):
                    return heard
                self._events.append(heard)

    def close(self):
        self._lines.close()
        self._socket.close()
