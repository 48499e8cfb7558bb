"""What time it is for certificates: by the machine's clock, unless a CA has said something very different.

A wall clock may be set, forward and back, and may be wrong from the start. A counter of seconds goes on through all of
that, and through a suspend: what a CA's Date said last, with the seconds counted since, is the right time. Only whoever
keeps certificates for years asks for it; without that the machine's clock counts.
"""

from __future__ import annotations

import time

#: The machine's clock is not corrected for less than this, in seconds.
_LEAST_SECONDS = 300.0
#: Wall clock and counter go on together but for this, in seconds: more is a jump of the wall clock.
_MOST_DRIFT_SECONDS = 60.0

#: What a CA said last, epoch seconds, and the counter at that moment; empty before one has.
_said: list[tuple[float, float]] = []


def wall() -> float:
    """Returns what the machine's clock says, epoch seconds."""
    return time.time()


def counted() -> float:
    """Returns a count of seconds that nobody sets, and that goes on in a suspend if the system has such a counter."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def take_date(date: float) -> None:
    """Takes what a CA said just now, epoch seconds."""
    _said[:] = [(date, counted())]


def is_known(within: float) -> bool:
    """Returns whether a CA has said the time in the last seconds, `within` of them."""
    return bool(_said) and counted() - _said[0][1] < within


def error() -> float:
    """Returns by how many seconds the machine's clock is ahead; less than 0 if it is behind, 0 if it is about right."""
    if not _said:
        return 0.0
    date, at = _said[0]
    ahead = wall() - (date + counted() - at)
    return ahead if abs(ahead) > _LEAST_SECONDS else 0.0


def right_time() -> float:
    """Returns the time by which certificates age, epoch seconds."""
    return wall() - error()


def reset() -> None:
    """Forgets what a CA has said."""
    _said.clear()


class JumpWatch:
    """Notices that the wall clock was set."""

    def __init__(self) -> None:
        self._wall, self._counted = wall(), counted()

    def has_jumped(self) -> bool:
        """Returns whether it was set since this was asked last."""
        before = self._wall - self._counted
        self._wall, self._counted = wall(), counted()
        return abs(self._wall - self._counted - before) > _MOST_DRIFT_SECONDS
