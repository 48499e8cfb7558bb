"""One HTTP exchange in the log: nothing of its headers and bodies but the peer's name for it, and a problem's type."""

from __future__ import annotations

import time

from ..context import Context
from ..errors import HttpError, TosslError
from ..log import DEBUG, wants
from ..text import clean
from .response import Response
from .urls import shown_url

#: Headers by which a peer finds a request again in its own log: CAs and those before them, DNS APIs, AWS.
REQUEST_IDS = (
    "X-Request-Id", "Request-Id", "Boulder-Request-Id", "X-Correlation-Id", "X-Trace-Id", "X-Amzn-RequestId",
    "X-Amz-Request-Id", "X-Ovh-QueryId", "CF-Ray",
)  # fmt: skip
_NAME = "tossl.http"
_PROBLEM = "application/problem+json"
_MOST_ID_CHARS = 100
_ACME = "urn:ietf:params:acme:error:"


def log_answer(context: Context, method: str, url: str, begun: float, response: Response) -> None:
    """Logs an answer. begun: the monotonic time at which the exchange began."""
    if not wants(_NAME, DEBUG):
        return
    kind = _problem_type(response)
    context.event(
        _NAME, DEBUG, f"{method} {shown_url(url)} {response.status}",
        ms=_milliseconds(begun), problem=kind, nonce="refused" if kind == "badNonce" else "",
        request_id=_request_id(response), bytes=len(response.body),
    )  # fmt: skip


def log_failure(context: Context, method: str, url: str, begun: float, error: TosslError) -> None:
    """Logs why there is no answer."""
    context.event(
        _NAME, DEBUG, f"{method} {shown_url(url)} failed", ms=_milliseconds(begun), error=error.message
    )


def _milliseconds(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)


def _request_id(response: Response) -> str:
    found = (response.headers.get(name, "") for name in REQUEST_IDS)
    return clean(next(filter(None, found), ""), _MOST_ID_CHARS)


def _problem_type(response: Response) -> str:
    """Returns the type of a problem document (RFC 7807), without ACME's prefix; empty where there is none."""
    if not response.media_type.startswith(_PROBLEM):
        return ""
    try:
        document = response.json()
    except HttpError:
        return "unreadable"
    kind = document.get("type") if isinstance(document, dict) else None
    return clean(kind, _MOST_ID_CHARS).removeprefix(_ACME) if isinstance(kind, str) else ""
