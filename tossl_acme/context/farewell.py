"""The calls at work in this process, and the work that they must undo if it ends first.

A cancelled call undoes its work on its way out. A call that has called a script back cannot do so when the script says
`exit`: its frames lie below and are never returned to. So a call records here, as a debt, each challenge that it
presents, until it has removed it; the end of the process or of the thread settles the open debts.
"""

from __future__ import annotations

import atexit
import os
import time
from _thread import RLock, allocate_lock, get_ident

from ..errors import ArgumentError, Cancelled, LateArgumentError, TosslError, of_descriptors
from . import CANCEL_POLL_SECONDS, Context, in_forked_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

#: Seconds that the end of the process waits at most for open debts, by default.
FAREWELL_SECONDS = 60.0
#: Seconds that the end of the process waits until cancelled calls have returned: a call that is cut off in a TLS
#: handshake, while OpenSSL is unloaded, may crash.
_RETURN_SECONDS = 1.0
#: Seconds between two looks for calls that other threads wait for.
_SERVE_SECONDS = 0.02


class Debt:
    """An action to undo, once, by the first thread that can."""

    def __init__(self, undo: Callable[[Context], None], *, at_exit: bool) -> None:
        self.thread = get_ident()
        #: The thread that does what is to be undone; 0: none at the moment.
        self.worker = 0
        self._process = os.getpid()
        self.at_exit = at_exit
        #: Whether anybody may settle it: its call has begun to clean up.
        self.is_due = False
        self._undo = undo
        self._taken = allocate_lock()

    def begin(self) -> None:
        """Keeps the debt for this thread until end(): it does what is to be undone.

        Raises Cancelled if the process ends, or if the debt is settled: nobody would undo it.
        """
        process = _process()
        with process.look:
            if process.is_ending or not self.is_open:
                raise Cancelled
            self.worker = get_ident()

    def end(self) -> None:
        """Undoes begin()."""
        process = _process()
        with process.look:
            self.worker = 0
            process.tell()

    def settle(self, context: Context) -> bool:
        """Undoes the action, and raises its errors. Returns False if another thread, or the parent, settles it."""
        if self._process != os.getpid() or not self._taken.acquire(blocking=False):
            return False
        process, this_thread = _process(), get_ident()
        process.settling.append(this_thread)
        try:
            self._undo(context)
        finally:
            process.settling.remove(this_thread)
            process.forget(self)
        return True

    def drop(self) -> None:
        """Cancels the debt: the action stays done."""
        if self._taken.acquire(blocking=False):
            _process().forget(self)

    @property
    def is_open(self) -> bool:
        """Returns whether nobody has begun to settle it."""
        return not self._taken.locked()


