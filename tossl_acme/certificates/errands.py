"""What other threads do for one thread, which takes the outcomes when it looks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeVar

from ..context.workers import Works
from ..errors import Cancelled, ForkedError, TosslError, foreign_error

_T = TypeVar("_T")


class Errands:
    """Work that is under way. wake: called, in whatever thread, when there is an outcome to take."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._ended: deque[Callable[[], None]] = deque()

    def begin(
        self,
        works: Works,
        work: Callable[[], _T],
        then: Callable[[_T], None] | None = None,
        failed: Callable[[TosslError], None] | None = None,
    ) -> None:
        """Has the work done; take() calls `then` with its result, or `failed`; neither where it was cancelled."""

        def run() -> None:
            try:
                result = work()
            except (Cancelled, ForkedError):
                return
            except Exception as caught:  # noqa: BLE001 - a defect must not end the worker
                error = caught if isinstance(caught, TosslError) else foreign_error(caught)
                if failed is not None:
                    self.end(lambda: failed(error))
            else:
                if then is not None:
                    self.end(lambda: then(result))

        works.put(run)

    def end(self, then: Callable[[], None]) -> None:
        """Has take() call this. For any thread."""
        self._ended.append(then)
        self._wake()

    def take(self) -> None:
        """Calls what the outcomes of work are for."""
        while self._ended:
            self._ended.popleft()()
