"""Connecting, the TLS handshake and every read inside a Context and a budget: all private names of urllib3.

The bytes of an answer are counted where they leave the socket, before http.client or urllib3 make anything of them.
"""

from __future__ import annotations

import contextlib
import contextvars
import http.client
import io
import queue
import re
import socket
import ssl
import time
from collections.abc import Iterator
from email.errors import MissingHeaderBodySeparatorDefect
from typing import Any

import requests
import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.wait import wait_for_read

from ..context import Context
from ..errors import HttpError
from ..files import socket_beyond_standard
from .ahead import take_opened
from .connect import connected
from .dial import CONNECT_SECONDS, IDLE_SECONDS
from .socks import connected_through
from .trust import NO_ROOT, Trust
from .urls import shown_url

#: Seconds to the first byte of an answer on a reused connection; then the connection counts as lost.
REUSED_SECONDS = 30.0
#: Bytes of a status line with its headers, and of all interim answers before them.
HEAD_BYTES = 1 << 17
#: Bytes and lines of one line between chunks, and of the trailer after them.
_LINE_BYTES = 4096
_TRAILER_LINES = 100
#: RFC 9112 section 7.1: digits alone, no sign, no prefix. No size needs more digits.
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")
_LENGTH = re.compile(r"[0-9]{1,19}")
#: White space beside a value, also where it is folded (RFC 9112 section 5).
_SPACE = " \t\r\n"
_LOST = re.compile(r"^(content-length|transfer-encoding)\s*:", re.IGNORECASE | re.MULTILINE)


class Exchange:
    """A request under way: its limits, and its state on the wire.

    silence: seconds without a byte after which the connection counts as lost.
    trusted_from: connections that are older (monotonic seconds) are not used again. trust: the roots of TLS.
    way: how the peer is reached, to find a connection that was opened ahead. address: the one to connect to, empty for
    those of the host.
    """

    def __init__(
        self,
        context: Context,
        url: str,
        most_bytes: int,
        silence: float,
        trusted_from: float = 0.0,
        trust: Trust | None = None,
        way: tuple[object, ...] = (),
        address: str = "",
    ) -> None:
        self.context = context
        self.address = address
        #: The server's TLS certificate, DER, once a connection is made.
        self.peer = b""
        self.way = way
        self.trust = trust
        self.most_bytes = most_bytes
        self.trusted_from = trusted_from
        self.is_fresh = False
        self.is_connected = False
        self.has_answer = False
        self._url = url
        self._silence = silence

    def silence(self) -> float:
        """Returns the seconds that the next byte may take."""
        first = REUSED_SECONDS if not (self.is_fresh or self.has_answer) else self._silence
        return min(first, self._silence)

    @property
    def has_peer(self) -> bool:
        """Returns whether the request could go out: on its own connection, or on one that was there already."""
        return self.is_connected or not self.is_fresh

    def broken(self, kind: str, cause: str) -> HttpError:
        shown = shown_url(self._url)
        return HttpError(kind, f"{shown if self.has_peer else f'the proxy for {shown}'} {cause}")


current_exchange: contextvars.ContextVar[Exchange] = contextvars.ContextVar("current_exchange")


def body_pieces(raw: Any) -> Iterator[bytes]:
    """Yields the body of urllib3's response, its chunks joined, its content coding not decoded."""
    raw.chunked = False  # _Response did that already
    raw.enforce_content_length = True  # urllib3 1.26 would take a body that is cut off for whole
    while piece := raw.read(65536, decode_content=False):
        yield piece


class _SocketReader(io.RawIOBase):
    """Reads a socket in short waits, checks the context between them, and counts the bytes."""

    def __init__(self, sock: socket.socket, exchange: Exchange) -> None:
        self._sock = sock
        self._exchange = exchange
        self._bytes_left = HEAD_BYTES
        self._most = HEAD_BYTES
        self.is_at_end = False

    def readable(self) -> bool:
        return True

    def allow(self, most: int) -> None:
        """Allows `most` bytes from now on."""
        self._bytes_left = self._most = most

    def readinto(self, buffer: Any) -> int:
        count = self._received(buffer)
        self._exchange.has_answer = self._exchange.has_answer or bool(count)
        self.is_at_end = not count
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise self._exchange.broken("too_large", f"answered with more than {self._most} bytes")
        return count

    def _received(self, buffer: Any) -> int:
        context, silence = self._exchange.context, self._exchange.silence()
        lost = time.monotonic() + silence
        while True:
            left = lost - time.monotonic()
            pause = context.poll_seconds("answer", left)
            if left <= 0:
                raise self._exchange.broken("reset", f"sent nothing for {silence:g} s: the connection counts as lost")
            if self._sock.gettimeout() != pause:
                self._sock.settimeout(pause)
            with contextlib.suppress(TimeoutError):
                return self._sock.recv_into(buffer)


