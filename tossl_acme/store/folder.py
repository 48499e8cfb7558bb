"""A store in a folder: text files, written whole, 0600 in folders of 0700. Knows no certificate and no account.

Names are relative and use "/". The file system's refusals raise ArgumentError "store".
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import time
from _thread import get_ident
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..context import Backoff, Context
from ..context.farewell import owe, waiting_threads
from ..errors import ArgumentError
from ..files import FilePath, Folder, refusals

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_LOCK = ".lock"
_HOLDER = "another process that holds the store"

#: The locks that this process holds: their descriptors, by thread, device and inode.
_held: dict[tuple[int, int, int], int] = {}
#: The descriptors among them that have their lock; the others wait for it.
_locked: set[int] = set()


def folder_of_environment() -> tuple[str, str]:
    """Returns the variable with the store's path, and the path: TOSSL_STORE, TOSSL_HOME, XDG_DATA_HOME, HOME.

    The path is as written there, relative or with "~". Raises ArgumentError "store" if there is no home either.
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
class FolderStore:
    """A store in a folder, which is made at the first write."""

    path: FilePath

    def read(self, name: str) -> str:
        """Returns the text with this name, empty if it does not exist."""
        with refusals("store", self.path), contextlib.suppress(FileNotFoundError), Folder.open(self.path) as folder:
            return LockedFolder(folder).read(name)
        return ""

    @contextlib.contextmanager
    def locked(self, context: Context, name: str) -> Iterator[LockedFolder]:
        """Makes the folder with this name, and locks it for this caller until the block ends.

        Other threads and processes wait; a holder's death ends its lock. Raises WaitTimeout, Cancelled, and at once
        ArgumentError "store" if this thread holds the lock already.
        """
        with contextlib.ExitStack() as opened:
            with refusals("store", self.path / name):
                folder = opened.enter_context(Folder.open(self.path, mode=_FOLDER_MODE))
                for part in name.split("/"):
                    _make(folder, part)
                    folder = opened.enter_context(folder.enter(part))
                lock = opened.enter_context(_lock_file(context, folder))
            context.check(_HOLDER)
            backoff = Backoff(most=0.5)
            while not _try_lock(lock, folder.path / _LOCK):
                context.waits_for = _owner_of(lock)
                context.sleep(backoff.next(), _HOLDER)
            _locked.add(lock)
            yield LockedFolder(folder)


class LockedFolder:
    """A folder that one caller has locked: its texts, also those of the folders in it."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    @property
    def path(self) -> FilePath:
        return self._folder.path

    def read(self, name: str) -> str:
        """Returns the text with this name, empty if it does not exist."""
        path = self.path / name
        with refusals("store", path), contextlib.suppress(FileNotFoundError), self._parent(name) as (folder, last):
            try:
                return (folder.read(last) or b"").decode()
            except UnicodeDecodeError:
                raise ArgumentError("store", f"{path.shown} is not a text file") from None
        return ""

    def write(self, name: str, text: str, *, sync_folder: bool = True) -> None:
        """Writes a text whole, readable by its owner only, and makes its folder.

        Without sync_folder its name is on disk only after the next write with sync_folder: one sync serves several
        texts.
        """
        with refusals("store", self.path / name), self._parent(name, make=True) as (folder, last):
            folder.write_whole(last, text.encode(), _FILE_MODE, sync_folder=sync_folder)

    def rename(self, name: str, new_name: str) -> bool:
        """Renames a text or a folder, in place of a text with the new name. Returns False if it does not exist."""
        with refusals("store", self.path / name), self._parent(new_name) as (target, new_last):
            try:
                with self._parent(name) as (folder, last):
                    folder.rename(last, target, new_last)
            except FileNotFoundError:
                return False
        return True

    def put_aside(self, name: str) -> bool:
        """Renames a text to keep it unused: x.pem becomes x-<time>.pem. Returns False if it does not exist."""
        stem, dot, suffix = name.rpartition(".")
        return self.rename(name, f"{stem}-{time.time_ns()}{dot}{suffix}")

    def remove(self, name: str) -> None:
        """Removes a text if it exists."""
        missing = contextlib.suppress(FileNotFoundError)
        with refusals("store", self.path / name), missing, self._parent(name) as (folder, last):
            folder.remove(last)

    def remove_folder(self, name: str) -> bool:
        """Removes a folder if it is empty. Returns whether it is gone."""
        with refusals("store", self.path / name):
            return self._folder.remove_folder(name)

    def sync(self) -> None:
        """Waits until the names in this folder are on disk."""
        with refusals("store", self.path):
            self._folder.sync()

    @contextlib.contextmanager
    def _parent(self, name: str, *, make: bool = False) -> Iterator[tuple[Folder, str]]:
        """Returns the open folder of a name, and the name there."""
        *parts, last = name.split("/")
        with contextlib.ExitStack() as opened:
            folder = self._folder
            for part in parts:
                if make:
                    _make(folder, part)
                folder = opened.enter_context(folder.enter(part))
            yield folder, last


def _make(folder: Folder, name: str) -> None:
    """Makes a folder in another if it is missing: it is on disk before anything in it."""
    if folder.make(name, _FOLDER_MODE):
        folder.sync()


@contextlib.contextmanager
def _lock_file(context: Context, folder: Folder) -> Iterator[int]:
    """Returns the descriptor of a folder's lock, not locked yet.

    Raises ArgumentError if this thread has the lock, or a thread that waits for the script which this thread runs.
    """
    handle = folder.open_lock(_LOCK)
    status = os.fstat(handle)
    file = status.st_dev, status.st_ino
    if any((thread, *file) in _held for thread in waiting_threads()):
        os.close(handle)
        cause = "this thread works on it already: wait until that call has returned"
        raise ArgumentError("store", f"{folder.path.shown} is in use: {cause}")
    key = get_ident(), *file
    _held[key] = handle

    def close(_context: Context) -> None:
        if _held.pop(key, None) is not None:
            _locked.discard(handle)
            os.close(handle)

    debt = owe(close, at_exit=False)  # at the end of the process the lock goes with it
    try:
        yield handle
    finally:
        debt.settle(context)


def _try_lock(handle: int, path: FilePath) -> bool:
    with refusals("store", path):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _owner_of(handle: int) -> Callable[[], int | None]:
    """Returns a function that returns the lock's thread, None if that is not in this process."""
    status = os.fstat(handle)

    def owner() -> int | None:
        for (thread, *file), other in list(_held.items()):
            if other in _locked and file == [status.st_dev, status.st_ino]:
                return thread
        return None

    return owner


def _let_go() -> None:
    """Closes the locks in a forked child: they are its parent's, and must end with that."""
    _locked.clear()
    while _held:
        with contextlib.suppress(OSError):
            os.close(_held.popitem()[1])


os.register_at_fork(after_in_child=_let_go)
