"""Draws figures as SVG: for each group of one unit, what Satchel took beside what the others did."""
import os

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "satchel", "svg.fonttype": "none", "font.size": 9})
from matplotlib import pyplot  # noqa: E402

OURS, THEIRS = "#1b6ca8", "#b8b8b8"
SCALE = {"bytes": (1e6, "MB"), "s": (1, "s")}
DRAWN = ("bytes", "eject", "insert")


def draw(figures, folder):
    for group in DRAWN:
        of_group = [figure for figure in figures.all if figure.group == group]
        unit = of_group[0].unit
        compared = [figure for figure in of_group if figure.unit == unit and figure.peer is not None]
        if compared:
            one(group, unit, compared, os.path.join(folder, f"benchmark-{group}.svg"))


def one(group, unit, compared, path):
    """A chart for each thing that was measured."""
    charts = []
    for figure in compared:
        if figure.what != (charts[-1][0].what if charts else None):
            charts.append([figure])
        else:
            charts[-1].append(figure)
    scale, shown = SCALE[unit]
    drawing, axes = pyplot.subplots(len(charts), 1, figsize=(8, 0.5 + sum(0.6 + 0.3 * (len(each) + 1) for each in charts)),
                                    height_ratios=[len(each) + 2 for each in charts], squeeze=False, layout="constrained")
    for axis, each in zip(axes[:, 0], charts):
        names = ["Satchel"] + [figure.peer_name for figure in each]
        values = [each[0].value / scale] + [figure.peer / scale for figure in each]
        bars = axis.barh(names, values, color=[OURS] + [THEIRS] * len(each))
        axis.bar_label(bars, fmt=" %.2f")
        axis.invert_yaxis()
        axis.margins(x=0.12)
        axis.set_title(each[0].what, loc="left")
        axis.set_xlabel(shown)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    drawing.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(drawing)
