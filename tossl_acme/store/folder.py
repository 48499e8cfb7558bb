"""A store in a folder: each set a folder of small files that servers read, written whole, 0600 in folders of 0700.

format                     the version of all this: a store of a later one is not touched
accounts/..., certificates/...
  <set>/.lock              who writes it (locks.py)
  <set>/..data, cert.pem   the set (sets.py); the parts of it are folders in that folder

A store of the form before is read as it stands, and each set of it moved over by the first write (earlier.py). Whoever
finds a certificate held reads it with this: writing.py, which writes, is loaded by the first write.
"""

from __future__ import annotations

import os
import time

from ..errors import ArgumentError
from ..files import FilePath, Folder, refusals
from ..log import DEBUG
from ..log import event as log_event
from .options import FolderOptions, check_format
from .protocol import Lock, check_name, check_values, is_part, put_locked
from .sets import Sets, is_set, value_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from ..context import Context
    from .writing import FolderWriting

_USUAL = FolderOptions()
#: Words in the longest name: of a room, a set in it, and a part of that.
_MOST_WORDS = 3


class FolderStore:
    """A Store in a folder; nothing is touched before it is first written to.

    notice: what the user has to know of where it is; a warning of every call that writes.
    """

    __slots__ = ("_is_known", "notice", "options", "path")

    def __init__(self, path: FilePath, options: FolderOptions = _USUAL, notice: str = "") -> None:
        self.path = path
        self.options = options
        self.notice = notice
        #: Whether its version was looked at: whoever only reads does so once.
        self._is_known = False

    def with_options(self, options: FolderOptions) -> FolderStore:
        """Returns the same store, with these options for what is written."""
        return FolderStore(self.path, options, self.notice)

    @property
    def is_shared(self) -> bool:
        """Returns False: a folder is for the processes of one machine, which share its web server and its ports."""
        return False

    # ---- reading: needs no right to write ----

    def read(self, name: str, only: Collection[str] | None = None) -> dict[str, bytes] | None:
        check_name(name)
        with refusals("store", self.path, name):
            folder = self._opened(name)
            log_event("tossl.store", DEBUG, f"read {name}" if folder is not None else f"there is no {name} to read")
            if folder is None:
                return None
            with folder:
                return _values(folder, name, only)

    def read_all(
        self, prefix: str, only: Collection[str] | None = None
    ) -> Iterator[tuple[str, dict[str, bytes] | ArgumentError]]:
        check_name(prefix)
        with refusals("store", self.path, prefix):
            above = self._opened(prefix)
            log_event("tossl.store", DEBUG, f"read {prefix}" if above is not None else f"there is no {prefix} to read")
            if above is not None:
                with above:
                    for name in sorted(filter(is_part, above.names())):
                        found = _found(above, name, f"{prefix}/{name}", only)
                        if found is not None:
                            yield f"{prefix}/{name}", found

    def read_many(
        self, names: Collection[str], only: Collection[str] | None = None
    ) -> dict[str, dict[str, bytes] | ArgumentError]:
        found: dict[str, dict[str, bytes] | ArgumentError] = {}
        for name in names:
            check_name(name)
            try:
                values = self.read(name, only)
            except ArgumentError as error:
                found[name] = error
            else:
                if values is not None:
                    found[name] = values
        return found

    def reading_ahead(self, names: Collection[str]) -> AbstractContextManager[None]:
        """Does nothing: reading takes no round trip."""
        for name in names:
            check_name(name)
        return _Nothing()

    def names(self) -> list[str]:
        with refusals("store", self.path):
            try:
                root = Folder.open(self.path)
            except FileNotFoundError:
                return []
            with root:
                check_format(root)
                return sorted(_names_below(root, ""))

    def list(self, prefix: str) -> list[str]:
        check_name(prefix)
        with refusals("store", self.path, prefix):
            above = self._opened(prefix)
            if above is None:
                return []
            with above:
                found = [f"{prefix}/{name}" for name in sorted(above.names()) if _has_set(above, prefix, name)]
        log_event("tossl.store", DEBUG, f"listed {prefix}", sets=len(found))
        return found

    def version(self, name: str) -> str:
        check_name(name)
        with refusals("store", self.path, name):
            folder = self._opened(name)
            if folder is None:
                return ""
            with folder:
                sets = Sets(folder)
                if not sets.has_pointer:
                    return _stamps(folder, _earlier(folder, name) or {}) or sets.left()
                in_force = sets.in_force()
                # Of a part one value may have changed in place.
                return f"{in_force} {_stamps_in(folder, in_force)}" if in_force and name.count("/") > 1 else in_force

    def changes(self, since: str) -> tuple[str, frozenset[str]] | None:
        """Returns None: a folder says of each set alone whether it changed."""
        return None

    def where(self, name: str, value: str = "") -> str:
        return self.path_of(name, value).shown

    def identity(self) -> str:
        """Returns its path without symbolic links."""
        return os.path.realpath(self.path)

    def time(self) -> float:
        """Returns what this machine's clock says."""
        return time.time()

    def path_of(self, name: str, value: str = "") -> FilePath:
        """Returns the path of a set's folder, or of one of its values as servers read it."""
        return self.path / name / value if value else self.path / name

    def _opened(self, name: str) -> Folder | None:
        """Returns the open folder with this name; None if it is missing."""
        try:
            folder = Folder.open(self.path)
            for part in name.split("/"):
                with folder:
                    if not self._is_known:
                        check_format(folder)
                        self._is_known = True
                    folder = folder.enter(part)
        except FileNotFoundError:
            return None
        return folder

    # ---- writing ----

    def locked(self, context: Context, name: str, within: float | None = None) -> AbstractContextManager[Lock]:
        check_name(name)
        return self._writing().locked(context, name, within)

    def write(self, lock: Lock, values: Mapping[str, bytes], part: str = "", *, ends: bool = False) -> None:
        check_values(values)
        self._writing().write(lock, values, part, ends=ends)

    def put(self, context: Context, name: str, values: Mapping[str, bytes]) -> None:
        check_values(values)
        put_locked(self, context, name, values)

    def delete(self, lock: Lock, part: str = "", *, ends: bool = False) -> None:
        self._writing().delete(lock, part, ends=ends)

    def _writing(self) -> FolderWriting:
        from .writing import FolderWriting

        return FolderWriting(self.path, self.options, self.notice)