class _Closing(io.BufferedReader):
    """A buffer over a reader; closing it also closes the file that it replaced."""

    def __init__(self, raw: io.RawIOBase, replaced: Any, exchange: Exchange) -> None:
        super().__init__(raw)
        self._replaced = replaced
        self._exchange = exchange

    def readline(self, size: int | None = -1) -> bytes:
        """Returns a line. Refuses a CR in it (RFC 9112 section 2.2), which would end it for some readers."""
        line = super().readline(size)
        if b"\r" in line[:-2]:
            raise self._exchange.broken("malformed", "answered with a CR within a line")
        return line

    def close(self) -> None:
        super().close()
        self._replaced.close()


class _Response(http.client.HTTPResponse):
    """An http.client response within the limits of its exchange. Refuses framing that a proxy may read differently."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._exchange = current_exchange.get()
        self._reader = _SocketReader(sock, self._exchange)
        # http.client releases the socket when fp is closed, so the original is closed with its replacement.
        self.fp = _Closing(self._reader, self.fp, self._exchange)

    def begin(self, **options: Any) -> None:
        self._exchange.context.work_meanwhile()
        super().begin(**options)
        while 100 <= self.status < 200 and self.status != http.HTTPStatus.SWITCHING_PROTOCOLS:
            self.headers = self.msg = None  # type: ignore[assignment]  # else begin() has nothing left to do
            super().begin(**options)
        if self._reader.is_at_end:  # http.client takes the part it got for the whole head
            raise self._exchange.broken("reset", "closed the connection before its answer's headers were complete")
        if self.status < 200:  # RFC 9110 section 15.2.2
            raise self._exchange.broken("malformed", "answered with another protocol, which nobody asked for (101)")
        self._check_framing()
        # A chunk of one byte takes six bytes; so the limit of a small body is generous.
        self._reader.allow(2 * self._exchange.most_bytes + HEAD_BYTES)
        if self.chunked and self.fp is not None:
            self.chunked = False
            self.fp = _Closing(_Chunks(self.fp, self._exchange), self.fp, self._exchange)

    def _check_framing(self) -> None:
        """Refuses a length that two readers may read differently (RFC 9112 section 6.3)."""
        if _has_lost_length(self.headers):
            raise self._exchange.broken("malformed", "answered with a line that is no header before its length")
        lengths = set(self.headers.get_all("Content-Length", []))
        codings = self.headers.get_all("Transfer-Encoding", [])
        if codings:
            coding = ", ".join(codings).strip(_SPACE).lower()
            if coding != "chunked" or (lengths and not self.chunked):
                raise self._exchange.broken("malformed", "answered with a transfer coding that was not requested")
            self.chunked = True  # http.client misses it beside white space
            self.will_close = self.will_close or bool(lengths)
        elif len(lengths) > 1 or not all(_LENGTH.fullmatch(length.strip(_SPACE)) for length in lengths):
            raise self._exchange.broken("malformed", "answered with a Content-Length that is not a number")
        if self.length is not None and self.length > self._exchange.most_bytes:
            raise self._exchange.broken("too_large", f"answered with more than {self._exchange.most_bytes} bytes")


def _has_lost_length(headers: http.client.HTTPMessage) -> bool:
    """Returns whether a length stands behind a line that is no header: Python's parser takes that for a body."""
    body = headers.get_payload()
    if isinstance(body, str):
        return bool(_LOST.search(body))
    return any(isinstance(each, MissingHeaderBodySeparatorDefect) for each in headers.defects)  # of several parts


