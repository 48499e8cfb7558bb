"""TLS connections opened beside other work, for the first requests that a process will send.

Connecting takes a round trip, as long as the options and TLS take to load, and so this imports neither; the handshake
takes another, while requests and urllib3 load.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from contextlib import suppress

from ..context import in_forked_child
from ..context.beside import Beside
from ..errors import TosslError
from ..files import socket_beyond_standard
from .connect import connected
from .proxies import may_have_proxy
from .urls import UrlError, split_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from ..context import Context
    from .options import ConnectionOptions
    from .trust import Trust

    #: A way to connect, as ConnectionOptions.in_force() has it, with host and port.
    _Peer = tuple[tuple[object, ...], str, int]

#: Requests to one server that are under way at the same time, each on a connection of its own; so many are kept.
WIDTH = 8
#: Seconds that one attempt to connect may take, from looking up the name to its last address; and so may TLS.
CONNECT_SECONDS = 15.0
#: Seconds after which an idle connection is not used again: a NAT on the way may have forgotten it.
IDLE_SECONDS = 30.0
#: What urllib3 sets by default.
_SOCKET_OPTIONS = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)

#: The connections of each peer that nobody has taken; empty for a peer that is known, so that none is opened ahead.
_opened: dict[_Peer, deque[_Opening]] = {}


class Connecting:
    """A TCP connection on its way."""

    def __init__(self, context: Context, host: str, port: int) -> None:
        self._sock: socket.socket | None = None
        self._is_wanted = True
        self._work = Beside("tossl connecting", lambda: self._connect(context, host, port))

    def take(self, context: Context) -> socket.socket | None:
        """Returns the connection once it is there; None where it failed."""
        self._work.wait(context, "request")
        return self._sock

    def drop(self) -> None:
        """Closes it: nobody takes it."""
        self._is_wanted = False
        if self._sock is not None:
            self._sock.close()

    def _connect(self, context: Context, host: str, port: int) -> None:
        with suppress(TosslError, OSError, ValueError):
            self._sock = _connected(context, host, port)
            if not self._is_wanted:
                self._sock.close()


def _connected(context: Context, host: str, port: int) -> socket.socket:
    return connected(context, host, port, min(CONNECT_SECONDS, context.remaining()), _SOCKET_OPTIONS)


class _Opening:
    """A connection with TLS on its way. connecting: what it goes over, where that was begun before."""

    def __init__(self, context: Context, host: str, port: int, trust: Trust, connecting: Connecting | None) -> None:
        self.begun = time.monotonic()
        self.sock: ssl.SSLSocket | None = None
        self._connecting = connecting
        self._work = Beside("tossl connection", lambda: self._open(context, host, port, trust))

    def wait(self, context: Context) -> None:
        self._work.wait(context, "request")

    def _open(self, context: Context, host: str, port: int, trust: Trust) -> None:
        with suppress(TosslError, OSError, ValueError):
            tls = trust.context()
            sock = self._connecting.take(context) if self._connecting else None
            if tls.check_hostname:
                self.sock = _secured(context, sock or _connected(context, host, port), tls, host)


def _secured(context: Context, sock: socket.socket, tls: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    """Returns the connection after its TLS handshake, which ends with the context."""
    # wrap_socket() takes the socket's descriptor away.
    shown = socket_beyond_standard(sock.dup())

    def shut_down() -> None:
        with suppress(OSError):
            shown.shutdown(socket.SHUT_RDWR)

    context.add_interrupt(shut_down)
    try:
        sock.settimeout(max(0.001, min(CONNECT_SECONDS, context.remaining())))
        return tls.wrap_socket(sock, server_hostname=host.encode("ascii"))
    except BaseException:
        sock.close()
        raise
    finally:
        context.remove_interrupt(shut_down)
        shown.close()


def connect_ahead(context: Context, url: str, proxy: str, count: int = 1) -> list[Connecting]:
    """Begins TCP connections for open_ahead(), in threads, unless the URL's server is known, or a proxy may be used."""
    try:
        parts = split_url(url, ("https",))
    except UrlError:
        return []
    host, port = parts.hostname or "", parts.port or 443
    if proxy or may_have_proxy() or not _is_plain(host) or any(peer[1:] == (host, port) for peer in _opened):
        return []
    part = context.aside().narrowed(IDLE_SECONDS)
    return [Connecting(part, host, port) for _ in range(count)]


def _is_plain(host: str) -> bool:
    return host.isascii() and not host.endswith(".")


def open_ahead(
    context: Context, url: str, options: ConnectionOptions, count: int = 1, connecting: Iterable[Connecting] = ()
) -> bool:
    """Begins to open connections to the URL's server, in threads, unless this process has connected to it already.

    Sends no request. An error is left to the request, which waits for its connection. Returns whether it has begun.
    connecting: what connect_ahead() has begun.
    """
    begun = _open_all(context, url, options, count, connecting)
    if not begun:
        for one in connecting:
            one.drop()
    return begun


def _open_all(
    context: Context, url: str, options: ConnectionOptions, count: int, connecting: Iterable[Connecting]
) -> bool:
    try:
        parts = split_url(url, ("https",))
        trust = None if options.proxies(url) else options.trust()
    except (TosslError, UrlError):
        return False
    host = parts.hostname or ""
    peer = options.in_force(), host, parts.port or 443
    if trust is None or not _is_plain(host) or peer in _opened:
        return False
    part, begun = context.aside().narrowed(IDLE_SECONDS), iter(connecting)
    _opened.setdefault(peer, deque()).extend(
        _Opening(part, host, peer[2], trust, next(begun, None)) for _ in range(count)
    )
    return True


def take_opened(
    context: Context, way: tuple[object, ...], host: str, port: int, since: float
) -> tuple[ssl.SSLSocket, float] | None:
    """Returns a connection that was opened ahead, and when it was begun, as monotonic seconds; None without one.

    Waits for one on its way. since: one that was begun earlier is not used.
    """
    waiting = _opened.setdefault((way, host, port), deque())
    while waiting:
        try:
            opening = waiting.popleft()
        except IndexError:  # another thread was faster
            break
        opening.wait(context)
        if opening.sock is not None:
            if opening.begun >= max(since, time.monotonic() - IDLE_SECONDS):
                return opening.sock, opening.begun
            opening.sock.close()
    return None


def reset() -> None:
    """Forgets all of them. A forked child calls it too: the connections are its parent's."""
    _opened.clear()


in_forked_child(reset)
