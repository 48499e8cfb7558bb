"""The folder that holds accounts and certificates. Files are written whole; keys are 0600, folders 0700.

    accounts/<CA>/account.json, key.pem
    certificates/<NAME>/cert.pem, chain.pem, fullchain.pem, privkey.pem, certificate.json
    certificates/<NAME>/pending/                 what is being obtained: first the key, at the end the whole set
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from ..scope import Scope

#: What the certificate's files are called, by the name of the value that they hold.
FILES = {"certificate": "cert.pem", "chain": "chain.pem", "fullchain": "fullchain.pem", "private_key": "privkey.pem"}
_RECORD = "certificate.json"


def default_folder() -> Path:
    """TOSSL_HOME, else tossl in the XDG data home."""
    home = os.environ.get("TOSSL_HOME")
    if home:
        return Path(home)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "tossl"


@dataclass(frozen=True)
class Store:
    """A folder; nothing is touched before it is first written to."""

    folder: Path

    def account_key(self, directory_url: str) -> str:
        """The PEM of the account key kept for this CA, empty where there is none."""
        path = self._account(directory_url) / "key.pem"
        return path.read_text("ascii") if path.exists() else ""

    def keep_account_key(self, directory_url: str, pem: str) -> str:
        """Keeps an account key unless there is one by now; the key that holds from here on."""
        folder = self._account(directory_url)
        with _locked(folder, Scope(30)):
            if known := self.account_key(directory_url):
                return known
            write_whole(folder / "key.pem", pem)
        return pem

    def keep_account(self, directory_url: str, record: Mapping[str, Any]) -> None:
        folder = self._account(directory_url)
        write_whole(folder / "account.json", json.dumps({"directory": directory_url, **record}, indent=1))

    @contextlib.contextmanager
    def certificate(self, name: str, scope: Scope) -> Iterator[CertificateFolder]:
        """The folder of one certificate, held by this caller alone until the block ends."""
        folder = CertificateFolder(self.folder / "certificates" / folder_name(name))
        with _locked(folder.path, scope):
            folder.recover()
            yield folder

    def _account(self, directory_url: str) -> Path:
        return self.folder / "accounts" / re.sub(r"[^A-Za-z0-9.-]+", "_", directory_url.partition("://")[2]).strip("_")


@dataclass(frozen=True)
class CertificateFolder:
    """One certificate's files. A new set is complete in pending/ before the first of the old is replaced."""

    path: Path

    @property
    def _pending(self) -> Path:
        return self.path / "pending"

    def keep_key(self, pem: str) -> None:
        """The private key, on disk before its CSR leaves."""
        write_whole(self._pending / FILES["private_key"], pem)

    def keep(self, texts: Mapping[str, str], record: Mapping[str, Any], *, has_key: bool = True) -> dict[str, str]:
        """Keeps certificate, chain and fullchain beside the key that keep_key() kept; returns the paths of all four.

        Without has_key the key is with the user: none is kept, and none stays from before.
        """
        if not has_key:
            for folder in (self._pending, self.path):
                (folder / FILES["private_key"]).unlink(missing_ok=True)
        for name, text in texts.items():
            write_whole(self._pending / FILES[name], text, sync_folder=False)
        write_whole(self._pending / _RECORD, json.dumps(record, indent=1))
        self.recover()
        return {name: str(self.path / file) for name, file in FILES.items() if has_key or name != "private_key"}

    def recover(self) -> None:
        """Moves a complete new set into place, also one that an earlier process did not live to move."""
        if not (self._pending / _RECORD).exists():
            return
        for name in (*FILES.values(), _RECORD):
            with contextlib.suppress(FileNotFoundError):
                (self._pending / name).replace(self.path / name)
        _sync(self.path)
        with contextlib.suppress(OSError):
            self._pending.rmdir()


def folder_name(name: str) -> str:
    """A certificate's folder: its first name, "*." as "_.". Raises ArgumentError for what is no folder name."""
    folder = name.replace("*.", "_.", 1)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._:-]*", folder):
        raise ArgumentError("name", f"{name!r} cannot name a certificate in the store")
    return folder


def write_whole(path: Path, text: str, *, sync_folder: bool = True) -> None:
    """Writes a file that is there whole or not at all, readable by its owner only.

    Without sync_folder its name is on disk only after the next write that has it: one sync serves several files.
    """
    _make_folder(path.parent)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path.parent, error) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise _unwritable(path, error) from None
    if sync_folder:
        _sync(path.parent)


@contextlib.contextmanager
def _locked(folder: Path, scope: Scope) -> Iterator[None]:
    """Serialises processes and threads. The lock goes with its holder, however that ends."""
    _make_folder(folder)
    with (folder / ".lock").open("a") as file:
        for pause in scope.pauses("another process that holds the store", most=0.5):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                scope.sleep(pause, "another process that holds the store")
        yield


def _make_folder(folder: Path) -> None:
    try:
        for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(path: Path, error: OSError) -> ArgumentError:
    return ArgumentError("store", f"cannot write {path}: {error.strerror or error}")
