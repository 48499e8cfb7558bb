"""A TCP connection within one deadline, whatever its name resolves to; cancelled within a quarter of a second."""

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

#: Seconds that each address gets at least, also if it is one of many.
LEAST_SHARE_SECONDS = 2.0
#: What connect() says where it goes on by itself; Windows, which has no poll(), says the second.
_BEGUN = (errno.EINPROGRESS,) if hasattr(select, "poll") else (errno.EINPROGRESS, errno.EWOULDBLOCK)


def connected(
    context: Context, host: str, port: int, seconds: float, options: Iterable[tuple[int, int, int | bytes]] = ()
) -> socket.socket:
    """Returns a connection to the host's first address that accepts one; all addresses together get `seconds`.

    Raises socket.gaierror if the host has no address, TimeoutError or another OSError for the last address tried,
    and WaitTimeout or Cancelled when the context is over.
    """
    deadline = time.monotonic() + seconds
    addresses = _addresses(context, host, port, deadline)
    failure: OSError = OSError("the name has no address")
    for number, address in enumerate(addresses):
        left = deadline - time.monotonic()
        share = min(left, max(LEAST_SHARE_SECONDS, left / (len(addresses) - number)))
        try:
            return _connected(context, address, time.monotonic() + share, options)
        except OSError as error:
            failure = error
    raise failure


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
    if not hasattr(select, "poll"):
        return any(select.select([], [sock], [sock], seconds))
    poll = select.poll()  # select() takes no descriptor beyond 1023
    poll.register(sock, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))


def _connected(
    context: Context, address: _Found, deadline: float, options: Iterable[tuple[int, int, int | bytes]]
) -> socket.socket:
    sock = socket_beyond_standard(socket.socket(*address[:3]))
    try:
        for option in options:
            sock.setsockopt(*option)
        sock.setblocking(False)
        failed = sock.connect_ex(address[4])
        if failed in _BEGUN:
            while not await_writable(sock, context.poll_seconds("answer", deadline - time.monotonic())):
                if time.monotonic() >= deadline:
                    raise TimeoutError("timed out")
            failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise OSError(failed, os.strerror(failed))
    except BaseException:
        sock.close()
        raise
    return sock
