"""http-01 through the folder of a web server (RFC 8555 section 8.3). The folder's owner is trusted with no more."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterator, Mapping

from ..context import Context
from ..errors import ArgumentError
from ..files import Folder, absolute, is_temporary, refusals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..acme.authorization import Challenge

_WELL_KNOWN, _ACME = ".well-known", "acme-challenge"
#: The web server's user must be able to read, whatever the umask is.
_FOLDER_MODE, _FILE_MODE = 0o755, 0o644
#: Other orders may remove the empty folders at any moment, but not this often in a row.
_ATTEMPTS = 100


class Webroot:
    """Writes key authorizations as files below `directory`, the folder from which a web server serves the domain.

    Raises ArgumentError("webroot") if the folder cannot be used.
    """

    challenge_type = "http-01"

    def __init__(self, directory: str | os.PathLike[str], *, check: bool = True) -> None:
        self._root = absolute(directory)
        self._lock = threading.Lock()
        self._made: set[str] = set()
        if check:
            with self._refusals():
                self._check()

    def place_of(self, challenge: Challenge) -> Mapping[str, str]:
        return {"webroot": self._root}

    @classmethod
    def at_place(cls, place: Mapping[str, str]) -> Webroot:
        """Returns the one to clean up with what an earlier process wrote there. The folder may be gone."""
        return cls(place.get("webroot", "/"), check=False)

    def present(self, context: Context, challenge: Challenge) -> None:
        """Writes the file in one step; replaces a link of that name and does not follow it.

        Raises ArgumentError "webroot" where another file has that name, as the response of another account: the CA
        chooses it.
        """
        content = challenge.key_authorization.encode()
        with self._lock, self._refusals():
            for attempts_left in reversed(range(_ATTEMPTS)):
                try:
                    with self._made_folder() as folder:
                        _check_free(folder, challenge.token, content)
                        folder.write_whole(challenge.token, content, _FILE_MODE, sync=False)
                    return
                except FileNotFoundError:
                    if not attempts_left:
                        raise

    def describe(self, challenge: Challenge) -> dict[str, object]:
        """Returns the file's path."""
        return {"file": self._root / _WELL_KNOWN / _ACME / challenge.token}

    def wait(self, context: Context, challenge: Challenge) -> None:
        """Returns at once: the file is there."""

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        """Removes the presented file, then the folders that were made for it if they are empty."""
        missing = contextlib.suppress(FileNotFoundError)
        with self._lock, self._refusals(), missing, Folder.open(self._root) as root:
            with missing, root.enter(_WELL_KNOWN) as well_known:
                with missing, well_known.enter(_ACME) as folder:
                    if _content(folder, challenge.token) == challenge.key_authorization.encode():
                        folder.remove(challenge.token)
                    _remove_unfinished(folder, challenge.key_authorization.encode())
                if _ACME in self._made and well_known.remove_folder(_ACME):
                    self._made.remove(_ACME)
            if self._made == {_WELL_KNOWN} and root.remove_folder(_WELL_KNOWN):
                self._made.clear()

    def _check(self) -> None:
        """Raises ArgumentError unless the deepest existing folder can be written to."""
        with contextlib.ExitStack() as opened:
            try:
                folder = opened.enter_context(Folder.open(self._root))
            except FileNotFoundError:
                raise ArgumentError("webroot", f"there is no folder {self._root.shown}") from None
            with contextlib.suppress(FileNotFoundError):
                for name in (_WELL_KNOWN, _ACME):
                    folder = opened.enter_context(folder.enter(name))
            if not folder.is_writable():
                raise ArgumentError("webroot", f"{folder.path.shown} is not a writable folder")

    @contextlib.contextmanager
    def _made_folder(self) -> Iterator[Folder]:
        with Folder.open(self._root) as root:
            self._make(root, _WELL_KNOWN)
            with root.enter(_WELL_KNOWN) as well_known:
                self._make(well_known, _ACME)
                with well_known.enter(_ACME) as folder:
                    yield folder

    def _make(self, parent: Folder, name: str) -> None:
        if parent.make(name, _FOLDER_MODE):
            self._made.add(name)

    def _refusals(self) -> contextlib.AbstractContextManager[None]:
        return refusals("webroot", self._root)


def _check_free(folder: Folder, token: str, content: bytes) -> None:
    """Raises ArgumentError "webroot" where somebody's file has the name. An empty one is what a crash leaves."""
    status = folder.status(token)
    if status is None or not stat.S_ISREG(status.st_mode) or not status.st_size:
        return
    with contextlib.suppress(FileNotFoundError):
        found = _content(folder, token)
        if found != content:
            is_response = found is not None and found.startswith(f"{token}.".encode())
            whose = "holds another response, of another account" if is_response else "is not of this program's making"
            raise ArgumentError("webroot", f"{(folder.path / token).shown} {whose}; move it away if nobody needs it")


def _remove_unfinished(folder: Folder, content: bytes) -> None:
    """Removes what a process left that died while it wrote this. One that is still at it notices, and writes anew."""
    with contextlib.suppress(PermissionError):  # a folder that this user may write to, and not list
        for name in filter(is_temporary, folder.names()):
            found = _content(folder, name)
            if found is not None and content.startswith(found):
                folder.remove(name)


def _content(folder: Folder, name: str) -> bytes | None:
    """Returns the file's content; None if a link, a pipe or a folder has taken its place."""
    try:
        return folder.read(name, follow=False)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.EFBIG, errno.ENXIO):
            return None
        raise
