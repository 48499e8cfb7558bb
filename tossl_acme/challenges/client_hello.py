"""The server name and the protocols in a TLS client's first message (RFC 8446 section 4.1.2, RFC 6066 section 3,
RFC 7301 section 3.1), read before TLS begins.

Python's ssl writes a traceback to stderr for a name that is not ASCII, and any client can send one.
"""

from __future__ import annotations

from collections.abc import Iterable

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _HOST_NAME, _PROTOCOLS = 0, 0, 16
_RECORD_HEADER_BYTES = 5
#: Bytes; a browser sends about two thousand, with post-quantum keys.
_MOST_BYTES = 1 << 14


class ClientHello:
    """The first message of a client, collected from the connection's bytes."""

    def __init__(self) -> None:
        self.received = bytearray()
        self._at = 0
        self._message = bytearray()
        #: Those that the client speaks, once name_after() has returned a name.
        self.protocols: list[bytes] = []

    def name_after(self, piece: bytes) -> str | None:
        """Returns the requested name in lower case, "" if there is no name, None until the message is complete.

        Raises ValueError for anything but a ClientHello.
        """
        self.received += piece
        if len(self.received) > _MOST_BYTES:
            raise ValueError("too long")
        while self._take_record():
            if self._message[0] != _CLIENT_HELLO:
                raise ValueError("another message")
            end = 4 + int.from_bytes(self._message[1:4], "big")
            if len(self._message) >= 4 and len(self._message) >= end:
                extensions = _extensions(_Reader(bytes(self._message[4:end])))
                self.protocols = [protocol for content in extensions.get(_PROTOCOLS, ()) for protocol in _list(content)]
                return _name(extensions.get(_SERVER_NAME, ()))
        return None

    def _take_record(self) -> bool:
        """Takes the next record's content; returns False if the record is not complete yet."""
        header = self.received[self._at : self._at + _RECORD_HEADER_BYTES]
        if header and header[0] != _HANDSHAKE:
            raise ValueError("another record")
        length = int.from_bytes(header[3:], "big")
        end = self._at + _RECORD_HEADER_BYTES + length
        if len(header) < _RECORD_HEADER_BYTES or len(self.received) < end:
            return False
        if not length:
            raise ValueError("an empty record")
        self._message += self.received[end - length : end]
        self._at = end
        return True


class _Reader:
    """Takes bytes from the front. Raises ValueError if too few are left."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, count: int) -> bytes:
        if len(self.data) < count:
            raise ValueError("cut short")
        piece, self.data = self.data[:count], self.data[count:]
        return piece

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def vector(self, length_bytes: int) -> _Reader:
        return _Reader(self.take(self.number(length_bytes)))


def _extensions(hello: _Reader) -> dict[int, list[_Reader]]:
    """Returns the contents of each kind of extension."""
    hello.take(2 + 32)  # version and random
    for length_bytes in (1, 2, 1):  # session id, cipher suites, compression methods
        hello.vector(length_bytes)
    extensions = hello.vector(2) if hello.data else hello
    found: dict[int, list[_Reader]] = {}
    while extensions.data:
        kind = extensions.number(2)
        found.setdefault(kind, []).append(extensions.vector(2))
    return found


def _list(content: _Reader) -> list[bytes]:
    protocols, found = content.vector(2), []
    while protocols.data:
        found.append(protocols.vector(1).data)
    return found


def _name(contents: Iterable[_Reader]) -> str:
    for content in contents:
        names = content.vector(2)
        while names.data:
            kind, name = names.number(1), names.vector(2)
            if kind == _HOST_NAME:
                return name.data.decode("ascii").lower()
    return ""
