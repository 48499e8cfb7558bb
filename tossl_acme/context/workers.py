"""A few threads for much work: no more at the same time than is said, and none where there is nothing to do."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from .threads import join_thread, start_thread


class Works(Protocol):
    """Does work, at once or later, in another thread or in this one."""

    def put(self, work: Callable[[], None]) -> None: ...
    def close(self) -> None: ...


class Workers:
    """Runs work in order, `most` pieces at the same time. Whoever puts it sees to its errors; none ends a worker."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._lock = threading.Lock()
        self._queue: deque[Callable[[], None]] = deque()
        self._threads: set[threading.Thread] = set()

    def put(self, work: Callable[[], None]) -> None:
        """Has the work done. Where the system has no thread left, it waits for one that is at work, or the next put."""
        with self._lock:
            self._queue.append(work)
            if len(self._threads) >= self._most:
                return
            try:
                self._threads.add(start_thread(self._name, self._run))  # it waits for the lock
            except RuntimeError:
                return

    def close(self) -> None:
        """Forgets what has not begun, and waits for the rest."""
        with self._lock:
            self._queue.clear()
            left = list(self._threads)
        for thread in left:
            join_thread(thread)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._threads.discard(threading.current_thread())
                    return
                work = self._queue.popleft()
            with contextlib.suppress(Exception):
                work()
