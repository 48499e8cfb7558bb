"""How often and how soon a request is sent again when it was not answered, or with 5xx; a rate limit never."""

from __future__ import annotations

from collections.abc import Callable

from ..context import Context
from ..errors import AcmeError, HttpError
from ..http.response import Response
from .problem import problem_error, retry_after

#: These pauses in seconds, then the error is the caller's.
_PAUSES = (0.1, 0.2, 0.4, 0.8)


class Retries:
    """The pauses that are left to one request; the CA's Retry-After makes them longer, the context ends them."""

    def __init__(self, context: Context) -> None:
        self._scope = context
        self._pauses = list(_PAUSES)

    def pause(self, failure: HttpError | Response) -> bool:
        """Waits before another attempt; False where none makes sense, or no time is left for it."""
        wanted = _wanted_pause(failure)
        if wanted is None or not self._pauses:
            return False
        seconds = max(wanted, self._pauses.pop(0))
        if seconds >= self._scope.remaining():
            return False
        self._scope.sleep(seconds, "request")
        return True


def with_retries(context: Context, send: Callable[[], Response]) -> Response:
    """The answer to a request that may be sent again as it is: a GET or HEAD."""
    retries = Retries(context)
    while True:
        try:
            response = send()
        except HttpError as error:
            if not retries.pause(error):
                raise
        else:
            if not retries.pause(response):
                return response


def _wanted_pause(failure: HttpError | Response) -> float | None:
    """The least pause after which another attempt makes sense; None where it makes none."""
    if isinstance(failure, HttpError):
        return 0.0 if failure.kind in ("reset", "connect") else None
    if failure.status < 500:
        return None
    refused = problem_error(failure)
    # Whoever asked is told when to come back, whatever the status: the CA counts attempts.
    is_limit = isinstance(refused, AcmeError) and refused.kind == "rateLimited"
    return None if is_limit else retry_after(failure.headers) or 0.0
