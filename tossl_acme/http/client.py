"""One HTTP exchange, bounded in every direction: time, size, redirects. The only user of `requests`.

Connecting and every socket read obey the Scope of their caller, so a peer that drips bytes or falls silent cannot hold
a call beyond its deadline, and a cancelled job lets go within a quarter of a second.
"""

from __future__ import annotations

import contextlib
import contextvars
import http.client
import io
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import requests.utils
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from .. import __version__
from ..context import NOTICE, Scope
from ..errors import ArgumentError, Cancelled, HttpError, WaitTimeout, shown
from .connect import connected

USER_AGENT = f"tossl/{__version__}"
#: No answer of a CA or of a DNS provider comes near this size.
MOST_BYTES = 1 << 20
#: Seconds that one attempt to connect may take, from the name's addresses to the last of them.
CONNECT_SECONDS = 15.0

_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_PROXIES = tuple(
    name for kind in ("HTTPS", "HTTP", "ALL", "NO") for name in (f"{kind}_PROXY", f"{kind.lower()}_proxy")
)

_reading_for: contextvars.ContextVar[Scope] = contextvars.ContextVar("_reading_for")


@dataclass(frozen=True)
class Reply:
    """An answer, whole and within its bounds.

    `headers` joins what came in several lines; `header_lines` keeps every line apart, for Set-Cookie cannot be joined.
    """

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    header_lines: tuple[tuple[str, str], ...] = ()
    http_version: str = ""

    @property
    def media_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """The body as JSON; HttpError "malformed" when it is something else."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            kind = self.media_type or "no content type"
            cause = f"{shown_url(self.url)} answered {self.status} with {kind}, which is not JSON"
            raise HttpError("malformed", cause) from None

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object; HttpError "malformed" when it is something else."""
        value = self.json()
        if not isinstance(value, dict):
            cause = f"{shown_url(self.url)} answered with a JSON {type(value).__name__}, not an object"
            raise HttpError("malformed", cause)
        return value


@dataclass(frozen=True)
class Route:
    """How to reach a peer. An empty ca_bundle or proxy means what the environment says.

    ca_bundle: else REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, else certifi's roots.
    proxy: http://host:port or host:port, else HTTPS_PROXY, HTTP_PROXY, ALL_PROXY with NO_PROXY.
    Raises ArgumentError "proxy" (without showing it, for it may hold a password) or "ca_bundle".
    """

    ca_bundle: str = ""
    proxy: str = ""
    verify: bool = True
    user_agent: str = USER_AGENT

    def __post_init__(self) -> None:
        if self.proxy:
            object.__setattr__(self, "proxy", _checked_proxy(self.proxy))

    def in_force(self) -> tuple[object, ...]:
        """This route with what the environment says now: connections are kept for as long as that is the same."""
        return (self, *map(os.environ.get, (*_BUNDLES, *_PROXIES)))

    def trust(self) -> bool | str:
        if not self.verify:
            return False
        for bundle in (self.ca_bundle, *map(os.environ.get, _BUNDLES)):
            if bundle:
                if not Path(bundle).exists():
                    raise ArgumentError("ca_bundle", f"there is no CA bundle {shown(bundle)}")
                return bundle
        return True

    def proxies(self, url: str) -> dict[str, str]:
        if self.proxy:
            return {"http": self.proxy, "https": self.proxy}
        return dict(requests.utils.get_environ_proxies(url))


def _checked_proxy(proxy: str) -> str:
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(char.isspace() or not char.isprintable() for char in url):
        raise ArgumentError("proxy", "-proxy must be http://host:port")
    return url


