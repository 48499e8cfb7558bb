"""The limits of one call: its deadline, its cancellation, and the listener for its progress.

One Context goes down with every call, from the command to the socket. A blocking call and a background job differ only
in which thread carries it.

A cancelled call undoes its work on its way out. A call that has called a script back cannot do so when the script says
`exit`: its frames lie below and are never returned to. So a call records here, as a debt, each challenge that it
presents, until it has removed it; whoever ends the process or the thread settles the open debts.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself loads slowly
import atexit
import os
import sys
import time
from _thread import allocate_lock, get_ident

from .errors import Cancelled, ForkedError, ResourceError, WaitTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from _queue import SimpleQueue
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    _S = TypeVar("_S")
    _T = TypeVar("_T")

#: Seconds that the end of the process waits at most for open debts, by default.
FAREWELL_SECONDS = 60.0
#: Seconds that the end of the process waits until cancelled calls have returned: a call that is cut off in a TLS
#: handshake, while OpenSSL is unloaded, may crash.
_RETURN_SECONDS = 1.0
#: Seconds that cleaning up one thing may take by default: several requests to an API that takes ten seconds for each.
CLEANUP_SECONDS = 60.0
#: Seconds until a wait that cannot be woken (a socket read) notices that it was cancelled.
CANCEL_POLL_SECONDS = 0.25
_FOREVER = float("inf")
#: Signals that a thread itself causes; it must be able to receive them.
_FAULTS = {_signal.SIGSEGV, _signal.SIGBUS, _signal.SIGFPE, _signal.SIGILL, _signal.SIGABRT, _signal.SIGTRAP}


def _nobody() -> None:
    return None


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
        warnings: list[dict[str, object]] | None = None,
    ) -> None:
        self.limit = limit
        self._process = os.getpid()
        self._deadline = deadline
        self._cancelled = cancelled
        self._interrupts = [] if interrupts is None else interrupts
        self._listener = listener
        #: The steps given to warn(), here and in parts of this context: the result includes them.
        self.warnings: list[dict[str, object]] = [] if warnings is None else warnings
        #: Returns the thread that holds the lock which the call waits for, if it is a thread of this process.
        self.waits_for: Callable[[], int | None] = _nobody

    def begin(
        self, limit: float | None = None, listener: Callable[[dict[str, object]], None] | None = None
    ) -> Context:
        """Returns a running context: its clock starts now. `limit`: seconds; default is this context's limit."""
        import threading  # here, for it takes longer to import than the rest of what a script loads at first

        seconds = self.limit if limit is None else limit
        deadline = time.monotonic() + seconds
        return Context(seconds, deadline=deadline, cancelled=threading.Event(), listener=listener)

    def narrowed(self, limit: float) -> Context:
        """Returns a part of this context that may take `limit` seconds at most and never outlives it."""
        seconds = min(limit, self.remaining())
        context = Context(
            seconds,
            deadline=time.monotonic() + seconds,
            cancelled=self._cancelled,
            interrupts=self._interrupts,
            listener=self._listener,
            warnings=self.warnings,
        )
        context._process = self._process
        return context

    def for_cleanup(self, limit: float = CLEANUP_SECONDS) -> Context:
        """Returns a separate context for cleaning up, which must happen even if this one is over or cancelled."""
        context = Context(limit).begin(listener=self._listener)
        context.warnings = self.warnings
        context._process = self._process
        return context

    def cancel(self) -> None:
        """Ends every wait in this context once it runs; safe from any thread."""
        if self._cancelled is not None:
            self._cancelled.set()
            for action in list(self._interrupts):
                action()

    def add_interrupt(self, action: Callable[[], None]) -> None:
        """Calls `action`, in any thread, when this context is cancelled: ends a wait that does not check the context.

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
        """Returns the seconds left, never negative."""
        if self._deadline is None:
            return self.limit
        return max(0.0, self._deadline - time.monotonic())

    def check(self, what: str) -> None:
        """Raises Cancelled or WaitTimeout(what) if this context is over, ForkedError if it belongs to the parent."""
        if self._process != os.getpid():
            raise ForkedError
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

    def poll_seconds(self, what: str, limit: float = _FOREVER) -> float:
        """Returns the seconds to wait before the next check, at most `limit`. Raises as check() does."""
        self.check(what)
        return max(0.001, min(CANCEL_POLL_SECONDS, self.remaining(), limit))

    def run(self, work: Callable[[], _T], what: str, limit: float = _FOREVER) -> _T:
        """Runs `work` in a new thread, for waits that cannot be woken; returns or raises its outcome.

        The thread is left to end by itself when this context is over (raises as check() does) or after `limit` seconds
        (raises TimeoutError). Raises ResourceError "threads" if no thread can be started.
        """
        for _item, result in self.run_each(lambda _: work(), (None,), what, limit):
            return result
        raise AssertionError("nothing was run")

    def run_each(
        self, work: Callable[[_S], _T], items: Iterable[_S], what: str, limit: float = _FOREVER
    ) -> Iterator[tuple[_S, _T]]:
        """Yields each item with the result of `work`, as they finish, each in a new thread. Raises as run()."""
        from _queue import SimpleQueue

        done: SimpleQueue[tuple[threading.Thread, _S, _T | None, Exception | None]] = SimpleQueue()
        ends = time.monotonic() + limit
        for _ in [_started(work, item, done) for item in items]:
            thread, item, result, error = self._taken(done, what, ends)
            join_thread(thread)  # it ends now; a later fork finds one thread less
            if error is not None:
                raise error
            yield item, result  # type: ignore[misc]

    def _taken(self, done: SimpleQueue[_T], what: str, ends: float) -> _T:
        from _queue import Empty

        while True:
            left = ends - time.monotonic()
            pause = self.poll_seconds(what, left)
            if left <= 0:
                raise TimeoutError("timed out")
            try:
                return done.get(timeout=pause)
            except Empty:
                continue

    def tell(self, step: str, **facts: object) -> None:
        """Reports a step to the listener, if there is one."""
        if self._listener is not None:
            self._listener({"step": step, **facts})

    def told(self, step: str) -> list[dict[str, object]]:
        """Returns the facts of every such step given to warn()."""
        kept = [dict(warning) for warning in self.warnings if warning["step"] == step]
        for facts in kept:
            del facts["step"]
        return kept

    def warn(self, step: str, **facts: object) -> None:
        """Reports a step, and keeps it for the result."""
        self.warnings.append({"step": step, **facts})
        self.tell(step, **facts)


class Backoff:
    """The pauses between the looks of one wait: from `first` seconds, doubling, to `most`."""

    def __init__(self, first: float = 0.02, most: float = 5.0) -> None:
        self._next = min(first, most)
        self._most = most

    def next(self) -> float:
        """Returns the seconds to sleep before the next look."""
        pause, self._next = self._next, min(self._next * 2, self._most)
        return pause


def _started(
    work: Callable[[_S], _T], item: _S, done: SimpleQueue[tuple[threading.Thread, _S, _T | None, Exception | None]]
) -> threading.Thread:
    import threading

    def run() -> None:
        thread = threading.current_thread()
        try:
            done.put((thread, item, work(item), None))
        except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
            done.put((thread, item, None, error))

    try:
        return start_thread("tossl work", run)
    except RuntimeError:
        raise ResourceError("threads", "no more threads can be started in this process") from None


def seconds(limit: float) -> Context:
    """Returns a context whose clock does not run yet: begin() makes a running context of it."""
    return Context(limit)


# ---- this process's calls and debts ----


class Debt:
    """An action to undo, once, by whoever comes first."""

    def __init__(self, undo: Callable[[Context], None], *, at_exit: bool) -> None:
        self.thread = get_ident()
        self._process = os.getpid()
        self.at_exit = at_exit
        #: Whether anybody may settle it: its call has begun to clean up.
        self.is_due = False
        self._undo = undo
        self._taken = allocate_lock()

    def settle(self, context: Context) -> bool:
        """Undoes the action, and raises its errors. Returns False if another thread, or the parent, settles it."""
        if self._process != os.getpid() or not self._taken.acquire(blocking=False):
            return False
        try:
            self._undo(context)
        finally:
            _process().forget(self)
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
        import threading

        #: Held for every look at the rest.
        self.changed = threading.Condition()
        self.debts: list[Debt] = []
        self.running: list[tuple[int, Context]] = []
        self.is_ending = False
        self.ending_thread = 0
        self.farewell_seconds = FAREWELL_SECONDS
        #: For each thread in a script that was called back, the threads that wait for each of its scripts.
        self.in_script: dict[int, list[frozenset[int]]] = {}
        self.thread_ends: dict[int, list[Callable[[], None]]] = {}

    def forget(self, debt: Debt) -> None:
        with self.changed:
            if debt in self.debts:
                self.debts.remove(debt)
            self.changed.notify_all()

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
            with self.changed:
                left = [debt for debt in self.debts if concerns(debt)]
                ready = [debt for debt in left if debt not in begun and self._may_settle(debt, this_thread)]
                if not ready and (not left or not self.changed.wait(context.remaining())):
                    return
            begun.update(ready)
            for debt in ready:
                _settle_aside(debt, context)

    def _may_settle(self, debt: Debt, this_thread: int) -> bool:
        return debt.is_open and (debt.is_due or debt.thread == this_thread or debt.thread in self.in_script)


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


def owe(undo: Callable[[Context], None], *, at_exit: bool = True) -> Debt:
    """Returns a debt: `undo` is called if this thread ends before it settles it.

    at_exit: whether the end of the process waits for it; False for things that vanish with the process. Raises
    Cancelled once the process ends.
    """
    process = _process()
    debt = Debt(undo, at_exit=at_exit)
    with process.changed:
        if process.is_ending:
            raise Cancelled
        process.debts.append(debt)
    return debt


def fall_due(debts: Iterable[Debt]) -> None:
    """Lets anybody settle these: their calls do nothing more that they would have to undo."""
    process = _process()
    with process.changed:
        for debt in debts:
            debt.is_due = True
        process.changed.notify_all()


class running:
    """`with running(context)`: the call in this context is cancelled when the process ends."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        process = _process()
        with process.changed:
            is_ending = process.is_ending
            if not is_ending:
                process.running.append((get_ident(), self._context))
        if is_ending:
            process.stay()

    def __exit__(self, *_: object) -> None:
        process = _process()
        with process.changed:
            if (get_ident(), self._context) in process.running:
                process.running.remove((get_ident(), self._context))
            process.changed.notify_all()
        if process.is_ending:
            process.stay()