class _Chunks(io.RawIOBase):
    """The content of a chunked body (RFC 9112 section 7.1)."""

    def __init__(self, fp: Any, exchange: Exchange) -> None:
        self._fp = fp
        self._exchange = exchange
        self._left = 0
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left and not self._is_over:
            self._left = self._next_size()
            self._is_over = not self._left
        if self._is_over:
            return 0
        piece = self._fp.read1(min(len(buffer), self._left))
        if not piece:
            raise http.client.IncompleteRead(b"", self._left)
        buffer[: len(piece)] = piece
        self._left -= len(piece)
        if not self._left and self._line() != b"\r\n":
            raise self._exchange.broken("malformed", "answered with a chunk that is longer than its size")
        return len(piece)

    def _next_size(self) -> int:
        size = _CHUNK_SIZE.fullmatch(self._line())
        if size is None:
            raise self._exchange.broken("malformed", "answered with a chunk whose size is not a number")
        if not int(size[1], 16):
            self._skip_trailer()
        return int(size[1], 16)

    def _skip_trailer(self) -> None:
        for _ in range(_TRAILER_LINES):
            if self._line() in (b"\r\n", b"\n"):
                return
        raise self._exchange.broken("malformed", f"answered with a trailer of more than {_TRAILER_LINES} lines")

    def _line(self) -> bytes:
        line: bytes = self._fp.readline(_LINE_BYTES)
        if line.endswith(b"\n"):
            return line
        if len(line) == _LINE_BYTES:
            raise self._exchange.broken("malformed", "answered with an endless line between its chunks")
        raise http.client.IncompleteRead(line)


def _connected(connection: HTTPConnection) -> socket.socket:
    """Does the work of urllib3's _new_conn() within the context of the exchange."""
    exchange = current_exchange.get()
    exchange.is_fresh = True
    context = exchange.context
    host = exchange.address or connection._dns_host.strip("[]")
    left = max(0.001, min(CONNECT_SECONDS, context.remaining()))
    options = getattr(connection, "socks_options", None)
    try:
        host.encode("idna")
        if options:
            sock = connected_through(context, options, host, connection.port, left)
        else:
            sock = connected(context, host, connection.port, left, connection.socket_options or ())
    except UnicodeError:
        raise urllib3.exceptions.LocationParseError(f"'{host}', label empty or too long") from None
    except TimeoutError as error:
        raise urllib3.exceptions.ConnectTimeoutError(connection, f"Connection to {host} timed out") from error
    except OSError as error:  # a gaierror too: the table in failures.py finds it as the cause
        raise urllib3.exceptions.NewConnectionError(connection, f"No connection to {host}: {error}") from error
    sock.settimeout(max(0.001, min(CONNECT_SECONDS, context.remaining())))
    return sock


class _Kept:
    """A mix-in for connections: whether one can be used again."""

    sock: socket.socket | None
    _made = 0.0
    _used = 0.0
    _is_unused = False
    _held: bytearray | None = None

    def __init__(self, *args: Any, _socks_options: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.socks_options = _socks_options

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        current_exchange.get().is_connected = True
        self._used = time.monotonic()
        self._is_unused = True

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Sends head and body in one piece: a peer that reads in two is woken twice."""
        self._used = time.monotonic()
        self._is_unused = False
        self._held = bytearray()
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
            self._send_held()
        finally:
            self._held = None

    def send(self, data: Any) -> None:
        if self._held is not None and isinstance(data, bytes):
            self._held += data
        else:
            self._send_held()
            super().send(data)  # type: ignore[misc]

    def _send_held(self) -> None:
        held, self._held = self._held, None
        if held:
            super().send(held)  # type: ignore[misc]

    @property
    def is_connected(self) -> bool:
        is_trusted = self._made >= current_exchange.get().trusted_from
        is_recent = time.monotonic() - self._used <= IDLE_SECONDS
        if self.sock is None or not (is_trusted and is_recent):
            return False
        # What a server sends before the first request are tickets of TLS 1.3, and not its end.
        return self._is_unused or not wait_for_read(self.sock, timeout=0.0)


class _Connection(_Kept, HTTPConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        self._made = time.monotonic()
        return _connected(self)


class _TlsSocket(ssl.SSLSocket):
    """Shakes hands in short waits, and checks the context between them."""

    def do_handshake(self, block: bool = False) -> None:
        exchange = current_exchange.get(None)
        if exchange is None:  # it is opened ahead
            super().do_handshake(block)
            return
        # The socket's own timeout may be what was left of one read: of a proxy's answer.
        limit = max(0.001, min(CONNECT_SECONDS, exchange.context.remaining()))
        lost = time.monotonic() + limit
        try:
            while (left := lost - time.monotonic()) > 0:
                self.settimeout(exchange.context.poll_seconds("answer", left))
                with contextlib.suppress(TimeoutError):
                    super().do_handshake(block)
                    return
            raise TimeoutError("timed out")
        finally:
            self.settimeout(limit)


class _Naming:
    """An SSLContext that names the server to OpenSSL, which verifies its certificate by that."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._context = context
        self._host = host

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def wrap_socket(self, sock: socket.socket, **options: Any) -> ssl.SSLSocket:
        return self._context.wrap_socket(sock, **options | {"server_hostname": self._host})

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, **options: Any) -> ssl.SSLObject:
        return self._context.wrap_bio(incoming, outgoing, **options | {"server_hostname": self._host})


