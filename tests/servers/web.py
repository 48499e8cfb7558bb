"""Small threaded HTTP servers inside this process, plain or with TLS."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .certs import Certificates
from .process import Server


@dataclass(frozen=True)
class Request:
    """One request as a look-alike sees it. ``target`` is the path with its query, as they were sent."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)
    target: str = ""

    def json(self) -> Any:
        """Parse the body; ValueError if it is not JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What a look-alike answers."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(value: object, status: int = 200, **headers: str) -> Reply:
    """Make an answer of a JSON value; header names are given with underscores."""
    named = {name.replace("_", "-").title(): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


class Listener(ThreadingHTTPServer):
    """A threaded server whose TLS handshakes happen in the connection's own thread."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler], certificates: Certificates | None = None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._context: ssl.SSLContext | None = None
        if certificates is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificates.cert, certificates.key)
        scheme = "https" if certificates else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's name, which may ask the real DNS."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "localhost", self.socket.getsockname()[1]

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in its thread."""
        if self._context is None:
            super().finish_request(request, client_address)
            return
        with self._context.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet when a client went away; that is what many tests do."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


class QuietHandler(BaseHTTPRequestHandler):
    """HTTP/1.1 with keep-alive and no log on standard error."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def read_body(self) -> bytes:
        """Read the request's body (no client here sends chunks)."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


class LookAlike(Server):
    """A look-alike service: subclasses define ``answer``. Every request is kept in ``requests``."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        self.requests: list[Request] = []
        self.lock = threading.RLock()
        handler = _handler_for(self._take)
        self._listeners = [Listener(handler)]
        if certificates is not None:
            self._listeners.append(Listener(handler, certificates))

    @property
    def origin(self) -> str:
        """The plain http://HOST:PORT."""
        return self._listeners[0].url

    @property
    def tls_origin(self) -> str:
        """The https://HOST:PORT, there if certificates were given."""
        return self._listeners[-1].url

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        raise NotImplementedError

    def _take(self, request: Request) -> Reply:
        with self.lock:
            self.requests.append(request)
            return self.answer(request)

    def stop(self) -> None:
        """Stop listening."""
        for listener in self._listeners:
            listener.stop()


def _handler_for(answer: Callable[[Request], Reply]) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        def take(self) -> None:
            url = urlsplit(self.path)
            query = dict(parse_qsl(url.query, keep_blank_values=True))
            body = self.read_body()
            reply = answer(Request(self.command, url.path, query, self.headers, body, self.path))
            self.send_response_only(reply.status)
            headers = {"Date": self.date_time_string(), **reply.headers, "Content-Length": str(len(reply.body))}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(reply.body if self.command != "HEAD" else b"")

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = take

    return Handler
