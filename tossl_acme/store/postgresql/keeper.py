"""The one thread of this process that looks after databases: it renews leases and closes what is idle.

It runs while there is something to look after, and a little longer.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from ...context import in_forked_child
from ...context.threads import start_thread

#: Seconds that the thread waits for more to do before it ends.
_LINGER_SECONDS = 5.0
#: Seconds until a chore that failed is tried again.
_AGAIN_SECONDS = 1.0

#: Does what is due, and returns the seconds until more is; None if nothing will be.
Chore = Callable[[], float | None]


class Keeper:
    """Calls each chore when it is due, in a thread, which no error of a chore ends."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        #: When each chore is due.
        self._due: dict[Chore, float] = {}
        self._is_running = False

    def ask(self, chore: Chore, seconds: float) -> None:
        """Has the chore called in so many seconds, if not before that. Without a thread left, it is at the next ask."""
        at = time.monotonic() + seconds
        with self._changed:
            self._due[chore] = min(at, self._due.get(chore, at))
            self._changed.notify_all()
            if not self._is_running:
                with contextlib.suppress(RuntimeError):
                    start_thread("tossl store", self._run)
                    self._is_running = True

    def _run(self) -> None:
        while (chore := self._next()) is not None:
            again: float | None = _AGAIN_SECONDS
            with contextlib.suppress(Exception):
                again = chore()
            if again is not None:
                self.ask(chore, again)

    def _next(self) -> Chore | None:
        """Returns the chore that is due, once one is; None when the thread is to end."""
        with self._changed:
            idle_at = time.monotonic() + _LINGER_SECONDS
            while True:
                now = time.monotonic()
                chore = min(self._due, key=lambda each: self._due[each], default=None)
                if chore is not None and self._due[chore] <= now:
                    del self._due[chore]
                    return chore
                if chore is None and now >= idle_at:
                    self._is_running = False
                    return None
                self._changed.wait((idle_at if chore is None else self._due[chore]) - now)


_known: list[Keeper] = []


def keeper() -> Keeper:
    """Returns the process's."""
    if not _known:
        _known.append(Keeper())
    return _known[0]


def reset() -> None:
    """Forgets it: in a forked child its thread is the parent's."""
    _known.clear()


in_forked_child(reset)
