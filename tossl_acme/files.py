"""Paths, as Tcl and the operating system have them; descriptors that leave the host's standard channels alone."""

from __future__ import annotations

import os
import time

from .text import clean, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any, Self

#: Characters of a path that a message shows.
_MAX_SHOWN_CHARS = 300


class FilePath(str):
    """An absolute path. As a str it is what Python's file functions take; `word` is the same path for Tcl.

    The two differ where the system encoding of Tcl is not Python's, or a name's bytes are no text. `given` is the word
    that a script gave for it: where that may be a misplaced key, no message shows the path.
    """

    __slots__ = ("_given", "word")
    _given: str
    word: str

    def __new__(cls, path: str, word: str | None = None, given: str | None = None) -> Self:
        self = super().__new__(cls, path)
        self.word = path if word is None else word
        self._given = self.word if given is None else given
        return self

    def __truediv__(self, name: str) -> FilePath:
        """The path of `name`, plain ASCII, in this folder."""
        return FilePath(f"{self.rstrip('/')}/{name}", f"{self.word.rstrip('/')}/{name}", self._given)

    @property
    def shown(self) -> str:
        """The path for a message, quoted."""
        given = quoted(self._given)
        return f'"{clean(self.word, _MAX_SHOWN_CHARS)}"' if given.startswith('"') else given


class PathDefault:
    """The default of a path option that the environment says at the time of a call.

    find: returns the name of the variable that says it, and the path as it stands there.
    """

    __slots__ = ("find",)

    def __init__(self, find: Callable[[], tuple[str, str]]) -> None:
        self.find = find


def path_default(find: Callable[[], tuple[str, str]]) -> Any:
    """The PathDefault, for signatures: `store: FilePath = path_default(find)`."""
    return PathDefault(find)


def read_small(path: str, most: int, seconds: float) -> bytes:
    """Returns what the file holds; a pipe is read to its end.

    Raises OSError, and ValueError with the cause: there are more than `most` bytes, or nothing comes in `seconds`.
    """
    deadline = time.monotonic() + seconds
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
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


def _await_readable(descriptor: int, deadline: float) -> None:
    """Raises ValueError where nothing can be read before the deadline."""
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise ValueError("nothing came out of it in time")


#: Descriptors 0 to 2 belong to the host, also where it closed them: whatever writes to its standard error, or opens its
#: standard channels anew, must not meet a socket, a lock or a pipe of this package. They stay as free as they are.
_FIRST_OWN = 3


def beyond_standard(descriptor: int) -> int:
    """Returns the descriptor, or in place of 0 to 2 a duplicate beyond; no child process inherits it.

    Raises OSError where no descriptor is left; the one given is closed then.
    """
    if descriptor >= _FIRST_OWN:
        return descriptor
    import fcntl  # where nothing is closed it is not needed

    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_OWN)
    finally:
        os.close(descriptor)


def socket_beyond_standard(sock: socket.socket) -> socket.socket:
    """Returns the socket, or in place of one with a descriptor of 0 to 2 the same beyond."""
    if sock.fileno() >= _FIRST_OWN:
        return sock
    timeout = sock.gettimeout()
    moved = type(sock)(sock.family, sock.type, sock.proto, fileno=beyond_standard(sock.detach()))
    moved.settimeout(timeout)
    return moved
