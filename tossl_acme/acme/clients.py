"""The process's servers, account keys and clients, kept between commands.

A client is found by directory, account key and connection options: an order on a known account costs one request.
"""

from __future__ import annotations

import hashlib
import os
import threading

from ..http.client import HttpClient
from ..http.clients import http_client
from ..http.options import ConnectionOptions
from .client import Client
from .jws import AccountKey
from .public_cas import directory_url
from .server import Server

_lock = threading.Lock()
_servers: dict[tuple[str, HttpClient], Server] = {}
_keys: dict[bytes, AccountKey] = {}
_clients: dict[tuple[Server, str], Client] = {}


def server_for(directory: str, options: ConnectionOptions) -> Server:
    """Returns the CA for a directory URL or a CA's short name."""
    url = directory_url(directory)
    http = http_client(options)
    with _lock:
        return _servers.setdefault((url, http), Server(url, http))


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
    _servers.clear()
    _keys.clear()
    _clients.clear()


os.register_at_fork(after_in_child=reset)
