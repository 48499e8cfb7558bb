"""Waiting for the CA: until an object is done, and until its replicas know a new URL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from ..context import Backoff, Context

#: Longest pause between two polls, whatever Retry-After says.
_MAX_PAUSE_SECONDS = 60.0
#: Seconds within which a CA at hand answers; many have issued by then.
_AT_HAND_SECONDS = 0.005
#: Seconds for which a URL from the CA counts as new.
NAMED_SECONDS = 10.0


class _Polled(Protocol):
    @property
    def retry_after(self) -> float | None: ...
    @property
    def status(self) -> str: ...


T = TypeVar("T", bound=_Polled)


def poll(
    context: Context,
    what: str,
    look: Callable[[], T],
    is_done: Callable[[T], bool],
    known: T | None = None,
    asked_at: float | None = None,
) -> T:
    """Calls `look` until is_done(result), and returns that result; `known` replaces the first look (RFC 8555
    section 7.5.1).

    Pauses for the CA's Retry-After, from its answer on, if it sends one. Else 20 ms doubling to 5 s pass from one
    request to the next: what the answer itself took on its way is part of that. A CA that answers within 5 ms is at
    hand, and is looked at once more before these. asked_at: when the request before the first look was sent, monotonic
    seconds.
    Raises WaitTimeout(what) if the context ends first.
    """
    begun = time.monotonic() if asked_at is None else asked_at
    state = known or look()
    pauses = _pauses(time.monotonic() - begun)
    while not is_done(state):
        pause = next(pauses) - (time.monotonic() - begun)
        # None, 0 and a past date give no time.
        wanted = min(max(state.retry_after, 0.02), _MAX_PAUSE_SECONDS) if state.retry_after else max(0.0, pause)
        context.tell("waiting", what=what, status=state.status, seconds=round(wanted, 3))
        context.sleep(wanted, what)
        begun = time.monotonic()
        state = look()
    return state


def _pauses(answered_in: float) -> Iterator[float]:
    """Yields the seconds from each request to the next. answered_in: seconds that the first answer took."""
    if answered_in < _AT_HAND_SECONDS:
        yield _AT_HAND_SECONDS
    backoff = Backoff()
    while True:
        yield backoff.next()


class NamedUrls:
    """The URLs that a CA has just sent. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def add(self, *urls: str) -> None:
        now = time.monotonic()
        with self._lock:
            # In the order of their times: those that are over stand first.
            while self._until and next(iter(self._until.values())) <= now:
                del self._until[next(iter(self._until))]
            for url in urls:
                self._until.pop(url, None)
                self._until[url] = now + NAMED_SECONDS

    def __contains__(self, url: str) -> bool:
        return self._until.get(url, 0.0) > time.monotonic()
