"""HTTP of a provider: its base URL, retries within the context, and errors that say what was being done."""

from __future__ import annotations

import contextlib
import email.utils
import ipaddress
import re
import time
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from ..context import Context
from ..errors import ArgumentError, DnsError, HttpError, WaitTimeout
from ..http.client import HttpClient
from ..http.response import Response
from ..text import clean
from .provider import ProviderAccess

CREATING = "Failed to create DNS record"
DELETING = "Failed to delete DNS record"

_WHAT = "provider"
_ATTEMPTS = 5
#: Of a server's own words in a message.
_MOST_WORDS_CHARS = 300


def exchange(
    http: HttpClient,
    context: Context,
    method: str,
    url: str,
    headers: Mapping[str, str],
    data: bytes | None = None,
) -> Response:
    """One request that may safely be sent more than once.

    429, 5xx and a lost connection are tried again after 0.25 s doubling to 5 s, or after Retry-After where that is
    longer. What the last attempt brought is returned or raised.
    """
    attempts_left = _ATTEMPTS
    for pause in context.pauses(_WHAT, first=0.25):
        attempts_left -= 1
        try:
            response = http.exchange(context, method, url, headers=headers, data=data)
        except HttpError as error:
            if not attempts_left or error.kind not in ("connect", "reset") or pause >= context.remaining():
                raise
        else:
            pause = _retry_after(response, pause)
            if not attempts_left or not _is_passing(response.status) or pause >= context.remaining():
                return response
        context.tell("dns_retry", seconds=pause)
        context.sleep(pause, _WHAT)
    raise AssertionError("pauses() ended")


@contextlib.contextmanager
def leading(context: str) -> Iterator[None]:
    """Puts what was being done before the message of what went wrong."""
    try:
        yield
    except (DnsError, HttpError, WaitTimeout) as error:
        raise error.within(context) from error.__cause__


def provider_refusal(
    access: ProviderAccess, provider: str, who: str, response: Response, said: str, *, is_unauthorised: bool = False
) -> DnsError:
    """The error for an answer other than success: who answered, and what was said. Its details hold the HTTP status."""
    denied = is_unauthorised or response.status in (401, 403)
    words = clean(access.hidden(said), _MOST_WORDS_CHARS) or "no reason given"
    cause = f"{who} answered {response.status}: {words}"
    error = DnsError(provider, "credentials" if denied else "refused", cause)
    error.details["status"] = response.status
    return error


def may_pass(error: DnsError | HttpError | WaitTimeout) -> bool:
    """Whether the same request may be answered better in a moment."""
    if isinstance(error, DnsError):
        status = error.details.get("status")
        return error.errorcode[-1] == "answer" or (isinstance(status, int) and _is_passing(status))
    return not isinstance(error, HttpError) or error.kind not in ("tls", "scheme", "redirect")


def _is_passing(status: int) -> bool:
    return status == 429 or status >= 500


def _retry_after(response: Response, otherwise: float) -> float:
    """Seconds to wait, from a number or a date (RFC 9110 section 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return max(otherwise, float(text[:9]))
    try:
        return max(otherwise, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return otherwise


def endpoint_url(endpoint: str) -> str:
    """The API's base URL without a final slash: https, or http on this machine's loopback only."""
    try:
        parts = urlsplit(endpoint)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise ArgumentError("endpoint", "the endpoint is not a URL") from None
    if not host or re.search(r"[\s\x00-\x1f\x7f]", endpoint):
        raise ArgumentError("endpoint", "the endpoint is not a URL with a host")
    if parts.username is not None or parts.password is not None:
        raise ArgumentError("endpoint", "the endpoint must not hold a user or a password")
    if parts.query or parts.fragment:
        raise ArgumentError("endpoint", "the endpoint must not hold a query or a fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ArgumentError("endpoint", f"the endpoint on {host} must be https (http is for loopback only)")
    return endpoint.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
