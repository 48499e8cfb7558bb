"""A certificate's sets in a store, with the names of files that web servers read.

certificates/<NAME>             cert.pem, chain.pem, fullchain.pem, privkey.pem, certificate.json
certificates/<NAME>/pending     what is being obtained: first the key
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ..context import Context
from ..files import FilePath
from ..store.protocol import Lock, Store, read_texts, write_texts
from .lines import json_lines
from .owners import check_certificate_owner
from .record import FILES, FORMAT, PENDING, RECORD, digests_of, paths_of, set_name


@contextlib.contextmanager
def certificate_folder(
    store: Store, context: Context, name: str, within: float | None = None
) -> Iterator[CertificateFolder]:
    """Locks the sets of one certificate until the block ends. within: as in Store.locked().

    Raises ArgumentError "store" for a stranger's key.
    """
    with store.locked(context, set_name(name), within) as lock:
        check_certificate_owner(store, name)
        yield CertificateFolder(store, lock, name)


class CertificateFolder:
    """The set in force of one certificate, and its parts, while their lock is held."""

    def __init__(self, store: Store, lock: Lock, name: str) -> None:
        self._store = store
        self._lock = lock
        self.name = name
        #: The texts of the set and its parts, once they were read: nobody changes them while this lock is held.
        self._texts: dict[str, dict[str, str]] = {}

    @property
    def path(self) -> FilePath | None:
        return self._store.path_of(self._lock.name)

    def where(self, part: str = "", value: str = "") -> str:
        """Returns where a part of it is, for a message."""
        return self._store.where(f"{self._lock.name}/{part}" if part else self._lock.name, value)

    def read(self, part: str = "") -> dict[str, str]:
        """Returns the texts of the set in force, or of a part; empty if it is missing."""
        if part not in self._texts:
            self._texts[part] = read_texts(self._store, f"{self._lock.name}/{part}" if part else self._lock.name)
        return dict(self._texts[part])

    def write(self, texts: Mapping[str, str], part: str = "", *, ends: bool = False) -> None:
        """Replaces the set in force, or a part, whole; without texts it is deleted. ends: as in Store.write()."""
        self._texts.pop(part, None)
        write_texts(self._store, self._lock, texts, part, ends=ends)
        self._texts[part] = dict(texts)

    def keep_key(self, pem: str) -> None:
        """Stores the private key before its CSR leaves. Puts another one that is there already aside."""
        texts = self.pending_with(pem)
        if texts != self.read(PENDING):
            self.write(texts, PENDING)

    def pending_with(self, pem: str) -> dict[str, str]:
        """Returns what is being obtained with this key, another one aside."""
        pending = self.read(PENDING)
        if pending.get(FILES["private_key"]) == pem:
            return pending
        return with_key_aside(pending) | {FILES["private_key"]: pem}

    def keep(self, texts: Mapping[str, str], record: Mapping[str, Any], *, has_key: bool = True) -> dict[str, FilePath]:
        """Stores certificate, chain and fullchain beside the key from keep_key(); returns the paths of all four.

        Without has_key only the user has the key: stores none, and removes an older one. The attempt's end removes the
        key from what is being obtained.
        """
        key = FILES["private_key"]
        values = {FILES[name]: text for name, text in texts.items()}
        if has_key:
            values[key] = self.read(PENDING)[key]
        self.write_record(values, {"format": FORMAT, **record, "has_key": has_key, "digests": digests_of(values)})
        return paths_of(self._store, self.name, has_key)

    def write_record(self, texts: Mapping[str, str], record: Mapping[str, Any]) -> None:
        """Keeps these files with this record."""
        self.write({**texts, RECORD: json_lines(dict(record))})


def with_key_aside(texts: Mapping[str, str]) -> dict[str, str]:
    """Returns the texts, their key under a name by which it is not used: privkey-<time>.pem."""
    key = FILES["private_key"]
    aside = {f"privkey-{time.time_ns()}.pem": texts[key]} if key in texts else {}
    return {name: text for name, text in texts.items() if name != key} | aside
