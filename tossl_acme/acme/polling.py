"""Waiting for the CA: until an object is done, and until its replicas know what it has just named."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from ..context import Backoff, Context

#: Whatever a CA asks for, it is looked at again after a minute.
_MAX_PAUSE_SECONDS = 60.0
#: How long what a CA named counts as named just now.
NAMED_SECONDS = 10.0


class _Polled(Protocol):
    @property
    def retry_after(self) -> float | None: ...
    @property
    def status(self) -> str: ...


T = TypeVar("T", bound=_Polled)


def poll(context: Context, what: str, look: Callable[[], T], is_done: Callable[[T], bool], known: T | None = None) -> T:
    """Looks until is_done, and returns what it saw; `known` stands for a first look (RFC 8555 section 7.5.1).

    Pauses for the CA's Retry-After where it gives one, else 20 ms doubling to 5 s.
    WaitTimeout(what) when the context ends first.
    """
    state = known or look()
    backoff = Backoff()
    while not is_done(state):
        pause = backoff.next()
        # None, 0 and a date that is past say nothing of when.
        wanted = min(max(state.retry_after, 0.02), _MAX_PAUSE_SECONDS) if state.retry_after else pause
        context.tell("waiting", what=what, status=state.status, seconds=round(wanted, 3))
        context.sleep(wanted, what)
        state = look()
    return state


class NamedUrls:
    """The URLs that a CA named just now. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def add(self, *urls: str) -> None:
        now = time.monotonic()
        with self._lock:
            current = {url: until for url, until in self._until.items() if until > now}
            self._until = current | dict.fromkeys(urls, now + NAMED_SECONDS)

    def __contains__(self, url: str) -> bool:
        return self._until.get(url, 0.0) > time.monotonic()
