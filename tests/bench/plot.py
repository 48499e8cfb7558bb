"""The plot of docs/BENCHMARKS.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .table import Table

_OWN, _FLOOR, _OTHER = "#1f5fa8", "#9aa5b1", "#d0a24c"


def draw(tables: Sequence[Table], path: Path) -> None:
    """Writes an SVG with the seconds of each client, a panel for each table."""
    import matplotlib as mpl

    mpl.use("svg")
    # The same figures give the same file.
    mpl.rcParams["svg.hashsalt"] = "tossl"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(tables), 1, figsize=(8, 2.1 * len(tables)), squeeze=False)
    for axis, table in zip(axes[:, 0], tables, strict=True):
        names = list(reversed(table.bars))
        seconds = [table.bars[name] for name in names]
        bars = axis.barh(names, seconds, color=[_color(name) for name in names])
        axis.bar_label(bars, [f"{value:.2f} s" for value in seconds], padding=3, fontsize=8)
        axis.set_title(table.title, loc="left", fontsize=10)
        axis.set_xlim(0, max(seconds) * 1.12)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)


def _color(name: str) -> str:
    if name.startswith("tossl"):
        return _OWN
    return _FLOOR if name.startswith("floor") else _OTHER
