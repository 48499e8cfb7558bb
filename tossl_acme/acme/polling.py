"""Waiting for the CA: Retry-After where it gives one, else 20 ms doubling to 5 s (RFC 8555 section 7.5.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from ..context import Backoff, Context

#: Whatever a CA asks for, it is looked at again after a minute.
_MOST_PAUSE = 60.0


class _Polled(Protocol):
    @property
    def retry_after(self) -> float | None: ...
    @property
    def status(self) -> str: ...


T = TypeVar("T", bound=_Polled)


def poll(context: Context, what: str, look: Callable[[], T], is_done: Callable[[T], bool], known: T | None = None) -> T:
    """Looks until is_done, and returns what it saw; `known` stands for a first look.

    WaitTimeout(what) when the context ends first.
    """
    state = known or look()
    backoff = Backoff()
    while not is_done(state):
        pause = backoff.next()
        # None, 0 and a date that is past say nothing of when.
        wanted = min(max(state.retry_after, 0.02), _MOST_PAUSE) if state.retry_after else pause
        context.tell("waiting", what=what, status=state.status, seconds=round(wanted, 3))
        context.sleep(wanted, what)
        state = look()
    return state
