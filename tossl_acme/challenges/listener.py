"""A small server on one port that no client can block: one thread, bounded connections, bounded time for each."""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Protocol

from ..context.threads import join_thread, start_thread
from ..errors import ArgumentError, ResourceError
from ..files import socket_beyond_standard
from .ports import Port, address_of, socket_address

#: Seconds from accepting a connection to closing it, whatever its client does.
LIFETIME_SECONDS = 10.0
#: A further connection closes the oldest. A well-behaved connection ends within milliseconds.
MOST_CONNECTIONS = 200

_BACKLOG = 512
#: It needs no descriptor. Windows has no poll().
_SELECTOR = getattr(selectors, "PollSelector", selectors.SelectSelector)
#: New connections to accept before the open connections get their turn.
_AT_ONCE = 64


class Connection(Protocol):
    """One client."""

    @property
    def sock(self) -> socket.socket: ...

    def advance(self) -> int:
        """Goes on without waiting. Returns the selector events to wait for, 0 when the connection is over.

        An OSError ends the connection.
        """


class Listener:
    """Listens from construction to close(), on every address of the machine, IPv4 and IPv6, or on the port's.

    `port` is the number in use, also if the system chose it for 0. Raises ArgumentError("port"), ResourceError.
    """

    def __init__(self, port: Port, connect: Callable[[socket.socket], Connection]) -> None:
        self._connect = connect
        self._listening = _listening(port)
        self.port: int = self._listening.getsockname()[1]
        self._closing = threading.Event()
        self._connections: dict[int, tuple[Connection, float]] = {}
        self._selector = _SELECTOR()
        try:
            self._wake, self._waker = map(socket_beyond_standard, socket.socketpair())
            for sock in (self._listening, self._wake):
                sock.setblocking(False)
                self._selector.register(sock, selectors.EVENT_READ)
            self._thread = start_thread(f"tossl-port-{self.port}", self._run)
        except (OSError, RuntimeError) as error:  # no descriptor or no thread is left
            self.leave_to_parent()
            raise _unusable(port, error) from None

    def close(self) -> None:
        """Ends all connections and the thread; the port is free when this returns."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._waker.send(b"x")
        join_thread(self._thread)

    def leave_to_parent(self) -> None:
        """Closes its descriptors in a forked child, where no thread serves it. The parent's server goes on."""
        for connection, _ends in self._connections.values():
            connection.sock.close()
        for name in ("_listening", "_wake", "_waker"):
            if sock := getattr(self, name, None):
                sock.close()

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                for key, _events in self._selector.select(self._seconds_to_expiry()):
                    if key.data is not None:
                        self._advance(key.data)
                    elif key.fileobj is self._listening:
                        self._accept()
                self._expire()
        finally:
            for connection, _ends in list(self._connections.values()):
                self._drop(connection)
            for sock in (self._listening, self._wake, self._waker):
                sock.close()
            self._selector.close()

    def _seconds_to_expiry(self) -> float | None:
        """Returns the seconds until the oldest connection expires. All live equally long, so it is the first."""
        for _connection, ends in self._connections.values():
            return max(0.0, ends - time.monotonic())
        return None

    def _accept(self) -> None:
        try:
            for _ in range(_AT_ONCE):
                self._admit(socket_beyond_standard(self._listening.accept()[0]))
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._relieve()

    def _admit(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        if len(self._connections) >= MOST_CONNECTIONS:
            self._drop(next(iter(self._connections.values()))[0])
        try:
            connection = self._connect(sock)
        except OSError:
            sock.close()
            return
        self._connections[connection.sock.fileno()] = (connection, time.monotonic() + LIFETIME_SECONDS)
        self._selector.register(connection.sock, selectors.EVENT_READ, connection)
        self._advance(connection)

    def _relieve(self) -> None:
        """Handles a lack of descriptors: closes one, or waits a little for another part of the process to do so."""
        if self._connections:
            self._drop(next(iter(self._connections.values()))[0])
        else:
            self._closing.wait(0.05)

    def _advance(self, connection: Connection) -> None:
        if connection.sock.fileno() not in self._connections:
            return  # closed earlier in this round
        try:
            events = connection.advance()
        except Exception:  # noqa: BLE001 - a client ends its own connection, not the listener, and fills no stderr
            events = 0
        if events:
            self._selector.modify(connection.sock, events, connection)
        else:
            self._drop(connection)

    def _expire(self) -> None:
        now = time.monotonic()
        for connection, ends in list(self._connections.values()):
            if ends > now:
                return
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        del self._connections[connection.sock.fileno()]
        self._selector.unregister(connection.sock)
        connection.sock.close()


def _listening(port: Port) -> socket.socket:
    host, number = address_of(port)
    try:
        return _open(*socket_address(host, number)) if host else _open_everywhere(number)
    except OSError as error:
        raise _unusable(port, error) from None


def _open_everywhere(port: int) -> socket.socket:
    """Returns one socket for IPv6 and IPv4, or for IPv4 alone if the machine has no IPv6."""
    if socket.has_dualstack_ipv6():
        try:
            return _open(socket.AF_INET6, ("::", port))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
    return _open(socket.AF_INET, ("0.0.0.0", port))  # noqa: S104 - the CA comes from outside


def _open(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket_beyond_standard(socket.socket(family, socket.SOCK_STREAM))
    try:
        # The kernel may still remember connections of an earlier listener; they must not block the port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _unusable(port: Port, error: OSError | RuntimeError) -> ArgumentError | ResourceError:
    number, reason = (error.errno, error.strerror) if isinstance(error, OSError) else (None, None)
    reason = reason or str(error)
    if isinstance(error, RuntimeError):
        return ResourceError("threads", f"port {port} cannot be used: no thread is left for it")
    if number in (errno.EMFILE, errno.ENFILE):
        return ResourceError("descriptors", f"port {port} cannot be used: {reason}")
    if number == errno.EADDRINUSE:
        advice = "free it, or prove the names without it (-webroot, -provider)"
        return ArgumentError("port", f"port {port} is in use already: {advice}")
    if number in (errno.EACCES, errno.EPERM):
        return ArgumentError("port", f"port {port} is not permitted: {reason} (ports below 1024 need a privilege)")
    return ArgumentError("port", f"port {port} cannot be used: {reason}")
