"""Background jobs: they work in worker threads; scripts see them only in their interpreter's thread.

A worker never touches Tcl: it sends everything for the script through the interpreter's events. What became of a
job can be asked for at once, also where no event loop runs.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from contextlib import suppress
from itertools import count

from ..context.farewell import waiting_threads
from ..context.threads import join_thread, start_thread
from ..errors import ArgumentError, Cancelled, ResourceError, TosslError, WaitTimeout
from .host import Wait
from .values import check_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..context import Context
    from .call import Call, Listener, Service
    from .callbacks import Callback
    from .events import Events
    from .host import TclHost, TclValue

#: Jobs of one interpreter that work at the same time, by default.
PARALLEL = 8
#: Finished jobs that are kept; the oldest are forgotten first.
KEPT = 1000
#: Seconds between two checks whether a wait for a job can end at all.
LOOK_SECONDS = 0.25
#: Waits of one interpreter, more than can be inside one another.
MOST_WAITS = 2000
#: Of the jobs of all interpreters: a token of one is none of another's.
_numbers = count(1)


class Job:
    """One call at work. Its status is queued, running, done, error or cancelled.

    serves: whether it is at work until it is cancelled.
    """

    def __init__(self, token: str, call: Call | Service, *, serves: bool) -> None:
        self.token = token
        self.call: Call | Service | None = call
        self.serves = serves
        self.reload: Callable[[], None] | None = None
        self.progress = call.progress
        self.done = call.done
        self.status = "queued"
        self.context: Context | None = None
        self.value: TclValue = ""
        self.error: TosslError | None = None
        #: Whether its interpreter's thread has dealt with its end: the script's callback is called, or about to be.
        self.is_over = False

    @property
    def is_finished(self) -> bool:
        return self.status not in ("queued", "running")

    @property
    def is_silent(self) -> bool:
        """Returns whether it calls no script back."""
        return self.progress is None and self.done is None

    def finish(self, outcome: TclValue | TosslError) -> None:
        """Stores the outcome, in whatever thread."""
        self.call = self.context = None
        if isinstance(outcome, TosslError):
            self.error = outcome
            self.status = "cancelled" if isinstance(outcome, Cancelled) else "error"
        else:
            self.value = outcome
            self.status = "done"


class Jobs:
    """The jobs of one interpreter."""

    def __init__(self, host: TclHost, events: Events) -> None:
        self._host = host
        self._events = events
        self.parallel = PARALLEL
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()  # the oldest first
        self._queue: deque[Job] = deque()
        self._workers: set[threading.Thread] = set()
        self._leaving: set[threading.Thread] = set()
        #: Silent jobs that are finished and not over.
        self._ended: deque[Job] = deque()
        #: The waits in the event loop, by number: a job, the end of the time, and its seconds.
        self._waits: dict[str, tuple[Job, float | None, float]] = {}
        events.at_close.append(self.close)
        events.at_fork.append(self._leave_to_parent)

    # ---- for the commands, in the interpreter's thread ----

    def start(self, call: Call) -> str:
        """Queues a call; returns the token of its job. Raises ResourceError if no job can be started."""
        job = self._added(call)
        with self._lock:
            self._queue.append(job)
        try:
            self._employ()
        except ResourceError:
            with self._lock:
                self._queue.remove(job)
            self._take_back(job)
            raise
        return job.token

    def serve(
        self,
        work: Callable[[Context], object],
        *,
        progress: Callback | None = None,
        done: Callback | None = None,
        reload: Callable[[], None] | None = None,
    ) -> str:
        """Starts a job that is at work until it is cancelled, beside the others; returns its token.

        reload: has it look at once whether something has changed. Raises ResourceError if it cannot be started.
        """
        from .call import Service

        job = self._added(Service(work, progress, done), serves=True)
        job.reload = reload
        try:
            self._begin(job)
            start_thread("tossl service", lambda: self._serve(job))
        except RuntimeError:
            self._take_back(job)
            raise _no_thread() from None
        return job.token

    def reload(self) -> None:
        """Has the jobs that serve look at once whether something has changed. For any thread."""
        for job in list(self._jobs.values()):
            if job.reload is not None and not job.is_finished:
                job.reload()

    def _added(self, call: Call | Service, *, serves: bool = False) -> Job:
        self._end_silent()
        self._events.hold()
        job = Job(f"::tossl::job{next(_numbers)}", call, serves=serves)
        with self._lock:
            self._jobs[job.token] = job
        return job

    def _take_back(self, job: Job) -> None:
        with self._lock:
            del self._jobs[job.token]
        self._events.release()

    def get(self, token: str) -> Job:
        """Returns the job with this token. Raises ArgumentError."""
        job = self._jobs.get(token)
        if job is None:
            cause = "unknown job: tossl::job::list tells those of this interpreter that were not forgotten"
            raise ArgumentError("job", cause)
        if job.is_finished:
            self._end_silent()
            self._part()
        return job

    def tokens(self) -> list[str]:
        """Returns the tokens of all jobs, the oldest first."""
        return list(self._jobs)

    def cancel(self, token: str) -> None:
        """Ends a job at its next step; a finished job stays unchanged."""
        job = self.get(token)
        with self._lock:
            if job in self._queue:
                self._queue.remove(job)
                self._finish(job, Cancelled())
            elif job.context is not None:
                job.context.cancel()

    def forget(self, token: str) -> None:
        """Forgets a finished job."""
        if not self.get(token).is_finished:
            raise ArgumentError("job", "the job is not finished; cancel it first")
        del self._jobs[token]
        self._finished.pop(token, None)

    def wait(self, token: str, limit: float | None) -> str:
        """Returns the status of a job that is over, else a wait until it is, for `limit` seconds at most.

        Raises ArgumentError if the job waits for a lock of a call below this one: neither could ever end.
        """
        job = self.get(token)
        if limit is not None:
            if limit < 0:
                raise ArgumentError("timeout", "-timeout: must be at least 0 seconds")
            check_limit(limit)
        deadline = None if limit is None else time.monotonic() + limit
        if len(self._waits) > MOST_WAITS:  # Tcl has ended some without a word
            self._waits = {number: wait for number, wait in self._waits.items() if not wait[0].is_over}
        number = str(next(_numbers))
        self._waits[number] = (job, deadline, limit or 0.0)
        return self.awaited(number)

    def awaited(self, number: str) -> str:
        """Returns the same wait if it goes on, else the status of its job. Raises WaitTimeout if its time is over."""
        job, deadline, limit = self._waits.pop(number)
        left = LOOK_SECONDS if deadline is None else deadline - time.monotonic()
        if job.is_over or (job.is_finished and left <= 0):
            return job.status
        if left <= 0:
            raise WaitTimeout("job", f"timed out after {limit:g} s waiting for the job")
        context = job.context
        if context is not None and context.waits_for() in waiting_threads():
            raise ArgumentError("job", "the job waits for a call of this thread, which must return first")
        self._host.createtimerhandler(int(min(left, LOOK_SECONDS) * 1000) + 1, self._wake)
        self._waits[number] = (job, deadline, limit)
        return Wait(number)

    def _wake(self) -> None:
        with suppress(Exception):  # the interpreter is deleted
            self._host.setvar("::tossl::finished", "")

    def set_parallel(self, parallel: int) -> None:
        """Sets how many jobs work at the same time."""
        self.parallel = parallel
        self._employ()

    # ---- in the worker threads ----

    def _employ(self) -> None:
        """Starts a worker for each queued job; each ends when the queue is empty. Raises ResourceError without any."""
        with self._lock:
            for _ in range(min(len(self._queue), self.parallel - len(self._workers))):
                try:
                    worker = start_thread("tossl job", self._work)  # it waits for the lock
                except RuntimeError:
                    if self._workers:
                        return  # the running workers do all jobs, one after the other
                    raise _no_thread() from None
                self._workers.add(worker)

    def _next(self) -> Job | None:
        with self._lock:
            if not self._queue or len(self._workers) > self.parallel:
                self._workers.discard(threading.current_thread())
                self._leaving.add(threading.current_thread())
                return None
            job = self._queue.popleft()
            self._begin(job)
            return job

    def _begin(self, job: Job) -> None:
        assert job.call is not None
        job.context = job.call.begin(self._listener(job))
        job.status = "running"

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._run(job)

    def _serve(self, job: Job) -> None:
        outcome = self._outcome(job)
        with self._lock:
            self._leaving.add(threading.current_thread())
            self._finish(job, outcome)

    def _run(self, job: Job) -> None:
        outcome = self._outcome(job)
        with self._lock:
            self._finish(job, outcome)

    def _outcome(self, job: Job) -> TclValue | TosslError:
        assert job.call is not None
        assert job.context is not None
        return job.call.outcome(job.context)

    def _listener(self, job: Job) -> Listener | None:
        progress = job.progress
        if progress is None:
            return None

        def tell(step: dict[str, object]) -> None:
            if not job.is_over:
                progress(step)

        def listen(step: dict[str, object]) -> None:
            self._events.put(lambda: tell(step))

        return listen

    # ---- the end ----

    def _finish(self, job: Job, outcome: TclValue | TosslError) -> None:
        """Marks a job finished, and has the interpreter's thread end it. The caller holds the lock."""
        if job.is_finished:  # in a forked child
            return
        job.finish(outcome)
        if not job.is_silent:
            self._events.put(lambda: self._end(job))
            return
        self._ended.append(job)
        self._events.put(self._end_silent, is_once=True)

    def _end_silent(self) -> None:
        """Ends the silent jobs that are finished. Nothing waits for the event loop: it may never run."""
        while self._ended:
            self._end(self._ended.popleft())

    def _end(self, job: Job) -> None:
        """Ends a finished job, and calls the script back."""
        job.is_over = True
        self._events.release()
        self._part()
        if job.token in self._jobs:  # it was not forgotten
            self._finished[job.token] = None
        if len(self._finished) > KEPT:
            del self._jobs[self._finished.popitem(last=False)[0]]
        self._host.setvar("::tossl::finished", "")
        if job.done is not None and job.token in self._jobs:
            job.done(job.token)

    def _part(self) -> None:
        """Waits until idle workers have ended: after the last job a fork must find no thread but those that serve."""
        with self._lock:
            if any(not job.is_finished and not job.serves for job in self._jobs.values()):
                return
            leaving = self._workers | self._leaving
            self._leaving.clear()
        for worker in leaving:
            join_thread(worker)

    def _leave_to_parent(self) -> None:
        """Marks unfinished jobs cancelled in a forked child: they belong to its parent."""
        self._lock = threading.Lock()
        self._queue.clear()
        self._workers.clear()
        for job in self._jobs.values():
            if not job.is_finished:
                job.finish(Cancelled())
                job.is_over = True
                self._finished[job.token] = None

    def close(self) -> None:
        """Cancels all jobs. Safe from any thread."""
        with self._lock:
            self._queue.clear()
            running = [job.context for job in self._jobs.values() if job.context is not None]
        for context in running:
            context.cancel()


def _no_thread() -> ResourceError:
    return ResourceError("threads", "no job can be started: the system has no thread left")
