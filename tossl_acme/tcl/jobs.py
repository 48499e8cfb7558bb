"""Background jobs: the work in worker threads, everything that a script sees in its interpreter's own thread.

A worker never touches Tcl. It puts an event into a queue and a byte into a pipe whose other end is a Tcl channel; the
event loop takes one event per byte. The pipe is there only while jobs are, so that the event loop of a script without
jobs is what it was. A script that closes all channels closes the pipe with them: the next start of a job, or question
after one, makes another.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import OrderedDict, deque
from contextlib import suppress

from ..errors import ArgumentError, Cancelled, TosslError, WaitTimeout
from .values import check_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..context import Context
    from .call import Call, Listener
    from .host import TclHost, TclValue

#: How many jobs of one interpreter work at the same time, unless it says otherwise.
PARALLEL = 8
#: How many finished jobs can still be asked for; the oldest are forgotten first.
KEPT = 1000
#: How long the end of the process waits for cancelled jobs to clean up, in seconds.
FAREWELL = 1.0
#: How often a wait for a job looks whether the pipe is still there, in seconds.
LOOK = 1.0


class Job:
    """One call at work. Its status is queued, running, done, error or cancelled."""

    def __init__(self, token: str, call: Call) -> None:
        self.token = token
        self.call: Call | None = call
        self.progress = call.progress
        self.done = call.done
        self.status = "queued"
        self.context: Context | None = None
        self.value: TclValue = ""
        self.error: TosslError | None = None

    @property
    def is_finished(self) -> bool:
        return self.status not in ("queued", "running")

    def finish(self, outcome: TclValue | TosslError) -> None:
        """From now on the outcome can be asked for."""
        self.call = self.context = None
        if isinstance(outcome, TosslError):
            self.error = outcome
            self.status = "cancelled" if isinstance(outcome, Cancelled) else "error"
        else:
            self.value = outcome
            self.status = "done"


class Jobs:
    """The jobs of one interpreter."""

    def __init__(self, host: TclHost) -> None:
        self._host = host
        self.parallel = PARALLEL
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()  # the oldest first
        self._queue: deque[Job] = deque()
        self._workers: set[threading.Thread] = set()
        self._events: deque[Callable[[], None]] = deque()
        self._pending = 0  # jobs whose end the script has not seen
        self._count = 0
        self._bell: int | None = None  # the pipe's end for writing
        _OPEN.add(self)

    # ---- for the commands, in the interpreter's thread ----

    def start(self, call: Call) -> str:
        """Queues a call; returns the token of its job."""
        self._listen()
        self._count += 1
        job = Job(f"::tossl::job{self._count}", call)
        with self._lock:
            self._jobs[job.token] = job
            self._pending += 1
            self._queue.append(job)
        self._employ()
        return job.token

    def get(self, token: str) -> Job:
        """The job with this token, or an ArgumentError."""
        job = self._jobs.get(token)
        if job is None:
            raise ArgumentError("job", "unknown job")
        if not job.is_finished:
            self._listen()
        return job

    def tokens(self) -> list[str]:
        """All jobs that can be asked for, the oldest first."""
        return list(self._jobs)

    def cancel(self, token: str) -> None:
        """Ends a job at its next step; one that is finished stays as it is."""
        job = self.get(token)
        with self._lock:
            if job in self._queue:
                self._queue.remove(job)
                self._ring(lambda: self._finish(job, Cancelled()))
            elif job.context is not None:
                job.context.cancel()

    def forget(self, token: str) -> None:
        """Lets go of a finished job's outcome."""
        if not self.get(token).is_finished:
            raise ArgumentError("job", "the job is not finished: cancel it first")
        del self._jobs[token]
        self._finished.pop(token, None)

    def wait(self, token: str, limit: float | None) -> Job:
        """Runs the event loop until a job is finished. Raises WaitTimeout after `limit` seconds."""
        job = self.get(token)
        if limit is not None:
            check_limit(limit)
        deadline = None if limit is None else time.monotonic() + limit
        while not job.is_finished:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise WaitTimeout("job", f"timed out after {limit:g} s waiting for the job")
            self._listen()
            pause = LOOK if left is None else min(left, LOOK)
            self._host.call("::tossl::Await", str(int(pause * 1000) + 1))
        return job

    def set_parallel(self, parallel: int) -> None:
        """How many jobs work at the same time from now on."""
        self.parallel = parallel
        self._employ()

    def step(self) -> str:
        """Takes one event: what the event loop does for each byte in the pipe."""
        with self._lock:
            event = self._events.popleft() if self._events else None
            if self._events:
                self._write()
        if event is not None:
            event()
        return ""

    def _listen(self) -> None:
        """Makes the pipe, unless it is there. What rang in one that the script closed rings again."""
        host = self._host
        if self._bell is not None and int(host.call("::tossl::IsListening")):
            return
        bell = os.dup(int(host.call("::tossl::Listen")))
        host.call("::tossl::Listening")
        with self._lock:
            if self._bell is not None:
                os.close(self._bell)
            self._bell = bell
            if self._events:
                self._write()

    # ---- in the worker threads ----

    def _employ(self) -> None:
        """As many workers as there is work for; each ends when the queue is empty."""
        with self._lock:
            for _ in range(min(len(self._queue), self.parallel - len(self._workers))):
                worker = threading.Thread(target=self._work, name="tossl job", daemon=True)
                worker.start()  # waits for the lock
                self._workers.add(worker)

    def _next(self) -> Job | None:
        with self._lock:
            if not self._queue or len(self._workers) > self.parallel:
                self._workers.discard(threading.current_thread())
                return None
            job = self._queue.popleft()
            assert job.call is not None
            job.context = job.call.begin(self._listener(job))
            job.status = "running"
            return job

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._run(job)

    def _run(self, job: Job) -> None:
        assert job.call is not None
        assert job.context is not None
        outcome = job.call.outcome(job.context)
        with self._lock:
            self._ring(lambda: self._finish(job, outcome))

    def _listener(self, job: Job) -> Listener | None:
        progress = job.progress
        if progress is None:
            return None

        def listen(step: dict[str, object]) -> None:
            with self._lock:
                self._ring(lambda: progress(step))

        return listen

    def _ring(self, event: Callable[[], None]) -> None:
        """Puts an event into the queue, unless nobody listens any more. Under the lock."""
        if self._bell is not None:
            self._events.append(event)
            if len(self._events) == 1:
                self._write()

    def _write(self) -> None:
        assert self._bell is not None
        with suppress(BrokenPipeError):  # the script closed the other end: _listen() makes a new pipe
            os.write(self._bell, b"!")

    # ---- the end ----

    def _finish(self, job: Job, outcome: TclValue | TosslError) -> None:
        """Shows the script that a job is finished."""
        job.finish(outcome)
        self._pending -= 1
        if self._pending == 0:
            self._hang_up()
        self._finished[job.token] = None
        if len(self._finished) > KEPT:
            del self._jobs[self._finished.popitem(last=False)[0]]
        self._host.call("set", "::tossl::finished", job.token)
        if job.done is not None:
            job.done(job.token)

    def _hang_up(self) -> None:
        self._host.call("::tossl::Unlisten")
        with self._lock:
            self._drop_bell()

    def _drop_bell(self) -> None:
        self._events.clear()
        if self._bell is not None:
            os.close(self._bell)
            self._bell = None

    def close(self) -> None:
        """Cancels everything; nobody is told any more. Safe from any thread."""
        _OPEN.discard(self)
        with self._lock:
            self._queue.clear()
            self._drop_bell()
            running = [job.context for job in self._jobs.values() if job.context is not None]
        for context in running:
            context.cancel()

    def join(self, deadline: float) -> None:
        """Waits until the workers have ended, at most until `deadline`."""
        for worker in list(self._workers):
            worker.join(max(0.0, deadline - time.monotonic()))


#: Those of this process, for its end.
_OPEN: set[Jobs] = set()


def _end() -> None:
    """Cancels all jobs and gives them a moment to clean up: what is left is cut off with the process."""
    every = list(_OPEN)
    for jobs in every:
        jobs.close()
    deadline = time.monotonic() + FAREWELL
    for jobs in every:
        jobs.join(deadline)


atexit.register(_end)
