"""The keys of accounts in a store.

accounts/<CA>/key.pem     the account's key
accounts/<CA>/next.pem    the key that the CA is asked to take in its place
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator

from ..context import Context
from ..pki.keys import generate_private_key, private_pem
from ..store.folder import FolderStore

_KEY, _NEXT = "key.pem", "next.pem"


def account_key_for(context: Context, store: FolderStore | None, directory_url: str, given: str) -> str:
    """The PEM of the account key: the one given, else the store's for this CA, else a new one, which is stored."""
    if given:
        return given
    known = account_key(store, directory_url) if store else ""
    if known:
        return known
    pem = private_pem(generate_private_key("ec"))
    return keep_account_key(store, context, directory_url, pem) if store else pem


def account_key(store: FolderStore, directory_url: str) -> str:
    """The PEM of the account key kept for this CA, empty where there is none."""
    return store.read(f"{_account(directory_url)}/{_KEY}")


def keep_account_key(store: FolderStore, context: Context, directory_url: str, pem: str) -> str:
    """Keeps an account key unless there is one by now; the key that holds from here on."""
    with store.locked(context, _account(directory_url)) as folder:
        if known := folder.read(_KEY):
            return known
        folder.write(_KEY, pem)
    return pem


@contextlib.contextmanager
def changing_account_key(store: FolderStore, context: Context, directory_url: str, pem: str) -> Iterator[None]:
    """Puts another key in the place of the one kept, when the block ends well; from its beginning both are on disk.

    An error in it leaves next.pem, for the CA may have taken that key; the next change puts it aside.
    """
    with store.locked(context, _account(directory_url)) as folder:
        known = folder.read(_NEXT)
        if known and known != pem:
            folder.put_aside(_NEXT)
        folder.write(_NEXT, pem)
        yield
        folder.rename(_NEXT, _KEY)
        folder.sync()


def _account(directory_url: str) -> str:
    """A folder of its own for each URL, with as much of it in its name as a person needs."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", directory_url.partition("://")[2])[:80].strip("_")
    return f"accounts/{readable}-{hashlib.sha256(directory_url.encode()).hexdigest()[:8]}"
