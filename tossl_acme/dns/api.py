"""HTTP for every provider: the base URL, retries within the context, and errors that name the failed step."""

from __future__ import annotations

import ipaddress

from ..context import Context
from ..errors import ArgumentError, DnsError, HttpError, WaitTimeout, error_context
from ..http.client import HttpClient, HttpRequest
from ..http.response import Response
from ..http.retry import Retries, with_retries
from ..http.urls import UrlError, split_url
from ..text import clean
from .provider import ProviderAccess

CREATING = "Failed to create DNS record"
DELETING = "Failed to delete DNS record"

#: Characters of a server's text in a message.
_MOST_WORDS_CHARS = 300

_PAUSES_SECONDS = (0.25, 0.5, 1.0, 2.0)


def exchange(http: HttpClient, context: Context, request: HttpRequest) -> Response:
    """Returns the answer to a request that may safely be sent more than once.

    Tries again up to four times after 429, 5xx and a lost connection: after 0.25 s doubling to 2 s, or after
    Retry-After if that is longer. Returns or raises the outcome of the last attempt.
    """
    retries = Retries(context, _PAUSES_SECONDS, _is_passing, "provider", "dns_retry")
    return with_retries(retries, lambda: http.exchange(context, request))


def context_of(text: str) -> error_context:
    """Returns a `with` that puts `text` before the message of every error of an API's requests."""
    return error_context(text, DnsError, HttpError, WaitTimeout)


def provider_refusal(
    access: ProviderAccess, provider: str, who: str, response: Response, said: str, *, is_unauthorised: bool = False
) -> DnsError:
    """Returns the error for an answer other than success. It names the server, and quotes the answer.

    Its details contain the HTTP status (`status`).
    """
    denied = is_unauthorised or response.status in (401, 403)
    words = clean(access.hidden(said), _MOST_WORDS_CHARS) or "no reason given"
    cause = f"{who} answered {response.status}: {words}"
    error = DnsError(provider, "credentials" if denied else "refused", cause)
    error.details["status"] = response.status
    return error


def may_pass(error: DnsError | HttpError | WaitTimeout) -> bool:
    """Returns whether the same request may succeed in a moment."""
    if isinstance(error, DnsError):
        status = error.details.get("status")
        return error.errorcode[-1] == "answer" or (isinstance(status, int) and _is_passing_status(status))
    return not isinstance(error, HttpError) or error.kind not in ("tls", "scheme", "redirect")


def endpoint_url(endpoint: str) -> str:
    """Returns the API's base URL without a final slash: https, or http on this machine's loopback only.

    Raises ArgumentError "endpoint".
    """
    try:
        parts = split_url(endpoint)
    except UrlError as error:
        raise ArgumentError("endpoint", f"the endpoint {error}") from None
    host = parts.hostname or ""
    if parts.username is not None or parts.password is not None:
        raise ArgumentError("endpoint", "the endpoint must not contain a user or a password")
    if parts.query or parts.fragment:
        raise ArgumentError("endpoint", "the endpoint must not contain a query or a fragment")
    if parts.scheme != "https" and not _is_loopback(host):
        raise ArgumentError("endpoint", f"the endpoint on {host} must be https (http is for loopback only)")
    return endpoint.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_passing(response: Response) -> bool:
    return _is_passing_status(response.status)


def _is_passing_status(status: int) -> bool:
    return status == 429 or status >= 500
