"""Events from other threads for the interpreter's thread: a queue, and a pipe that its event loop watches.

The pipe is not a Tcl channel: no script sees it, closes it or takes its name, and it uses none of the descriptors 0 to
2. It exists only while it is held, so that the event loop of a script without jobs is unchanged.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from contextlib import suppress

from ..context import in_forked_child
from ..context.farewell import forget_thread_end, forget_thread_waits, on_thread_end, while_thread_waits
from ..errors import ArgumentError, ResourceError
from ..files import beyond_standard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .host import TclHost

#: Tcl's TCL_READABLE.
_READABLE = 2


class Events:
    """The events of one interpreter, run in order in its own thread."""

    def __init__(self, host: TclHost) -> None:
        self._host = host
        self.thread = threading.get_ident()
        self._lock = threading.Lock()
        #: Each event, and whether a thread waits for it.
        self._queue: deque[tuple[Callable[[], None], bool]] = deque()
        self._is_serving = False
        self._pipe: tuple[int, int] | None = None
        self._holders = 0
        self._has_held = False
        #: Called when these events are closed, in any thread.
        self.at_close: list[Callable[[], None]] = []
        #: Called in a forked child.
        self.at_fork: list[Callable[[], None]] = []
        self.is_closed = False
        on_thread_end(self.close)
        while_thread_waits(self.serve)
        _ALL.add(self)

    # ---- in the interpreter's thread ----

    def hold(self) -> None:
        """Listens until release(), which must be called as often. Raises ResourceError if no descriptor is left.

        Raises ArgumentError "command" if the host cannot watch a pipe.
        """
        if not hasattr(self._host, "createfilehandler"):
            raise ArgumentError("command", "-command: this interpreter's host has no createfilehandler")
        if self._pipe is None:
            pipe = _new_pipe(has_loop=self._has_held)
            self._has_held = True
            self._host.createfilehandler(pipe[0], _READABLE, self._ring)
            with self._lock:
                self._pipe = pipe
        self._holders += 1

    def release(self) -> None:
        """Undoes one hold()."""
        self._holders -= 1
        if self._holders == 0:
            self._drop_pipe()

    def step(self) -> None:
        """Runs the oldest event, for one byte in the pipe."""
        with self._lock:
            event, _is_call = self._queue.popleft() if self._queue else (None, False)
            if self._queue:
                self._write()
        if event is not None:
            event()

    def serve(self) -> None:
        """Makes the calls that other threads wait for, while this thread waits for theirs at the end of the process."""
        with self._lock:
            self._is_serving = True
            calls = [event for event, is_call in self._queue if is_call]
            self._queue = deque(each for each in self._queue if not each[1])
        for call in calls:
            call()

    def _ring(self, descriptor: int, _mask: int) -> None:
        os.read(descriptor, 1)
        with suppress(Exception):  # the interpreter was deleted in the event
            self._host.call("::tossl::Ring")

    def _drop_pipe(self) -> None:
        with self._lock:
            pipe, self._pipe = self._pipe, None
            self._queue.clear()
        if pipe is not None:
            try:
                self._host.deletefilehandler(pipe[0])
            finally:
                for descriptor in pipe:
                    os.close(descriptor)

    def leave_to_parent(self) -> None:
        """Drops queue and pipe in a forked child: they belong to its parent."""
        self._lock = threading.Lock()
        self._holders = 0
        with suppress(RuntimeError):  # if this process does not have the interpreter's thread
            self._drop_pipe()
        for action in list(self.at_fork):
            action()

    # ---- in any thread ----

    def put(self, event: Callable[[], None], *, is_call: bool = False, is_once: bool = False) -> bool:
        """Queues `event` for the interpreter's thread. Returns False if nobody would run it.

        is_call: whether a thread waits for it. is_once: whether one of its kind in the queue is enough.
        """
        with self._lock:
            if self.is_closed or (self._pipe is None and not (self._is_serving and is_call)):
                return False
            if is_once and (event, is_call) in self._queue:
                return True
            self._queue.append((event, is_call))
            if len(self._queue) == 1 and self._pipe is not None:
                self._write()
            return True

    @property
    def takes_calls(self) -> bool:
        """Returns whether calls of other threads are made now."""
        return not self.is_closed and (self._pipe is not None or self._is_serving)

    def _write(self) -> None:
        assert self._pipe is not None
        os.write(self._pipe[1], b"!")

    def close(self) -> None:
        """Forgets all queued events and runs no more. Closes the pipe if this is the interpreter's thread."""
        self.is_closed = True
        self._holders = 0
        forget_thread_end(self.close)
        forget_thread_waits(self.serve)
        for action in list(self.at_close):
            action()
        if threading.get_ident() == self.thread:
            self._drop_pipe()


_ALL: weakref.WeakSet[Events] = weakref.WeakSet()


def _leave_to_parent() -> None:
    for events in list(_ALL):
        events.leave_to_parent()


in_forked_child(_leave_to_parent)


def _new_pipe(*, has_loop: bool) -> tuple[int, int]:
    """Returns a new pipe. Raises ResourceError.

    has_loop: whether the event loop has its own descriptors; Tcl ends a process that has none left for them.
    """
    made: list[int] = []
    try:
        made += os.pipe()
        pipe = beyond_standard(made[0]), beyond_standard(made[1])
        if not has_loop:
            _check_pipe(pipe)
        return pipe
    except OSError as error:
        raise ResourceError("descriptors", f"no job can be started: {error.strerror}") from None


def _check_pipe(pipe: tuple[int, int]) -> None:
    """Closes the pipe and raises OSError unless there could be another."""
    try:
        for descriptor in os.pipe():
            os.close(descriptor)
    except OSError:
        for descriptor in pipe:
            os.close(descriptor)
        raise