class in_script:
    """`with in_script(waiting)`: this thread runs a script that was called back; the threads `waiting` wait for it."""

    def __init__(self, waiting: frozenset[int] = frozenset()) -> None:
        self._waiting = waiting

    def __enter__(self) -> None:
        process = _process()
        with process.changed:
            process.in_script.setdefault(get_ident(), []).append(self._waiting)

    def __exit__(self, *_: object) -> None:
        process = _process()
        with process.changed:
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
    with process.changed:
        process.thread_ends.setdefault(get_ident(), []).append(action)


def forget_thread_end(action: Callable[[], None]) -> None:
    """Undoes one on_thread_end(), from any thread."""
    process = _process()
    with process.changed:
        for thread, actions in list(process.thread_ends.items()):
            if action in actions:
                actions.remove(action)
            if not actions:
                del process.thread_ends[thread]


def cancel_running() -> int:
    """Cancels every call at work; returns their number."""
    process = _process()
    with process.changed:
        contexts = [context for _, context in process.running]
    for context in contexts:
        context.cancel()
    return len(contexts)


def end_process() -> None:
    """Cancels every call and waits until all debts are settled, farewell_seconds() at most. No debt, no wait."""
    if _known:
        process = _process()
        with process.changed:
            process.is_ending = True
            process.ending_thread = get_ident()
        cancel_running()
        process.settle(lambda debt: debt.at_exit)
        with process.changed:
            process.changed.wait_for(process.have_returned, _RETURN_SECONDS)


