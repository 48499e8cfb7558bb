"""Background jobs: ::tossl::job::*. A command with -command returns the token of a job at once.

job  the token that a command with -command returned

Errors:
TOSSL VALUE job  no such job, or it was forgotten
"""

from __future__ import annotations

from ..errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..tcl.jobs import Jobs


def result(job: str, *, jobs: Jobs) -> object:
    """Returns the result of the job's command, or raises its error, as the command would have.

    Errors: those of the job's command, and
    TOSSL VALUE job  no such job, or it is not finished
    """
    found = jobs.get(job)
    if not found.is_finished:
        raise ArgumentError("job", f"the job is not finished: it is {found.status}")
    if found.error is not None:
        raise found.error.with_traceback(None)
    return found.value


def status(job: str, *, jobs: Jobs) -> str:
    """Returns the state of a job.

    Returns queued, running, done, error or cancelled.
    """
    return jobs.get(job).status


def wait_(job: str, *, timeout: float | None = None, jobs: Jobs) -> str:
    """Runs the event loop until the job is finished.

    -timeout seconds  limit of the wait, from 0; default: no limit

    Returns the state, as the command status does.

    Errors:
    TOSSL VALUE job      the job waits for a call that is calling back: neither could end
    TOSSL TIMEOUT job    the time was over; the job goes on
    TOSSL VALUE timeout  not a number of seconds, less than 0, or more than ten years
    TCL CANCEL           the interpreter was cancelled; the job goes on
    TCL LIMIT            the interpreter has reached a limit; the job goes on
    """
    return jobs.wait(job, timeout)


def cancel(job: str, *, jobs: Jobs) -> None:
    """Ends a job at its next step, after it has removed its challenge files and DNS records.

    A finished job stays unchanged. A cancelled job calls back as usual: its result is the error TOSSL CANCELLED.
    """
    jobs.cancel(job)


def list_(*, jobs: Jobs) -> list[str]:
    """Lists the jobs: all queued and running jobs, and the last 1000 finished ones.

    Returns a list of tokens, the oldest first.
    """
    return jobs.tokens()


def forget(job: str, *, jobs: Jobs) -> None:
    """Forgets a finished job and its result.

    Errors:
    TOSSL VALUE job  no such job, or it is not finished
    """
    jobs.forget(job)


def configure(
    *, parallel: int | None = None, farewell: float | None = None, jobs: Jobs
) -> dict[str, object]:
    """Changes the given settings, and returns all.

    -parallel count    number of jobs of this interpreter that run at the same time, at first 8; others are queued
    -farewell seconds  limit of the time that the end of the process waits until challenge files and DNS records are
                       removed, at first 60; without any it does not wait; 0 never waits

    Returns a dict:

    parallel  the number
    farewell  the seconds, of the whole process

    Errors:
    TOSSL VALUE parallel  less than 1
    TOSSL VALUE farewell  less than 0
    """
    from ..context.farewell import farewell_seconds, set_farewell_seconds
    from ..tcl.values import check_limit

    if parallel is not None and parallel < 1:
        raise ArgumentError("parallel", "-parallel: must be at least 1")
    if farewell is not None:
        if farewell < 0:
            raise ArgumentError("farewell", "-farewell: must be at least 0 seconds")
        check_limit(farewell, "farewell")
    if parallel is not None:
        jobs.set_parallel(parallel)
    if farewell is not None:
        set_farewell_seconds(farewell)
    return {"parallel": jobs.parallel, "farewell": farewell_seconds()}


COMMANDS = (result, status, wait_, cancel, list_, forget, configure)
