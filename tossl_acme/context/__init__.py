"""The limits of one call: its deadline, its cancellation, and the listener for its progress.

One Context goes down with every call, from the command to the socket. A blocking call and a background job differ only
in which thread carries it.

threads.py and beside.py start the threads of this package, farewell.py undoes the work of calls if the process ends
first. None is loaded before it is needed.
"""

from __future__ import annotations

import os
import time
from _thread import TIMEOUT_MAX, LockType, allocate_lock

from ..errors import Cancelled, ForkedError, TosslError, WaitTimeout
from ..log import DEBUG, WARNING
from ..log import event as log_event
from ..text import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from _queue import SimpleQueue
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    _S = TypeVar("_S")
    _T = TypeVar("_T")

#: Seconds that cleaning up one thing may take by default: several requests to an API that takes ten seconds for each.
CLEANUP_SECONDS = 60.0
#: The least that it may take, however short its call was.
LEAST_CLEANUP_SECONDS = 10.0
#: What it may take where the same provider has let another removal use up its time.
QUICK_CLEANUP_SECONDS = 1.0
#: Seconds until a wait that cannot be woken (a socket read) notices that it was cancelled.
CANCEL_POLL_SECONDS = 0.25
#: Seconds between two looks of a thread that waits whether its program interrupts it.
ATTEND_SECONDS = 0.1
#: The limit of a call that has none: 95 years, the most that every system can wait.
LIMITLESS_SECONDS = 3e9
_FOREVER = float("inf")
#: Threads of one run_each() at a time, each with a socket: the host's program needs threads and descriptors, too.
_MOST_THREADS = 100
#: Items of a list in a step: no certificate has more names.
_MOST_ITEMS = 100


def _nobody() -> None:
    return None


