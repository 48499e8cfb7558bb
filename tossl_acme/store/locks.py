"""A lock for a folder: taken with flock, so that it goes with its process; who has it stands in the file .lock.

{"epoch": 1764111845123, "holder": "process 4711 on www1"}

The epoch grows with every holder. A file system over a network may give a lock to another while its holder is out of
reach: whoever finds a later epoch in the file, or another file in its place, has lost it.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import socket
import time
from _thread import get_ident
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from ..context import Backoff, Context, in_forked_child
from ..context.farewell import owe, waiting_threads
from ..errors import ArgumentError, WaitTimeout
from ..files import FilePath, Folder, refusals

LOCK = ".lock"
_AWAITED = "another process that holds the store"
#: Bytes of .lock that are looked at.
_MAX_RECORD_BYTES = 4096
#: How often a folder may be gone again before it is entered.
_MAX_TRIES = 20

#: The locks that this process holds: their descriptors, by thread, device and inode.
_held: dict[tuple[int, int, int], int] = {}
#: The descriptors among them whose lock is theirs, not waited for.
_locked: set[int] = set()


class FolderLock:
    """A folder's lock, held."""

    def __init__(self, folder: Folder, handle: int) -> None:
        self.folder = folder
        self._handle = handle
        self._process = os.getpid()
        self.is_over = False
        self.holder = f"process {os.getpid()} on {socket.gethostname()}"
        last = _record_of(handle).get("epoch")
        now = time.time_ns() // 10**6
        self.epoch = max(now, last + 1) if isinstance(last, int) else now
        record = json.dumps({"epoch": self.epoch, "holder": self.holder}).encode()
        with refusals("store", folder, LOCK):
            os.pwrite(handle, record, 0)
            os.ftruncate(handle, len(record))

    def check(self) -> None:
        """Raises ArgumentError where somebody else has the lock by now."""
        if self.is_over or self._process != os.getpid() or self._handle not in _locked:
            raise self.lost("it is released")
        with refusals("store", self.folder):
            if not _is_in_place(self.folder, self._handle):
                raise self.lost("somebody removed it")
        record = _record_of(self._handle)
        if record.get("epoch") != self.epoch:
            raise self.lost(f"{record.get('holder', 'another process')} has it")

    def lost(self, cause: str) -> ArgumentError:
        """Returns the error of a change under a lock that is lost."""
        return ArgumentError("store", f"the lock of {self.folder.path.shown} is lost: {cause}; nothing was written")


@contextlib.contextmanager
def locked(
    context: Context, path: FilePath, opened: Callable[[], AbstractContextManager[Folder]]
) -> Iterator[FolderLock]:
    """Holds the lock of the folder at `path`, which `opened` makes and opens, until the block ends."""
    backoff = Backoff(most=0.5)
    vanished = Backoff(0.001, 0.01)
    for tries in itertools.count():
        with contextlib.ExitStack() as entered:
            try:
                folder = entered.enter_context(opened())
                handle = entered.enter_context(_lock_file(context, folder))
            except OSError as error:
                if isinstance(error, FileNotFoundError) and tries < _MAX_TRIES:
                    context.sleep(vanished.next(), _AWAITED)  # whoever released it removed the folder just now
                    continue
                with refusals("store", path):
                    raise
            _wait(context, folder, handle, backoff)
            _locked.add(handle)
            if _is_in_place(folder, handle):
                lock = FolderLock(folder, handle)
                try:
                    yield lock
                finally:
                    lock.is_over = True
                return


def remove_unused(folder: Folder, name: str) -> None:
    """Removes a folder, whose lock the caller holds, if nothing but the lock is in it."""
    with contextlib.suppress(OSError), folder.enter(name) as opened:
        if opened.names() == [LOCK]:
            opened.remove(LOCK)
            folder.remove_folder(name)


def _wait(context: Context, folder: Folder, handle: int, backoff: Backoff) -> None:
    context.check(_AWAITED)
    is_told = False
    while not _try_lock(handle, folder):
        context.waits_for = _owner_of(handle)
        if not is_told:
            is_told = True
            context.tell("lock", folder=folder.path.shown, holder=_record_of(handle).get("holder", ""))
        try:
            context.sleep(backoff.next(), _AWAITED)
        except WaitTimeout as error:
            if holder := _record_of(handle).get("holder"):
                error.message += f": {folder.path.shown} is held by {holder}"
            raise


def _is_in_place(folder: Folder, handle: int) -> bool:
    """Returns whether the lock that is open is the one that others find."""
    found, own = folder.status(LOCK), os.fstat(handle)
    return found is not None and (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)


def _record_of(handle: int) -> dict[str, Any]:
    """Returns what the holder wrote; empty for an empty file, one of an earlier version, or a torn one."""
    try:
        record = json.loads(os.pread(handle, _MAX_RECORD_BYTES, 0) or b"{}")
    except (ValueError, OSError):
        return {}
    return record if isinstance(record, dict) else {}


@contextlib.contextmanager
def _lock_file(context: Context, folder: Folder) -> Iterator[int]:
    """Opens a folder's lock, which is not locked yet, and yields its descriptor.

    Raises ArgumentError where this thread has it already, or one that waits for the script that this thread runs.
    """
    handle = folder.open_lock(LOCK)
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


def _try_lock(handle: int, folder: Folder) -> bool:
    with refusals("store", folder, LOCK):
        try:
            import fcntl
        except ImportError:  # Windows
            raise OSError(errno.ENOLCK, "this system has no locks as flock makes them") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _owner_of(handle: int) -> Callable[[], int | None]:
    """Tells the thread that holds the lock, while that is one of this process."""
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


in_forked_child(_let_go)
