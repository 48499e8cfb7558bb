"""A certificate's files in a store, as web servers read them.

certificates/<NAME>/cert.pem, chain.pem, fullchain.pem, privkey.pem, certificate.json
certificates/<NAME>/pending/    what is being obtained: first the key, at the end the whole set
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..context import Context
from ..errors import ArgumentError
from ..files import FilePath
from ..store.folder import FolderStore, LockedFolder

#: What the certificate's files are called, by the name of the value that they hold.
FILES = {"certificate": "cert.pem", "chain": "chain.pem", "fullchain": "fullchain.pem", "private_key": "privkey.pem"}
_RECORD = "certificate.json"
_PENDING = "pending"


@contextlib.contextmanager
def certificate_folder(store: FolderStore, context: Context, name: str) -> Iterator[CertificateFolder]:
    """The folder of one certificate, held by this caller alone until the block ends."""
    with store.locked(context, f"certificates/{folder_name(name)}") as locked:
        folder = CertificateFolder(locked)
        folder.recover()
        yield folder


def folder_name(name: str) -> str:
    """A certificate's folder: its first name, "*." as "_.". Raises ArgumentError for what is no folder name."""
    folder = name.replace("*.", "_.", 1)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._:-]*", folder):
        raise ArgumentError("name", f"{name!r} cannot name a certificate in the store")
    return folder


class CertificateFolder:
    """One certificate's files. A new set is complete in pending/ before the first of the old is replaced."""

    def __init__(self, folder: LockedFolder) -> None:
        self.folder = folder

    @property
    def path(self) -> FilePath:
        return self.folder.path

    def left_over_key(self) -> str:
        """The key (PEM) of an attempt that did not end; empty where there is none. A certificate may exist for it."""
        return self.folder.read(_pending("private_key"))

    def keep_key(self, pem: str) -> None:
        """The private key, on disk before its CSR leaves. Another one that is there already is put aside, not lost."""
        known = self.left_over_key()
        if known and known != pem:
            self.folder.put_aside(_pending("private_key"))
        if known != pem:
            self.folder.write(_pending("private_key"), pem)

    def keep(self, texts: Mapping[str, str], record: Mapping[str, Any], *, has_key: bool = True) -> dict[str, FilePath]:
        """Keeps certificate, chain and fullchain beside the key that keep_key() kept; returns the paths of all four.

        Without has_key the key is with the user: none is kept, and none stays from before.
        """
        for name, text in texts.items():
            self.folder.write(_pending(name), text, sync_folder=False)
        self.folder.write(f"{_PENDING}/{_RECORD}", json.dumps({**record, "has_key": has_key}, indent=1))
        self.recover()
        return {name: self.path / file for name, file in FILES.items() if has_key or name != "private_key"}

    def recover(self) -> None:
        """Moves a complete new set into place, also one that an earlier process did not live to move."""
        record = f"{_PENDING}/{_RECORD}"
        text = self.folder.read(record)
        if not text:
            return
        has_key = self._has_key(record, text)
        for name, file in FILES.items():
            if has_key or name != "private_key":
                self.folder.rename(_pending(name), file)
        if not has_key:
            self.folder.remove(FILES["private_key"])
        self.folder.sync()
        # The record goes last: while it is here, the rest is not known to be there.
        self.folder.rename(record, _RECORD)
        self.folder.sync()
        # Keys that were put aside stay.
        self.folder.remove_folder(_PENDING)

    def _has_key(self, name: str, text: str) -> bool:
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            raise ArgumentError("store", f"{(self.path / name).shown} is damaged: move it away to go on")
        return bool(record.get("has_key", True))


def _pending(name: str) -> str:
    return f"{_PENDING}/{FILES[name]}"
