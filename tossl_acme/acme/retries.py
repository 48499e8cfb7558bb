"""Decides which of a CA's answers deserve another attempt: failures of its server, never a rate limit."""

from __future__ import annotations

from ..context import Context
from ..errors import AcmeError
from ..http.response import Response
from ..http.retry import Retries
from .problem import problem_error

_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8)
#: What a time-out's error and the progress step call the wait.
_RETRY_WORDS = ("request", "retry")
#: Let's Encrypt's replicas lag by less than a second.
REPLICA_PAUSES_SECONDS = (0.1, 0.3, 0.6, 1.0)


def ca_retries(context: Context) -> Retries:
    """Returns the pauses of one request to a CA: four, over 1.5 s unless the CA asks for more."""
    return Retries(context, _PAUSES_SECONDS, _is_passing, *_RETRY_WORDS)


def replica_retries(context: Context) -> Retries:
    """Returns the pauses after which a CA's replica must know a new URL: four, over 2 s."""
    longest = max(REPLICA_PAUSES_SECONDS)
    may_know = lambda response: (response.retry_after or 0.0) <= longest  # noqa: E731
    return Retries(context, REPLICA_PAUSES_SECONDS, may_know, *_RETRY_WORDS)


def _is_passing(response: Response) -> bool:
    if response.status < 500:
        return False
    refused = problem_error(response)
    # The caller handles a rate limit, whatever its status (RFC 8555 section 6.6): the CA counts attempts.
    return not (isinstance(refused, AcmeError) and refused.kind == "rateLimited")
