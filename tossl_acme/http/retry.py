"""How often and how soon a request is sent again; the caller says which answers are final."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..context import Context
from ..errors import HttpError
from .response import Response

#: Seconds; when Retry-After asks for more, the caller gets the peer's answer instead of another attempt.
MAX_RETRY_AFTER_SECONDS = 300.0
#: Kinds of HttpError after which the peer may not have seen the request, or may answer the next one.
PASSING_KINDS = ("connect", "reset")


class Retries:
    """The pauses (seconds) left for one request; the peer's Retry-After makes them longer, never shorter.

    is_passing: whether another attempt may bring another answer. what: the name of the wait in a timeout's error.
    step: the progress step to report for each pause, if any. kinds: of HttpError, those that may pass.
    """

    def __init__(
        self,
        context: Context,
        pauses: Sequence[float],
        is_passing: Callable[[Response], bool],
        what: str = "request",
        step: str = "",
        kinds: Sequence[str] = PASSING_KINDS,
    ) -> None:
        self._context = context
        self._pauses = list(pauses)
        self._is_passing = is_passing
        self._what = what
        self._step = step
        self._kinds = kinds

    def pause(self, failure: HttpError | Response) -> bool:
        """Waits before another attempt. Returns False if none makes sense, or no time is left for one.

        Raises WaitTimeout or Cancelled when the context is over.
        """
        if isinstance(failure, HttpError):
            is_final, wanted = failure.kind not in self._kinds, 0.0
        else:
            is_final, wanted = not self._is_passing(failure), failure.retry_after or 0.0
        if is_final or not self._pauses or wanted > MAX_RETRY_AFTER_SECONDS:
            return False
        seconds = max(wanted, self._pauses.pop(0))
        if seconds >= self._context.remaining():
            return False
        if self._step:
            cause = failure.message if isinstance(failure, HttpError) else f"status {failure.status}"
            self._context.tell(self._step, seconds=round(seconds, 3), message=cause)
        self._context.sleep(seconds, self._what)
        return True


def with_retries(retries: Retries, send: Callable[[], Response]) -> Response:
    """Returns the answer to a request that may be sent again unchanged; after the last attempt, its answer or error."""
    while True:
        try:
            response = send()
        except HttpError as error:
            if not retries.pause(error):
                raise
        else:
            if not retries.pause(response):
                return response