def in_forked_child(function: Callable[[], object]) -> None:
    """Has every forked child of this process call it. Windows has no fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)


class Cancellation:
    """What threading.Event does; without threading, which takes longer to import than all that a short call does."""

    __slots__ = ("_waiting", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        self._waiting: list[LockType] = []

    def set(self) -> None:
        self.is_set = True
        while self._waiting:
            try:
                self._waiting.pop().release()
            except IndexError:  # another thread was faster
                return

    def wait(self, seconds: float) -> None:
        """Returns once it is set, after `seconds` at the latest."""
        lock = allocate_lock()
        lock.acquire()
        self._waiting.append(lock)
        if not self.is_set:  # else set() may have looked before that
            lock.acquire(timeout=min(seconds, TIMEOUT_MAX))
        try:
            self._waiting.remove(lock)
        except ValueError:  # set() has it
            return


class Context:
    """A deadline, a cancellation and a listener.

    seconds(60) stands in signatures for "60 seconds unless the caller says otherwise"; its clock does not run.
    """

    def __init__(
        self,
        limit: float,
        *,
        deadline: float | None = None,
        cancelled: Cancellation | None = None,
        interrupts: list[Callable[[], None]] | None = None,
        listener: Callable[[dict[str, object]], None] | None = None,
        warnings: list[dict[str, object]] | None = None,
        attend: Callable[[], None] | None = None,
    ) -> None:
        self.limit = limit
        #: The process that it runs in; 0 before its clock runs.
        self._process = os.getpid() if deadline is not None else 0
        self._deadline = deadline
        self._cancelled = cancelled
        self._interrupts = [] if interrupts is None else interrupts
        self._listener = listener
        self._attend = attend
        #: The context of the whole call, of which this is a part.
        self._whole: Context | None = None
        #: The id of the issuance that this is a part of; empty outside of one.
        self.issuance = ""
        #: The first error given to interrupt().
        self.reason: TosslError | None = None
        #: Not empty once a request was sent that may have changed something; shared with the parts of this context.
        self._sent: list[bool] = []
        #: What is to be done while an answer is awaited; shared with the parts of this context in the same thread.
        self._meanwhile: list[Callable[[], None]] = []
        #: The steps given to warn(), here and in parts of this context: the result includes them.
        self.warnings: list[dict[str, object]] = [] if warnings is None else warnings
        #: Returns the thread that holds the lock which the call waits for, if it is a thread of this process.
        self.waits_for: Callable[[], int | None] = _nobody

    def begin(
        self,
        limit: float | None = None,
        listener: Callable[[dict[str, object]], None] | None = None,
        spent: float = 0.0,
        attend: Callable[[], None] | None = None,
    ) -> Context:
        """Returns a running context: its clock starts now. `limit`: seconds; default is this context's limit.

        spent: seconds of it that are over already. attend: called at every look at the context and in every wait, in
        whatever thread; it may call interrupt(), and must not raise.
        """
        seconds = self.limit if limit is None else limit
        deadline = time.monotonic() + seconds - spent
        return Context(seconds, deadline=deadline, cancelled=Cancellation(), listener=listener, attend=attend)

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
            attend=self._attend,
        )
        context._process = self._process
        context._whole = self._whole or self
        context._sent = self._sent
        context._meanwhile = self._meanwhile
        context.issuance = self.issuance
        return context

    def of_one(self, limit: float, **facts: object) -> Context:
        """Returns a part of this context for one of many: its warnings are its own, and its steps have these facts."""
        context = self.narrowed(limit)
        context.warnings = []
        context._sent = []
        context._meanwhile = []
        listener = self._listener
        if listener is not None:
            context._listener = lambda step: listener({"step": step["step"], **facts, **step})
        return context

    def aside(self, listener: Callable[[dict[str, object]], None] | None = None) -> Context:
        """Returns a part of this context for a thread that may not call its listener: this one gets the steps."""
        context = self.narrowed(self.remaining())
        context._listener = listener
        context._attend = None
        context._meanwhile = []
        return context

    def for_cleanup(self, limit: float = CLEANUP_SECONDS) -> Context:
        """Returns a separate context for cleaning up, which must happen even if this one is over or cancelled."""
        context = Context(limit).begin(listener=self._listener, attend=self._attend)
        context.warnings = self.warnings
        context._process = self._process
        context._whole = self._whole or self
        context.issuance = self.issuance
        return context

    def apart(self, listener: Callable[[dict[str, object]], None]) -> Context:
        """Returns a part as aside() does, which can be cancelled by itself; cancel() ends it only by an interrupt."""
        context = self.aside(listener)
        context._cancelled = Cancellation()
        context._interrupts = []
        return context

    def cancel(self) -> None:
        """Ends every wait in this context once it runs; safe from any thread."""
        if self._cancelled is not None:
            self._cancelled.set()
            for action in list(self._interrupts):
                action()

    def interrupt(self, error: TosslError) -> None:
        """Cancels the whole call, which then raises this error: for what its program does to it."""
        whole = self._whole or self
        if whole.reason is None:
            whole.reason = error
        whole.cancel()

    def note_sent(self) -> None:
        """Notes that a request is sent which may change something: no error is "nothing was sent" from now on."""
        self._sent[:] = (True,)

    @property
    def has_sent(self) -> bool:
        return bool(self._sent)

    def meanwhile(self, work: Callable[[], None]) -> _Meanwhile:
        """Returns a `with` in which `work` is done while the first answer is awaited; without an answer, at its end.

        What `work` raises is raised at the end: within the wait it would look like the peer's error. An error of the
        block comes first.
        """
        return _Meanwhile(self._meanwhile, work)

    def work_meanwhile(self) -> None:
        """Does what meanwhile() was given. For whoever is about to wait for an answer."""
        while self._meanwhile:
            self._meanwhile.pop()()

    def attend(self) -> None:
        """Lets the program that waits for the call interrupt it. For waits that do not look at the context."""
        if self._attend is not None:
            self._attend()

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
        return self._cancelled is not None and self._cancelled.is_set

    @property
    def is_over(self) -> bool:
        """Returns whether it is cancelled, or its time is over."""
        return self.is_cancelled or self.remaining() <= 0

    @property
    def is_behind_its_call(self) -> bool:
        """Returns whether it is for cleaning up, and the whole call is over."""
        return self._whole is not None and self._whole.is_over and not self.is_over

    def remaining(self) -> float:
        """Returns the seconds left, never negative."""
        if self._deadline is None:
            return self.limit
        return max(0.0, self._deadline - time.monotonic())

    def check(self, what: str) -> None:
        """Raises Cancelled or WaitTimeout(what) if this context is over, ForkedError if it belongs to the parent."""
        if self._process not in (0, os.getpid()):
            raise ForkedError
        self.attend()
        if self.is_cancelled:
            raise Cancelled
        if self.remaining() <= 0:
            raise WaitTimeout(what, f"timed out after {self.limit:g} s waiting for {what}")

    def sleep(self, seconds: float, what: str) -> None:
        """Waits, at most to the deadline; wakes at once when cancelled. Raises as check() does."""
        pause = min(seconds, self.remaining())
        if self._cancelled is None:
            time.sleep(pause)
        elif self._attend is None:
            self._cancelled.wait(pause)
        else:
            ends = time.monotonic() + pause
            while not self.is_cancelled and (left := ends - time.monotonic()) > 0:
                self._cancelled.wait(min(left, ATTEND_SECONDS))
                self.attend()
        self.check(what)

    def poll_seconds(self, what: str, limit: float = _FOREVER) -> float:
        """Returns the seconds to wait before the next check, at most `limit`. Raises as check() does."""
        self.check(what)
        longest = CANCEL_POLL_SECONDS if self._attend is None else ATTEND_SECONDS
        return max(0.001, min(longest, self.remaining(), limit))

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
        """Yields each item with the result of `work`, as they finish, each in a new thread, a hundred at a time.

        Raises as run().
        """
        from _queue import SimpleQueue
        from itertools import islice

        from .threads import join_thread, start_work

        done: SimpleQueue[tuple[threading.Thread, _S, _T | None, Exception | None]] = SimpleQueue()
        ends, left = time.monotonic() + limit, iter(items)
        running = len([start_work(work, item, done) for item in islice(left, _MOST_THREADS)])
        while running:
            thread, item, result, error = self._taken(done, what, ends)
            join_thread(thread)  # it ends now; a later fork finds one thread less
            if error is not None:
                raise error
            running += len([start_work(work, each, done) for each in islice(left, 1)]) - 1
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
        """Reports a step to the log, and to the listener, if there is one."""
        self.event("tossl.progress", DEBUG, step, **facts)
        self._report(step, facts)

    def pass_on(self, step: dict[str, object]) -> None:
        """Gives the listener a step that was told in a part of this context whose listener was another."""
        if self._listener is not None:
            self._listener(step)

    def _report(self, step: str, facts: dict[str, object]) -> None:
        if self._listener is not None:
            of = {"issuance": self.issuance} if self.issuance else {}
            self._listener({"step": step, **_safe_facts(facts), **of})

    def event(self, name: str, level: int, text: str, /, **facts: object) -> None:
        """Logs what happened in this context, as log_event() does."""
        log_event(name, level, text, self.issuance, **facts)

    def told(self, step: str) -> list[dict[str, object]]:
        """Returns the facts of every such step given to warn()."""
        kept = [dict(warning) for warning in self.warnings if warning["step"] == step]
        for facts in kept:
            del facts["step"]
        return kept

    def naming(self, step: str) -> _Naming:
        """Returns a `with` that adds the facts of every such step given to warn() to the details of an error."""
        return _Naming(self, step)

    def warn(self, step: str, **facts: object) -> None:
        """Reports a step, and keeps it for the result."""
        facts = _safe_facts(facts)
        self.warnings.append({"step": step, **facts})
        said = str(facts.get("message") or step)
        self.event("tossl.progress", WARNING, said, **{n: f for n, f in facts.items() if n != "message"})
        self._report(step, facts)


class _Naming:
    __slots__ = ("_context", "_step")

    def __init__(self, context: Context, step: str) -> None:
        self._context = context
        self._step = step

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, TosslError) and (told := self._context.told(self._step)):
            error.details[self._step] = told


class _Meanwhile:
    __slots__ = ("_error", "_waiting", "_work")

    def __init__(self, waiting: list[Callable[[], None]], work: Callable[[], None]) -> None:
        self._waiting = waiting
        self._work = work
        self._error: Exception | None = None

    def __enter__(self) -> None:
        self._waiting.append(self._do)

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._do in self._waiting:
            self._waiting.remove(self._do)
            self._do()
        if self._error is not None and error is None:
            raise self._error

    def _do(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - raised at the end
            self._error = error


def _safe_facts(facts: dict[str, object]) -> dict[str, object]:
    """Returns the facts of a step made safe for terminals and logs: many are words of a peer."""
    return {name: _safe_fact(fact) for name, fact in facts.items()}


def _safe_fact(fact: object) -> object:
    if type(fact) is str:  # a FilePath is no peer's word, and would name no file any more
        return safe(fact)
    if isinstance(fact, (list, tuple)):
        return [_safe_fact(item) for item in fact[:_MOST_ITEMS]]
    return fact


class Backoff:
    """The pauses between the looks of one wait: from `first` seconds, doubling, to `most`."""

    def __init__(self, first: float = 0.02, most: float = 5.0) -> None:
        self._next = min(first, most)
        self._most = most

    def next(self) -> float:
        """Returns the seconds to sleep before the next look."""
        pause, self._next = self._next, min(self._next * 2, self._most)
        return pause


def cleanup_seconds(limit: float) -> float:
    """Returns the seconds that cleaning up one thing may take after a call with this limit."""
    return min(CLEANUP_SECONDS, max(LEAST_CLEANUP_SECONDS, limit))


def seconds(limit: float) -> Context:
    """Returns a context whose clock does not run yet: begin() makes a running context of it."""
    return Context(limit)
