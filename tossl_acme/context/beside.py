"""Work that is begun before its outcome is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from . import Context
from .threads import join_thread, start_thread


class Beside:
    """Work in a thread, which must not raise. Where the system has no thread left, it is not done."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

        def run() -> None:
            try:
                work()
            finally:
                self._ended.set()

        try:
            self._thread = start_thread(name, run)
        except RuntimeError:
            self._ended.set()

    def wait(self, context: Context, what: str) -> None:
        """Returns when the work has ended. Raises as context.check() does."""
        while not self._ended.is_set():
            self._ended.wait(context.poll_seconds(what))
        if self._thread is not None:
            join_thread(self._thread)
