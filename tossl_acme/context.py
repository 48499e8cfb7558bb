"""What a caller tells whatever waits: how long, how to stop, and whom to tell.

One Context goes down with every call, from the command to the socket. A blocking call and a background job differ only
in which thread carries it.
"""

from __future__ import annotations

import time

from .errors import Cancelled, WaitTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

#: How soon a wait that cannot be woken (a socket read) notices that it was cancelled, in seconds.
CANCEL_POLL_SECONDS = 0.25


class Context:
    """A deadline, a cancellation and a listener.

    seconds(60) stands in signatures for "60 seconds unless the caller says otherwise"; its clock does not run.
    """

    def __init__(
        self,
        limit: float,
        *,
        deadline: float | None = None,
        cancelled: threading.Event | None = None,
        interrupts: list[Callable[[], None]] | None = None,
        listener: Callable[[dict[str, object]], None] | None = None,
    ) -> None:
        self.limit = limit
        self._deadline = deadline
        self._cancelled = cancelled
        self._interrupts = [] if interrupts is None else interrupts
        self._listener = listener

    def begin(
        self, limit: float | None = None, listener: Callable[[dict[str, object]], None] | None = None
    ) -> Context:
        """A running context: its clock starts now. Without `limit` (seconds) this context's own limit holds."""
        import threading  # here, for it takes longer to import than the rest of what a script loads at first

        seconds = self.limit if limit is None else limit
        deadline = time.monotonic() + seconds
        return Context(seconds, deadline=deadline, cancelled=threading.Event(), listener=listener)

    def narrowed(self, limit: float) -> Context:
        """A part of this context that may take `limit` seconds at most and never outlives it."""
        seconds = min(limit, self.remaining())
        return Context(
            seconds,
            deadline=time.monotonic() + seconds,
            cancelled=self._cancelled,
            interrupts=self._interrupts,
            listener=self._listener,
        )

    def for_cleanup(self, limit: float = 30.0) -> Context:
        """A context of its own for cleaning up, which must happen even when this one is over or cancelled."""
        return Context(limit).begin(listener=self._listener)

    def cancel(self) -> None:
        """Ends every wait in this context once it runs; safe from any thread."""
        if self._cancelled is not None:
            self._cancelled.set()
            for action in list(self._interrupts):
                action()

    def add_interrupt(self, action: Callable[[], None]) -> None:
        """Has `action` called, in whatever thread, when this context is cancelled: it ends a wait that asks for none.

        It may be called twice, and must neither wait nor raise.
        """
        self._interrupts.append(action)
        if self.is_cancelled:
            action()

    def remove_interrupt(self, action: Callable[[], None]) -> None:
        """Undoes one add_interrupt()."""
        self._interrupts.remove(action)

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled is not None and self._cancelled.is_set()

    def remaining(self) -> float:
        """Seconds left, never negative."""
        if self._deadline is None:
            return self.limit
        return max(0.0, self._deadline - time.monotonic())

    def check(self, what: str) -> None:
        """Raises Cancelled, or WaitTimeout(what), when this context is over."""
        if self.is_cancelled:
            raise Cancelled
        if self.remaining() <= 0:
            raise WaitTimeout(what, f"timed out after {self.limit:g} s waiting for {what}")

    def sleep(self, seconds: float, what: str) -> None:
        """Waits, at most to the deadline; wakes at once when cancelled. Raises as check() does."""
        pause = min(seconds, self.remaining())
        if self._cancelled is None:
            time.sleep(pause)
        else:
            self._cancelled.wait(pause)
        self.check(what)

    def pauses(self, what: str, first: float = 0.02, most: float = 5.0) -> Iterator[float]:
        """Endless pauses for polling, doubling from `first` to `most` seconds; the caller passes them to sleep()."""
        pause = first
        while True:
            self.check(what)
            yield pause
            pause = min(pause * 2, most)

    def tell(self, step: str, **facts: object) -> None:
        """Reports a step to the listener, if there is one."""
        if self._listener is not None:
            self._listener({"step": step, **facts})


def seconds(limit: float) -> Context:
    """A context whose clock does not run yet: begin() makes a running one of it."""
    return Context(limit)