def _naming(context: ssl.SSLContext, host: str) -> Any:
    """Returns the context, for urllib3 1.26 one that names the server also where it is an address."""
    return context if hasattr(HTTPConnection, "is_connected") else _Naming(context, host.strip("[]"))


class _TlsConnection(_Kept, HTTPSConnection):
    """Cancelling the context ends the TLS handshake too, by shutting its connection down."""

    response_class = _Response
    _handshake: socket.socket | None = None

    def connect(self) -> None:
        exchange = current_exchange.get()
        if exchange.trust is None:
            self._connect(exchange)
            return
        # urllib3 forgets the way through a proxy when it fails: there is no second attempt.
        trusted = exchange.trust.whole() if self._tunnel_host else exchange.trust.context()
        self._trust(trusted)
        if not self.proxy_config and self._take_opened(exchange):
            return
        try:
            self._connect(exchange)
        except ssl.SSLCertVerificationError as error:
            whole = exchange.trust.whole() if error.verify_code in NO_ROOT else trusted
            if whole is trusted:
                raise
            self.close()
            self._trust(whole)
            self._connect(exchange)

    def _trust(self, trusted: ssl.SSLContext) -> None:
        trusted.sslsocket_class = _TlsSocket
        self.ssl_context = _naming(trusted, self._tunnel_host or self.host)
        if self.proxy_config:
            self.proxy_config = self.proxy_config._replace(ssl_context=_naming(trusted, self.host))

    def _connect(self, exchange: Exchange) -> None:
        context = exchange.context
        context.add_interrupt(self._shut_down)
        try:
            super().connect()
            if isinstance(self.sock, ssl.SSLSocket):
                exchange.peer = self.sock.getpeercert(True) or b""
        finally:
            context.remove_interrupt(self._shut_down)
            if self._handshake is not None:
                self._handshake.close()

    def _take_opened(self, exchange: Exchange) -> bool:
        """Takes a connection that was opened ahead, whose server was verified then. Returns whether there was one."""
        found = take_opened(exchange.context, exchange.way, self.host, self.port, exchange.trusted_from)
        if found is None:
            return False
        self.sock, self._made = found
        self._used, self._is_unused, self.is_verified = self._made, True, True
        return True

    def _new_conn(self) -> socket.socket:
        self._made = time.monotonic()
        sock = _connected(self)
        # urllib3 does not show the socket object that does the handshake.
        self._handshake = socket_beyond_standard(sock.dup())
        current_exchange.get().context.check("answer")
        return sock

    def _shut_down(self) -> None:
        if self._handshake is not None:
            with contextlib.suppress(OSError):
                self._handshake.shutdown(socket.SHUT_RDWR)


class _Picking:
    """A mix-in for pools: takes a connection that is_connected, else a new one. urllib3 1.26 asks the socket alone."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        pool: queue.LifoQueue[Any] | None = self.pool  # type: ignore[attr-defined]
        if pool is None:
            raise urllib3.exceptions.ClosedPoolError(self, "Pool is closed.")  # type: ignore[arg-type]
        with contextlib.suppress(queue.Empty):
            connection = pool.get(block=False)
            if connection is not None and connection.is_connected:
                return connection
            if connection is not None:
                connection.close()
        return self._new_conn()  # type: ignore[attr-defined]


class _Pool(_Picking, HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(_Picking, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class ContextAdapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leaves the roots to the connection, which has them from its exchange."""
        conn.cert_reqs = "CERT_REQUIRED" if verify else "CERT_NONE"

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> Any:
        """Returns urllib3's response, which has all that is needed: another object of it takes long to make."""
        return resp

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager
