"""The process's HTTP clients: one for each way to connect, so that connections are kept between commands."""

from __future__ import annotations

import os
import threading

from .client import HttpClient
from .options import ConnectionOptions

_lock = threading.Lock()
_clients: dict[object, HttpClient] = {}


def http_client(options: ConnectionOptions) -> HttpClient:
    """The client for these options, as the environment is now."""
    way = options.in_force()
    with _lock:
        if way not in _clients:
            _clients[way] = HttpClient(options)
        return _clients[way]


def reset() -> None:
    """Forgets every client; connections close when nobody uses them any more, without a word to the server.

    A forked child does so too: the connections are its parent's, and so is whoever holds the lock.
    """
    global _lock
    _lock = threading.Lock()
    _clients.clear()


os.register_at_fork(after_in_child=reset)
