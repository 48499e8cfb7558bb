"""The process's CAs, kept between commands. Loads without cryptography: nonces are fetched before a key is read."""

from __future__ import annotations

import threading

from ..context import in_forked_child
from ..http.client import HttpClient
from ..http.clients import http_client
from ..http.options import ConnectionOptions
from .public_cas import directory_url
from .server import Server

_lock = threading.Lock()
_servers: dict[tuple[str, HttpClient], Server] = {}


def server_for(directory: str, options: ConnectionOptions) -> Server:
    """Returns the CA for a directory URL or a CA's short name."""
    url = directory_url(directory)
    http = http_client(options)
    with _lock:
        return _servers.setdefault((url, http), Server(url, http))


def reset() -> None:
    """Forgets all of them. A forked child calls it too."""
    global _lock
    _lock = threading.Lock()
    _servers.clear()


in_forked_child(reset)
