"""Paths, and files below a folder: written whole, read, removed, by descriptors, not by paths that may change.

A folder's owner can replace any name in it with a link, a pipe or another folder, at any moment. So a name is looked up
once, when it is opened, and everything after that uses the descriptor. A link is followed only if root or this
process's own user made it.

Also moves descriptors off the host's standard channels.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from .errors import ArgumentError
from .text import clean, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

#: Characters of a path that a message shows.
_MAX_SHOWN_CHARS = 300
_HEX_DIGITS = frozenset("0123456789abcdef")
#: Bytes of the largest file that is read.
_MAX_FILE_BYTES = 16 * 2**20
#: Bytes that are read at first: a certificate with its chain.
_CHUNK_BYTES = 16384
#: Nanoseconds that the file system's clock may be behind.
_CLOCK_NANOSECONDS = 10**9
#: Links in one path, as in Linux.
_MAX_LINKS = 40
#: What keeps files safe from others, and Windows lacks.
_POSIX = ("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "symlink", "link", "fchmod", "geteuid")
_LACKS = [name for name in _POSIX if not hasattr(os, name)] + (["openat"] if os.open not in os.supports_dir_fd else [])
#: Flags of a descriptor that identifies a file without opening it: it needs no permissions and no pipe's other end.
_HANDLE = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_CLOEXEC", 0)
#: Flags for reading a plain file of this name, never a pipe or where a link leads.
_WAIT_FOR_NOBODY = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_READ_PLAIN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | _WAIT_FOR_NOBODY
#: Mode bits by which others than a file's owner can read or change it.
_OF_OTHERS = 0o066
#: Errors of a mount without modes.
_NO_MODES = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
#: Errors of a mount that cannot sync a folder.
_NO_SYNC = (errno.EINVAL, errno.EOPNOTSUPP)


class FilePath(str):
    """An absolute path. The str is for Python's file functions; `word` is the same path for Tcl.

    The two differ if Tcl's system encoding is not Python's, or a name's bytes are no text. `given` is the script's
    word for it: if that may be a misplaced key, no message shows the path.
    """

    __slots__ = ("given", "word")
    given: str
    word: str

    def __new__(cls, path: str, word: str | None = None, given: str | None = None) -> Self:
        self = super().__new__(cls, path)
        self.word = path if word is None else word
        self.given = self.word if given is None else given
        return self

    def __truediv__(self, name: str) -> FilePath:
        """Returns the path of `name`, plain ASCII, in this folder."""
        return FilePath(f"{self.rstrip('/')}/{name}", f"{self.word.rstrip('/')}/{name}", self.given)

    @property
    def shown(self) -> str:
        """Returns the path for a message, quoted."""
        given = quoted(self.word if "-----" in self.word else self.given)
        return f'"{clean(self.word, _MAX_SHOWN_CHARS)}"' if given.startswith('"') else given


def absolute(path: str | os.PathLike[str]) -> FilePath:
    """Returns the absolute path; a FilePath stays unchanged."""
    return path if isinstance(path, FilePath) else FilePath(os.path.abspath(path))  # noqa: PTH100 - resolves no link


def is_temporary(name: str) -> bool:
    """Returns whether a file with this name was to get another one: its writer is at work, or has died."""
    stem = name.removesuffix(".tmp")
    return stem != name and len(stem) == 17 and stem[0] == "." and _HEX_DIGITS.issuperset(stem[1:])


def _temporary_name() -> str:
    return f".{os.urandom(8).hex()}.tmp"


def _check_system() -> None:
    """Raises OSError where folders cannot be opened, or have no links and owners."""
    if _LACKS:
        cause = f"this system does not keep files safe as POSIX does: it lacks {', '.join(_LACKS)}"
        raise OSError(errno.ENOTSUP, cause)


class Folder:
    """An open folder, for `with`. Its methods raise OSError, whose `filename` is a FilePath."""

    __slots__ = ("_above", "_descriptor", "_name")

    def __init__(self, descriptor: int, above: FilePath | Folder, name: str = "") -> None:
        """above: its own path, or the folder in which it has that name."""
        self._descriptor = descriptor
        self._above = above
        self._name = name

    @property
    def path(self) -> FilePath:
        """Its path; made when asked for, as most of those who read never do."""
        return self._above.path / self._name if isinstance(self._above, Folder) else self._above

    @classmethod
    def open(cls, path: FilePath, *, mode: int | None = None) -> Self:
        """Opens the folder at `path`, through whatever links the path has.

        A mode (0o700) makes missing folders with it, also those above `path`.
        """
        with _naming(path):
            _check_system()
            try:
                return cls(_open(path, _HANDLE | os.O_DIRECTORY), path)
            except FileNotFoundError:
                if mode is None:
                    raise
            _make_missing(path, mode)
            return cls(_open(path, _HANDLE | os.O_DIRECTORY), path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def enter(self, name: str) -> Folder:
        """Opens a folder in this one, through links if root or this process's user made each of them."""
        try:
            return Folder(_open_folder(self._descriptor, name, iter(range(_MAX_LINKS))), self, name)
        except OSError as error:
            _name(error, self, name)
            raise

    def make(self, name: str, mode: int) -> bool:
        """Makes a folder with this mode, whatever the umask is. Returns False if the name exists already."""
        begun = time.time_ns() - _CLOCK_NANOSECONDS
        with _naming(self, name):
            try:
                os.mkdir(name, mode, dir_fd=self._descriptor)
            except FileExistsError:
                return False
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            with _closing(_open(name, flags, dir_fd=self._descriptor)) as made:
                # By now the name may be another folder, perhaps a private one: that is older, or empty.
                if os.fstat(made).st_mtime_ns >= begun or not os.listdir(made):  # noqa: PTH208 - by its descriptor
                    _set_mode(made, mode)
        return True

    def is_writable(self) -> bool:
        """Returns whether files can be made here."""
        return os.access(".", os.W_OK | os.X_OK, dir_fd=self._descriptor, effective_ids=True)

    def names(self) -> list[str]:
        """Returns all names in the folder."""
        with _naming(self), _closing(self._open_self()) as handle:
            return os.listdir(handle)  # noqa: PTH208 - by its descriptor

    def read(self, name: str, *, follow: bool = True) -> bytes | None:
        """Returns a plain file's content, None if the file does not exist. follow: whether to follow links."""
        with _naming(self, name):
            try:
                handle = _open_file(self._descriptor, name, iter(range(_MAX_LINKS if follow else 0)))
            except FileNotFoundError:
                return None
            with _closing(handle):
                kind = os.fstat(handle).st_mode
                if not stat.S_ISREG(kind):
                    number = errno.EISDIR if stat.S_ISDIR(kind) else errno.EINVAL
                    raise OSError(number, os.strerror(errno.EISDIR) if stat.S_ISDIR(kind) else "Not a plain file")
                return _read_whole(handle)

    def write_whole(
        self,
        name: str,
        content: bytes,
        mode: int,
        *,
        sync: bool = True,
        sync_folder: bool = True,
        check: Callable[[], None] | None = None,
    ) -> None:
        """Writes a file, whole or not at all, in place of whatever has the name but a folder.

        Its content and then its name are on disk when this returns. Without sync_folder the name is on disk after the
        next sync() of the folder; without sync neither is certain. check: called before it gets its name; may
        raise.
        """
        temporary = _temporary_name()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with _naming(self, name):
            handle = _open(temporary, flags, mode, dir_fd=self._descriptor)
            try:
                with _closing(handle):
                    _write_all(handle, content)
                    _set_mode(handle, mode)
                    if sync:
                        os.fsync(handle)
                if check is not None:
                    check()
                os.rename(temporary, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
            except BaseException:
                _remove_temporary(temporary, self._descriptor)
                raise
        if sync and sync_folder:
            self.sync()

    def write_new(self, name: str, content: bytes, mode: int) -> None:
        """Writes a file under a name that is free, in a folder that nobody else looks into yet; its content is on disk.

        What fails may leave a part of it.
        """
        self.write_several({name: content}, mode)

    def write_several(self, contents: Mapping[str, bytes], mode: int) -> None:
        """Writes files as write_new() does, which takes little longer than one."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        opened: list[tuple[str, int]] = []
        try:
            for name, content in contents.items():
                with _naming(self, name):
                    opened.append((name, _open(name, flags, mode, dir_fd=self._descriptor)))
                    _write_all(opened[-1][1], content)
                    _set_mode(opened[-1][1], mode)
            if len(opened) > 1:
                for _name_of, handle in opened:
                    _begin_sync(handle)
            for name, handle in opened:
                with _naming(self, name):
                    os.fsync(handle)
        finally:
            for _name_of, handle in opened:
                os.close(handle)

    def link_same(self, name: str, content: bytes | None, to: Folder, fits: Callable[[os.stat_result], bool]) -> bool:
        """Gives this user's plain file, if it has this content and `fits`, the same name in another folder, too.

        Returns whether it did: not every file system can.
        """
        if content is None:
            return False
        with _naming(self, name), _closing(_open(name, _READ_PLAIN, dir_fd=self._descriptor)) as handle:
            status = os.fstat(handle)
            is_own = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
            if not is_own or status.st_size != len(content) or not fits(status) or _read_whole(handle) != content:
                return False
            try:
                os.link(name, name, src_dir_fd=self._descriptor, dst_dir_fd=to._descriptor, follow_symlinks=False)
            except (OSError, NotImplementedError):
                return False
            # By now the name may be another file's.
            if os.stat(name, dir_fd=to._descriptor, follow_symlinks=False).st_ino == status.st_ino:
                return True
            to.remove(name)
            return False

    def status(self, name: str = "") -> os.stat_result | None:
        """Returns what has this name (a link itself), None where nothing has; without a name, this folder."""
        try:
            return os.stat(name or ".", dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            _name(error, self, name)
            raise

    def link_target(self, name: str) -> str:
        """Returns where a link leads, by its own words; empty where the name is not that of a link."""
        try:
            return os.readlink(name, dir_fd=self._descriptor)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):
                return ""
            _name(error, self, name)
            raise

    def make_link(self, name: str, target: str, *, is_free: bool = False) -> None:
        """Makes a link in place of whatever has the name but a folder; on disk after the next sync().

        is_free: whether the name is thought to be free, which takes half as long.
        """
        if is_free and self.make_new_link(name, target):
            return
        temporary = _temporary_name()
        with _naming(self, name):
            os.symlink(target, temporary, dir_fd=self._descriptor)
            try:
                os.rename(temporary, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
            except BaseException:
                _remove_temporary(temporary, self._descriptor)
                raise

    def make_new_link(self, name: str, target: str) -> bool:
        """Makes a link, which is on disk after the next sync(). Returns False if the name exists already."""
        with _naming(self, name):
            try:
                os.symlink(target, name, dir_fd=self._descriptor)
            except FileExistsError:
                return False
        return True

    def give(self, name: str, group: int, mode: int, owner: int = -1) -> None:
        """Gives a file in this folder, or without a name the folder itself, to a group, with this mode."""
        with _naming(self, name), _closing(_open(name or ".", _READ_PLAIN, dir_fd=self._descriptor)) as handle:
            status = os.fstat(handle)
            if status.st_gid != group or owner not in (-1, status.st_uid):
                os.fchown(handle, owner, group)
            if stat.S_IMODE(status.st_mode) & 0o777 != mode:
                os.fchmod(handle, mode)

    def rename(self, name: str, to: Folder, new_name: str) -> None:
        """Moves a file, in place of an existing file."""
        with _naming(self, name):
            os.rename(name, new_name, src_dir_fd=self._descriptor, dst_dir_fd=to._descriptor)

    def remove(self, name: str) -> None:
        """Removes a file, or a link itself, if it exists."""
        try:
            os.unlink(name, dir_fd=self._descriptor)
        except FileNotFoundError:
            return
        except OSError as error:
            _name(error, self, name)
            raise

    def remove_folder(self, name: str) -> bool:
        """Removes a folder if it is empty. Returns whether it is gone."""
        try:
            os.rmdir(name, dir_fd=self._descriptor)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def sync(self) -> None:
        """Waits until the names in the folder are on disk."""
        with _naming(self), _closing(self._open_self()) as handle:
            try:
                os.fsync(handle)
            except OSError as error:
                if error.errno not in _NO_SYNC:
                    raise

    def _open_self(self) -> int:
        return _open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._descriptor)

    def open_lock(self, name: str) -> int:
        """Returns a descriptor for fcntl.flock of a file, which is made if it is missing."""
        with _naming(self, name):
            flags = os.O_RDWR | os.O_NOFOLLOW
            try:
                handle = _open(name, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._descriptor)
            except FileExistsError:
                return _open(name, flags | os.O_CREAT, 0o600, dir_fd=self._descriptor)
            _set_mode(handle, 0o600)  # whatever the umask is
            return handle


def read_small(path: str, most: int, seconds: float) -> bytes:
    """Returns the file's content; a pipe is read to its end.

    Raises OSError, Cancelled, and ValueError with the cause: more than `most` bytes, or nothing to read within
    `seconds`, or before the calls of this thread are over.
    """
    deadline = time.monotonic() + seconds
    descriptor = _open(path, os.O_RDONLY | _WAIT_FOR_NOBODY)
    try:
        found = b""
        while len(found) <= most:
            _await_readable(descriptor, deadline)
            more = os.read(descriptor, most + 1 - len(found))
            if not more:
                return found
            found += more
    finally:
        os.close(descriptor)
    raise ValueError(f"it holds more than {most} bytes")


def read_secret(path: str, most: int, seconds: float) -> bytes:
    """Returns what a secret's file holds, as read_small().

    Where it cannot be read, the service's credential of the same name is read in its place: systemd's LoadCredential=
    puts a file that is root's alone where an unprivileged service may read it, and says where by a variable.
    """
    try:
        return read_small(path, most, seconds)
    except (FileNotFoundError, PermissionError):
        folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
        name = path.rpartition("/")[2]
        if not folder.startswith("/") or not name:
            raise
        from contextlib import suppress

        with suppress(OSError):
            return read_small(f"{folder}/{name}", most, seconds)
        raise


def check_owner(path: FilePath | None, what: str) -> None:
    """Raises ArgumentError "store" for a file, `what` in the message, that is another user's."""
    try:
        owner = 0 if path is None else os.stat(path).st_uid  # noqa: PTH116 - pathlib loads slowly
    except OSError:  # whoever reads it tells why it cannot be read
        return
    if path is not None and owner not in (0, os.geteuid()):
        cause = f"belongs to user {owner}, who is neither root nor the user of this process ({os.geteuid()})"
        raise ArgumentError("store", f"{what} {path.shown} {cause}: move it away, or give it to this user (chown)")


def check_private(path: str, argument: str, source: str) -> None:
    """Raises ArgumentError `argument` if others can read or change a secret's file, which `source` names."""
    try:
        mode = os.stat(path).st_mode & 0o777  # noqa: PTH116 - pathlib loads slowly
    except OSError:
        return  # systemd keeps it elsewhere, for this service alone
    if mode & _OF_OTHERS:
        shown = getattr(path, "shown", path)
        cause = f"others can read or change {shown} (mode {mode:04o}); chmod 600 makes it yours alone"
        raise ArgumentError(argument, f"{source}: {cause}")


def _await_readable(descriptor: int, deadline: float) -> None:
    """Raises ValueError if nothing can be read before the deadline."""
    import select

    from .context.farewell import poll_seconds_here

    if not hasattr(select, "poll"):
        return  # Windows: there a file is always ready
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while not poll.poll(0):
        pause = poll_seconds_here(deadline - time.monotonic())
        if pause <= 0:
            raise ValueError("nothing could be read from it in time")
        poll.poll(max(1.0, pause * 1000))


#: Descriptors 0 to 2 belong to the host, even if it closed them: code that writes to its standard error, or opens its
#: standard channels again, must not meet a socket, a lock or a pipe of this package.
_FIRST_OWN = 3


def beyond_standard(descriptor: int) -> int:
    """Returns the descriptor, or a duplicate above 2 if it is 0 to 2; no child process inherits it.

    Raises OSError if no descriptor is left, and closes the given descriptor then.
    """
    if descriptor >= _FIRST_OWN:
        return descriptor
    import fcntl  # needed only if a standard channel is closed

    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_OWN)
    finally:
        os.close(descriptor)


