"""A store in a folder: each set a folder of small files that servers read, written whole, 0600 in folders of 0700.

format                     the version of all this: a store of a later one is not touched
accounts/..., certificates/...
  <set>/.lock              who writes it (locks.py)
  <set>/..data, cert.pem   the set (sets.py); the parts of it are folders in that folder

A store of the form before is read as it stands, and each set of it moved over by the first write (earlier.py).
"""

from __future__ import annotations

import contextlib
import stat

from ..errors import ArgumentError
from ..files import FilePath, Folder, refusals
from .options import FolderOptions
from .protocol import Lock, check_name, check_values, is_part
from .sets import FILES, LINKS, Access, NoLinksError, Sets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ..context import Context
    from . import locks

#: The version that this writes, and the last that it reads.
FORMAT = 2
_FORMAT = "format"
#: How old a temporary file beside it is that nobody writes any more, in seconds.
_LEFT_SECONDS = 60
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_USUAL = FolderOptions()
#: The sets that a group may be let into; all others are their owner's alone.
_FOR_SERVERS = "certificates"


class HeldLock(Lock):
    """The lock of a set in this process."""

    __slots__ = ("context", "folder_lock")

    def __init__(self, name: str, folder_lock: locks.FolderLock, context: Context) -> None:
        super().__init__(name, folder_lock.holder, folder_lock.epoch)
        self.folder_lock = folder_lock
        self.context = context


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

    # ---- reading: needs no right to write ----

    def read(self, name: str, only: Collection[str] | None = None) -> dict[str, bytes] | None:
        check_name(name)
        with self._opened(name) as folder:
            if folder is None:
                return None
            sets = Sets(folder)
            values = sets.read(only)
            if values is None and not sets.has_pointer:
                values = _earlier(folder, name)
            return values if values is None or only is None else {k: v for k, v in values.items() if k in only}

    def list(self, prefix: str) -> list[str]:
        check_name(prefix)
        with self._opened(prefix) as above:
            names = [] if above is None else sorted(above.names())
            return [f"{prefix}/{name}" for name in names if above is not None and self._has_set(above, prefix, name)]

    def version(self, name: str) -> str:
        check_name(name)
        with self._opened(name) as folder:
            if folder is None:
                return ""
            sets = Sets(folder)
            return sets.in_force() if sets.has_pointer else _earlier_version(folder, name)

    def where(self, name: str, value: str = "") -> str:
        return self.path_of(name, value).shown

    def path_of(self, name: str, value: str = "") -> FilePath:
        """Returns the path of a set's folder, or of one of its values as servers read it."""
        return self.path / name / value if value else self.path / name

    # ---- writing ----

    @contextlib.contextmanager
    def locked(self, context: Context, name: str) -> Iterator[Lock]:
        check_name(name)
        self._warn(context, "store", self.notice)

        from . import locks

        @contextlib.contextmanager
        def opened() -> Iterator[Folder]:
            with Folder.open(self.path, mode=_FOLDER_MODE) as root:
                self._check_format(root)
                with _made(root, name) as folder:
                    yield folder

        with locks.locked(context, self.path / name, opened) as lock:
            with refusals("store", self.path / name):
                self._mark_format()
                _recover(lock.folder, name)
            try:
                yield HeldLock(name, lock, context)
            finally:
                self._remove_unused(lock)

    def write(self, lock: Lock, values: Mapping[str, bytes], part: str = "") -> None:
        check_values(values)
        held = self._held(lock, part)
        with refusals("store", self._path(lock, part)):
            held.folder_lock.check()
            self._move_over(held)
            if part:
                with _made(held.folder_lock.folder, part) as folder:
                    self._write(held, folder, values, Access())
            else:
                access = self._access(held)
                self._let_in(access, lock.name)
                self._write(held, held.folder_lock.folder, values, access)

    def delete(self, lock: Lock, part: str = "") -> None:
        held = self._held(lock, part)
        with refusals("store", self._path(lock, part)):
            held.folder_lock.check()
            self._move_over(held)
            folder = held.folder_lock.folder
            if not part:
                Sets(folder).delete(held.folder_lock.check)
            for name in [part] if part else _parts(folder):
                with _entered(folder, name) as below:
                    if below is not None:
                        Sets(below).delete(held.folder_lock.check)
                folder.remove_folder(name)
            folder.sync()

    def _write(self, held: HeldLock, folder: Folder, values: Mapping[str, bytes], access: Access) -> None:
        whole = held.folder_lock.folder
        sets = Sets(folder, keeps=1 if folder is whole else 0)
        layout = self.options.layout or sets.layout or Sets(whole).layout or LINKS
        try:
            sets.write(values, access, layout, held.folder_lock.check)
        except NoLinksError:
            if self.options.layout == LINKS:
                cause = "no links can be made here; -layout files does without"
                raise ArgumentError("layout", f"cannot use {folder.path.shown}: {cause}") from None
            text = f"no links can be made in {whole.path.shown}: certificate and key change one after the other"
            self._warn(held.context, "layout", text)
            sets.write(values, access, FILES, held.folder_lock.check)

    def _held(self, lock: Lock, part: str) -> HeldLock:
        if part:
            check_name(part)
        if not isinstance(lock, HeldLock) or lock.folder_lock.folder.path != self.path / lock.name:
            raise ArgumentError("store", f"{lock.name} is not locked in {self.path.shown}")
        return lock

    def _path(self, lock: Lock, part: str) -> FilePath:
        return self.path_of(lock.name, part)

    def _move_over(self, held: HeldLock) -> None:
        """Gives a set of the earlier form, and its parts, the form of today; servers see no difference meanwhile."""
        folder = held.folder_lock.folder
        if Sets(folder).has_pointer:
            return
        from . import earlier  # json, which it needs, loads slowly

        earlier.recover(folder)
        values = _earlier(folder, held.name)
        with _entered(folder, "pending") as pending:
            left = _earlier(pending, f"{held.name}/pending") if pending and not Sets(pending).has_pointer else None
            if pending is not None and left:
                self._write(held, pending, left, Access())
        if values:
            self._write(held, folder, values, Access())

    # ---- who may read what ----

    def _access(self, held: HeldLock) -> Access:
        """Returns who may read the set that is to be written: as the options say, else as the one in force."""
        if not held.name.startswith(f"{_FOR_SERVERS}/"):
            return Access()
        return self.options.access(Sets(held.folder_lock.folder).access() or Access())

    def _let_in(self, access: Access, name: str) -> None:
        """Lets the group go through the folders above a set."""
        if access.group is None or not self.options.is_for_group:
            return
        path = self.path
        for part in ("", *name.split("/")[:-1]):
            path = path / part if part else path
            with Folder.open(path) as folder:
                _let_through(folder, access.group)

    # ---- the store as a whole ----

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[Folder | None]:
        """Opens the folder with this name; None if it is missing."""
        with contextlib.ExitStack() as opened, refusals("store", self.path / name):
            try:
                folder = opened.enter_context(Folder.open(self.path))
                if not self._is_known:
                    self._check_format(folder)
                    self._is_known = True
                for part in name.split("/"):
                    folder = opened.enter_context(folder.enter(part))
            except FileNotFoundError:
                yield None
                return
            yield folder

    def _has_set(self, above: Folder, prefix: str, name: str) -> bool:
        if not is_part(name):
            return False
        try:
            with above.enter(name) as folder:
                sets = Sets(folder)
                return bool(sets.in_force()) if sets.has_pointer else bool(_earlier(folder, f"{prefix}/{name}"))
        except (NotADirectoryError, FileNotFoundError):
            return False
        except ArgumentError:
            return True  # it is there; reading it tells the damage

    def _check_format(self, root: Folder) -> None:
        content = root.read(_FORMAT)
        if content is None:
            return
        version = content.strip()
        if not version.isdigit():
            raise ArgumentError("store", f"{(self.path / _FORMAT).shown} is damaged: it holds no version number")
        if int(version) > FORMAT:
            cause = f"format {int(version)}, this tossl knows format {FORMAT} and those before"
            raise ArgumentError("store", f"the store is of a later version: {(self.path / _FORMAT).shown} says {cause}")

    def _mark_format(self) -> None:
        with Folder.open(self.path) as root:
            if root.read(_FORMAT) != b"%d\n" % FORMAT:
                root.write_whole(_FORMAT, b"%d\n" % FORMAT, _FILE_MODE)
            Sets(root).remove_temporary(_LEFT_SECONDS)

    def _remove_unused(self, lock: locks.FolderLock) -> None:
        """Leaves nothing of a name that has no set."""
        from . import locks

        above, _, name = lock.folder.path.rpartition("/")
        with contextlib.suppress(OSError, ArgumentError), Folder.open(FilePath(above)) as folder:
            lock.check()
            locks.remove_unused(folder, name)

    def _warn(self, context: Context, warning: str, text: str) -> None:
        if text and text not in [known.get("message") for known in context.warnings]:
            context.warn("warning", warning=warning, message=text)


