"""Accounts at DNS services that a provider registers by itself, kept in the store for all certificates."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

from ..context import Context
from ..store.protocol import Store, read_texts, write_texts

_NAME = "accounts/dns"


class DnsAccounts(MutableMapping[str, str]):
    """Texts by key, each change written under the store's lock. The keys are names of values in a store."""

    def __init__(self, store: Store, context: Context) -> None:
        self._store = store
        self._context = context

    def __getitem__(self, key: str) -> str:
        return read_texts(self._store, _NAME, (key,))[key]

    def __setitem__(self, key: str, text: str) -> None:
        with self._store.locked(self._context, _NAME) as lock:
            write_texts(self._store, lock, read_texts(self._store, _NAME) | {key: text})

    def __delitem__(self, key: str) -> None:
        with self._store.locked(self._context, _NAME) as lock:
            texts = read_texts(self._store, _NAME)
            del texts[key]
            write_texts(self._store, lock, texts)

    def __iter__(self) -> Iterator[str]:
        return iter(read_texts(self._store, _NAME))

    def __len__(self) -> int:
        return len(read_texts(self._store, _NAME))

    def setdefault(self, key: str, default: str = "") -> str:
        """Keeps the text unless there is one by now; returns the one that counts."""
        with self._store.locked(self._context, _NAME) as lock:
            texts = read_texts(self._store, _NAME)
            if key not in texts:
                write_texts(self._store, lock, texts | {key: default})
            return texts.get(key, default)
