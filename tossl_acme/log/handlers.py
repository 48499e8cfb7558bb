"""The places where records go: a file, which is rotated, or standard error; and the readers within the process.

Loaded where a log is wanted.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from typing import Any

from ..errors import ArgumentError
from ..files import beyond_standard
from ..text import quoted
from . import LEVELS, ROOT, has_readers, level_number, put

#: A file is renamed to .1 before it has more bytes, and .1 to .2, ...; so many are kept beside it.
MOST_BYTES = 5 << 20
KEPT_FILES = 4
_MODE = 0o600
_OFF = logging.CRITICAL + 10
#: syslog's priorities (sd-daemon(3)) by logging's numbers.
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))


class LogPlace:
    """Where lines go: a file's absolute path, "-" for standard error, empty for none; its word, and it in a message."""

    def __init__(self, path: str, word: str, shown: str) -> None:
        self.path = path
        self.word = word
        self.shown = shown


NOWHERE = LogPlace("", "", "")
STDERR = LogPlace("-", "stderr", "standard error")
#: The words for standard error.
STDERR_WORDS = ("-", "stderr")


def _word(number: int) -> str:
    return next((word for word, least in LEVELS.items() if number >= least), "debug")


class _Lines(logging.Formatter):
    """A line for each record: the time in UTC, level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{at}.{int(record.msecs):03}Z {_word(record.levelno):7} {record.name} {record.getMessage()}"


class _JournalLines(logging.Formatter):
    """A line for systemd's journal, which knows the time."""

    def format(self, record: logging.LogRecord) -> str:
        priority = next(number for least, number in _PRIORITIES if record.levelno >= least)
        return f"<{priority}>{record.name} {record.getMessage()}"


class LogFile(RotatingFileHandler):
    """A file that is its owner's alone, made anew where it was moved away. A fault of it is told once, and is none of
    the program's.
    """

    def __init__(self, path: str, shown: str) -> None:
        self.shown = shown
        self._is_broken = False
        self._is_over = False
        super().__init__(path, maxBytes=MOST_BYTES, backupCount=KEPT_FILES, encoding="utf-8", errors="backslashreplace")
        self.setFormatter(_Lines())

    def _open(self) -> Any:
        return open(self.baseFilename, "a", encoding="utf-8", errors="backslashreplace", opener=_opened)

    def emit(self, record: logging.LogRecord) -> None:
        if self._is_over:  # the record came while another thread ended it
            return
        try:
            self._look()
            assert self.stream is not None
            # A pipe has no position: Python 3.13 asks it for one.
            if self.stream.seekable() and self.shouldRollover(record):
                self._rotate()
            self.stream.write(self.format(record) + self.terminator)
            self.stream.flush()
            self._is_broken = False
        except (OSError, ValueError) as error:
            self._tell(error)

    def _look(self) -> None:
        """Opens the file again where another has its name, or none."""
        if self.stream is not None:
            mine = os.fstat(self.stream.fileno())
            with suppress(FileNotFoundError):
                named = os.stat(self.baseFilename)  # noqa: PTH116
                if (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino):
                    return
            self._drop()
        self.stream = self._open()

    def _rotate(self) -> None:
        """Begins a new file. Where that cannot be, the old one grows on.

        Of several processes that have this log, the one that locks the old file does it.
        """
        assert self.stream is not None
        old = self.stream
        with _locked(old.fileno()) as is_locked:
            self._look()
            if not is_locked or self.stream is not old:  # another one is at it, or has done it
                return
            try:
                self.doRollover()
            except OSError:
                self.stream = self._open()

    def _drop(self) -> None:
        stream, self.stream = self.stream, None
        with suppress(OSError, ValueError, AttributeError):
            stream.close()  # type: ignore[union-attr]

    def _tell(self, error: Exception) -> None:
        if self.stream is not None:
            self._drop()  # with the rest of the line in its buffer
        if self._is_broken:
            return
        self._is_broken = True
        cause = getattr(error, "strerror", None) or str(error)
        text = f"the log {self.shown} cannot be written, and goes on once it can: {cause}"
        if has_readers():
            put("warning", text, {})
        else:
            _write_line(f"tossl: {text}")

    def close(self) -> None:
        self._is_over = True
        with suppress(OSError, ValueError):
            super().close()