def socket_beyond_standard(sock: socket.socket) -> socket.socket:
    """Returns the socket, with a descriptor above 2."""
    if sock.fileno() >= _FIRST_OWN:
        return sock
    timeout = sock.gettimeout()
    moved = type(sock)(sock.family, sock.type, sock.proto, fileno=beyond_standard(sock.detach()))
    moved.settimeout(timeout)
    return moved


class refusals:
    """A `with` that raises the file system's refusals as ArgumentError `argument`, with the path and the reason.

    path: of whatever the system names no path of; a folder, perhaps with a name in it.
    """

    __slots__ = ("_argument", "_name", "_path")

    def __init__(self, argument: str, path: FilePath | Folder, name: str = "") -> None:
        self._argument = argument
        self._path = path
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            _name(error, self._path, self._name)
            refused: FilePath = error.filename
            raise ArgumentError(self._argument, f"cannot use {refused.shown}: {error.strerror or error}") from None


class _naming:
    """A `with` that adds the whole path to an OSError: the system knows only the name."""

    __slots__ = ("_name", "_where")

    def __init__(self, where: FilePath | Folder, name: str = "") -> None:
        self._where = where
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            _name(error, self._where, self._name)


def _name(error: OSError, where: FilePath | Folder, name: str) -> None:
    """Adds the whole path to an error."""
    if not isinstance(error.filename, FilePath):
        path = where.path if isinstance(where, Folder) else where
        error.filename, error.filename2 = path / name if name else path, None


