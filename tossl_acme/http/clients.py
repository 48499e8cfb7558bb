"""The process's HTTP clients: one for each way to connect, so that connections are kept between commands."""

from __future__ import annotations

import threading

from ..context import in_forked_child
from . import ahead, trust
from .client import HttpClient
from .options import ConnectionOptions

_lock = threading.Lock()
_clients: dict[object, HttpClient] = {}


def http_client(options: ConnectionOptions) -> HttpClient:
    """Returns the client for these options and the present environment."""
    way = options.in_force()
    with _lock:
        if way not in _clients:
            _clients[way] = HttpClient(options)
        return _clients[way]


def reset() -> None:
    """Forgets every client. Connections close when nobody uses them any more; the server is not notified.

    A forked child calls it too: the connections, and the lock's holder, belong to its parent.
    """
    global _lock
    _lock = threading.Lock()
    _clients.clear()
    ahead.reset()
    trust.reset()


in_forked_child(reset)