class _Process:
    """The calls at work in this process."""

    def __init__(self) -> None:
        #: Held for every look at the rest.
        self.look = RLock()
        self._changed: threading.Condition | None = None
        self.debts: list[Debt] = []
        self.running: list[tuple[int, Context]] = []
        #: The threads that settle a debt, each as often as it does.
        self.settling: list[int] = []
        self.is_ending = False
        self.ending_thread = 0
        self.farewell_seconds = FAREWELL_SECONDS
        #: For each thread in a script that was called back, the threads that wait for each of its scripts.
        self.in_script: dict[int, list[frozenset[int]]] = {}
        self.thread_ends: dict[int, list[Callable[[], None]]] = {}
        self.thread_waits: dict[int, list[Callable[[], None]]] = {}

    def tell(self) -> None:
        """Wakes those who wait for a change. They and the caller hold `look`."""
        if self._changed is not None:
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Waits until tell() is called; returns whether it was. The caller holds `look`."""
        if self._changed is None:
            import threading  # here, for few calls wait, and it takes longer to import than a short call

            self._changed = threading.Condition(self.look)
        return self._changed.wait(seconds)

    def forget(self, debt: Debt) -> None:
        with self.look:
            if debt in self.debts:
                self.debts.remove(debt)
            self.tell()

    def have_returned(self) -> bool:
        """Returns whether all calls have returned that can: those below this thread or below a script cannot."""
        return all(thread == get_ident() or thread in self.in_script for thread, _ in self.running)

    def stay(self) -> None:
        """Holds a thread whose call is over while the process ends: its script must neither go on nor see an error."""
        if get_ident() == self.ending_thread:
            raise Cancelled
        while True:
            time.sleep(3600)

    def settle(self, concerns: Callable[[Debt], bool]) -> None:
        """Waits until no such debt is open; settles, in parallel, those whose call cannot."""
        context = Context(self.farewell_seconds).begin()
        this_thread = get_ident()
        begun: set[Debt] = set()
        while True:
            servants = list(self.thread_waits.get(this_thread, ()))
            for serve in servants:
                serve()
            with self.look:
                left = [debt for debt in self.debts if concerns(debt)]
                ready = [debt for debt in left if debt not in begun and self._may_settle(debt, this_thread)]
                if not ready:
                    if not left or context.remaining() <= 0:
                        return
                    self.wait(min(context.remaining(), _SERVE_SECONDS) if servants else context.remaining())
            begun.update(ready)
            for debt in ready:
                _settle_aside(debt, context)

    def _may_settle(self, debt: Debt, this_thread: int) -> bool:
        at_work = debt.worker or debt.thread
        return debt.is_open and (debt.is_due or at_work == this_thread or at_work in self.in_script)


_making = allocate_lock()
_known: list[_Process] = []


def _process() -> _Process:
    if not _known:
        with _making:
            if not _known:
                _known.append(_Process())
    return _known[0]


def reset() -> None:
    """Forgets all calls and debts: in a child process they are the parent's."""
    _known.clear()


def farewell_seconds() -> float:
    """Returns the seconds that the end of the process waits at most for open debts."""
    return _process().farewell_seconds


def set_farewell_seconds(seconds: float) -> None:
    """Sets how long the end of the process waits at most; 0: not at all."""
    _process().farewell_seconds = seconds


def owe(undo: Callable[[Context], None], *, at_exit: bool = True, of_thread: bool = True) -> Debt:
    """Returns a debt: `undo` is called if this thread ends before it settles it.

    at_exit: whether the end of the process waits for it; False for things that vanish with the process. of_thread:
    whether it is this thread's; else it outlives the thread, and anybody may settle it.
    Raises Cancelled once the process ends, unless this thread is settling another debt: that may take locks.
    """
    process = _process()
    debt = Debt(undo, at_exit=at_exit)
    if not of_thread:
        debt.thread = 0
        debt.is_due = True
    with process.look:
        if process.is_ending and get_ident() not in process.settling:
            raise Cancelled
        process.debts.append(debt)
    return debt


def fall_due(debts: Iterable[Debt]) -> None:
    """Lets anybody settle these: their calls do nothing more that they would have to undo."""
    process = _process()
    with process.look:
        for debt in debts:
            debt.is_due = True
        process.tell()


