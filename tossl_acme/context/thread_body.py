"""What each thread does that this package starts, beside its work."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself loads slowly
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Signals that a thread itself causes; it must be able to receive them.
_FAULTS = {_signal.SIGSEGV, _signal.SIGBUS, _signal.SIGFPE, _signal.SIGILL, _signal.SIGABRT, _signal.SIGTRAP}


def in_own_thread(work: Callable[[], None]) -> Callable[[], None]:
    """Returns what a thread runs that does this work, and receives none of the process's signals.

    What `work` raises ends it, and is shown in Python's development mode alone: standard error is the program's.
    """
    bridge = sys.modules.get("_tossl")

    def enter_and_work() -> None:
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals() - _FAULTS)
        if bridge is None:
            work()
            return
        bridge.enter_thread()
        try:
            work()
        finally:
            bridge.leave_thread()

    def run() -> None:
        try:
            enter_and_work()
        except BaseException:
            if sys.flags.dev_mode:
                raise

    return run


def await_ended_threads() -> None:
    """Waits until threads whose work has ended are gone, after other libraries' work at their very end.

    OpenSSL takes locks there: they would stay locked in a child that is forked at that moment. Where Python is the
    program, nobody can say when that is over.
    """
    bridge = sys.modules.get("_tossl")
    if bridge is not None:
        bridge.await_threads()
