"""What time it is for who keeps certificates for years: by the machine's clock, compared with that of the CAs.

A wall clock may be set, forward and back, and may be wrong from the start; a counter of seconds goes on through all of
that, and through a suspend. What a CA's Date said last, and the counter since, is the time where the wall clock says
something very different.
"""

from __future__ import annotations

import time

from . import due

#: The clock is not corrected for less than this, in seconds.
_LEAST_SECONDS = 300.0
#: Both go on together but for this, in seconds: more is a jump of the wall clock.
_MOST_DRIFT_SECONDS = 60.0
#: A clock that is wrong by more than this gets no certificate that it would take for a valid one, in seconds.
MOST_WRONG_SECONDS = 86400.0


def seconds_counted() -> float:
    """Returns a count of seconds that nobody sets, and that goes on in a suspend where the system has such a one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Clock:
    """The wall clock, and what is known of its error."""

    def __init__(self) -> None:
        self._wall, self._counted = due.now(), seconds_counted()
        #: What a CA said, and the count at that moment.
        self._said: tuple[float, float] | None = None

    def take(self, date: float) -> None:
        """Takes what a CA said just now, epoch seconds."""
        self._said = date, seconds_counted()

    def has_jumped(self) -> bool:
        """Returns whether the wall clock was set since this was asked last."""
        wall, counted = due.now(), seconds_counted()
        drift = (wall - self._wall) - (counted - self._counted)
        self._wall, self._counted = wall, counted
        return abs(drift) > _MOST_DRIFT_SECONDS

    def error(self) -> float:
        """Returns how far the wall clock is ahead of the CAs', in seconds; negative where it is behind.

        0 where it is about right, or no CA has said anything.
        """
        if self._said is None:
            return 0.0
        date, counted = self._said
        ahead = due.now() - (date + seconds_counted() - counted)
        return ahead if abs(ahead) > _LEAST_SECONDS else 0.0

    def now(self) -> float:
        """Returns the time by which certificates are kept."""
        return due.now() - self.error()
