"""A small http server that answers requests for challenge tokens only."""

from __future__ import annotations

import re
import selectors
import socket
from collections.abc import Callable

from .elsewhere import BY_TOKEN, find_elsewhere
from .ports import Port
from .responders import Responder

CHALLENGE_PATH = "/.well-known/acme-challenge/"

#: Bytes; a CA's request has a few hundred.
_MOST_REQUEST_BYTES = 8192
_MOST_LEFTOVER_BYTES = 65536


class HttpResponder(Responder):
    """Answers requests for tokens with their key authorizations: its own, and those that other nodes present.

    Raises ArgumentError("port") if it cannot listen. Port 0: the system chooses a port.
    """

    def __init__(self, port: Port) -> None:
        super().__init__(port, lambda sock: _HttpConnection(sock, self._value_of))

    def _value_of(self, token: str) -> str | None:
        if own := self._shown.get(token):
            return own
        other = find_elsewhere(BY_TOKEN, token)
        return other.key_authorization if other is not None else None


class _HttpConnection:
    """A connection with one request and one answer."""

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
        """Reads until the answer is known. Returns False if the client left before."""
        while self._answer is None:
            piece = self.sock.recv(4096)
            if not piece:
                return False
            self._request += piece
            if b"\r\n\r\n" in self._request:
                self._answer = answer_to(bytes(self._request), self._value_of)
            elif len(self._request) > _MOST_REQUEST_BYTES:
                self._answer = _response("431 Request Header Fields Too Large")
        return True

    def _write(self) -> None:
        while self._answer:
            self._answer = self._answer[self.sock.send(self._answer) :]
        if not self._answered:
            self._answered = True
            self.sock.shutdown(socket.SHUT_WR)

    def _linger(self) -> int:
        """Waits for the client to close: closing with unread bytes would drop the answer on its way."""
        while piece := self.sock.recv(4096):
            self._left_over += len(piece)
            if self._left_over > _MOST_LEFTOVER_BYTES:
                break
        return 0


def answer_to(request: bytes, value_of: Callable[[str], str | None]) -> bytes:
    """Returns the answer to a request. value_of(token) returns the key authorization, None for an unknown token."""
    line = request.partition(b"\r\n")[0].decode("latin-1")
    match = re.fullmatch(r"([!-~]+) (?:https?://[^/\s]*)?(/[!-~]*) HTTP/1\.[01]", line)
    if match is None:
        return _response("400 Bad Request")
    method, path = match[1], match[2].partition("?")[0]
    if method not in ("GET", "HEAD"):
        return _response("405 Method Not Allowed", "Allow: GET, HEAD\r\n")
    value = value_of(path.removeprefix(CHALLENGE_PATH)) if path.startswith(CHALLENGE_PATH) else None
    if value is None:
        return _response("404 Not Found")
    # RFC 8555 section 8.3 recommends this type.
    whole = _response("200 OK", "Content-Type: application/octet-stream\r\n", value.encode())
    return whole if method == "GET" else whole.removesuffix(value.encode())


def _response(status: str, headers: str = "", body: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
