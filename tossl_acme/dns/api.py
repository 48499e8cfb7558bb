"""HTTP for every provider: the base URL, retries within the context, and errors that name the failed step."""

from __future__ import annotations

import ipaddress
import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..context import Context
from ..errors import ArgumentError, DnsError, HttpError, TosslError, WaitTimeout, error_context
from ..http.client import HttpClient, HttpRequest
from ..http.response import Response
from ..http.retry import Retries, with_retries
from ..http.urls import UrlError, split_url
from ..text import clean
from .provider import ProviderAccess

CREATING = "Failed to create DNS record"
DELETING = "Failed to delete DNS record"

#: The statuses of a zone that the account does not have; some APIs refuse a label that begins with "_".
NO_ZONE = (400, 404, 422)
#: Characters of a server's text in a message.
_MOST_WORDS_CHARS = 300

PAUSES_SECONDS = (0.25, 0.5, 1.0, 2.0)
#: The name of the wait, and of its progress step.
_RETRY_WORDS = ("provider", "dns_retry")
#: Too many requests; the zone is locked by another change.
_NOT_DONE = (429, 423)


def exchange(http: HttpClient, context: Context, request: HttpRequest) -> Response:
    """Returns the answer to a request that may safely be sent more than once.

    Tries again up to four times after 429, 5xx and a lost connection: after 0.25 s doubling to 2 s, or after
    Retry-After if that is longer. Returns or raises the outcome of the last attempt.
    """
    if request.method != "GET":
        context.note_sent()
    retries = Retries(context, PAUSES_SECONDS, _is_passing, *_RETRY_WORDS)
    return with_retries(retries, lambda: http.exchange(context, request))


def _exchanged_once(http: HttpClient, context: Context, request: HttpRequest) -> Response:
    """As exchange(), for a request that must not be done twice: tries again only if it was certainly not done."""
    context.note_sent()
    retries = Retries(
        context, PAUSES_SECONDS, lambda response: response.status in _NOT_DONE, *_RETRY_WORDS, kinds=("connect",)
    )
    return with_retries(retries, lambda: http.exchange(context, request))


def context_of(text: str) -> error_context:
    """Returns a `with` that puts `text` before the message of every error of an API's requests."""
    return error_context(text, DnsError, HttpError, WaitTimeout)


def provider_refusal(
    access: ProviderAccess, provider: str, who: str, response: Response, said: str, *, is_unauthorised: bool = False
) -> DnsError:
    """Returns the error for an answer other than success. It names the server, and quotes the answer.

    Its details contain the HTTP status (`status`), and the seconds in Retry-After if there are any (`retry_after`).
    """
    denied = is_unauthorised or response.status in (401, 403)
    words = clean(access.hidden(said), _MOST_WORDS_CHARS) or "no reason given"
    cause = f"{who} answered {response.status}: {words}"
    error = DnsError(provider, "credentials" if denied else "refused", cause)
    error.details["status"] = response.status
    if response.retry_after is not None:
        error.details["retry_after"] = math.ceil(response.retry_after)
    return error


@dataclass(frozen=True)
class ApiStyle:
    """What differs between APIs of JSON over HTTP.

    provider, who: its name in an errorcode and in a message. headers: those that authorise a request, of its method,
    URL and body. words: the reason in the answer of an error. denials: words of an answer for wrong credentials.
    """

    provider: str
    who: str
    headers: Callable[[str, str, bytes], Mapping[str, str]]
    words: Callable[[Any], str]
    denials: tuple[str, ...] = ()


class JsonApi:
    """The requests to an API of JSON over HTTP, and its answers, each member checked."""

    def __init__(self, access: ProviderAccess, style: ApiStyle, endpoint: str) -> None:
        self.endpoint = endpoint_url(endpoint)
        self._access = access
        self._style = style

    def call(
        self,
        context: Context,
        method: str,
        path: str,
        value: object = None,
        also: Collection[int] = (),
        *,
        once: bool = False,
    ) -> tuple[int, Any]:
        """Returns the status and the value of an answer; None where it has no body.

        also: statuses beside 2xx. once: the request must not be done twice. Raises DnsError: credentials, refused, or
        answer if it is not JSON; HttpError, WaitTimeout or Cancelled.
        """
        url, data = self.endpoint + path, b"" if value is None else json.dumps(value).encode()
        exchanged = _exchanged_once if once else exchange
        response = exchanged(self._access.http, context, self._request(method, url, data))
        is_well = 200 <= response.status < 300
        try:
            answer = response.json() if response.body or not is_well else None
        except HttpError as error:
            raise self._not_json(response, error) from None
        if is_well or response.status in also:
            return response.status, answer
        raise self._refusal(response, self._style.words(answer))

    def unusable(self, cause: str) -> DnsError:
        """Returns the error for an answer that cannot be used: "answered without a list"."""
        return DnsError(self._style.provider, "answer", f"{self._style.who} {cause}")

    def objects(self, value: object, member: str = "") -> list[dict[str, Any]]:
        """Returns an answer's list of objects, or that of its member. Raises DnsError "answer"."""
        found = _member(value, member)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self.unusable(f"answered without a list{f' of {member}' if member else ''}")
        return found

    def object(self, value: object, member: str = "") -> dict[str, Any]:
        """Returns an answer's object, or that of its member. Raises DnsError "answer"."""
        found = _member(value, member)
        if not isinstance(found, dict):
            raise self.unusable(f"answered without an object{f' {member}' if member else ''}")
        return found

    def number(self, value: Mapping[str, Any], member: str = "id") -> str:
        """Returns a whole number of an object as text, fit to be part of a path. Raises DnsError "answer"."""
        found = value.get(member)
        if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 1 << 64:
            raise self.unusable(f"answered with an unusable {member}")
        return str(found)

    def texts(self, value: Mapping[str, Any], member: str) -> tuple[str, ...]:
        """Returns a list of texts of an object. Raises DnsError "answer"."""
        found = value.get(member)
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self.unusable(f"answered without a list of {member}")
        return tuple(found)

    def _request(self, method: str, url: str, data: bytes) -> HttpRequest:
        headers = {"Accept": "application/json", **self._style.headers(method, url, data)}
        if data:
            headers["Content-Type"] = "application/json"
        return HttpRequest(method, url, headers, data or None)

    def _not_json(self, response: Response, error: HttpError) -> DnsError:
        if response.status in (401, 403):
            return self._refusal(response, response.media_type)
        unusable = DnsError(self._style.provider, "answer", error.cause)
        unusable.details["status"] = response.status
        return unusable

    def _refusal(self, response: Response, said: str) -> DnsError:
        denied = any(word in said for word in self._style.denials)
        style = self._style
        return provider_refusal(self._access, style.provider, style.who, response, said, is_unauthorised=denied)


def _member(value: object, member: str) -> object:
    if not member:
        return value
    return value.get(member) if isinstance(value, dict) else None


def bearer(token: str, scheme: str = "Bearer") -> Callable[[str, str, bytes], Mapping[str, str]]:
    """Returns the headers of a style whose requests carry only a token."""
    return lambda _method, _url, _data: {"Authorization": f"{scheme} {token}"}


def words_of(*members: str) -> Callable[[Any], str]:
    """Returns the `words` of a style whose errors are objects with the reason in these members."""

    def words(answer: Any) -> str:
        found = [answer.get(member) for member in members] if isinstance(answer, dict) else []
        return ": ".join(one for one in found if isinstance(one, str) and one)

    return words


def may_pass(error: TosslError) -> bool:
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
    return status in _NOT_DONE or status >= 500