def _earlier(folder: Folder, name: str) -> dict[str, bytes] | None:
    """Returns the set in a folder that has it in the earlier form."""
    from . import earlier

    return earlier.read_earlier(folder, name)


def _recover(folder: Folder, name: str) -> None:
    """Clears away what a holder left that died, in a set and its parts."""
    for part in _parts(folder):
        with _entered(folder, part) as below:
            if below is not None:
                Sets(below, keeps=0).sweep(is_earlier=_earlier(below, f"{name}/{part}") is not None)
    sets = Sets(folder)
    sets.sweep(is_earlier=not sets.has_pointer and _earlier(folder, name) is not None)


def _parts(folder: Folder) -> list[str]:
    """Returns the folders in it that are parts of its set."""
    found = [(name, folder.status(name)) for name in folder.names() if not name.startswith(".")]
    return [name for name, status in found if status is not None and stat.S_ISDIR(status.st_mode)]


def _earlier_version(folder: Folder, name: str) -> str:
    values = _earlier(folder, name) or {}
    statuses = [folder.status(value) for value in sorted(values)]
    return " ".join(f"{status.st_ino}:{status.st_mtime_ns}" for status in statuses if status is not None)


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
            if folder.make(part, _FOLDER_MODE):
                folder.sync()
            folder = opened.enter_context(folder.enter(part))
        yield folder


@contextlib.contextmanager
def _entered(folder: Folder, name: str) -> Iterator[Folder | None]:
    try:
        opened = folder.enter(name)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    with opened:
        yield opened
