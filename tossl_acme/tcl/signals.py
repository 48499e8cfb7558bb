"""Signals, for programs that trap them: the first cancels all calls, the second ends the process at once.

A program that serves may take SIGHUP for something else, and is ended by the others without a failure.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from ..context.farewell import cancel_running
from ..context.threads import start_thread
from ..files import beyond_standard

#: Windows has no SIGHUP.
_TRAPPED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
#: Exit statuses from here on name a signal, as in the shell.
_STATUS = 128

_caught: list[int] = []
_reloads: list[Callable[[], None]] = []
_installed: list[bool] = []


def trap_signals() -> int:
    """Makes SIGINT, SIGTERM and SIGHUP, unless they are ignored, cancel the calls at work. For the main thread.

    Without a call the process ends as usual, with status 0 where it serves. Returns the number of the signal, or 0.
    """
    if not _installed:
        _installed.append(True)
        _install()
    return _caught[0] if _caught else 0


def serve(reload: Callable[[], None]) -> None:
    """Has SIGHUP, where there is one, call `reload`, in another thread, from now on: it cancels nothing any more.

    The others end the process with status 0 where nothing is at work yet.
    """
    _reloads[:] = [reload]


def _install() -> None:
    reader, writer = map(beyond_standard, os.pipe())
    os.set_blocking(writer, False)
    # Python runs handlers only between two bytecodes; the number is in the pipe at once.
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _TRAPPED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: None)
    start_thread("tossl signals", lambda: _watch(reader))


def _watch(reader: int) -> None:
    while True:
        (number,) = os.read(reader, 1)
        if number not in _TRAPPED:
            continue
        if _reloads and number == signal.SIGHUP:
            with suppress(Exception):  # what it wakes may just have ended
                _reloads[0]()
            continue
        if _caught or not cancel_running():
            os._exit(0 if _reloads and not _caught else _STATUS + number)
        _caught.append(number)
