"""The sets in one folder, changed: written, deleted, swept. sets.py says how they are kept.

A name that servers read is replaced only if it is a link of ours, or a file with what a set here has: anything else is
somebody's.
"""

from __future__ import annotations

import contextlib
import errno
import stat
import time
from collections.abc import Callable, Collection, Mapping

from ..errors import ArgumentError
from ..files import Folder, is_temporary
from .options import FILES, LINKS, Access
from .sets import DELETED, POINTER, Sets, is_set, value_names

_POINTER_MODE = 0o600
#: What a file system answers that has no links.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class NoLinksError(Exception):
    """The file system takes no links."""


class Written:
    """A set in force that the holder of its lock has written, shown by links: nobody else changes it meanwhile."""

    __slots__ = ("name", "values")

    def __init__(self, name: str, values: Mapping[str, bytes]) -> None:
        """name: of its folder."""
        self.name = name
        self.values = dict(values)


class ChangingSets(Sets):
    """The sets in an open folder, whose lock the caller holds. What the file system refuses is an OSError."""

    def __init__(self, folder: Folder, *, keeps: int = 1) -> None:
        """keeps: how many sets are kept beside the one in force."""
        super().__init__(folder)
        self._keeps = keeps

    def access(self) -> Access | None:
        """Returns who may read the set in force; None without one."""
        name = self.in_force()
        return self._access_of(name) if name else None

    def _access_of(self, name: str) -> Access:
        with contextlib.suppress(FileNotFoundError), self.folder.enter(name) as opened:
            own = opened.status()
            modes = [status.st_mode & 0o640 for status in map(opened.status, value_names(opened)) if status is not None]
            mode = max(modes, default=0o600)
            return Access(mode, own.st_gid if own is not None and mode & 0o040 else None)
        return Access()

    def write(
        self,
        values: Mapping[str, bytes],
        access: Access,
        layout: str,
        check: Callable[[], None],
    ) -> Written | None:
        """Puts a set in the place of the one in force. `check` raises where the lock is lost.

        Returns what change_written() needs, None where there is not a link for each value. Raises NoLinksError where
        the layout is links, and none can be made; nothing has changed then.
        """
        before = self.in_force()
        linked, missing = self._check_names(values)
        if before and self.layout != layout:
            self._convert(before, layout)
            linked, missing = self._check_names(values)
        # A plain file in the place of a link would go on showing the value before: it is replaced with a whole set.
        elif (
            not self._keeps
            and layout == LINKS
            and len(linked) + len(missing) == len(values)
            and self._change_one(before, values, access, missing, check)
        ):
            return Written(before, values)
        name = f"..{max(time.time_ns(), int(before[2:] or 0) + 1)}"
        try:
            self._make_set(name, values, access, before)
            access.grant(self.folder)
            if layout == LINKS:
                # They lead nowhere until the set is in force: all its names appear at once.
                for value in missing:
                    self._make_link(value, f"{POINTER}/{value}", is_free=True)
            self.folder.sync()
            check()
            self._point_to(name, layout, is_free=not before)
        except BaseException:
            with contextlib.suppress(OSError, ArgumentError):
                if self.in_force() != name:
                    self._remove_set(name)
            raise
        self.folder.sync()
        is_shown = layout == LINKS and len(linked) + len(missing) == len(values)
        if is_shown and not before:
            return Written(name, values)
        names = self.folder.names()
        if not is_shown:
            self._show(name, access, names, anew=True)
        elif self._hide(values, names):
            self.folder.sync()
        with contextlib.suppress(OSError):  # whoever comes next removes them
            self._remove_sets(names, keep={name, before} if self._keeps else {name})
        return Written(name, values) if is_shown else None

    def _change_one(
        self,
        before: str,
        values: Mapping[str, bytes],
        access: Access,
        missing: Collection[str],
        check: Callable[[], None],
    ) -> bool:
        """Changes or adds one value of the set in force, if that makes it the set that is wanted; whether it did.

        A reader sees the set before or after that. missing: the values that have no link yet. Readers here need none,
        and whoever has the lock next makes those that are missing: their names need not be on disk.
        """
        if not before or access.group is not None:
            return False
        there = self.contents(before)
        if there is None or not values.keys() >= there.keys():
            return False
        changed = [name for name, new in values.items() if there.get(name) != new]
        if len(changed) != 1:
            return False
        for name in missing:
            self._make_link(name, f"{POINTER}/{name}", is_free=True)
        with self.folder.enter(before) as opened:
            opened.write_whole(changed[0], values[changed[0]], access.file_mode, check=check)
        return True

    def change_written(
        self, written: Written, values: Mapping[str, bytes], access: Access, check: Callable[[], None]
    ) -> bool:
        """Changes or adds one value of a set, as write() would; returns whether it did, else write() has to look."""
        changed = [name for name, new in values.items() if written.values.get(name) != new]
        if len(changed) != 1 or not values.keys() >= written.values.keys():
            return False
        (name,) = changed
        if name in written.values:
            if not self._is_own_link(name):
                return False
        else:
            check()
            try:
                if not self.folder.make_new_link(name, f"{POINTER}/{name}"):
                    return False
            except OSError:
                return False
        try:
            opened = self.folder.enter(written.name)
        except FileNotFoundError:
            return False
        with opened:
            opened.write_whole(name, values[name], access.file_mode, check=check)
        written.values[name] = values[name]
        return True

    def delete(self, check: Callable[[], None]) -> None:
        """Removes all sets and what shows them; files of others stay.

        They are deleted when this returns. That they are gone is on disk with the folder's next sync().
        """
        if self.has_pointer:
            check()
            self._point_to(DELETED, self.layout)
            self.folder.sync()
            with contextlib.suppress(OSError):  # it is deleted; whoever comes next removes the rest
                self._remove_all(self.remove_temporary())

    def sweep(self, *, is_earlier: bool = False) -> None:
        """Removes what dead writers left, and finishes what they did not live to finish.

        is_earlier: whether the folder has a set in an earlier form, which is the one in force then.
        """
        names = self.remove_temporary()
        complete = _set_names(names)
        if not self.has_pointer:
            if is_earlier or not complete:
                self._remove_sets(names, keep=())
                self._hide((), names)  # links that lead nowhere: with the sets gone, plain files are not taken for ours
                return
            # Its writer died before ..data was made, or a copy of the store was made without its links.
            self._point_somehow(complete[-1])
            self.folder.sync()
        name = self.in_force()
        if name:
            if self.folder.status(name) is None:
                raise self.damaged(POINTER)
            self._show(name, self._access_of(name), names)
            older = [other for other in complete if int(other[2:]) < int(name[2:])]
            self._remove_sets(names, keep={name, *older[len(older) - self._keeps :]})
        else:
            self._remove_all(names)
            self.folder.sync()

    def _remove_all(self, names: Collection[str]) -> None:
        """Removes what is left of a set that is deleted. Its pointer goes last: without it a set may be one to keep."""
        self._hide((), names)
        self._remove_sets(names, keep=())
        self.folder.remove(POINTER)

    def remove_temporary(self, age: float = 0) -> list[str]:
        """Removes what dead writers left in the folder: in one without a lock what is older than `age` seconds.

        Returns the names that were there.
        """
        names = self.folder.names()
        for name in names:
            if _is_left(name):
                status = self.folder.status(name)
                if status is not None and (not age or status.st_mtime < time.time() - age):
                    self._remove(name)
        return names

    def _make_set(self, name: str, values: Mapping[str, bytes], access: Access, before: str) -> None:
        """Makes a complete set, which is not in force yet; its name is on disk after the folder's next sync().

        Files of the set before it that do not change, and are on disk, get a second name.
        """
        temporary = f"{name}.tmp"
        self.folder.make(temporary, access.folder_mode)
        try:
            with self.folder.enter(temporary) as made:
                same = self._shared(before, values, access, made)
                new = {value: content for value, content in values.items() if value not in same}
                made.write_several(new, access.file_mode)
                for value in new:
                    access.grant(made, value)
                access.grant(made)
                made.sync()
            self.folder.rename(temporary, self.folder, name)
        except BaseException:
            with contextlib.suppress(OSError):
                self._remove(temporary)
            raise

    def _shared(self, before: str, values: Mapping[str, bytes], access: Access, made: Folder) -> Collection[str]:
        """Gives unchanged files of another set a second name in a new one; returns their names."""
        found: set[str] = set()
        if before:
            with contextlib.suppress(OSError), self.folder.enter(before) as opened:
                kept = opened.names()
                found |= {value for value in kept if opened.link_same(value, values.get(value), made, access.is_of)}
        return found

    def _point_to(self, name: str, layout: str, *, is_free: bool = False) -> None:
        if layout == LINKS:
            self._make_link(POINTER, name, is_free=is_free)
        else:
            self.folder.write_whole(POINTER, name.encode(), _POINTER_MODE)

    def _point_somehow(self, name: str) -> None:
        try:
            self._point_to(name, LINKS)
        except NoLinksError:
            self._point_to(name, FILES)

    def _convert(self, name: str, layout: str) -> None:
        """Shows the set in force in the other layout; at every moment every name leads to the same content."""
        if layout == FILES:
            access = self.access() or Access()
            for value, content in (self.contents(name) or {}).items():
                if self._is_own(value):
                    self._copy(value, content, access)
            self.folder.sync()
            self._point_to(name, layout)
        else:
            self._point_to(name, layout)
            self._show(name, Access(), self.folder.names())
        self.folder.sync()

    # ---- the names that servers read ----

    def _check_names(self, values: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
        """Returns the names that are our links already, and those that are free. Raises for one of somebody else."""
        linked, missing = [], []
        for name, content in values.items():
            status = self.folder.status(name)
            if status is None:
                missing.append(name)
            elif stat.S_ISLNK(status.st_mode) and self._is_own_link(name):
                linked.append(name)
            elif not self._is_own(name, content):
                is_folder = status is not None and stat.S_ISDIR(status.st_mode)
                cause = "Is a directory" if is_folder else "it is not of this store's making; move it away to go on"
                raise ArgumentError("store", f"cannot use {(self.folder.path / name).shown}: {cause}")
        return linked, missing

    def _is_own(self, name: str, content: bytes = b"") -> bool:
        """Returns whether a name is free, our link, or a file with this content or with that of a set here."""
        status = self.folder.status(name)
        if status is None:
            return True
        if stat.S_ISLNK(status.st_mode):
            return self._is_own_link(name)
        if not stat.S_ISREG(status.st_mode):
            return False
        found = self.folder.read(name, follow=False)
        known = ((self.contents(other, (name,)) or {}).get(name) for other in _set_names(self.folder.names()))
        return found is None or found == content or found in known

    def _is_own_link(self, name: str) -> bool:
        return self.folder.link_target(name) == f"{POINTER}/{name}"

    def _show(self, name: str, access: Access, names: Collection[str], *, anew: bool = False) -> None:
        """Has every name of the set in force lead to its content, and no other name of ours to anything.

        names: those in the folder. anew: plain files with the same content get these rights too.
        """
        values = self._values_of(name)
        shown = False
        if self.layout == LINKS:
            for value in values:
                if not self._is_own_link(value) and self._is_own(value):
                    self._make_link(value, f"{POINTER}/{value}")
                    shown = True
        else:
            for value, content in (self.contents(name) or {}).items():
                status = self.folder.status(value)
                if status is None or (
                    self._is_own(value)
                    and (self.folder.read(value, follow=False) != content or (anew and not access.is_of(status)))
                ):
                    self._copy(value, content, access)
                    shown = True
        if self._hide(values, names) or shown:
            self.folder.sync()

    def _copy(self, value: str, content: bytes, access: Access) -> None:
        self.folder.write_whole(value, content, access.file_mode, sync_folder=False)
        access.grant(self.folder, value)

    def _hide(self, values: Collection[str], names: Collection[str]) -> bool:
        """Removes those of the names in the folder that are ours and not among these; whether there are any."""
        # No value's name begins with a dot.
        others = [name for name in names if not name.startswith(".") and name not in values]
        if not others:
            return False
        shown = {value for name in names if is_set(name) for value in self._values_of(name)}
        hidden = [name for name in others if (name in shown or self._is_own_link(name)) and self._is_own(name)]
        for value in hidden:
            self.folder.remove(value)
        return bool(hidden)

    def _values_of(self, name: str) -> list[str]:
        """Returns the names of a set's values; empty if it is gone."""
        try:
            with self.folder.enter(name) as opened:
                return value_names(opened)
        except FileNotFoundError:
            return []

    def _make_link(self, name: str, target: str, *, is_free: bool = False) -> None:
        try:
            self.folder.make_link(name, target, is_free=is_free)
        except OSError as error:
            if error.errno in _NO_LINKS:
                raise NoLinksError from None
            raise

    # ---- sets that are not in force ----

    def _remove_sets(self, names: Collection[str], keep: Collection[str]) -> None:
        for name in _set_names(names):
            if name not in keep:
                self._remove_set(name)

    def _remove_set(self, name: str) -> None:
        """Removes a set. It loses its name first: whoever reads it just now notices."""
        with contextlib.suppress(FileNotFoundError):
            self.folder.rename(name, self.folder, f"{name}.tmp")
            self._remove_folder(f"{name}.tmp")

    def _remove(self, name: str) -> None:
        """Removes a file, or a folder of files."""
        status = self.folder.status(name)
        if status is not None and stat.S_ISDIR(status.st_mode):
            self._remove_folder(name)
        else:
            self.folder.remove(name)

    def _remove_folder(self, name: str) -> None:
        with self.folder.enter(name) as opened:
            for value in opened.names():
                opened.remove(value)
        self.folder.remove_folder(name)


def _set_names(names: Collection[str]) -> list[str]:
    """Returns the names of sets among these, the oldest first."""
    return sorted(filter(is_set, names), key=lambda name: int(name[2:]))


def _is_left(name: str) -> bool:
    """Returns whether this is the name of what is being written or removed."""
    stem = name.removesuffix(".tmp")
    return is_temporary(name) or (stem != name and is_set(stem))
