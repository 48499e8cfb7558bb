"""The keys in a store made known, so that none gets a second use (RFC 8555 section 11.1)."""

from __future__ import annotations

import contextlib
import json

from ..acme.clients import account_key_of
from ..acme.known_keys import know_account_key, know_certificate_digest
from ..errors import ArgumentError, KeyFormatError
from ..store.protocol import Store
from .known import default_store
from .record import ABOVE, RECORD

_KEY, _ACCOUNT = "key.pem", "account.json"


def learn_account_keys(store: Store | None) -> None:
    """Makes the keys of the store's accounts known; without a store those of the default one, if it is there."""
    with contextlib.suppress(ArgumentError):
        for name, values in (store or _default_store()).read_all("accounts", (_KEY, _ACCOUNT)):
            if not isinstance(values, ArgumentError) and _KEY in values:
                with contextlib.suppress(KeyFormatError, UnicodeDecodeError):
                    know_account_key(account_key_of(values[_KEY].decode()).spki, _where(name, values))


def learn_keys(store: Store | None) -> None:
    """Makes the keys of the store's accounts and certificates known; without a store those of the default one."""
    learn_account_keys(store)
    with contextlib.suppress(ArgumentError):
        for _name, values in (store or _default_store()).read_all(ABOVE, (RECORD,)):
            if not isinstance(values, ArgumentError):
                with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                    know_certificate_digest(str(json.loads(values[RECORD])["public_key"]))


def _default_store() -> Store:
    """Returns the default store; raises ArgumentError "store" without it."""
    store = default_store()
    if store is None:
        raise ArgumentError("store", "there is no store")
    return store


def _where(name: str, values: dict[str, bytes]) -> str:
    """Returns a URL at the CA of an account: the account's own, else one with the host in the set's name."""
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        return str(json.loads(values[_ACCOUNT])["url"])
    return f"https://{name.rpartition('/')[2].partition('_')[0]}/"
