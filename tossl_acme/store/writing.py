"""How a store in a folder is written to: locks, modes and groups, and what is of the form before is moved over.

folder.py says what stands where, and reads it.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Collection, Iterator, Mapping

from ..context import Context
from ..errors import ArgumentError
from ..files import FilePath, Folder, refusals
from ..log import DEBUG, wants
from . import earlier, locks
from .changes import ChangingSets, NoLinksError, Written
from .options import FILES, FORMAT, FORMAT_FILE, LINKS, Access, FolderOptions, check_format
from .protocol import Lock, check_name

#: How old a temporary file beside the store's version is that nobody writes any more, in seconds.
_LEFT_SECONDS = 60
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600


class HeldLock(Lock):
    """The lock of a set in this process."""

    __slots__ = ("context", "folder_lock", "has_ended", "has_moved", "written")

    def __init__(self, name: str, folder_lock: locks.FolderLock, context: Context, *, is_new: bool) -> None:
        """is_new: whether its folder is empty."""
        super().__init__(name, folder_lock.holder, folder_lock.epoch)
        self.folder_lock = folder_lock
        self.context = context
        #: Whether its last change was made.
        self.has_ended = False
        #: Whether nothing of the form before is left.
        self.has_moved = is_new
        #: The parts that its holder has written.
        self.written: dict[str, Written] = {}


class FolderWriting:
    """The writing of a store. notice: a warning of every call that writes."""

    def __init__(self, path: FilePath, options: FolderOptions, notice: str) -> None:
        self.path = path
        self.options = options
        self.notice = notice

    @contextlib.contextmanager
    def locked(self, context: Context, name: str, within: float | None = None) -> Iterator[Lock]:
        _warn(context, "store", self.notice)

        @contextlib.contextmanager
        def opened() -> Iterator[Folder]:
            with Folder.open(self.path, mode=_FOLDER_MODE) as root:
                _mark_format(root)
                with _made(root, name) as folder:
                    yield folder

        waiting = context if within is None else context.narrowed(within)
        with locks.locked(waiting, self.path / name, opened) as lock:
            with refusals("store", self.path, name):
                names = lock.folder.names()
                is_new = names == [locks.LOCK]
                if not is_new:
                    with Folder.open(self.path) as root:
                        ChangingSets(root).remove_temporary(_LEFT_SECONDS)
                    _recover(lock.folder, name, names)
            if wants("tossl.store", DEBUG):
                context.event("tossl.store", DEBUG, f"locked {name}", store=self.path.shown)
            try:
                yield HeldLock(name, lock, context, is_new=is_new)
            finally:
                context.event("tossl.store", DEBUG, f"unlocked {name}")
                self._remove_unused(lock)

    def write(self, lock: Lock, values: Mapping[str, bytes], part: str = "", *, ends: bool = False) -> None:
        held = self._held(lock, part)
        with self._logged(held, part, f"wrote {' '.join(values)} of", ends=ends):
            if part and self._change_part(held, part, values):
                return
            held.folder_lock.check()
            self._move_over(held)
            if part:
                with _made(held.folder_lock.folder, part) as folder:
                    written = self._write(held, folder, values, Access())
                if written is not None:
                    held.written[part] = written
            else:
                access = self._access(held)
                self._let_in(access, lock.name)
                self._write(held, held.folder_lock.folder, values, access)

    def _change_part(self, held: HeldLock, part: str, values: Mapping[str, bytes]) -> bool:
        """Changes one value of a part that its lock's holder has written before; returns whether it did."""
        written = held.written.pop(part, None)
        if written is None or self.options.layout == FILES:
            return False
        with _entered(held.folder_lock.folder, part) as folder:
            if folder is None:
                return False
            if not ChangingSets(folder).change_written(written, values, Access(), held.folder_lock.check):
                return False
        held.written[part] = written
        return True

    def delete(self, lock: Lock, part: str = "", *, ends: bool = False) -> None:
        held = self._held(lock, part)
        with self._logged(held, part, "deleted", ends=ends):
            held.written.clear()
            held.folder_lock.check()
            self._move_over(held)
            folder = held.folder_lock.folder
            if not part:
                ChangingSets(folder).delete(held.folder_lock.check)
            for name in [part] if part else _parts(folder, folder.names()):
                with _entered(folder, name) as below:
                    if below is not None:
                        ChangingSets(below).delete(held.folder_lock.check)
                        if not folder.remove_folder(name):
                            below.sync()
            folder.sync()

    @contextlib.contextmanager
    def _logged(self, held: HeldLock, part: str, done: str, *, ends: bool) -> Iterator[None]:
        """A `with` for a change of a set or a part of it: its errors, and its line in the log. ends: as in write()."""
        name = f"{held.name}/{part}" if part else held.name
        try:
            with refusals("store", self.path, name):
                yield
        except ArgumentError as error:
            held.context.event("tossl.store", DEBUG, f"could not change {name}: {error.message}")
            raise
        held.has_ended = ends
        held.context.event("tossl.store", DEBUG, f"{done} {name}")

    def _write(self, held: HeldLock, folder: Folder, values: Mapping[str, bytes], access: Access) -> Written | None:
        whole = held.folder_lock.folder
        sets = ChangingSets(folder, keeps=1 if folder is whole else 0)
        layout = self.options.layout or sets.layout or ChangingSets(whole).layout or LINKS
        try:
            return sets.write(values, access, layout, held.folder_lock.check)
        except NoLinksError:
            if self.options.layout == LINKS:
                cause = "no links can be made here; -layout files does without"
                raise ArgumentError("layout", f"cannot use {folder.path.shown}: {cause}") from None
            text = f"no links can be made in {whole.path.shown}: certificate and key change one after the other"
            _warn(held.context, "layout", text)
            return sets.write(values, access, FILES, held.folder_lock.check)

    def _held(self, lock: Lock, part: str) -> HeldLock:
        if part:
            check_name(part)
        if not isinstance(lock, HeldLock) or lock.folder_lock.folder.path != self.path / lock.name:
            raise ArgumentError("store", f"{lock.name} is not locked in {self.path.shown}")
        if lock.has_ended:
            raise lock.folder_lock.lost("it is released")
        return lock

    def _move_over(self, held: HeldLock) -> None:
        """Gives a set of the earlier form, and its parts, the form of today; servers see no difference meanwhile."""
        folder = held.folder_lock.folder
        if held.has_moved or ChangingSets(folder).has_pointer:
            held.has_moved = True
            return
        earlier.recover(folder)
        values = earlier.read_earlier(folder, held.name)
        with _entered(folder, "pending") as pending:
            if pending is not None and not ChangingSets(pending).has_pointer:
                left = earlier.read_earlier(pending, f"{held.name}/pending")
                if left:
                    self._write(held, pending, left, Access())
        if values:
            self._write(held, folder, values, Access())
        held.has_moved = True

    # ---- who may read what ----

    def _access(self, held: HeldLock) -> Access:
        """Returns who may read the set that is to be written: as the options say, else as the one in force."""
        if not held.name.startswith(self.options.for_servers):
            return Access()
        return self.options.access(ChangingSets(held.folder_lock.folder).access() or Access())

    def _let_in(self, access: Access, name: str) -> None:
        """Lets the group go through the folders above a set."""
        if access.group is None or not self.options.is_for_group:
            return
        path = self.path
        for part in ("", *name.split("/")[:-1]):
            path = path / part if part else path
            with Folder.open(path) as folder:
                _let_through(folder, access.group)

    def _remove_unused(self, lock: locks.FolderLock) -> None:
        """Leaves nothing of a name that has no set."""
        above, _, name = lock.folder.path.rpartition("/")
        with contextlib.suppress(OSError, ArgumentError):
            if ChangingSets(lock.folder).has_pointer:
                return
            with Folder.open(FilePath(above)) as folder:
                lock.check()
                locks.remove_unused(folder, name)


