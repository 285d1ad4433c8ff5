"""For scenarios that run under tests/world/enter: sticks, hosts, guests, and how to wait and to count.

    from world import *
    checks = Checks("demo")
    host = Host("a"); stick = Stick("1G")
    …
    sys.exit(checks.finish())
"""
from checks import Checks, Failure, play, run, say, wait_for
from guest import Terminal, Ticks, make_disk
from host import Host
from stick import Stick

__all__ = ["Checks", "Failure", "Host", "Stick", "Terminal", "Ticks", "make_disk", "play", "run", "say", "wait_for"]
