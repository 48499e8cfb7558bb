"""One HTTP exchange, bounded in every direction: time, size, redirects.

Connecting and every socket read obey the Context of their caller, so a peer that drips bytes or falls silent cannot
hold a call beyond its deadline, and a cancelled job ends within a quarter of a second.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import SplitResult, urljoin

import requests
import urllib3
from requests.cookies import extract_cookies_to_jar

from ..context import Context
from ..errors import HttpError, TosslError, WaitTimeout
from .dial import CONNECT_SECONDS, WIDTH
from .failures import explained, too_late
from .logged import log_answer, log_failure
from .options import USER_AGENT, ConnectionOptions
from .response import Response, whole_body
from .sockets import ContextAdapter, Exchange, body_pieces, current_exchange
from .urls import UrlError, shown_url, split_url

#: No answer of a CA or of a DNS provider comes near this size.
MAX_BYTES = 1 << 20
#: Seconds without a byte after which a connection counts as lost, unless the caller sets another limit.
SILENCE_SECONDS = 120.0

#: Characters of all cookies of a client; servers accept about as many.
_MAX_COOKIE_CHARS = 8192
_REDIRECTS = (301, 302, 303, 307, 308)
#: A header whose name contains one of these is not sent on to another host.
_PRIVATE = ("auth", "cookie", "token", "key", "secret", "password")
#: Characters of a word in such a header that may be a credential.
_LEAST_SECRET_CHARS = 4


@dataclass(frozen=True, eq=False, repr=False)
class HttpRequest:
    """A request and the limits of its answer.

    most_bytes: limit of the decoded body. silence: seconds that may pass without a byte. address: an IP address that is
    connected to in the place of those of the URL's host, without a proxy; for a client that asks nothing else.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = None
    most_bytes: int = MAX_BYTES
    silence: float = SILENCE_SECONDS
    address: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Followed:
    """The last answer, and the URLs that led to it, the first one included."""

    response: Response
    urls: tuple[str, ...]


class HttpClient:
    """Connections to peers reached in one way, kept open between exchanges; safe for use by several threads.

    keeps_cookies: whether a peer's cookies go back to it. No CA and no DNS API needs them, and
    they would tell it which accounts one process has.
    """

    def __init__(self, options: ConnectionOptions | None = None, *, keeps_cookies: bool = False) -> None:
        self._keeps_cookies = keeps_cookies
        self.options = options or ConnectionOptions()
        self._trust = self.options.trust()
        self._proxies: dict[str, dict[str, str]] = {}
        self._trusted_from = 0.0
        self._way = self.options.in_force()
        if not self.options.verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["User-Agent"] = USER_AGENT
        self._session.headers["Accept-Encoding"] = "gzip, deflate"
        self._headers = tuple((name, name.lower(), str(value)) for name, value in self._session.headers.items())
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, ContextAdapter(pool_connections=8, pool_maxsize=WIDTH))

    def exchange(self, context: Context, request: HttpRequest) -> Response:
        """Sends one request and reads its whole answer, whatever its status, a redirect too.

        A GET or HEAD goes out once more if the peer closed a kept connection before it answered. Raises HttpError,
        and WaitTimeout or Cancelled when the context is over.
        """
        begun = time.monotonic()
        try:
            response = self._exchanged(context, request)
        except TosslError as error:
            log_failure(context, request.method, request.url, begun, error)
            raise
        log_answer(context, request.method, request.url, begun, response)
        return response

    def _exchanged(self, context: Context, request: HttpRequest) -> Response:
        exchange = self._begun(context, request)
        try:
            return self._exchange(exchange, request)
        except HttpError as error:
            if error.kind == "reset":
                # A peer (or a NAT before it) that forgot one connection forgot all of them.
                self._trusted_from = time.monotonic()
            is_stale = not (exchange.is_fresh or exchange.has_answer)
            if error.kind != "reset" or not is_stale or request.method not in ("GET", "HEAD"):
                raise
        return self._exchange(self._begun(context, request), request)

    def close(self) -> None:
        self._session.close()

    def _begun(self, context: Context, request: HttpRequest) -> Exchange:
        return Exchange(
            context, request.url, request.most_bytes, request.silence, self._trusted_from, self._trust, self._way,
            request.address,
        )  # fmt: skip

    def _exchange(self, exchange: Exchange, request: HttpRequest) -> Response:
        context = exchange.context
        context.check("request")
        token = current_exchange.set(exchange)
        try:
            answer = self._answer(context, request)
            try:
                coding = answer.headers.get("Content-Encoding", "")
                body = whole_body(body_pieces(answer), request.url, coding, request.most_bytes)
                return _response_of(request.url, answer, body, exchange.peer)
            finally:
                answer.close()
                answer.release_conn()
        except WaitTimeout:
            raise too_late(request.url, context) from None
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
            ValueError,
        ) as error:
            places = self._trust.places if self._trust else ()
            raise explained(
                error, context, request.url, places, _secrets(request), has_peer=exchange.has_peer
            ) from None
        finally:
            current_exchange.reset(token)
            self._bound_cookies()

    def _answer(self, context: Context, request: HttpRequest) -> Any:
        """Returns urllib3's response, whose body is not read yet."""
        left = max(context.remaining(), 0.001)
        prepared = self._prepared(request)
        answer: Any = self._session.get_adapter(prepared.url or "").send(
            prepared,
            stream=True,
            timeout=(min(left, CONNECT_SECONDS), left),
            verify=self._trust is not None,
            proxies={} if request.address else self._proxies_for(request.url),
        )
        if self._keeps_cookies and "Set-Cookie" in answer.headers:
            extract_cookies_to_jar(self._session.cookies, prepared, answer)  # type: ignore[no-untyped-call]
        return answer

    def _prepared(self, request: HttpRequest) -> requests.PreparedRequest:
        """Returns the request as the session would send it; Session.request() merges all of its settings each time."""
        given = {name.lower() for name in request.headers}
        headers = {name: value for name, lower, value in self._headers if lower not in given}
        headers.update(request.headers)
        prepared = requests.PreparedRequest()
        prepared.method = request.method.upper()
        prepared.prepare_url(request.url, None)
        prepared.prepare_headers(headers)
        if self._session.cookies:
            prepared.prepare_cookies(self._session.cookies)
        prepared.prepare_body(request.data, None)
        return prepared

    def _bound_cookies(self) -> None:
        """Forgets all cookies once they are too long: they go back to the peer with each request."""
        cookies = self._session.cookies
        if cookies and sum(len(cookie.name) + len(cookie.value or "") for cookie in cookies) > _MAX_COOKIE_CHARS:
            cookies.clear()

    def _proxies_for(self, url: str) -> dict[str, str]:
        """Returns the proxies for the URL, read once for each peer: reading the environment is slow."""
        peer = _peer(url)
        if peer not in self._proxies:
            self._proxies[peer] = self.options.proxies(url)
        return self._proxies[peer]