class _Nothing:
    """A `with` that does nothing; contextlib loads slowly."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def _values(folder: Folder, name: str, only: Collection[str] | None) -> dict[str, bytes] | None:
    """Returns the set with this name from its open folder."""
    sets = Sets(folder)
    values = sets.read(only)
    if values is None and not sets.has_pointer and not _is_bare(folder):
        left = "" if (values := _earlier(folder, name)) else sets.left()
        values = sets.contents(left, only) if left else values
    return values if values is None or only is None else {k: v for k, v in values.items() if k in only}


def _is_bare(folder: Folder) -> bool:
    """Returns whether there is nothing that could be a set, of whatever form: the lock of one that is to come."""
    return all(name.startswith(".") and not is_set(name) for name in folder.names())


def _found(
    above: Folder, part: str, name: str, only: Collection[str] | None
) -> dict[str, bytes] | ArgumentError | None:
    """Returns one of many sets, or why it cannot be read; None if it is none."""
    try:
        with refusals("store", above, part):
            try:
                folder = above.enter(part)
            except (NotADirectoryError, FileNotFoundError):
                return None
            with folder:
                return _values(folder, name, only)
    except ArgumentError as error:
        return error


def _names_below(above: Folder, prefix: str) -> Iterator[str]:
    """Yields the names of the sets in an open folder, and of those below them."""
    words = len(prefix.split("/")) if prefix else 0
    for name in filter(is_part, above.names()):
        full = f"{prefix}/{name}" if prefix else name
        # No set of an earlier form stands in the store itself.
        if _has_set(above, prefix, name) if words else _has_pointer(above, name):
            yield full
        if words + 1 < _MOST_WORDS:
            try:
                folder = above.enter(name)
            except (NotADirectoryError, FileNotFoundError):
                continue
            with folder:
                yield from _names_below(folder, full)


def _has_pointer(above: Folder, name: str) -> bool:
    try:
        with above.enter(name) as folder:
            return bool(Sets(folder).in_force())
    except (NotADirectoryError, FileNotFoundError):
        return False


def _has_set(above: Folder, prefix: str, name: str) -> bool:
    if not is_part(name):
        return False
    try:
        with above.enter(name) as folder:
            sets = Sets(folder)
            if sets.has_pointer:
                return bool(sets.in_force())
            return bool(_earlier(folder, f"{prefix}/{name}") or sets.left())
    except (NotADirectoryError, FileNotFoundError):
        return False
    except (ArgumentError, OSError):
        return True  # it is there; reading it tells the damage


def _earlier(folder: Folder, name: str) -> dict[str, bytes] | None:
    """Returns the set in a folder that has it in the earlier form."""
    from . import earlier  # json, which it needs, loads slowly

    return earlier.read_earlier(folder, name)


def _stamps_in(folder: Folder, name: str) -> str:
    try:
        with folder.enter(name) as entered:
            return _stamps(entered, value_names(entered))
    except FileNotFoundError:  # another set is in force by now
        return ""


def _stamps(folder: Folder, values: Iterable[str]) -> str:
    """Returns a text that changes with each of these files."""
    statuses = [folder.status(value) for value in sorted(values)]
    return " ".join(f"{status.st_ino}:{status.st_mtime_ns}" for status in statuses if status is not None)
