"""A reverse proxy in front of Pebble that misbehaves by rule, and an HTTP proxy that leads to it."""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType
from urllib.parse import urlsplit

from .actions import ACTIONS, Action, Response
from .certs import Certificates
from .process import Server
from .web import Listener, QuietHandler

# Rules may name what they are after as the ACME directory and its objects do; these are Pebble's paths for it.
RESOURCES: Mapping[str, str] = MappingProxyType(
    {
        "directory": "/dir",
        "newNonce": "/nonce-plz",
        "newAccount": "/sign-me-up",
        "account": "/my-account/",
        "newOrder": "/order-plz",
        "order": "/my-order/",
        "orders": "/list-orderz/",
        "authorization": "/authZ/",
        "challenge": "/chalZ/",
        "finalize": "/finalize-order/",
        "certificate": "/certZ/",
        "revokeCert": "/revoke-cert",
        "keyChange": "/rollover-account-key",
        "renewalInfo": "/draft-ietf-acme-ari",
    }
)
_UPSTREAM_TIMEOUT = 60.0
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "proxy-connection"})


@dataclass
class Seen:
    """One request that reached the proxy; ``status`` is 0 where no answer was sent."""

    method: str
    path: str
    status: int
    body: bytes = field(repr=False)


@dataclass
class Rule:
    """An action for matching requests, from the ``nth`` on, ``times`` times (None: for ever)."""

    action: Action
    method: str | None = None
    path: str | None = None
    nth: int = 1
    times: int | None = 1
    when: Callable[[str, str, bytes], bool] | None = None
    matched: int = 0
    fired: int = 0

    def takes(self, method: str, path: str, body: bytes) -> bool:
        """Whether this request is the rule's; counts it."""
        if self.method and self.method != method:
            return False
        if self.path and not path.startswith(RESOURCES.get(self.path, self.path)):
            return False
        if self.when and not self.when(method, path, body):
            return False
        self.matched += 1
        if self.matched < self.nth or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        return True


class FaultProxy(Server):
    """``directory`` is the URL for clients; ``connect_url`` is a value for HTTPS_PROXY.

    ``upstream`` is the CA's directory URL. ``routes`` maps HOST:PORT, as a client names it in
    CONNECT, to a local HOST:PORT; nothing else is reachable. ``impersonate`` names hosts that lead
    to this proxy itself. Without Python at hand rules are set at ``connect_url``/control/.
    """

    def __init__(
        self,
        upstream: str,
        certificates: Certificates,
        *,
        routes: Mapping[str, str] = MappingProxyType({}),
        impersonate: tuple[str, ...] = ("acme-staging-v02.api.letsencrypt.org", "acme-v02.api.letsencrypt.org"),
    ) -> None:
        self.upstream = urlsplit(upstream)
        self.upstream_context = ssl.create_default_context(cafile=str(certificates.ca_bundle))
        self.rules: list[Rule] = []
        self.requests: list[Seen] = []
        self.connections = 0
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self._secure = Listener(_proxy_handler(self), certificates)
        self._plain = Listener(_connect_handler(self))
        own = f"127.0.0.1:{self._secure.server_port}"
        self.routes = {**{f"{host}:443": own for host in impersonate}, **routes}

    @property
    def url(self) -> str:
        """The https origin of the reverse proxy."""
        return self._secure.url

    @property
    def directory(self) -> str:
        """The directory URL behind the reverse proxy."""
        return f"{self.url}/directory"

    @property
    def connect_url(self) -> str:
        """The HTTP proxy that takes CONNECT."""
        return self._plain.url

    def fault(
        self,
        action: Action,
        *,
        method: str | None = None,
        path: str | None = None,
        nth: int = 1,
        times: int | None = 1,
        when: Callable[[str, str, bytes], bool] | None = None,
    ) -> Rule:
        """Add a rule. ``path`` is the start of a path or a name out of RESOURCES."""
        rule = Rule(action, method, path, nth, times, when)
        with self.lock:
            self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget the rules and what was seen."""
        with self.lock:
            self.rules.clear()
            self.requests.clear()
            self.connections = 0

    def seen(self, path: str = "", method: str | None = None) -> list[Seen]:
        """Return the requests whose path starts so, in order; ``path`` as in rules."""
        start = RESOURCES.get(path, path)
        with self.lock:
            return [s for s in self.requests if s.path.startswith(start) and method in (None, s.method)]

    def action_for(self, method: str, path: str, body: bytes) -> Action | None:
        """Return the action of the first rule that takes the request."""
        with self.lock:
            return next((rule.action for rule in self.rules if rule.takes(method, path, body)), None)

    def stop(self) -> None:
        """Stop listening and end every delay."""
        self.ended.set()
        self._secure.stop()
        self._plain.stop()


class _Exchange:
    """One request between a client's connection and the CA."""

    def __init__(self, proxy: FaultProxy, handler: BaseHTTPRequestHandler, upstream: _Upstream) -> None:
        self._proxy, self._handler, self._upstream = proxy, handler, upstream
        self.method = handler.command
        # Let's Encrypt's path for the directory, so that its documented URL works unchanged.
        self.path = "/dir" if handler.path == "/directory" else handler.path
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self._seen = Seen(self.method, self.path, 0, self.body)
        with proxy.lock:
            proxy.requests.append(self._seen)

    def deliver(self) -> Response:
        headers = {k: v for k, v in self._handler.headers.items() if k.lower() not in _HOP_BY_HOP}
        return self._upstream.request(self.method, self.path, self.body, headers)

    def send(self, response: Response) -> None:
        self._seen.status = response.status
        body = b"" if self.method == "HEAD" or response.status == 204 else response.body
        self._handler.wfile.write(response.head() + body)

    def write(self, data: bytes) -> None:
        self._handler.close_connection = True
        self._handler.wfile.write(data)

    def connection(self) -> socket.socket:
        self._handler.close_connection = True
        connection: socket.socket = self._handler.connection
        return connection

    def ended(self) -> threading.Event:
        return self._proxy.ended


