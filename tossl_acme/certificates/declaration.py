"""A declared set of certificates in a file, which is read again when it changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping

from ..context import Context
from ..errors import ArgumentError, Cancelled, ForkedError, TosslError
from ..files import FilePath
from . import due
from .managed import Managed

_ARGUMENT = "certificates"
#: Bytes of a declaration: 100,000 certificates have less.
_MOST_BYTES = 64 << 20
#: Seconds until a file is read again that was wrong, or names another file that was.
_AGAIN_SECONDS = 60.0


class DeclaredFile:
    """A set in a file. parse: makes the set of the file's text, and raises TosslError."""

    def __init__(self, path: FilePath, parse: Callable[[Context, str], Mapping[str, Managed]]) -> None:
        self._path = path
        self._parse = parse
        self._known: tuple[int, ...] | None = None
        self._failed_at: float | None = None

    def read(self, context: Context) -> Mapping[str, Managed] | None:
        """Returns the set where the file is another than last time. Raises TosslError, with the path in front."""
        state = self._state()
        if state == self._known and not self._is_to_be_tried():
            return None
        self._known, self._failed_at = state, due.now()
        try:
            found = self._parse(context, without_comments(self._text()))
        except (Cancelled, ForkedError):
            raise
        except TosslError as error:
            raise error.within(self._path.shown) from None
        self._failed_at = None
        return found

    def _is_to_be_tried(self) -> bool:
        return self._failed_at is not None and not 0 <= due.now() - self._failed_at < _AGAIN_SECONDS

    def _state(self) -> tuple[int, ...]:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - a FilePath is a text
        except OSError as error:
            return (error.errno or 0,)
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    def _text(self) -> str:
        try:
            mode = os.stat(self._path).st_mode  # noqa: PTH116
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a pipe would be waited for
                raise ArgumentError(_ARGUMENT, "is not a regular file")
            with open(self._path, "rb") as file:  # noqa: PTH123
                content = file.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                raise ArgumentError(_ARGUMENT, f"it is larger than {_MOST_BYTES >> 20} MiB")
            return content.decode("utf-8-sig")
        except OSError as error:
            raise ArgumentError(_ARGUMENT, f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ArgumentError(_ARGUMENT, "it is not UTF-8") from None


def without_comments(text: str) -> str:
    """Returns the text without the lines whose first character is "#"."""
    return "\n".join("" if line.lstrip().startswith("#") else line for line in text.split("\n"))
