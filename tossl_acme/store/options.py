"""Where a store in a folder is, its version, and how it writes for the servers that read it."""

from __future__ import annotations

import os

from ..errors import ArgumentError
from ..text import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..files import Folder

#: The version that is written, and the last that is read; the file that says it.
FORMAT = 2
FORMAT_FILE = "format"
#: How the files of a set may be written.
LINKS, FILES = LAYOUTS = ("links", "files")
#: Digits of a number that is read: Python reads none of thousands.
_MOST_DIGITS = 600
#: Where root's store is, unless there is one in root's home already.
SYSTEM_STORE = "/var/lib/tossl"


class Access:
    """Who may read a set beside its owner. Without a group the files keep what the file system gives them."""

    __slots__ = ("file_mode", "group")

    def __init__(self, file_mode: int = 0o600, group: int | None = None) -> None:
        self.file_mode = file_mode
        self.group = group

    @property
    def folder_mode(self) -> int:
        return 0o750 if self.file_mode & 0o040 else 0o700

    def is_of(self, status: os.stat_result) -> bool:
        """Returns whether a file has these rights."""
        return status.st_mode & 0o777 == self.file_mode and self.group in (None, status.st_gid)

    def grant(self, folder: Folder, name: str = "") -> None:
        """Gives a file in a folder, or the folder itself, to the group."""
        if self.group is not None:
            folder.give(name, self.group, self.file_mode if name else self.folder_mode)


class FolderOptions:
    """How sets are written.

    layout: links or files, else as the set is. file_mode, group: who may read certificates and their keys, else as the
    set in force. for_servers: what the names of those sets begin with; all others are their owner's alone.
    """

    __slots__ = ("file_mode", "for_servers", "group", "layout")

    def __init__(
        self, layout: str = "", file_mode: int | None = None, group: int | None = None,
        for_servers: str = "certificates/",
    ) -> None:  # fmt: skip
        self.layout = layout
        self.file_mode = file_mode
        self.group = group
        self.for_servers = for_servers

    @classmethod
    def parse(cls, layout: str = "", file_mode: str = "", group: str = "") -> FolderOptions:
        """Returns the options of these words. Raises ArgumentError layout, file_mode, group."""
        if layout and layout not in LAYOUTS:
            raise ArgumentError("layout", f"layout must be {' or '.join(LAYOUTS)}, not {quoted(layout)}")
        mode, number = _mode_of(file_mode), _group_of(group)
        if number is not None and mode is not None and not mode & 0o040:
            raise ArgumentError("file_mode", f"mode {file_mode} does not let the group read: 0640 does")
        return cls(layout, mode, number)

    def check_unasked(self) -> None:
        """Raises ArgumentError layout, file_mode, group for one that is given: only a folder has use for it."""
        for name in ("layout", "file_mode", "group"):
            if getattr(self, name) not in ("", None):
                raise ArgumentError(name, f"-{name} is for a store in a folder, or for -files")

    @property
    def for_all(self) -> FolderOptions:
        """Returns the same for a folder in which every set is for servers."""
        return FolderOptions(self.layout, self.file_mode, self.group, "")

    @property
    def is_for_group(self) -> bool:
        return self.group is not None or bool(self.file_mode and self.file_mode & 0o040)

    def access(self, before: Access) -> Access:
        """Returns who may read a set that takes the place of one which `before` could read."""
        mode = before.file_mode
        if self.file_mode is not None:
            mode = self.file_mode
        elif self.group is not None:
            mode |= 0o040
        group = self.group if self.group is not None else before.group
        if mode & 0o040 and group is None:
            group = os.getegid()
        return Access(mode, group)


def _mode_of(text: str) -> int | None:
    if not text:
        return None
    try:
        mode = int(text.removeprefix("0o"), 8)
    except ValueError:
        mode = 0
    if mode & ~0o640 or not mode & 0o400:
        cause = "an octal mode of 0400, 0440, 0600 or 0640: others than owner and group never read a key"
        raise ArgumentError("file_mode", f"file_mode must be {cause}; not {quoted(text)}")
    return mode