class Web:
    """Connections kept open between exchanges over one route; safe for use by several threads."""

    def __init__(self, route: Route | None = None) -> None:
        self.route = route or Route()
        self._trust = self.route.trust()
        self._proxies: dict[str, dict[str, str]] = {}
        if not self.route.verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._session = _Session()
        self._session.trust_env = False
        self._session.headers["User-Agent"] = self.route.user_agent
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _ScopedAdapter(pool_connections=8, pool_maxsize=8))

    def exchange(
        self,
        scope: Scope,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        redirects: int = 0,
        most: int = MOST_BYTES,
        auth: tuple[str, str] | None = None,
    ) -> Reply:
        """Sends one request and reads its whole answer, whatever its status; up to `redirects` are followed (https
        stays https).

        Raises HttpError, or WaitTimeout / Cancelled as the scope says. An answer of over `most` bytes is refused.
        """
        scope.check("request")
        token = _reading_for.set(scope)
        try:
            with contextlib.closing(self._send(scope, method, url, headers, data, auth)) as answer:
                if redirects and answer.is_redirect:
                    return self._follow(scope, method, answer, headers, data, redirects, most)
                return _reply(method, url, answer, _body(scope, answer, most))
        except WaitTimeout:
            raise _too_late(shown_url(url), scope) from None
        except requests.RequestException as error:
            raise _explained(error, scope, url) from None
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            raise _explained(error, scope, url) from None
        finally:
            _reading_for.reset(token)

    def close(self) -> None:
        self._session.close()

    def _send(
        self,
        scope: Scope,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        auth: tuple[str, str] | None,
    ) -> requests.Response:
        left = max(scope.remaining(), 0.001)
        return self._session.request(
            method,
            url,
            headers=headers,
            data=data,
            auth=auth,
            stream=True,
            allow_redirects=False,
            timeout=(min(left, CONNECT_SECONDS), left),
            verify=self._trust,
            proxies=self._proxies_for(url),
        )

    def _proxies_for(self, url: str) -> dict[str, str]:
        """Reading the environment for each request would cost more than the rest of it."""
        peer = url.partition("://")[2].partition("/")[0]
        if peer not in self._proxies:
            self._proxies[peer] = self.route.proxies(url)
        return self._proxies[peer]

    def _follow(
        self,
        scope: Scope,
        method: str,
        answer: requests.Response,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        redirects: int,
        most: int,
    ) -> Reply:
        target = requests.compat.urljoin(answer.url, answer.headers["Location"])
        if urlsplit(answer.url).scheme == "https" and urlsplit(target).scheme != "https":
            raise HttpError("redirect", f"{shown_url(answer.url)} redirects away from https")
        return self.exchange(scope, method, target, headers=headers, data=data, redirects=redirects - 1, most=most)


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nothing to look for: it would read every redirect to its end, however long, and trip on a bad Location."""


class _ScopedReader(io.RawIOBase):
    """Reads a socket in short waits, asking the scope between them."""

    def __init__(self, sock: socket.socket, scope: Scope) -> None:
        self._sock = sock
        self._scope = scope

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            self._scope.check("answer")
            self._sock.settimeout(max(0.001, min(NOTICE, self._scope.remaining())))
            with contextlib.suppress(TimeoutError):
                return self._sock.recv_into(buffer)


class _ScopedResponse(http.client.HTTPResponse):
    """An http.client response that reads through the scope of the exchange that it belongs to."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        # Closing fp is what drops http.client's hold on the socket, so the original is closed with its replacement.
        original = self.fp
        self.fp = _ClosingReader(_ScopedReader(sock, _reading_for.get()), original)


class _ClosingReader(io.BufferedReader):
    def __init__(self, raw: io.RawIOBase, original: Any) -> None:
        super().__init__(raw)
        self._original = original

    def close(self) -> None:
        super().close()
        self._original.close()


def _connected(connection: HTTPConnection) -> socket.socket:
    """What urllib3's own _new_conn() returns and raises, in the scope of the exchange."""
    scope = _reading_for.get()
    host = connection._dns_host.strip("[]")
    left = max(0.001, min(CONNECT_SECONDS, scope.remaining()))
    try:
        host.encode("idna")
        sock = connected(scope, host, connection.port, left, connection.socket_options or ())
    except UnicodeError:
        raise urllib3.exceptions.LocationParseError(f"'{host}', label empty or too long") from None
    except TimeoutError as error:
        raise urllib3.exceptions.ConnectTimeoutError(connection, f"Connection to {host} timed out") from error
    except OSError as error:  # a gaierror as well: it is the cause that tells
        raise urllib3.exceptions.NewConnectionError(connection, f"No connection to {host}: {error}") from error
    sock.settimeout(max(0.001, min(CONNECT_SECONDS, scope.remaining())))
    return sock


