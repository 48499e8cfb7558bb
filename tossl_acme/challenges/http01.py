"""http-01 (RFC 8555 section 8.3): through a web server's folder, or by an own small server."""

from __future__ import annotations

import re
import selectors
import socket
from collections.abc import Callable

from .listener import Listener
from .responders import ResponderPool, ResponderSolver, Shown

_PREFIX = "/.well-known/acme-challenge/"

#: Bytes. A CA's request has a few hundred.
_LONGEST_REQUEST = 8192
_LONGEST_LEFTOVER = 65536


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