class _closing:
    """A `with` that closes a descriptor."""

    __slots__ = ("_handle",)

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __enter__(self) -> int:
        return self._handle

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)


def _open(name: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    return beyond_standard(os.open(name, flags, mode, dir_fd=dir_fd))


def _remove_temporary(name: str, parent: int) -> None:
    from contextlib import suppress

    with suppress(OSError):
        os.unlink(name, dir_fd=parent)


def _write_all(handle: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


def _begin_sync(handle: int) -> None:
    """Has the system begin to write a file to the disk, so that several files take little longer than one."""
    if hasattr(os, "posix_fadvise"):
        try:  # noqa: SIM105 - contextlib loads slowly
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError:
            pass  # not every file system takes advice


def _read_whole(handle: int) -> bytes:
    content = more = os.read(handle, _CHUNK_BYTES)
    while more:
        if len(content) > _MAX_FILE_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        more = os.read(handle, _CHUNK_BYTES if len(content) < _CHUNK_BYTES else _MAX_FILE_BYTES)
        content += more
    return content


def _make_missing(path: FilePath, mode: int) -> None:
    from contextlib import ExitStack  # here, for it loads slowly, and many only read

    missing: list[str] = []
    above = path.rstrip("/")
    while above and not os.path.lexists(above):
        above, _, name = above.rpartition("/")
        missing.append(name)
    with ExitStack() as opened:
        folder = opened.enter_context(Folder.open(FilePath(above or "/")))
        for name in filter(None, reversed(missing)):
            if folder.make(name, mode):
                folder.sync()
            folder = opened.enter_context(folder.enter(name))


def _open_folder(parent: int, name: str, links: Iterator[int]) -> int:
    try:
        return _open(name, _HANDLE | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
    with _closing(_open(name, _HANDLE | os.O_NOFOLLOW, dir_fd=parent)) as handle:
        if not stat.S_ISLNK(os.fstat(handle).st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        target = _link_target(handle, links)
    return _walk(parent, target, links)


def _open_file(parent: int, name: str, links: Iterator[int]) -> int:
    """Returns a descriptor for reading; never waits for a pipe or a device."""
    try:
        return _open(name, _READ_PLAIN, dir_fd=parent)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    with _closing(_open(name, _HANDLE | os.O_NOFOLLOW, dir_fd=parent)) as handle:
        target = _link_target(handle, links)
    folder, slash, file = target.rpartition("/")
    with _closing(_walk(parent, folder + slash, links)) as handle:
        return _open_file(handle, file, links)


def _walk(parent: int, target: str, links: Iterator[int]) -> int:
    """Opens the folder to which a link in `parent` leads."""
    folder = _open("/" if target.startswith("/") else ".", _HANDLE | os.O_DIRECTORY, dir_fd=parent)
    for part in target.split("/"):
        if part not in ("", "."):
            with _closing(folder) as parent:
                folder = _open_folder(parent, part, links)
    return folder


def _link_target(handle: int, links: Iterator[int]) -> str:
    """Returns the target of an open link, if it may be followed."""
    if next(links, None) is None:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    owner = os.fstat(handle).st_uid
    if owner not in (0, os.geteuid()):
        raise OSError(errno.ELOOP, f"a link made by user {owner}; links of root and of your own user are followed")
    return os.readlink("", dir_fd=handle)


def _set_mode(handle: int, mode: int) -> None:
    """Sets the mode of a file that this process made. Ignores that a mount has no modes."""
    status = os.fstat(handle)
    if stat.S_IMODE(status.st_mode) & 0o777 == mode or status.st_uid != os.geteuid():
        return
    try:
        os.fchmod(handle, stat.S_IMODE(status.st_mode) & ~0o777 | mode)
    except OSError as error:
        if error.errno not in _NO_MODES:
            raise
