"""Work on several things at the same time, which has ended when the call returns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

from ..context import Context
from ..context.threads import join_thread, start_work
from ..errors import ResourceError

_T = TypeVar("_T")
#: Seconds that a thread may need to notice that the context is over.
_NOTICING_SECONDS = 10.0


def side_by_side(context: Context, work: Callable[[Context, _T], None], items: Sequence[_T], width: int) -> None:
    """Calls `work` for each item, in this thread and in up to `width` - 1 others.

    The steps that `work` tells in another thread are reported in this one, when the other has ended. Returns when all
    threads have ended, also if the context is over. After an error nothing is begun any more, and it is raised.
    """
    todo = deque(items)
    errors: list[Exception] = []

    def work_off(part: Context) -> None:
        while not errors:
            try:
                item = todo.popleft()
            except IndexError:
                return
            try:
                work(part, item)
            except Exception as error:  # noqa: BLE001 - raised again below
                errors.append(error)

    done: SimpleQueue[Any] = SimpleQueue()
    helpers = _helpers(lambda steps: work_off(context.aside(steps)), min(width, len(items)) - 1, done)
    try:
        work_off(context)
    finally:
        for _ in range(helpers):
            thread, steps, _result, _error = done.get(timeout=context.remaining() + _NOTICING_SECONDS)
            join_thread(thread)
            for step in steps:
                context.tell(**step)
    if errors:
        raise errors[0]


def _helpers(work: Callable[[list[dict[str, object]]], None], count: int, done: SimpleQueue[Any]) -> int:
    """Starts so many threads, or fewer if the system has no more; returns how many."""
    for started in range(count):
        try:
            start_work(work, [], done)
        except ResourceError:
            return started
    return max(0, count)
