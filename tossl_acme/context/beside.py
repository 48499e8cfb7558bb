"""Work that is begun before its outcome is needed. It needs no threading, which loads slowly."""

from __future__ import annotations

from _thread import start_new_thread

from . import Cancellation, Context
from .thread_body import await_ended_threads, in_own_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Beside:
    """Work in a thread, which must not raise. Where the system has no thread left, it is not done."""

    __slots__ = ("_ended",)

    def __init__(self, work: Callable[[], None]) -> None:
        self._ended = Cancellation()
        run = in_own_thread(work)

        def run_and_tell() -> None:
            try:
                run()
            finally:
                self._ended.set()

        try:
            start_new_thread(run_and_tell, ())
        except RuntimeError:
            self._ended.set()

    def wait(self, context: Context, what: str) -> None:
        """Returns when the work has ended. Raises as context.check() does."""
        while not self._ended.is_set:
            self._ended.wait(context.poll_seconds(what))
        await_ended_threads()
