"""A TCP connection within one deadline, whatever its name resolves to; cancelled within a quarter of a second.

An address that is silent (as where IPv6 leads nowhere) costs a quarter of a second, not the time that it may take.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import socket
import time

from ..files import socket_beyond_standard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..context import Context

    #: Family, type, protocol, canonical name and address, as getaddrinfo() has them.
    _Found = tuple[Any, Any, int, str, Any]

#: Seconds after which the next address is tried beside those before it (RFC 8305 section 5).
AHEAD_SECONDS = 0.25
#: What connect() says where it goes on by itself; Windows, which has no poll(), says the second.
_BEGUN = (errno.EINPROGRESS,) if hasattr(select, "poll") else (errno.EINPROGRESS, errno.EWOULDBLOCK)
#: Errors of a machine without any route to the address, for example without IPv6.
NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)


def connected(
    context: Context, host: str, port: int, seconds: float, options: Iterable[tuple[int, int, int | bytes]] = ()
) -> socket.socket:
    """Returns a connection to that of the host's addresses which accepts one first; all together get `seconds`.

    Each is begun a quarter of a second after the one before, or once that has failed (RFC 8305).
    Raises socket.gaierror if the host has no address, OSError for the address that failed last (of those to
    which there is a route, if any is), TimeoutError, and WaitTimeout or Cancelled when the context is over.
    """
    deadline = time.monotonic() + seconds
    race = _Race(_addresses(context, host, port, deadline), options)
    try:
        while True:
            sock = race.begin_next()
            if sock is not None:
                return sock
            left = deadline - time.monotonic()
            sock = race.wait(context.poll_seconds("answer", min(left, race.pause())))
            if sock is not None:
                return sock
            if left <= 0:
                raise TimeoutError("timed out")
    finally:
        race.close()


def _addresses(context: Context, host: str, port: int, deadline: float) -> list[_Found]:
    name = host.encode("ascii") if host.isascii() else host  # what encodes a text loads slowly
    if _is_known(host):
        return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    # getaddrinfo() cannot be stopped: after the deadline its thread ends by itself.
    limit = max(0.0, deadline - time.monotonic())
    return context.run(lambda: socket.getaddrinfo(name, port, type=socket.SOCK_STREAM), "answer", limit)


def _is_known(host: str) -> bool:
    """Returns whether this host's address is known without asking a server."""
    try:
        return host == "localhost" or bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def await_writable(sock: socket.socket, seconds: float) -> bool:
    """Returns whether something can be sent, or the connection has failed; waits so many seconds at most."""
    return bool(_await_any([sock], seconds))


def _await_any(socks: list[socket.socket], seconds: float) -> list[socket.socket]:
    """Returns those on which await_writable() ends, within so many seconds."""
    if not hasattr(select, "poll"):
        _, writable, failed = select.select([], socks, socks, seconds)  # Windows tells what failed as the third
        return list(dict.fromkeys((*writable, *failed)))
    # select() takes no descriptor beyond 1023.
    poll, by_number = select.poll(), {sock.fileno(): sock for sock in socks}
    for number in by_number:
        poll.register(number, select.POLLOUT)
    return [by_number[number] for number, _events in poll.poll(seconds * 1000)]


class _Race:
    """Connections on their way to several addresses."""

    def __init__(self, addresses: Iterable[_Found], options: Iterable[tuple[int, int, int | bytes]]) -> None:
        self._left = _alternating(addresses)
        self._options = tuple(options)
        self._trying: list[socket.socket] = []
        self._next = 0.0
        self._failure = OSError("the name has no address")

    def begin_next(self) -> socket.socket | None:
        """Begins what is to be begun now; returns a connection that was there at once. Raises where all have failed."""
        while self._left and (not self._trying or time.monotonic() >= self._next):
            try:
                sock, is_connected = _begun(self._left[0], self._options)
            except OSError as error:
                if self._trying and error.errno in _NO_DESCRIPTOR:
                    self._trying.pop(0).close()  # the next has its descriptor
                    continue
                self._note(error)
                del self._left[0]
                continue
            del self._left[0]
            self._next = time.monotonic() + AHEAD_SECONDS
            if is_connected:
                return sock
            self._trying.append(sock)
        if not self._trying:
            raise self._failure
        return None

    def pause(self) -> float:
        """Returns the seconds until the next is to be begun."""
        return max(0.0, self._next - time.monotonic()) if self._left else float("inf")

    def wait(self, seconds: float) -> socket.socket | None:
        """Returns the first connection that is made within so many seconds, None without one."""
        for sock in _await_any(self._trying, seconds):
            self._trying.remove(sock)
            failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not failed:
                return sock
            sock.close()
            self._note(OSError(failed, os.strerror(failed)))
            self._next = 0.0
        return None

    def _note(self, error: OSError) -> None:
        if error.errno not in NO_ROUTE or self._failure.errno is None:
            self._failure = error

    def close(self) -> None:
        """Gives up those that are on their way."""
        for sock in self._trying:
            sock.close()


def _alternating(addresses: Iterable[_Found]) -> list[_Found]:
    """Returns the addresses with their families in turn (RFC 8305 section 4): one may have no way at all."""
    of_family: dict[Any, int] = {}
    places = []
    for address in addresses:
        of_family[address[0]] = of_family.get(address[0], 0) + 1
        places.append((of_family[address[0]], address))
    return [address for _place, address in sorted(places, key=lambda each: each[0])]


def _begun(address: _Found, options: Iterable[tuple[int, int, int | bytes]]) -> tuple[socket.socket, bool]:
    """Returns a socket that connects to the address, and whether it has already. Raises OSError."""
    sock = socket_beyond_standard(socket.socket(*address[:3]))
    try:
        for option in options:
            sock.setsockopt(*option)
        sock.setblocking(False)
        failed = sock.connect_ex(address[4])
        if failed and failed not in _BEGUN:
            raise OSError(failed, os.strerror(failed))
    except BaseException:
        sock.close()
        raise
    return sock, not failed
