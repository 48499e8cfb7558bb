"""What a store keeps of a CA, so that a new process does not ask for it: see accounts.py.

Loads without cryptography: a nonce is fetched before a key is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from ..acme.directory import directory_of
from ..acme.server import Server
from ..context import Context
from ..errors import ArgumentError
from ..files import check_owner
from ..store.options import present_store
from ..store.protocol import Store, read_texts
from ..store.registry import open_store
from ..store.sealed import SealedStore, SealKey
from . import due

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..acme.client import Client

ACCOUNT, DIRECTORY = "account.json", "directory.json"
#: After so many seconds the CA is asked for its directory again.
_DIRECTORY_AGE_SECONDS = 86400.0


def fetch_nonces_ahead(context: Context, store: Store, server: Server, count: int) -> None:
    """Begins to fetch nonces where a directory is kept that need not be read again. Faults are told by who reads it."""
    with contextlib.suppress(ArgumentError):
        kept = read_known(store, server.url)
        if is_fresh(kept.get(DIRECTORY), due.now()):
            take_kept_directory(kept, server)
            server.fetch_nonces(context, count)


def take_directory(store: Store, server: Server) -> None:
    """Has the server take the directory that an earlier process has read, however long ago."""
    if server.known_directory is None:
        take_kept_directory(read_known(store, server.url), server)


def take_kept_directory(kept: Mapping[str, Mapping[str, Any]], server: Server) -> None:
    """Has the server take the directory among what is known, if there is one."""
    document = kept.get(DIRECTORY, {}).get("directory")
    directory = directory_of(server.url, document) if document else None
    if directory is not None:
        server.take_directory(directory)


def default_store() -> Store | None:
    """Returns the default store; None where there is none yet."""
    path = present_store()
    return SealedStore(open_store(path), SealKey.given(None)) if path else None


def take_account_of_store(client: Client, store: Store | None) -> None:
    """Takes the account that the store knows for the client's key, unless this process knows one."""
    if store is not None and not client.knows_account:
        with contextlib.suppress(ArgumentError):  # whoever writes to it tells
            take_kept_account(read_known(store, client.server.url), client)


def take_kept_account(kept: Mapping[str, Mapping[str, Any]], client: Client) -> None:
    """Has the client take the account among what is known, if it is that of its key."""
    account = kept.get(ACCOUNT, {})
    if account.get("thumbprint") == client.key.thumbprint and isinstance(account.get("url"), str):
        contact = account.get("contact")
        client.take_account(account["url"], tuple(map(str, contact if isinstance(contact, list) else [])))


def is_fresh(kept: Mapping[str, Any] | None, at: float) -> bool:
    """Returns whether a directory was read so recently that it need not be read again."""
    read_at = kept.get("read_at") if kept else None
    return due.is_time(read_at) and 0 <= at - read_at < _DIRECTORY_AGE_SECONDS


def read_known(store: Store, directory_url: str) -> dict[str, dict[str, Any]]:
    """Returns what is kept of account and directory; ignores damaged values.

    Raises ArgumentError "store" for a record of another user, who could send this one's requests anywhere.
    """
    found, place = {}, account_set(directory_url)
    for name, text in read_texts(store, place, (ACCOUNT, DIRECTORY)).items():
        check_owner(store.path_of(place, name), "the CA's record")
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(text)
            if isinstance(value, dict):
                found[name] = value
    return found


def account_set(directory_url: str) -> str:
    """Returns the name of the set for this URL: a readable part of the URL, and a digest of all of it."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", directory_url.partition("://")[2])[:80].strip("_").lstrip(".")
    return f"accounts/{readable}-{hashlib.sha256(directory_url.encode()).hexdigest()[:8]}"