class running:
    """`with running(context)`: the call in this context is cancelled when the process ends.

    An error that came of a lack of descriptors is a ResourceError; a wrong argument that is found after a request which
    may have changed something is a LateArgumentError.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        process = _process()
        with process.look:
            is_ending = process.is_ending
            if not is_ending:
                process.running.append((get_ident(), self._context))
        if is_ending:
            process.stay()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        process = _process()
        with process.look:
            if (get_ident(), self._context) in process.running:
                process.running.remove((get_ident(), self._context))
            process.tell()
        if process.is_ending:
            process.stay()
        if isinstance(error, TosslError):
            lack = of_descriptors(error)
            if lack is not None:
                raise lack from None
        if isinstance(error, ArgumentError) and self._context.has_sent:
            raise LateArgumentError(error) from None


def poll_seconds_here(limit: float) -> float:
    """Returns the seconds, `limit` at most, until a wait of this thread looks again; 0 when one of its calls is over.

    For waits below what hands a context down. Raises Cancelled.
    """
    process = _process()
    with process.look:
        contexts = [context for thread, context in process.running if thread == get_ident()]
    if any(context.is_cancelled for context in contexts):
        raise Cancelled
    return min([limit, CANCEL_POLL_SECONDS, *(context.remaining() for context in contexts)])


def context_here() -> Context | None:
    """Returns the context of the innermost call at work in this thread: for waits below what hands a context down."""
    if not _known:
        return None
    process = _process()
    with process.look:
        return next((context for thread, context in reversed(process.running) if thread == get_ident()), None)


class in_script:
    """`with in_script(waiting)`: this thread runs a script that was called back; the threads `waiting` wait for it."""

    def __init__(self, waiting: frozenset[int] = frozenset()) -> None:
        self._waiting = waiting

    def __enter__(self) -> None:
        process = _process()
        with process.look:
            process.in_script.setdefault(get_ident(), []).append(self._waiting)

    def __exit__(self, *_: object) -> None:
        process = _process()
        with process.look:
            scripts = process.in_script.get(get_ident(), [])
            if scripts:
                scripts.pop()
            if not scripts:
                process.in_script.pop(get_ident(), None)


def waiting_threads() -> frozenset[int]:
    """Returns this thread and those that wait for a script that it runs: a wait here for their locks would hang."""
    return frozenset((get_ident(),)).union(*_process().in_script.get(get_ident(), ()))


def on_thread_end(action: Callable[[], None]) -> None:
    """Calls `action` when this thread ends below its calls."""
    process = _process()
    with process.look:
        process.thread_ends.setdefault(get_ident(), []).append(action)


def forget_thread_end(action: Callable[[], None]) -> None:
    """Undoes one on_thread_end(), from any thread."""
    _forget(_process().thread_ends, action)


def while_thread_waits(action: Callable[[], None]) -> None:
    """Calls `action` again and again while this thread waits for the debts of others."""
    process = _process()
    with process.look:
        process.thread_waits.setdefault(get_ident(), []).append(action)


def forget_thread_waits(action: Callable[[], None]) -> None:
    """Undoes one while_thread_waits(), from any thread."""
    _forget(_process().thread_waits, action)


def _forget(by_thread: dict[int, list[Callable[[], None]]], action: Callable[[], None]) -> None:
    with _process().look:
        for thread, actions in list(by_thread.items()):
            if action in actions:
                actions.remove(action)
            if not actions:
                del by_thread[thread]


def cancel_running() -> int:
    """Cancels every call at work; returns their number."""
    process = _process()
    with process.look:
        contexts = [context for _, context in process.running]
    for context in contexts:
        context.cancel()
    return len(contexts)


def end_process() -> None:
    """Cancels every call and waits until all debts are settled, farewell_seconds() at most. No debt, no wait."""
    if _known:
        process = _process()
        with process.look:
            process.is_ending = True
            process.ending_thread = get_ident()
        cancel_running()
        process.settle(lambda debt: debt.at_exit)
        with process.look:
            context = Context(_RETURN_SECONDS).begin()
            while not process.have_returned() and process.wait(context.remaining()):
                pass


def end_thread() -> None:
    """Settles the debts of this thread's calls: the thread ends below them, and they never return."""
    if _known:
        process = _process()
        for action in list(process.thread_ends.get(get_ident(), ())):
            action()
        with process.look:
            process.in_script.pop(get_ident(), None)
            own = [debt for debt in process.debts if debt.thread == get_ident()]
        process.settle(lambda debt: debt in own)


def _settle_aside(debt: Debt, context: Context) -> None:
    """Settles the debt in a new thread if one can be started. Nobody is left to receive its errors."""

    def settle() -> None:
        from contextlib import suppress

        with suppress(Exception):
            debt.settle(context)

    from .threads import start_thread

    try:
        start_thread("tossl farewell", settle)
    except RuntimeError:
        settle()


atexit.register(end_process)
in_forked_child(reset)
