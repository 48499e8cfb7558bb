"""Background jobs: ::tossl::job::*. A command with -command returns the token of a job at once."""

from __future__ import annotations

from ..errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..tcl.jobs import Jobs


def result(job: str, *, jobs: Jobs) -> object:
    """What the job's command returned; or its error, raised as the command itself would have."""
    found = jobs.get(job)
    if not found.is_finished:
        raise ArgumentError("job", f"the job is not finished: it is {found.status}")
    if found.error is not None:
        raise found.error.with_traceback(None)
    return found.value


def status(job: str, *, jobs: Jobs) -> str:
    """One of queued, running, done, error, cancelled."""
    return jobs.get(job).status


def wait_(job: str, *, timeout: float | None = None, jobs: Jobs) -> str:
    """Runs the event loop until the job is finished; returns its status then.

    After -timeout seconds it raises TOSSL TIMEOUT job, and the job goes on.
    """
    return jobs.wait(job, timeout).status


def cancel(job: str, *, jobs: Jobs) -> None:
    """Ends the job at its next step; what it has presented is cleaned up first. A finished one stays as it is."""
    jobs.cancel(job)


def list_(*, jobs: Jobs) -> list[str]:
    """The tokens of all jobs that can be asked for: those at work, and the 1000 that were last to finish."""
    return jobs.tokens()


def forget(job: str, *, jobs: Jobs) -> None:
    """Lets go of what a finished job returned."""
    jobs.forget(job)


def configure(*, parallel: int | None = None, jobs: Jobs) -> dict[str, object]:
    """The settings, after changing those that are given: -parallel, how many jobs work at the same time (8)."""
    if parallel is not None:
        if parallel < 1:
            raise ArgumentError("parallel", "-parallel: must be at least 1")
        jobs.set_parallel(parallel)
    return {"parallel": jobs.parallel}


COMMANDS = (result, status, wait_, cancel, list_, forget, configure)
