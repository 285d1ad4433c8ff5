#!/usr/bin/python3
"""Look into a computer of a run of tests/hosts/run that is under way: peek COMPUTER COMMAND [ARGUMENT…], as root there.
COMPUTER: a or b of the lane that began last, a2 or b2 of the one before."""
import glob
import json
import os
import socket
import sys
import threading

DOOR = "door"


def open_door(work, computers):
    """In the run itself: answers peeks until it ends."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(os.path.join(work, DOOR))
    listening.listen()

    def serve():
        while True:
            visitor, _ = listening.accept()
            with visitor, visitor.makefile("rw") as lines:
                name, command = json.loads(lines.readline())
                computer = next((c for c in computers if c.name == name and c.hand), None)
                try:
                    done = computer.run(*command, check=False, timeout=60)
                    answer = [done.status, done.out, done.err]
                except Exception as error:
                    answer = [1, "", f"{error}\n"]
                lines.write(json.dumps(answer) + "\n")

    threading.Thread(target=serve, daemon=True).start()


def main():
    if len(sys.argv) < 3:
        print(__doc__.strip())
        return 2
    doors = sorted(glob.glob(f"/var/tmp/sh.*/{DOOR}"), key=os.path.getmtime)
    if not doors:
        print("peek: no run is under way", file=sys.stderr)
        return 1
    name, lane = sys.argv[1][:1], int(sys.argv[1][1:] or 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.connect(doors[-min(lane, len(doors))])
        with door.makefile("rw") as lines:
            lines.write(json.dumps([name, sys.argv[2:]]) + "\n")
            lines.flush()
            status, out, err = json.loads(lines.readline())
    sys.stdout.write(out)
    sys.stderr.write(err)
    return status


if __name__ == "__main__":
    sys.exit(main())
