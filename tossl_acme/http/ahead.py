"""TLS connections opened beside other work, for the first requests that a process will send.

dial.py has begun to connect, which takes a round trip; the handshake takes another, while requests and urllib3 load.
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
from .dial import CONNECT_SECONDS, IDLE_SECONDS, Connecting, know_peer
from .dial import reset as reset_dial
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

#: What urllib3 sets by default.
_SOCKET_OPTIONS = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)

#: The connections of each peer that nobody has taken; empty for a peer that is known, so that none is opened ahead.
_opened: dict[_Peer, deque[_Opening]] = {}


def _connected(context: Context, host: str, port: int) -> socket.socket:
    return connected(context, host, port, min(CONNECT_SECONDS, context.remaining()), _SOCKET_OPTIONS)


class _Opening:
    """A connection with TLS on its way. connecting: what it goes over, where that was begun before."""

    def __init__(self, context: Context, host: str, port: int, trust: Trust, connecting: Connecting | None) -> None:
        self.begun = time.monotonic()
        self.sock: ssl.SSLSocket | None = None
        self._connecting = connecting
        self._work = Beside(lambda: self._open(context, host, port, trust))

    def wait(self, context: Context) -> None:
        self._work.wait(context, "request")

    def _open(self, context: Context, host: str, port: int, trust: Trust) -> None:
        connecting, self._connecting = self._connecting, None
        try:
            with suppress(TosslError, OSError, ValueError):
                tls = trust.context()
                if tls.check_hostname:
                    sock = connecting.take(context) if connecting else None
                    self.sock = _secured(context, sock or _connected(context, host, port), tls, host)
        finally:
            if connecting is not None:
                connecting.drop()  # closes what was not taken


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
        host = parts.hostname or ""
        peer = options.in_force(), host, parts.port or 443
        if peer in _opened:
            return False
        trust = None if options.proxies(url) else options.trust()
    except (TosslError, UrlError):
        return False
    if trust is None or not _is_plain(host):
        return False
    know_peer(*peer[1:])
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
    know_peer(host, port)
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
    reset_dial()


in_forked_child(reset)