def end_thread() -> None:
    """Settles the debts of this thread's calls: the thread ends below them, and they never return."""
    if _known:
        process = _process()
        for action in list(process.thread_ends.get(get_ident(), ())):
            action()
        with process.changed:
            process.in_script.pop(get_ident(), None)
            own = [debt for debt in process.debts if debt.thread == get_ident()]
        process.settle(lambda debt: debt in own)


def start_thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """Starts a daemon thread. It receives none of the process's signals: they are for the program's own threads.

    Raises RuntimeError if the system has no thread left.
    """
    import threading

    bridge = sys.modules.get("_tossl")

    def run() -> None:
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals() - _FAULTS)
        if bridge is None:
            work()
            return
        bridge.enter_thread()
        try:
            work()
        finally:
            bridge.leave_thread()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def join_thread(thread: threading.Thread) -> None:
    """Waits until a thread that start_thread() returned has ended, including other libraries' work at its very end.

    OpenSSL takes locks there: they would stay locked in a child that is forked at that moment.
    """
    thread.join()
    bridge = sys.modules.get("_tossl")
    if bridge is not None:
        bridge.await_threads()


def _settle_aside(debt: Debt, context: Context) -> None:
    """Settles the debt in a new thread if one can be started. Nobody is left to receive its errors."""

    def settle() -> None:
        from contextlib import suppress

        with suppress(Exception):
            debt.settle(context)

    try:
        start_thread("tossl farewell", settle)
    except RuntimeError:
        settle()


atexit.register(end_process)
os.register_at_fork(after_in_child=reset)
