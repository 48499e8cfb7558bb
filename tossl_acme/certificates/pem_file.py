"""Key and certificates in one file, as nsssl and haproxy read them, anywhere outside the store."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time

from ..errors import ArgumentError
from ..files import FilePath, Folder, refusals
from .record import FILES, sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_MODE = 0o600
#: Of the names of files on their way.
_ENDING = ".tossl"
#: Of one name, as file systems take it.
_MOST_NAME_BYTES = 255
#: How old in seconds a file is at least whose writer has died.
_LEFT_SECONDS = 60


def check_pem_file(path: FilePath, *, has_key: bool) -> None:
    """Raises ArgumentError "pem_file" where the file could not be written: before anything is ordered."""
    if not has_key:
        raise _keyless()
    folder, name = _place(path)
    with refusals("pem_file", path), Folder.open(folder) as opened:
        if not opened.is_writable():
            raise ArgumentError("pem_file", f"cannot write {path.shown}: its folder cannot be written to")
        status = opened.status(name)
        if len(os.fsencode(_temporary(name))) > _MOST_NAME_BYTES:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise ArgumentError("pem_file", f"cannot write {path.shown}: it is no plain file")


def keep_pem_file(path: FilePath, private_key: str, fullchain: str) -> bool:
    """Writes the file whole, in place of the one before, whose mode and owners stay; else it is its owner's alone.

    False where it holds this already. Raises ArgumentError "pem_file".
    """
    if not private_key:
        raise _keyless()
    content = f"{private_key.rstrip()}\n{fullchain}".encode()
    folder, name = _place(path)
    with refusals("pem_file", path), Folder.open(folder) as opened:
        before = opened.status(name)
        if before is not None and opened.read(name, follow=False) == content:
            return False
        _remove_left(opened, name)
        temporary = _temporary(name)
        try:
            opened.write_new(temporary, content, _MODE)
            if before is not None:
                opened.give(temporary, before.st_gid, stat.S_IMODE(before.st_mode) & 0o777, before.st_uid)
            opened.rename(temporary, opened, name)
        except BaseException:
            opened.remove(temporary)
            raise
        opened.sync()
    return True


def holds_pem_file(path: FilePath, digests: Mapping[str, str]) -> bool:
    """Returns whether the file holds the key and the certificates with these digests, by their files' names."""
    try:
        folder, name = _place(path)
        with Folder.open(folder) as opened:
            content = opened.read(name, follow=False)
    except (OSError, ArgumentError):  # whoever writes it tells why it cannot be read
        return False
    key, mark, certificates = (content or b"").partition(b"-----BEGIN CERTIFICATE-----")
    return sha256(key) == digests.get(FILES["private_key"]) and sha256(mark + certificates) == digests.get(
        FILES["fullchain"]
    )


def _temporary(name: str) -> str:
    """Returns a name that both servers pass over, and that no other writer has."""
    return f".{name}.{os.urandom(4).hex()}{_ENDING}"


def _remove_left(opened: Folder, name: str) -> None:
    """Removes what writers of this file left that have died, as far as it can be."""
    for left in opened.names():
        if left.startswith(f".{name}.") and left.endswith(_ENDING):
            status = opened.status(left)
            if status is not None and status.st_mtime < time.time() - _LEFT_SECONDS:
                with contextlib.suppress(OSError):  # another user's in a sticky folder, or a folder
                    opened.remove(left)


def _keyless() -> ArgumentError:
    return ArgumentError("pem_file", "-pem_file holds the key, which -csr keeps elsewhere: give one of them")


def _place(path: FilePath) -> tuple[FilePath, str]:
    """Returns the folder and the name of the file; follows links of root and of the user's own."""
    with refusals("pem_file", path):
        if os.path.islink(path):  # noqa: PTH114 - pathlib loads slowly
            owner = os.lstat(path).st_uid
            if owner not in (0, os.geteuid()):
                raise ArgumentError("pem_file", f"cannot write {path.shown}: it is a link made by user {owner}")
            path = FilePath(os.path.realpath(path))
    folder, _, name = path.rpartition("/")
    if not name:
        raise ArgumentError("pem_file", f"cannot write {path.shown}: it is a folder")
    return FilePath(folder or "/"), name
