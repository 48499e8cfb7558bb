"""A certificate's files in a store, in the form that web servers read.

certificates/<NAME>/cert.pem, chain.pem, fullchain.pem, privkey.pem, certificate.json
certificates/<NAME>/pending/    the next set: at first its key, at the end all files
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

#: The names of the certificate's files, by the name of their value.
FILES = {"certificate": "cert.pem", "chain": "chain.pem", "fullchain": "fullchain.pem", "private_key": "privkey.pem"}
_RECORD = "certificate.json"
_PENDING = "pending"


@contextlib.contextmanager
def certificate_folder(store: FolderStore, context: Context, name: str) -> Iterator[CertificateFolder]:
    """Locks the folder of one certificate for this caller until the block ends."""
    with store.locked(context, f"certificates/{folder_name(name)}") as locked:
        folder = CertificateFolder(locked)
        folder.recover()
        yield folder


def folder_name(name: str) -> str:
    """Returns the name of a certificate's folder: its first name, "*." as "_.". Raises ArgumentError "name"."""
    folder = name.replace("*.", "_.", 1)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._:-]*", folder):
        raise ArgumentError("name", f"{name!r} cannot be the name of a certificate in the store")
    return folder


class CertificateFolder:
    """One certificate's files. A new set is complete in pending/ before the first old file is replaced."""

    def __init__(self, folder: LockedFolder) -> None:
        self.folder = folder

    @property
    def path(self) -> FilePath:
        return self.folder.path

    def left_over_key(self) -> str:
        """Returns the key (PEM) of an unfinished attempt, empty without one. A certificate may exist for it."""
        return self.folder.read(_pending("private_key"))

    def keep_key(self, pem: str) -> None:
        """Writes the private key, before its CSR is sent. Puts an earlier key aside, so that none is lost."""
        known = self.left_over_key()
        if known and known != pem:
            self.folder.put_aside(_pending("private_key"))
        if known != pem:
            self.folder.write(_pending("private_key"), pem)

    def keep(self, texts: Mapping[str, str], record: Mapping[str, Any], *, has_key: bool = True) -> dict[str, FilePath]:
        """Stores certificate, chain and fullchain beside the key from keep_key(); returns the paths of all four.

        Without has_key only the user has the key: stores none, and removes an older one.
        """
        for name, text in texts.items():
            self.folder.write(_pending(name), text, sync_folder=False)
        self.folder.write(f"{_PENDING}/{_RECORD}", json.dumps({**record, "has_key": has_key}, indent=1))
        self.recover()
        return {name: self.path / file for name, file in FILES.items() if has_key or name != "private_key"}

    def recover(self) -> None:
        """Moves a complete new set into place, also after a process that ended before it did so."""
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
        # The record goes last: while it is here, the other files may not be there yet.
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
            raise ArgumentError("store", f"{(self.path / name).shown} is damaged; move it away and try again")
        return bool(record.get("has_key", True))


def _pending(name: str) -> str:
    return f"{_PENDING}/{FILES[name]}"
