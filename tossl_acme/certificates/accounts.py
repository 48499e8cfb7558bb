"""The keys of accounts in a store.

accounts/<CA>/key.pem     the account's key
accounts/<CA>/next.pem    the key that the CA is asked to take in its place
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Iterator

from ..context import Context
from ..pki.keys import generate_private_key, private_pem
from ..store.protocol import Store, read_texts, write_texts

_KEY, _NEXT = "key.pem", "next.pem"


def account_key_for(context: Context, store: Store | None, directory_url: str, given: str) -> str:
    """The PEM of the account key: the one given, else the store's for this CA, else a new one, which is stored."""
    if given:
        return given
    known = account_key(store, directory_url) if store else ""
    if known:
        return known
    pem = private_pem(generate_private_key("ec"))
    return keep_account_key(store, context, directory_url, pem) if store else pem


def account_key(store: Store, directory_url: str) -> str:
    """The PEM of the account key kept for this CA, empty where there is none."""
    return read_texts(store, _account(directory_url), (_KEY,)).get(_KEY, "")


def keep_account_key(store: Store, context: Context, directory_url: str, pem: str) -> str:
    """Keeps an account key unless there is one by now; the key that holds from here on."""
    with store.locked(context, _account(directory_url)) as lock:
        kept = read_texts(store, lock.name)
        if known := kept.get(_KEY):
            return known
        write_texts(store, lock, kept | {_KEY: pem})
    return pem


@contextlib.contextmanager
def changing_account_key(store: Store, context: Context, directory_url: str, pem: str) -> Iterator[None]:
    """Puts another key in the place of the one kept, when the block ends well; from its beginning both are on disk.

    An error in it leaves next.pem, for the CA may have taken that key; the next change puts it aside.
    """
    with store.locked(context, _account(directory_url)) as lock:
        kept = read_texts(store, lock.name)
        known = kept.get(_NEXT)
        if known and known != pem:
            kept[f"next-{time.time_ns()}.pem"] = known
        write_texts(store, lock, kept | {_NEXT: pem})
        yield
        kept.pop(_NEXT, None)
        write_texts(store, lock, kept | {_KEY: pem})


def _account(directory_url: str) -> str:
    """A folder of its own for each URL, with as much of it in its name as a person needs."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", directory_url.partition("://")[2])[:80].strip("_").lstrip(".")
    return f"accounts/{readable}-{hashlib.sha256(directory_url.encode()).hexdigest()[:8]}"
