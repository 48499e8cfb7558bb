"""Work on several things at the same time, which has ended when the call returns."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from ..context import ATTEND_SECONDS, Context
from ..context.threads import join_thread, start_work
from ..errors import ResourceError

_T = TypeVar("_T")
#: Seconds that a thread may need to notice that the context is over.
_NOTICING_SECONDS = 10.0


def side_by_side(context: Context, work: Callable[[Context, _T], None], items: Sequence[_T], width: int) -> None:
    """Calls `work` for each item, up to `width` at the same time; in this thread where that is one.

    The steps that `work` tells are reported in this thread, as they come. Returns when all threads have ended, also if
    the context is over. After an error nothing is begun any more, what waits is cancelled, and the error is raised.
    """
    crew = _Crew(context, work, items)
    helpers = crew.start(min(width, len(items)))
    if helpers:
        crew.attend(helpers)
    else:
        crew.work_off(context)
    if crew.errors:
        raise crew.errors[0]


class _Crew:
    def __init__(self, context: Context, work: Callable[[Context, Any], None], items: Sequence[Any]) -> None:
        self._context = context
        self._work = work
        self._todo = deque(items)
        self._news: SimpleQueue[Any] = SimpleQueue()
        self._part = context.apart(self._news.put)
        self.errors: list[BaseException] = []

    def start(self, count: int) -> int:
        """Starts so many threads, or fewer if the system has no more; none for one. Returns how many."""
        for started in range(count if count > 1 else 0):
            try:
                start_work(self.work_off, self._part, self._news)
            except ResourceError:
                return started
        return count if count > 1 else 0

    def work_off(self, context: Context) -> None:
        while not self.errors:
            try:
                item = self._todo.popleft()
            except IndexError:
                return
            try:
                self._work(context, item)
            except Exception as error:  # noqa: BLE001 - side_by_side() raises it
                self._fail(error)

    def attend(self, helpers: int) -> None:
        """Reports the threads' steps until all have ended."""
        self._context.add_interrupt(self._part.cancel)
        try:
            self._context.work_meanwhile()
            while helpers:
                try:
                    news = self._next_news()
                    if isinstance(news, tuple):
                        helpers -= 1
                        join_thread(news[0])
                    else:
                        self._context.pass_on(news)
                except Empty as error:
                    self._fail(error)
                    return
                except BaseException as error:  # noqa: BLE001 - the listener's: the threads are awaited before it is raised
                    self._fail(error)
        finally:
            self._context.remove_interrupt(self._part.cancel)

    def _next_news(self) -> Any:
        ends = time.monotonic() + self._context.remaining() + _NOTICING_SECONDS
        while True:
            self._context.attend()
            try:
                return self._news.get(timeout=max(0.0, min(ATTEND_SECONDS, ends - time.monotonic())))
            except Empty:
                if time.monotonic() >= ends:
                    raise

    def _fail(self, error: BaseException) -> None:
        self.errors.append(error)
        self._part.cancel()
