"""What the bench found: tables of figures, and the aims beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .timing import Took, median_cpu, median_wall, paired_ratio


@dataclass(frozen=True)
class Aim:
    """A bound that was set: `measured` is to be at most `most`."""

    subject: str
    measured: float
    most: float
    unit: str

    @property
    def is_met(self) -> bool:
        return self.measured <= self.most


@dataclass(frozen=True)
class Table:
    """bars: seconds by name, where a plot says more than the rows. left_out: a client with the reason."""

    title: str
    text: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    aims: Sequence[Aim] = ()
    bars: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


def compared(
    title: str,
    text: str,
    found: Mapping[str, Sequence[Took]],
    *,
    aims: Sequence[Aim] = (),
    left_out: Mapping[str, str] | None = None,
    each: int = 1,
) -> Table:
    """Returns the table of runs in turn; the first, which is tossl, is compared with the others.

    each: how many certificates one run gets; the figures are of one of them.
    """
    first = next(iter(found.values()))
    rows = [
        (
            name,
            milliseconds(median_wall(took) / each),
            milliseconds(median_cpu(took) / each),
            times(paired_ratio(first, took, wall)),
            times(paired_ratio(first, took, cpu)),
        )
        for name, took in found.items()
    ]
    head = ("client", "wall, ms", "CPU, ms", "wall, tossl : it", "CPU, tossl : it")
    bars = {name: median_wall(took) / each for name, took in found.items()}
    return Table(title, text, head, rows, aims, bars, left_out or {})


def wall(took: Took) -> float:
    return took.wall


def cpu(took: Took) -> float:
    return took.cpu


def ratio_aim(
    subject: str,
    found: Mapping[str, Sequence[Took]],
    other: str,
    most: float,
    of: Callable[[Took], float] = wall,
) -> list[Aim]:
    """Returns the aim that compares the first of the contenders with another; none if that is not there."""
    if not found.get(other):
        return []
    first = next(iter(found.values()))
    named = "wall" if of is wall else "CPU"
    return [Aim(subject, paired_ratio(first, found[other], of), most, f"x the {named} of {other}")]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}" if seconds >= 0.1 else f"{seconds * 1000:.1f}"


def times(ratio: float) -> str:
    return f"{ratio:.2f}"