class _Connection(HTTPConnection):
    response_class = _ScopedResponse

    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _TlsConnection(HTTPSConnection):
    """Cancelling the scope ends the TLS handshake too, by shutting its connection down."""

    response_class = _ScopedResponse
    _handshake: socket.socket | None = None

    def connect(self) -> None:
        scope = _reading_for.get()
        scope.add_interrupt(self._shut_down)
        try:
            super().connect()
        finally:
            scope.remove_interrupt(self._shut_down)
            if self._handshake is not None:
                self._handshake.close()

    def _new_conn(self) -> socket.socket:
        sock = _connected(self)
        self._handshake = sock.dup()  # the socket object that does the handshake is not ours to see
        _reading_for.get().check("answer")
        return sock

    def _shut_down(self) -> None:
        if self._handshake is not None:
            with contextlib.suppress(OSError):
                self._handshake.shutdown(socket.SHUT_RDWR)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _ScopedAdapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager


def _reply(method: str, url: str, answer: requests.Response, body: bytes) -> Reply:
    lines = tuple(answer.raw.headers.iteritems())
    version = {10: "1.0", 11: "1.1"}.get(answer.raw.version, "")
    return Reply(method, url, answer.status_code, answer.headers, body, lines, version)


def _body(scope: Scope, answer: requests.Response, most: int) -> bytes:
    body = bytearray()
    for piece in answer.iter_content(65536):
        scope.check("answer")
        body += piece
        if len(body) > most:
            raise HttpError("too_large", f"{shown_url(answer.url)} answered with more than {most} bytes")
    return bytes(body)


def _explained(error: Exception, scope: Scope, url: str) -> Exception:
    """What went wrong, in this package's terms: the innermost cause says it best."""
    for cause in _causes(error):
        if isinstance(cause, Cancelled):
            return cause
    where = shown_url(url)
    if scope.is_cancelled:
        return Cancelled()
    if isinstance(error, requests.exceptions.ConnectTimeout):
        kind = "connect" if scope.remaining() > 0 else "timeout"
        cause = HttpError("connect", f"no connection to {where} within {CONNECT_SECONDS:g} s")
        return cause if kind == "connect" else _too_late(where, scope)
    if isinstance(error, requests.exceptions.Timeout) or scope.remaining() <= 0:
        return _too_late(where, scope)
    innermost = list(_causes(error))[-1]
    if isinstance(error, requests.exceptions.SSLError):
        return HttpError("tls", f"no TLS connection to {where}: {_reason(innermost)}")
    if isinstance(innermost, socket.gaierror):
        return HttpError("dns", f"cannot find the address of {where}: {_reason(innermost)}")
    if isinstance(error, requests.exceptions.ProxyError):
        return HttpError("connect", f"the proxy did not connect to {where}: {_reason(innermost)}")
    if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in _causes(error)):
        return HttpError("connect", f"cannot connect to {where}: {_reason(innermost)}")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema | ValueError):
        return HttpError("scheme", f"{where} is not a usable URL: {_reason(innermost)}")
    return HttpError("reset", f"the connection to {where} broke: {_reason(innermost)}")


def _too_late(where: str, scope: Scope) -> WaitTimeout:
    return WaitTimeout("answer", f"Server communication error: no answer from {where} within {scope.limit:g} s")


def _causes(error: BaseException | None) -> list[BaseException]:
    """The error, what it wraps and what led to it, outermost first. urllib3 keeps causes in `reason` and in args."""
    found: list[BaseException] = []
    queue = [error]
    while queue:
        at = queue.pop(0)
        if isinstance(at, BaseException) and at not in found:
            found.append(at)
            queue += [getattr(at, "reason", None), *at.args, at.__cause__ or at.__context__]
    return found


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # An error may quote what the peer sent.
    said = "".join(char if char.isprintable() else "?" for char in " ".join(str(error).split())[:200])
    return said or type(error).__name__


#: Of a URL in a message.
_LONGEST_URL = 500


def shown_url(url: str) -> str:
    """A URL without what may be secret in it: user, password and query."""
    parts = urlsplit(url)
    text = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return text if len(text) <= _LONGEST_URL else text[:_LONGEST_URL] + "..."
