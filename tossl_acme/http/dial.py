"""TCP connections that are begun before what a request needs has loaded: their round trip passes meanwhile.

So this imports no more of Python's library than what is written in C.
"""

from __future__ import annotations

import _socket
import errno
import time

from ..context import Context, in_forked_child
from ..context.beside import Beside
from ..files import beyond_standard
from .proxies import may_have_proxy

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

#: Requests to one server that are under way at the same time, each on a connection of its own; so many are kept.
WIDTH = 8
#: Seconds that one attempt to connect may take, from looking up the name to its last address; and so may TLS.
CONNECT_SECONDS = 15.0
#: Seconds after which an idle connection is not used again: a NAT on the way may have forgotten it.
IDLE_SECONDS = 30.0

#: Seconds that the first of several addresses gets: more than a round trip; the request tries them all.
_FIRST_SECONDS = 0.75
_MAX_HOST_CHARS, _MAX_PORT = 253, 65535
_HOST_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")

#: Host and port of each server that this process has connected to, or begun to: none is connected to ahead again.
_known: set[tuple[str, int]] = set()


class Connecting:
    """A TCP connection on its way, to the first of the host's addresses that does not refuse at once."""

    def __init__(self, context: Context, host: str, port: int) -> None:
        self._sock: _socket.socket | None = None
        self._is_wanted = True
        self._ends = time.monotonic() + min(CONNECT_SECONDS, context.remaining())
        self._naming: Beside | None = None
        if _is_known_here(host):
            self._begin(host, port)
        else:  # getaddrinfo() cannot be stopped
            self._naming = Beside(lambda: self._begin(host, port))

    def take(self, context: Context) -> socket.socket | None:
        """Returns the connection once it is there; None where it failed."""
        from socket import socket

        from .connect import await_writable

        if self._naming is not None:
            self._naming.wait(context, "request")
        begun, self._sock = self._sock, None
        if begun is None:
            return None
        sock = socket(begun.family, begun.type, begun.proto, fileno=begun.detach())
        try:
            while not await_writable(sock, context.poll_seconds("request", self._ends - time.monotonic())):
                if time.monotonic() >= self._ends:
                    break
            else:
                if sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR) == 0:
                    sock.setblocking(False)
                    return sock
        except BaseException:
            sock.close()
            raise
        sock.close()
        return None

    def drop(self) -> None:
        """Closes it: nobody takes it."""
        self._is_wanted = False
        begun, self._sock = self._sock, None
        if begun is not None:
            begun.close()

    def _begin(self, host: str, port: int) -> None:
        try:
            found = _socket.getaddrinfo(host.encode("ascii"), port, 0, _socket.SOCK_STREAM)
        except OSError:
            return
        if len(found) > 1:
            self._ends = min(self._ends, time.monotonic() + _FIRST_SECONDS)
        for address in found:
            self._sock = _begun(address)
            if self._sock is not None:
                break
        if not self._is_wanted:
            self.drop()


def _begun(address: tuple[Any, Any, int, str, Any]) -> _socket.socket | None:
    try:
        sock = _socket.socket(*address[:3])
    except OSError:
        return None
    try:
        family, kind, proto = sock.family, sock.type, sock.proto
        sock = _socket.socket(family, kind, proto, fileno=beyond_standard(sock.detach()))
        sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)  # as urllib3 sets it
        sock.setblocking(False)
        if sock.connect_ex(address[4]) in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            return sock
    except OSError:
        pass
    sock.close()
    return None


def _is_known_here(host: str) -> bool:
    """Returns whether this host's address is known without asking a server."""
    if host == "localhost":
        return True
    try:
        return bool(_socket.inet_pton(_socket.AF_INET, host))
    except OSError:
        return False


def connect_ahead(context: Context, url: str, proxy: str, count: int = 1) -> list[Connecting]:
    """Begins TCP connections for open_ahead(), unless the URL's server is known, or a proxy may be used.

    Only for a URL in its plainest form: what else can be one is taken apart by modules that load slowly.
    """
    peer = plain_peer(url)
    if peer is None or proxy or peer in _known or may_have_proxy():
        return []
    _known.add(peer)
    part = context.aside().narrowed(IDLE_SECONDS)
    return [Connecting(part, *peer) for _ in range(max(1, min(count, WIDTH)))]


def know_peer(host: str, port: int) -> None:
    """Remembers that this process connects to the server by itself."""
    _known.add((host, port))


def plain_peer(url: str) -> tuple[str, int] | None:
    """Returns host and port of an https URL; None for one with anything else in their place."""
    scheme, _, rest = url.partition("://")
    name, colon, digits = rest.partition("/")[0].partition(":")
    host = name.lower()
    if scheme != "https" or url.split() != [url] or not host or len(host) > _MAX_HOST_CHARS or host[-1] == ".":
        return None
    if not _HOST_CHARS.issuperset(host) or (colon and not (digits.isascii() and digits.isdigit())):
        return None
    port = int(digits[:6] or 443)
    return (host, port) if 0 < port <= _MAX_PORT else None


def reset() -> None:
    """Forgets which servers are known. A forked child calls it too."""
    _known.clear()


in_forked_child(reset)