def _peer(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def follow(
    http: HttpClient,
    context: Context,
    request: HttpRequest,
    most_redirects: int,
    about_to_ask: Callable[[str], None] = lambda _url: None,
) -> Followed:
    """Returns the answer to a GET or HEAD after at most `most_redirects` redirects.

    Headers that may hold a credential are not sent on to another origin. `about_to_ask` is called with each URL.
    Raises HttpError "redirect": too many redirects, one away from https, or one to no usable URL.
    """
    first, urls = request.url, [request.url]
    while True:
        about_to_ask(request.url)
        response = http.exchange(context, request)
        location = response.headers.get("Location", "")
        if not most_redirects or response.status not in _REDIRECTS or not location:
            return Followed(response, tuple(urls))
        if len(urls) > most_redirects:
            raise HttpError("redirect", f"{shown_url(first)} redirects more than {most_redirects} times")
        request = _redirected(request, location)
        urls.append(request.url)


def without_user(parts: SplitResult) -> str:
    """Returns the URL as it is sent, without user, password and fragment."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def _redirected(request: HttpRequest, location: str) -> HttpRequest:
    """Returns the request to an answer's Location (RFC 9110 section 15.4), without credentials for another origin."""
    here = split_url(request.url)
    try:
        # Header values arrive as Latin-1, but a Location's non-ASCII characters are UTF-8.
        target = split_url(urljoin(request.url, location.encode("latin-1", "ignore").decode().strip()))
    except (ValueError, UrlError):
        raise HttpError("redirect", f"{shown_url(request.url)} redirects to no usable URL") from None
    if here.scheme == "https" and target.scheme != "https":
        raise HttpError("redirect", f"{shown_url(request.url)} redirects away from https")
    headers = request.headers
    if not _same_origin(here, target):
        headers = {name: value for name, value in headers.items() if not _stays_home(name)}
    return replace(request, url=without_user(target), headers=headers)


def _secrets(request: HttpRequest) -> list[str]:
    """Returns the words in the request's headers that may be a credential, the longest first."""
    private = [value for name, value in request.headers.items() if _stays_home(name) and name.lower() != "host"]
    words = {word for value in private for word in (value, *value.split()) if len(word) >= _LEAST_SECRET_CHARS}
    return sorted(words, key=len, reverse=True)


def _stays_home(name: str) -> bool:
    lower = name.lower()
    return lower == "host" or any(word in lower for word in _PRIVATE)


def _same_origin(old: SplitResult, new: SplitResult) -> bool:
    ports = {"http": 80, "https": 443}
    was, now = (old.scheme, old.port or ports[old.scheme]), (new.scheme, new.port or ports[new.scheme])
    upgraded = (was, now) == (("http", 80), ("https", 443))
    return old.hostname == new.hostname and (was == now or upgraded)


def _response_of(url: str, answer: Any, body: bytes, peer: bytes) -> Response:
    version = {10: "1.0", 11: "1.1"}.get(answer.version, "")
    return Response(url, answer.status, answer.headers, body, tuple(answer.headers.iteritems()), version, peer)
