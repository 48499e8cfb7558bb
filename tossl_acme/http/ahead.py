"""TLS connections opened beside other work, for the first requests that a process will send.

Imports neither requests nor urllib3: a connection takes less time than they take to load.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections import deque

from ..context import Context, in_forked_child
from ..context.beside import Beside
from ..errors import TosslError
from ..files import socket_beyond_standard
from .connect import connected
from .options import ConnectionOptions
from .trust import Trust
from .urls import UrlError, split_url

#: Requests to one server that are under way at the same time, each on a connection of its own; so many are kept.
WIDTH = 8
#: Seconds that one attempt to connect may take, from looking up the name to its last address; and so may TLS.
CONNECT_SECONDS = 15.0
#: Seconds after which an idle connection is not used again: a NAT on the way may have forgotten it.
IDLE_SECONDS = 30.0
#: What urllib3 sets by default.
_SOCKET_OPTIONS = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)

#: A way to connect, as ConnectionOptions.in_force() has it, with host and port.
_Peer = tuple[tuple[object, ...], str, int]
#: The connections of each peer that nobody has taken; empty for a peer that is known, so that none is opened ahead.
_opened: dict[_Peer, deque[_Opening]] = {}


class _Opening:
    """A connection on its way."""

    def __init__(self, context: Context, host: str, port: int, trust: Trust) -> None:
        self.begun = time.monotonic()
        self.sock: ssl.SSLSocket | None = None
        self._work = Beside("tossl connection", lambda: self._open(context, host, port, trust))

    def wait(self, context: Context) -> None:
        self._work.wait(context, "request")

    def _open(self, context: Context, host: str, port: int, trust: Trust) -> None:
        with contextlib.suppress(TosslError, OSError, ValueError):
            tls = trust.context()
            if tls.check_hostname:
                sock = connected(context, host, port, min(CONNECT_SECONDS, context.remaining()), _SOCKET_OPTIONS)
                self.sock = _secured(context, sock, tls, host)


def _secured(context: Context, sock: socket.socket, tls: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    """Returns the connection after its TLS handshake, which ends with the context."""
    # wrap_socket() takes the socket's descriptor away.
    shown = socket_beyond_standard(sock.dup())

    def shut_down() -> None:
        with contextlib.suppress(OSError):
            shown.shutdown(socket.SHUT_RDWR)

    context.add_interrupt(shut_down)
    try:
        sock.settimeout(max(0.001, min(CONNECT_SECONDS, context.remaining())))
        return tls.wrap_socket(sock, server_hostname=host)
    except BaseException:
        sock.close()
        raise
    finally:
        context.remove_interrupt(shut_down)
        shown.close()


def open_ahead(context: Context, url: str, options: ConnectionOptions, count: int = 1) -> bool:
    """Begins to open connections to the URL's server, in threads, unless this process has connected to it already.

    Sends no request. An error is left to the request, which waits for its connection. Returns whether it has begun.
    """
    try:
        parts = split_url(url, ("https",))
        trust = None if options.proxies(url) else options.trust()
    except (TosslError, UrlError):
        return False
    host = parts.hostname or ""
    peer = options.in_force(), host, parts.port or 443
    if trust is None or not host.isascii() or host.endswith(".") or peer in _opened:
        return False
    part = context.aside().narrowed(IDLE_SECONDS)
    _opened.setdefault(peer, deque()).extend(_Opening(part, host, peer[2], trust) for _ in range(count))
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
