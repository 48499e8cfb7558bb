"""http-01 (RFC 8555 section 8.3): through a web server's folder, or by an own small server."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from ..acme.authorization import Challenge
from ..context import Context
from ..errors import ArgumentError
from ..files import FilePath
from ..text import quoted
from .listener import Listener
from .responders import ResponderPool, ResponderSolver, Shown

_FOLDERS = (".well-known", "acme-challenge")
_PREFIX = "/.well-known/acme-challenge/"

#: Bytes. A CA's request has a few hundred.
_LONGEST_REQUEST = 8192
_LONGEST_LEFTOVER = 65536


class Webroot:
    """Writes key authorizations as files below `directory`, which a web server serves for the domain over http.

    Raises ArgumentError("webroot") where that cannot be.
    """

    challenge_type = "http-01"

    def __init__(self, directory: str | Path) -> None:
        self._directory = directory if isinstance(directory, FilePath) else FilePath(str(directory))
        self._root = Path(directory)
        self._folder = self._root.joinpath(*_FOLDERS)
        self._lock = threading.Lock()
        self._made: list[Path] = []
        self._check()

    def present(self, context: Context, challenge: Challenge) -> None:
        with self._lock, _about(self._folder):
            self._write(challenge)

    def where(self, challenge: Challenge) -> dict[str, object]:
        """Where the challenge is presented, for people and their scripts."""
        return {"file": self._directory / ".well-known" / "acme-challenge" / challenge.token}

    def wait(self, context: Context, challenge: Challenge) -> None:
        """Nothing to wait for: the file is there."""

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        with self._lock, _about(self._folder):
            path = self._folder / challenge.token
            if _content(path) == challenge.key_authorization.encode():
                path.unlink(missing_ok=True)
            while self._made and _removed_empty(self._made[-1]):
                self._made.pop()

    def _check(self) -> None:
        """Looks at the deepest folder that there is. Another order's clean-up may remove it at any moment."""
        for folder in (self._folder, self._folder.parent, self._root):
            try:
                mode = folder.stat().st_mode
            except (FileNotFoundError, NotADirectoryError):
                continue
            if stat.S_ISDIR(mode) and os.access(folder, os.W_OK | os.X_OK):
                return
            if folder.exists():
                raise ArgumentError("webroot", f"{quoted(str(folder))} is not a folder that can be written to")
        raise ArgumentError("webroot", f"there is no folder {self._directory.shown}")

    def _write(self, challenge: Challenge) -> None:
        for attempts_left in reversed(range(10)):
            try:
                self._make_folders()
                _write_whole(self._folder / challenge.token, challenge.key_authorization.encode())
                return
            except FileNotFoundError:
                # Another order has cleaned up and removed the empty folder in this very moment.
                if not attempts_left:
                    raise

    def _make_folders(self) -> None:
        path = self._root
        for part in _FOLDERS:
            path /= part
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                self._made.append(path)
                # Whatever the umask is, the web server's user has to get in.
                path.chmod(0o755)


class Responder:
    """An own http server that answers for tokens, on every address of the machine or on those of `host`.

    Raises ArgumentError("port") or ("host") where it cannot listen; port 0 chooses one.
    """

    def __init__(self, port: int, host: str = "") -> None:
        self._shown = Shown()
        self._listener = Listener(port, host, lambda sock: _HttpConnection(sock, self._shown.get))
        self.port = self._listener.port

    def show(self, key: str, value: str) -> None:
        """Answers for the token with the key authorization."""
        self._shown.put(key, value)

    def hide(self, key: str, value: str) -> None:
        """Undoes one show()."""
        self._shown.take(key, value)

    @property
    def is_idle(self) -> bool:
        return self._shown.is_empty

    def close(self) -> None:
        """Stops; the port is free when this returns."""
        self._listener.close()


class HttpServerSolver(ResponderSolver):
    """Answers by an own http server on a port."""

    challenge_type = "http-01"

    def __init__(self, responders: ResponderPool, port: int = 80, host: str = "") -> None:
        super().__init__(responders, Responder, lambda challenge: challenge.token, port, host)


class _HttpConnection:
    """One request, one answer, then the end."""

    def __init__(self, sock: socket.socket, value_of: Callable[[str], str | None]) -> None:
        self.sock = sock
        self._value_of = value_of
        self._request = bytearray()
        self._answer: bytes | None = None
        self._answered = False
        self._left_over = 0

    def advance(self) -> int:
        wanted = selectors.EVENT_READ
        try:
            if not self._read():
                return 0
            wanted = selectors.EVENT_WRITE
            self._write()
            wanted = selectors.EVENT_READ
            return self._linger()
        except BlockingIOError:
            return wanted

    def _read(self) -> bool:
        """Reads until the answer is known; False when the client left before."""
        while self._answer is None:
            piece = self.sock.recv(4096)
            if not piece:
                return False
            self._request += piece
            if b"\r\n\r\n" in self._request:
                self._answer = _answer(bytes(self._request), self._value_of)
            elif len(self._request) > _LONGEST_REQUEST:
                self._answer = _response("431 Request Header Fields Too Large")
        return True

    def _write(self) -> None:
        while self._answer:
            self._answer = self._answer[self.sock.send(self._answer) :]
        if not self._answered:
            self._answered = True
            self.sock.shutdown(socket.SHUT_WR)

    def _linger(self) -> int:
        """Waits for the client to close: closing with bytes of its own unread would destroy the answer on its way."""
        while piece := self.sock.recv(4096):
            self._left_over += len(piece)
            if self._left_over > _LONGEST_LEFTOVER:
                break
        return 0


def _answer(request: bytes, value_of: Callable[[str], str | None]) -> bytes:
    line = request.partition(b"\r\n")[0].decode("latin-1")
    match = re.fullmatch(r"([!-~]+) (?:https?://[^/\s]*)?(/[!-~]*) HTTP/1\.[01]", line)
    if match is None:
        return _response("400 Bad Request")
    method, path = match[1], match[2].partition("?")[0]
    if method not in ("GET", "HEAD"):
        return _response("405 Method Not Allowed", "Allow: GET, HEAD\r\n")
    value = value_of(path.removeprefix(_PREFIX)) if path.startswith(_PREFIX) else None
    if value is None:
        return _response("404 Not Found")
    # RFC 8555 section 8.3 asks for this type.
    whole = _response("200 OK", "Content-Type: application/octet-stream\r\n", value.encode())
    return whole if method == "GET" else whole.removesuffix(value.encode())


def _response(status: str, headers: str = "", body: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def _write_whole(path: Path, content: bytes) -> None:
    """Puts the file there in one step; a link of that name is replaced, not followed."""
    temporary = path.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _content(path: Path) -> bytes | None:
    """What a plain file holds; None where there is none. A link is not followed."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return file.read(_LONGEST_REQUEST)
    except OSError:
        return None


def _removed_empty(folder: Path) -> bool:
    """Removes a folder that is empty; whether it is gone."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _about(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArgumentError("webroot", f"cannot write to {quoted(str(folder))}: {error.strerror}") from None
