"""The set in force in one folder, read. Sets are kept there as Kubernetes keeps mounted secrets.

..1764111845123456789/   a set, its name growing with time: the one in force and the one before it
..data                   a link to the set in force, swapped by one rename; in the layout "files" a file with its name
cert.pem                 a link to ..data/cert.pem; in the layout "files" a copy

So one rename puts all values in the place of the old ones, for a reader in this package in both layouts. changes.py
writes them. Whoever finds a certificate held reads it with this: it imports nothing that loads slowly.
"""

from __future__ import annotations

import errno
import stat
import time

from ..errors import ArgumentError
from .options import FILES, LINKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from ..files import Folder

#: The name that leads to the set in force, and what stands there while a set is being deleted.
POINTER, DELETED = "..data", "deleted"
#: How often a set may be replaced by others while one reader reads it.
_MAX_READS = 20
#: How long a set may be made and not in force yet.
_ON_ITS_WAY_NANOSECONDS = 60 * 10**9


class Sets:
    """The sets in an open folder. What the file system refuses is an OSError."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    @property
    def has_pointer(self) -> bool:
        """Returns whether there is a set of this form, or its deletion was cut short."""
        return self.folder.status(POINTER) is not None

    @property
    def layout(self) -> str:
        """Returns how the set in force is shown: links or files; empty without one."""
        status = self.folder.status(POINTER)
        if status is None:
            return ""
        return LINKS if stat.S_ISLNK(status.st_mode) else FILES

    def in_force(self) -> str:
        """Returns the folder of the set in force, empty without one. Raises ArgumentError for a damaged ..data."""
        target = self._pointed_to()
        if target in ("", DELETED):
            return ""
        if not is_set(target):
            raise self.damaged(POINTER)
        return target

    def _pointed_to(self) -> str:
        """Returns what stands in ..data, empty if it is missing."""
        while True:
            target = self.folder.link_target(POINTER)
            if target:
                return target
            try:
                content = self.folder.read(POINTER, follow=False)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    continue  # it has become a link since
                if error.errno == errno.EISDIR:
                    cause = "is a folder, as in a copy whose links were followed: copy the store with its links (cp -a)"
                    shown = (self.folder.path / POINTER).shown
                    raise ArgumentError("store", f"{shown} {cause}, or remove that folder to go on") from None
                raise
            return "" if content is None else content.decode("ascii", "replace").strip() or "?"

    def read(self, only: Collection[str] | None = None) -> dict[str, bytes] | None:
        """Returns the set in force, whole; None without one."""
        for _ in range(_MAX_READS):
            name = self.in_force()
            if not name:
                return None
            values = self.contents(name, only)
            # Whoever removes a set renames it first: one that still has its name is whole.
            if values is not None and self.folder.status(name) is not None:
                return values
            if self.in_force() == name:
                raise self.damaged(POINTER)
        raise ArgumentError("store", f"{self.folder.path.shown} changes faster than it can be read")

    def left(self) -> str:
        """Returns the newest set where ..data is missing, as in a copy without links; empty without one.

        The next writer puts it in force. One that was made just now may be on its way: it is none yet.
        """
        found = max((int(name[2:]) for name in self.folder.names() if is_set(name)), default=0)
        return f"..{found}" if 0 < found < time.time_ns() - _ON_ITS_WAY_NANOSECONDS else ""

    def contents(self, name: str, only: Collection[str] | None = None) -> dict[str, bytes] | None:
        """Returns what a set's folder holds; None if it is gone, or goes just now."""
        try:
            with self.folder.enter(name) as opened:
                names = value_names(opened) if only is None else only
                found = {value: opened.read(value, follow=False) for value in names}
        except FileNotFoundError:
            return None
        values = {value: content for value, content in found.items() if content is not None}
        return values if only is not None or len(values) == len(found) else None

    def damaged(self, name: str) -> ArgumentError:
        """Returns the error for a name here that nothing can be made of."""
        return ArgumentError("store", f"{(self.folder.path / name).shown} is damaged: move it away to go on")


def value_names(opened: Folder) -> list[str]:
    """Returns the names of the values in a set's folder; others begin with a dot: a value on its way."""
    return [name for name in opened.names() if not name.startswith(".")]


def is_set(name: str) -> bool:
    """Returns whether this is the name of a set's folder."""
    digits = name.removeprefix("..")
    return len(digits) == len(name) - 2 and digits.isascii() and digits.isdigit()
