"""The process's account keys and clients, kept between commands.

A client is found by directory, account key and connection options: an order on a known account costs one request.
"""

from __future__ import annotations

import hashlib
import threading

from ..context import in_forked_child
from ..http.options import ConnectionOptions
from . import servers
from .client import Client
from .jws import AccountKey
from .server import Server
from .servers import server_for

_lock = threading.Lock()
_keys: dict[bytes, AccountKey] = {}
_clients: dict[tuple[Server, str], Client] = {}


def client_for(directory: str, account_key: str, options: ConnectionOptions) -> Client:
    """Returns the client of an account key (PEM text) at a CA. Sends nothing."""
    key = account_key_of(account_key)
    return client_of(server_for(directory, options), key)


def client_of(server: Server, key: AccountKey) -> Client:
    """Returns the client of an account key at a CA. Sends nothing."""
    with _lock:
        return _clients.setdefault((server, key.thumbprint), Client(server, key))


def account_key_of(pem: str) -> AccountKey:
    """Returns the account key in a PEM text, which it parses once. Raises KeyFormatError."""
    digest = hashlib.sha256(pem.encode("utf-8", "surrogatepass")).digest()
    key = _keys.get(digest) or AccountKey.from_pem(pem)
    return _keys.setdefault(digest, key)


def reset() -> None:
    """Forgets servers, keys and clients. A forked child calls it too."""
    global _lock
    _lock = threading.Lock()
    servers.reset()
    _keys.clear()
    _clients.clear()


in_forked_child(reset)