class _StandardError(logging.Handler):
    """Descriptor 2, whatever Python's sys.stderr is."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_JournalLines() if is_journal() else _Lines())

    def emit(self, record: logging.LogRecord) -> None:
        _write_line(self.format(record))


class _Readers(logging.Handler):
    """The readers. No lock is held while they get a record: they have their own."""

    def createLock(self) -> None:
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        put(_word(record.levelno), record.getMessage(), {"logger": record.name, **getattr(record, "tossl", {})})
        return True


def is_journal() -> bool:
    """Returns whether standard error is systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _write_line(line: str) -> None:
    data = f"{line}\n".encode("utf-8", "backslashreplace")
    with suppress(OSError):
        while data:
            data = data[os.write(2, data) :]


@contextmanager
def _locked(descriptor: int) -> Iterator[bool]:
    """A `with` that locks an open file, also once it is closed. Yields whether nobody else has locked it."""
    try:
        import fcntl
    except ImportError:  # not on this system
        yield True
        return
    own = os.dup(descriptor)
    try:
        is_locked = True
        try:
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            is_locked = False
        except OSError:  # not in this file system
            pass
        yield is_locked
    finally:
        os.close(own)


def _opened(path: str, flags: int) -> int:
    """Opens a log. A pipe whose reader stands still refuses lines, and does not stop the program."""
    return beyond_standard(os.open(path, flags | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK, _MODE))


class Log:
    """What the process's log is: its level, and its places."""

    def __init__(self) -> None:
        self.level = ""
        self._place: tuple[LogPlace, logging.Handler | None] = (NOWHERE, None)
        self._readers: logging.Handler | None = None
        #: What of TOSSL_LOG was taken.
        self._said = ""

    @property
    def file(self) -> str:
        """Returns the word for the place."""
        return self._place[0].word

    @property
    def path(self) -> str:
        """Returns the absolute path of the file; empty without one."""
        place = self._place[0]
        return "" if place is STDERR else place.path

    def configure(self, level: str | None, place: LogPlace | None) -> None:
        """Changes level and place where they are given.

        Raises ArgumentError level, file; then nothing is changed.
        """
        number = None if level is None else _OFF if level == "off" else level_number(level)
        if place is not None:
            self._exchange(place, _handler_of(place))
        if number is not None or not self.level:
            self.level = level or "info"
            logging.getLogger(ROOT).setLevel(logging.INFO if number is None else number)

    def read_by_script(self) -> None:
        """Gives records to the readers from now on, of level info where no level was given."""
        if self._readers is None:
            self._readers = _Readers()
            logging.getLogger(ROOT).addHandler(self._readers)
        self.configure(None, None)

    def take_environment(self, said: str) -> None:
        """Takes TOSSL_LOG: a level, or a level, a colon and the path of a file, else standard error.

        Raises ArgumentError TOSSL_LOG, each time until it is mended.
        """
        if said == self._said:
            return
        level, colon, path = said.partition(":")
        place = STDERR if path in ("", *STDERR_WORDS) else LogPlace(os.path.abspath(path), path, quoted(path))  # noqa: PTH100
        try:
            self.configure(level if level or colon else "off", place if level else NOWHERE)
        except ArgumentError as error:
            raise ArgumentError("TOSSL_LOG", f"TOSSL_LOG in the environment: {error.message}") from None
        self._said = said

    def _exchange(self, place: LogPlace, handler: logging.Handler | None) -> None:
        """Has the handler in the place of all others. Of several threads at a time, one has its way."""
        root = logging.getLogger(ROOT)
        self._place = (place, handler)
        if handler is not None:
            root.addHandler(handler)
        for other in [each for each in root.handlers if isinstance(each, (LogFile, _StandardError))]:
            if other is not self._place[1]:
                root.removeHandler(other)
                other.close()

    def reset(self) -> None:
        """Ends the log, and leaves logging as it was."""
        self._exchange(NOWHERE, None)
        root = logging.getLogger(ROOT)
        if self._readers is not None:
            root.removeHandler(self._readers)
        root.setLevel(logging.NOTSET)
        Log.__init__(self)


def _handler_of(place: LogPlace) -> logging.Handler | None:
    if place is STDERR:
        return _StandardError()
    try:
        return LogFile(place.path, place.shown) if place.path else None
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "it is no path"
        raise ArgumentError("file", f"cannot write the log {place.shown}: {cause}") from None


#: The log of this process.
LOG = Log()
