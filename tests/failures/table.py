"""Reads docs/FAILURES.md: its rows, the words that it explains, and the share that CI plays."""
import os
import re

from checks import Failure

PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs", "FAILURES.md")
COLUMNS = ["step", "instant", "what happens", "the device holds", "the user sees", "what happens next"]
WORDS = ["words", "what is looked at"]
INSTANT = re.compile(r"`(\w+) ([^ `]+)(?: (\d+))?`$")
SHARES = 7
CI_SHARE = 3


class Row:
    def __init__(self, number, job, cells):
        self.number, self.job = number, job
        self.step, instant, self.deed, self.holds, self.sees, self.next = cells
        if not (match := INSTANT.match(instant)):
            raise Failure(f"row {number}: no instant: {instant}")
        self.instant = (match[1], match[2], int(match[3] or 1))
        if self.deed not in ("pulled", "killed"):
            raise Failure(f"row {number}: neither pulled nor killed: {self.deed}")

    def __str__(self):
        return f"{self.number}. {self.job}, {self.step}: {self.deed} at '{' '.join(map(str, self.instant))}'"


def tables(path=PAGE):
    """(heading above, cells of the header, lists of cells) for each table of the page."""
    heading, found, inside = "", [], False
    with open(path) as file:
        for line in file:
            if line.startswith("#"):
                heading = line.strip("# \n")
            if not line.startswith("|"):
                inside = False
                continue
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not inside:
                found.append((heading, cells, []))
                inside = True
            elif not set(line) <= set("|-: \n"):
                found[-1][2].append(cells)
    return found


def rows():
    found = []
    for heading, header, lines in tables():
        if header != COLUMNS:
            continue
        for cells in lines:
            if len(cells) != len(COLUMNS):
                raise Failure(f"'{heading}': a row of {len(cells)} cells: {cells}")
            found.append(Row(len(found) + 1, heading, cells))
    return found


def explained():
    """The words that the page explains."""
    return [cells[0] for _, header, lines in tables() if header == WORDS for cells in lines]


def share(everything, number):
    """Every seventh row: those of that share."""
    return [row for row in everything if row.number % SHARES == number % SHARES]