class _Upstream:
    """The connection to the CA that belongs to one client connection."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self._connection: http.client.HTTPSConnection | None = None

    def request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        connection = self._open()
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        # Host is the client's: the CA makes its URLs from it, and so they lead back here.
        for name, value in headers.items():
            connection.putheader(name, value)
        if body or method == "POST":
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        kept = tuple((k, v) for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP)
        return Response(answer.status, answer.reason, kept, answer.read())

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> http.client.HTTPSConnection:
        if self._connection is not None and self._connection.sock is not None:
            readable, _, _ = select.select([self._connection.sock], [], [], 0)
            if not readable:
                return self._connection
            # Nothing was asked, so this is the end of it: the CA was restarted.
            self.close()
        upstream = self._proxy.upstream
        self._connection = http.client.HTTPSConnection(
            upstream.hostname or "", upstream.port, timeout=_UPSTREAM_TIMEOUT, context=self._proxy.upstream_context
        )
        return self._connection


def _proxy_handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        def setup(self) -> None:
            super().setup()
            self.upstream = _Upstream(proxy)
            with proxy.lock:
                proxy.connections += 1

        def finish(self) -> None:
            self.upstream.close()
            with suppress(OSError, ValueError):
                super().finish()

        def take(self) -> None:
            exchange = _Exchange(proxy, self, self.upstream)
            action = proxy.action_for(exchange.method, exchange.path, exchange.body)
            try:
                if action is None:
                    exchange.send(exchange.deliver())
                else:
                    action(exchange)
            except (OSError, http.client.HTTPException):
                self.upstream.close()
                self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = take

    return Handler


def _connect_handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        def do_CONNECT(self) -> None:
            self.close_connection = True
            target = proxy.routes.get(self.path)
            if target is None:
                self.send_error(403, "Not a host of these tests")
                return
            host, port = target.rsplit(":", 1)
            with socket.create_connection((host, int(port))) as other:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                _tunnel(self.connection, other, proxy.ended)

        def do_GET(self) -> None:
            self._reply({"requests": [_as_json(seen) for seen in proxy.seen()], "connections": proxy.connections})

        def do_POST(self) -> None:
            try:
                wanted = json.loads(self.read_body() or b"{}")
                if self.path == "/control/clear":
                    proxy.clear()
                else:
                    rule = {k: wanted[k] for k in ("method", "path", "nth", "times") if k in wanted}
                    proxy.fault(ACTIONS[wanted["action"]](**wanted.get("args", {})), **rule)
            except (ValueError, KeyError, TypeError) as error:
                self._reply({"error": repr(error)}, 400)
            else:
                self._reply({})

        def _reply(self, value: object, status: int = 200) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


def _as_json(seen: Seen) -> dict[str, object]:
    return {"method": seen.method, "path": seen.path, "status": seen.status}


def _tunnel(one: socket.socket, other: socket.socket, ended: threading.Event) -> None:
    peers = {one: other, other: one}
    while not ended.is_set():
        readable, _, _ = select.select(list(peers), [], [], 0.5)
        for ready in readable:
            data = ready.recv(65536)
            if not data:
                return
            peers[ready].sendall(data)