def _group_of(text: str) -> int | None:
    if not text:
        return None
    from contextlib import suppress

    with suppress(KeyError, ImportError):
        import grp

        return grp.getgrnam(text).gr_gid
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text) < 2**32 - 1:
        return int(text)
    raise ArgumentError("group", f"there is no group {quoted(text)}")


def check_format(store: Folder) -> None:
    """Raises ArgumentError for a store of a later version, or one whose version cannot be read."""
    content = store.read(FORMAT_FILE)
    if content is None:
        return
    version = content.strip()
    if not version.isdigit() or len(version) > _MOST_DIGITS:
        raise ArgumentError("store", f"{(store.path / FORMAT_FILE).shown} is damaged: it holds no version number")
    if int(version) > FORMAT:
        cause = f"format {int(version)}, this tossl knows format {FORMAT} and those before"
        where = (store.path / FORMAT_FILE).shown
        raise ArgumentError("store", f"the store is of a later version: {where} says {cause}")


def folder_of_environment() -> tuple[str, str]:
    """Returns the variable that says where the store is, and its path.

    TOSSL_STORE, TOSSL_HOME; for root /var/lib/tossl, unless a store is in its home; for others XDG_DATA_HOME, HOME.
    The path is as it stands there, relative or with "~". Raises ArgumentError "store" where there is no home either.
    """
    for variable in ("TOSSL_STORE", "TOSSL_HOME"):
        if path := os.environ.get(variable):
            return variable, path
    if not _is_root():
        return _home_store()
    try:
        variable, path = _home_store()
    except ArgumentError:
        path = ""
    if path and _is_store(path):
        return variable, path
    return "the system's place for data", SYSTEM_STORE


def present_store() -> str:
    """Returns the path of the default store if it is there, and its URL if it has one; empty otherwise."""
    try:
        path = folder_of_environment()[1]
        if "://" in path:
            return path
        path = os.path.expanduser(path)  # noqa: PTH111
    except ArgumentError:
        return ""
    return path if _is_store(path) else ""


def lacks(path: str, name: str) -> bool:
    """Returns whether a look at the disk is enough to say that the store has no set of that name.

    path: of the store as a script gives it; empty for none. False says that the store itself has to be asked.
    """
    if not path:
        return True
    is_plain = path.startswith("/")  # else a URL, or a path that Tcl has to make absolute
    return is_plain and not os.path.lexists(f"{path}/{name}")


def notice_of(path: str) -> str:
    """Returns what root has to know of a store that is in its home folder, and was not asked for; else empty."""
    if os.environ.get("TOSSL_STORE") or os.environ.get("TOSSL_HOME") or not _is_root() or not _is_in_home(path):
        return ""
    cause = f"new stores of root are in {SYSTEM_STORE}; set TOSSL_STORE, or move it and what names its paths"
    return f"the store in root's home folder stays in use: {cause}"


def _is_root() -> bool:
    """Returns whether this process is root's; Windows has no users with numbers."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _is_in_home(path: str) -> bool:
    try:
        store = os.path.expanduser(_home_store()[1])  # noqa: PTH111 - pathlib loads slowly
    except ArgumentError:
        return False
    return os.path.abspath(store) == path  # noqa: PTH100


def _home_store() -> tuple[str, str]:
    if data := os.environ.get("XDG_DATA_HOME"):
        return "XDG_DATA_HOME", f"{data}/tossl"
    return "HOME", f"{_home()}/.local/share/tossl"


def _is_store(path: str) -> bool:
    expanded = os.path.expanduser(path)  # noqa: PTH111 - a text that Tcl makes a path of later
    return any(os.path.isdir(f"{expanded}/{room}") for room in ("accounts", "certificates"))  # noqa: PTH112


def _home() -> str:
    home = os.environ.get("HOME", "")
    if not home:
        from contextlib import suppress

        with suppress(KeyError, ImportError):
            import pwd

            home = pwd.getpwuid(os.getuid()).pw_dir
    if not home:
        home = os.environ.get("USERPROFILE", "")
    if not home:
        user = f"user {os.getuid()}" if hasattr(os, "getuid") else "this user"
        cause = f"HOME is not set and {user} has no home folder"
        raise ArgumentError("store", f"no folder for the store: {cause}; give -store or set TOSSL_STORE")
    return home
