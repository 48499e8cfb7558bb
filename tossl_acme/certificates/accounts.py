"""Account keys in a store.

accounts/<CA>/key.pem     the account's key
accounts/<CA>/next.pem    the next key, during a key change
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
    """Returns the account key (PEM): the given key, else the store's for this CA, else a new one, which it stores."""
    if given:
        return given
    known = account_key(store, directory_url) if store else ""
    if known:
        return known
    pem = private_pem(generate_private_key("ec"))
    return keep_account_key(store, context, directory_url, pem) if store else pem


def account_key(store: FolderStore, directory_url: str) -> str:
    """Returns the stored account key (PEM) for this CA, empty if no key is stored."""
    return store.read(f"{_account(directory_url)}/{_KEY}")


def keep_account_key(store: FolderStore, context: Context, directory_url: str, pem: str) -> str:
    """Stores an account key unless another is stored by now. Returns the key (PEM) that counts."""
    with store.locked(context, _account(directory_url)) as folder:
        if known := folder.read(_KEY):
            return known
        folder.write(_KEY, pem)
    return pem


@contextlib.contextmanager
def changing_account_key(store: FolderStore, context: Context, directory_url: str, pem: str) -> Iterator[None]:
    """Replaces the stored key when the block ends without an error; both keys are on disk from its beginning.

    An error leaves next.pem: the CA may have accepted that key. The next change puts it aside.
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
    """Returns the folder of a directory URL; its name is unique and shows the URL's host."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", directory_url.partition("://")[2])[:80].strip("_")
    return f"accounts/{readable}-{hashlib.sha256(directory_url.encode()).hexdigest()[:8]}"