def _warn(context: Context, warning: str, text: str) -> None:
    if text and text not in [known.get("message") for known in context.warnings]:
        context.warn("warning", warning=warning, message=text)


def _mark_format(root: Folder) -> None:
    """Marks a store with the version of what is written to it. Raises ArgumentError for one of a later version."""
    if root.read(FORMAT_FILE) != b"%d\n" % FORMAT:
        check_format(root)
        root.write_whole(FORMAT_FILE, b"%d\n" % FORMAT, _FILE_MODE)


def _recover(folder: Folder, name: str, names: Collection[str]) -> None:
    """Clears away what a holder left that died, in a set and its parts. names: those in the folder."""
    for part in _parts(folder, names):
        with _entered(folder, part) as below:
            if below is not None:
                ChangingSets(below, keeps=0).sweep(is_earlier=earlier.read_earlier(below, f"{name}/{part}") is not None)
    sets = ChangingSets(folder)
    sets.sweep(is_earlier=not sets.has_pointer and earlier.read_earlier(folder, name) is not None)


def _parts(folder: Folder, names: Collection[str]) -> list[str]:
    """Returns the names in it that are those of parts of its set: folders."""
    found = [(name, folder.status(name)) for name in names if not name.startswith(".")]
    return [name for name, status in found if status is not None and stat.S_ISDIR(status.st_mode)]


def _let_through(folder: Folder, group: int) -> None:
    """Adds the right to pass to a folder's mode: for the group if the folder can be its, else for everyone."""
    status = folder.status()
    if status is None:
        return
    mode = stat.S_IMODE(status.st_mode) & 0o777
    is_of_others = mode & 0o070 and status.st_gid != group
    if mode & 0o001 or (mode & 0o010 and not is_of_others):
        return
    folder.give("", status.st_gid if is_of_others else group, mode | (0o001 if is_of_others else 0o010))


@contextlib.contextmanager
def _made(folder: Folder, name: str) -> Iterator[Folder]:
    """Opens a folder below another; makes it if it is missing, on disk before anything in it is."""
    with contextlib.ExitStack() as opened:
        for part in name.split("/"):
            folder = opened.enter_context(_made_one(folder, part))
        yield folder


def _made_one(folder: Folder, name: str) -> Folder:
    try:
        return folder.enter(name)
    except FileNotFoundError:
        if folder.make(name, _FOLDER_MODE):
            folder.sync()
        return folder.enter(name)


@contextlib.contextmanager
def _entered(folder: Folder, name: str) -> Iterator[Folder | None]:
    try:
        opened = folder.enter(name)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    with opened:
        yield opened
