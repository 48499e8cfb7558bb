"""The log as a script reads it: its prefix, called with level, message and dict in its interpreter's thread."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from threading import get_ident

from ..errors import ScriptError
from ..log import add_reader, remove_reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from .callbacks import Callback
    from .events import Events

    class Program(Protocol):
        """An interpreter."""

        @property
        def events(self) -> Events: ...
        @property
        def is_idle(self) -> bool: ...

#: Records that wait for the interpreter's thread; the oldest are forgotten.
_MOST_WAITING = 10_000


class ScriptLog:
    """A script's prefix for the log. Made in its interpreter's thread.

    Records come from any thread, with whatever locks held: they wait. The prefix gets them when a command of its
    interpreter's thread has ended, or, while jobs are at work, from its event loop.
    """

    def __init__(self, program: Program, callback: Callback, words: str) -> None:
        self.words = words
        self._program = program
        self._callback = callback
        self._events = events = program.events
        self._thread = get_ident()
        self._waiting: deque[tuple[str, str, dict[str, object]]] = deque(maxlen=_MOST_WAITING)
        self._is_delivering = False
        self._has_failed = False
        add_reader(self)
        events.at_close.append(self.close)
        events.at_fork.append(self._waiting.clear)

    def put(self, level: str, message: str, facts: dict[str, object]) -> None:
        """Has the prefix called with a record. What the prefix itself brings about is not told to it."""
        if self._is_delivering and get_ident() == self._thread:
            return
        self._waiting.append((level, message, facts))
        self._events.put(self.deliver, is_once=True)

    def deliver(self) -> None:
        """Calls the prefix with the records that wait, if this is its thread, and none of its commands runs."""
        if not self._waiting or self._is_delivering or get_ident() != self._thread or not self._program.is_idle:
            return
        self._is_delivering = True
        try:
            for _ in range(len(self._waiting)):
                if not self._waiting or not self._call(*self._waiting.popleft()):
                    return
        finally:
            self._is_delivering = False

    def _call(self, level: str, message: str, facts: dict[str, object]) -> bool:
        """Returns whether the next record may follow. Of a prefix that fails again and again, one error is told."""
        try:
            self._callback.run(level, message, facts)
            self._has_failed = False
        except ScriptError as error:
            if not self._has_failed:
                self._has_failed = True
                self._callback.tell_error(error)
        except Exception:  # noqa: BLE001 - the interpreter is gone; whoever logs must not hear of it
            self.close()
            return False
        return True

    def close(self) -> None:
        """Ends it. For any thread."""
        remove_reader(self)
        self._waiting.clear()
        with suppress(ValueError):
            self._events.at_close.remove(self.close)
            self._events.at_fork.remove(self._waiting.clear)
