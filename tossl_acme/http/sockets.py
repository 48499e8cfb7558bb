"""Reads, connecting and the TLS handshake inside a Context: every private name of urllib3."""

from __future__ import annotations

import contextlib
import contextvars
import http.client
import io
import socket
from typing import Any

import requests
import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ..context import CANCEL_POLL_SECONDS, Context
from ..files import socket_beyond_standard
from .connect import connected

#: Seconds that one attempt to connect may take, from the name's addresses to the last of them.
CONNECT_SECONDS = 15.0

current_context: contextvars.ContextVar[Context] = contextvars.ContextVar("current_context")


class _ContextReader(io.RawIOBase):
    """Reads a socket in short waits, asking the context between them."""

    def __init__(self, sock: socket.socket, context: Context) -> None:
        self._sock = sock
        self._scope = context

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            self._scope.check("answer")
            self._sock.settimeout(max(0.001, min(CANCEL_POLL_SECONDS, self._scope.remaining())))
            with contextlib.suppress(TimeoutError):
                return self._sock.recv_into(buffer)


class _ContextResponse(http.client.HTTPResponse):
    """An http.client response that reads through the context of the exchange that it belongs to."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        # Closing fp is what drops http.client's hold on the socket, so the original is closed with its replacement.
        original = self.fp
        self.fp = _ClosingReader(_ContextReader(sock, current_context.get()), original)


class _ClosingReader(io.BufferedReader):
    def __init__(self, raw: io.RawIOBase, original: Any) -> None:
        super().__init__(raw)
        self._original = original

    def close(self) -> None:
        super().close()
        self._original.close()


def _connected(connection: HTTPConnection) -> socket.socket:
    """What urllib3's own _new_conn() returns and raises, in the context of the exchange."""
    context = current_context.get()
    host = connection._dns_host.strip("[]")
    left = max(0.001, min(CONNECT_SECONDS, context.remaining()))
    try:
        host.encode("idna")
        sock = connected(context, host, connection.port, left, connection.socket_options or ())
    except UnicodeError:
        raise urllib3.exceptions.LocationParseError(f"'{host}', label empty or too long") from None
    except TimeoutError as error:
        raise urllib3.exceptions.ConnectTimeoutError(connection, f"Connection to {host} timed out") from error
    except OSError as error:  # a gaierror as well: it is the cause that tells
        raise urllib3.exceptions.NewConnectionError(connection, f"No connection to {host}: {error}") from error
    sock.settimeout(max(0.001, min(CONNECT_SECONDS, context.remaining())))
    return sock


class _Connection(HTTPConnection):
    response_class = _ContextResponse

    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _TlsConnection(HTTPSConnection):
    """Cancelling the context ends the TLS handshake too, by shutting its connection down."""

    response_class = _ContextResponse
    _handshake: socket.socket | None = None

    def connect(self) -> None:
        context = current_context.get()
        context.add_interrupt(self._shut_down)
        try:
            super().connect()
        finally:
            context.remove_interrupt(self._shut_down)
            if self._handshake is not None:
                self._handshake.close()

    def _new_conn(self) -> socket.socket:
        sock = _connected(self)
        # The socket object that does the handshake is not ours to see.
        self._handshake = socket_beyond_standard(sock.dup())
        current_context.get().check("answer")
        return sock

    def _shut_down(self) -> None:
        if self._handshake is not None:
            with contextlib.suppress(OSError):
                self._handshake.shutdown(socket.SHUT_RDWR)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class ContextAdapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager
