"""The folder that holds accounts and certificates. Files are written whole; keys are 0600, folders 0700.

    accounts/<CA>/key.pem, and next.pem while the CA is asked to take that in its place
    certificates/<NAME>/cert.pem, chain.pem, fullchain.pem, privkey.pem, certificate.json
    certificates/<NAME>/pending/    what is being obtained: first the key, at the end the whole set

Whatever the file system refuses is an ArgumentError "store".
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..context import Context
from ..errors import ArgumentError
from ..files import beyond_standard

#: What the certificate's files are called, by the name of the value that they hold.
FILES = {"certificate": "cert.pem", "chain": "chain.pem", "fullchain": "fullchain.pem", "private_key": "privkey.pem"}
_RECORD = "certificate.json"
_HOLDER = "another process that holds the store"


def folder_of_environment() -> tuple[str, str]:
    """The variable that says where the store is, and the path: TOSSL_STORE, TOSSL_HOME, XDG_DATA_HOME, HOME.

    The path is as it stands there, relative or with "~". Raises ArgumentError "store" where there is no home either.
    """
    for variable in ("TOSSL_STORE", "TOSSL_HOME"):
        if path := os.environ.get(variable):
            return variable, path
    if data := os.environ.get("XDG_DATA_HOME"):
        return "XDG_DATA_HOME", f"{data}/tossl"
    return "HOME", f"{_home()}/.local/share/tossl"


def _home() -> str:
    home = os.environ.get("HOME", "")
    if not home:
        with contextlib.suppress(KeyError):
            home = pwd.getpwuid(os.getuid()).pw_dir
    if not home:
        cause = f"HOME is not set and user {os.getuid()} has no home folder"
        raise ArgumentError("store", f"no folder for the store: {cause}; give -store or set TOSSL_STORE")
    return home


@dataclass(frozen=True)
class Store:
    """A folder; nothing is touched before it is first written to."""

    folder: Path

    def account_key(self, directory_url: str) -> str:
        """The PEM of the account key kept for this CA, empty where there is none."""
        return _read(self._account(directory_url) / "key.pem")

    def keep_account_key(self, context: Context, directory_url: str, pem: str) -> str:
        """Keeps an account key unless there is one by now; the key that holds from here on."""
        folder = self._account(directory_url)
        with _locked(folder, context):
            if known := self.account_key(directory_url):
                return known
            write_whole(folder / "key.pem", pem)
        return pem

    @contextlib.contextmanager
    def certificate(self, name: str, context: Context) -> Iterator[CertificateFolder]:
        """The folder of one certificate, held by this caller alone until the block ends."""
        folder = CertificateFolder(self.folder / "certificates" / folder_name(name))
        with _locked(folder.path, context):
            folder.recover()
            yield folder

    @contextlib.contextmanager
    def changing_account_key(self, context: Context, directory_url: str, pem: str) -> Iterator[None]:
        """Puts another key in the place of the one kept, when the block ends well; from its beginning both are on disk.

        An error in it leaves next.pem, for the CA may have taken that key; the next change puts it aside.
        """
        folder = self._account(directory_url)
        path = folder / "next.pem"
        with _locked(folder, context):
            known = _read(path)
            if known and known != pem:
                with _refusals(path):
                    path.replace(path.with_name(f"next-{time.time_ns()}.pem"))
            write_whole(path, pem)
            yield
            with _refusals(path):
                path.replace(folder / "key.pem")
                _sync(folder)

    def _account(self, directory_url: str) -> Path:
        """A folder of its own for each URL, with as much of it in its name as a person needs."""
        readable = re.sub(r"[^A-Za-z0-9.-]+", "_", directory_url.partition("://")[2])[:80].strip("_")
        return self.folder / "accounts" / f"{readable}-{hashlib.sha256(directory_url.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class CertificateFolder:
    """One certificate's files. A new set is complete in pending/ before the first of the old is replaced."""

    path: Path

    @property
    def _pending(self) -> Path:
        return self.path / "pending"

    def left_over_key(self) -> str:
        """The key (PEM) of an attempt that did not end; empty where there is none. A certificate may exist for it."""
        return _read(self._pending / FILES["private_key"])

    def keep_key(self, pem: str) -> None:
        """The private key, on disk before its CSR leaves. Another one that is there already is put aside, not lost."""
        path = self._pending / FILES["private_key"]
        known = _read(path)
        if known and known != pem:
            with _refusals(path):
                path.replace(path.with_name(f"privkey-{time.time_ns()}.pem"))
        if known != pem:
            write_whole(path, pem)

    def keep(self, texts: Mapping[str, str], record: Mapping[str, Any], *, has_key: bool = True) -> dict[str, str]:
        """Keeps certificate, chain and fullchain beside the key that keep_key() kept; returns the paths of all four.

        Without has_key the key is with the user: none is kept, and none stays from before.
        """
        for name, text in texts.items():
            write_whole(self._pending / FILES[name], text, sync_folder=False)
        write_whole(self._pending / _RECORD, json.dumps({**record, "has_key": has_key}, indent=1))
        self.recover()
        return {name: str(self.path / file) for name, file in FILES.items() if has_key or name != "private_key"}

    def recover(self) -> None:
        """Moves a complete new set into place, also one that an earlier process did not live to move."""
        text = _read(self._pending / _RECORD)
        if not text:
            return
        with _refusals(self.path):
            has_key = json.loads(text).get("has_key", True)
            for name, file in FILES.items():
                if has_key or name != "private_key":
                    with contextlib.suppress(FileNotFoundError):
                        (self._pending / file).replace(self.path / file)
            if not has_key:
                (self.path / FILES["private_key"]).unlink(missing_ok=True)
            _sync(self.path)
            # The record goes last: while it is here, the rest is not known to be there.
            (self._pending / _RECORD).replace(self.path / _RECORD)
            _sync(self.path)
            # Keys that were put aside stay.
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
    with _refusals(path):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
        if sync_folder:
            _sync(path.parent)


@contextlib.contextmanager
def _locked(folder: Path, context: Context) -> Iterator[None]:
    """Serialises processes and threads. The lock goes with its holder, however that ends."""
    _make_folder(folder)
    with _refusals(folder):
        handle = beyond_standard(os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600))
    with os.fdopen(handle) as file:
        for pause in context.pauses(_HOLDER, most=0.5):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                context.sleep(pause, _HOLDER)
        yield


def _read(path: Path) -> str:
    """What a file holds; empty where there is none."""
    with _refusals(path):
        try:
            return path.read_text("utf-8")
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError:
            raise ArgumentError("store", f"{path} is not a text file") from None


def _make_folder(folder: Path) -> None:
    with _refusals(folder):
        for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """What the file system refuses, as an error of this package."""
    try:
        yield
    except OSError as error:
        raise ArgumentError("store", f"cannot use {path}: {error.strerror or error}") from None
