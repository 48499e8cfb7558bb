"""A server's answer, complete and within its limits."""

from __future__ import annotations

import datetime
import email.utils
import json
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import HttpError
from ..text import clean
from .urls import shown_url

#: Characters of a media type; RFC 6838 section 4.2 allows 127 for each half.
_MAX_TYPE_CHARS = 255
#: Objects and lists within each other; no answer needs a tenth of these.
_MAX_DEPTH = 100
#: Members of a gzip body, each decoded by itself (RFC 1952 section 2.2); no server sends more.
_MAX_MEMBERS = 100
#: Seconds of the longest Retry-After that is believed.
_MOST_SECONDS = 10.0**9
#: Bytes that are decoded at once.
_MAX_PIECE_BYTES = 1 << 20
#: RFC 8259 section 3.
_JSON_NAMES = {"NoneType": "null", "bool": "boolean", "list": "array", "str": "string"}
_CODINGS = ("gzip", "x-gzip", "deflate")


@dataclass(frozen=True, eq=False, repr=False)
class Response:
    """An answer, complete and within its limits.

    `headers` joins lines of one name; `header_lines` keeps every line apart, for Set-Cookie cannot be joined.
    peer: the server's TLS certificate, DER, where the exchange made the connection; else empty.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    header_lines: tuple[tuple[str, str], ...] = ()
    http_version: str = ""
    peer: bytes = b""

    @property
    def media_type(self) -> str:
        return clean(self.headers.get("Content-Type", "").partition(";")[0].lower(), _MAX_TYPE_CHARS)

    @property
    def retry_after(self) -> float | None:
        """Returns the seconds from now in Retry-After; None if the header is missing or cannot be read."""
        return retry_after(self.headers)

    def json(self) -> Any:
        """Returns the body as JSON. Raises HttpError "malformed" if it is not JSON."""
        try:
            value = json.loads(self.body, parse_constant=_refuse_constant)
            _check_depth(value, self.body)
        except (ValueError, RecursionError):
            kind = self.media_type or "no content type"
            cause = f"{shown_url(self.url)} answered {self.status} with {kind}, which is not JSON"
            raise HttpError("malformed", cause) from None
        return value

    def json_object(self) -> dict[str, Any]:
        """Returns the body as a JSON object. Raises HttpError "malformed" if it is not an object."""
        value = self.json()
        if not isinstance(value, dict):
            kind = _JSON_NAMES.get(type(value).__name__, "number")
            cause = f"{shown_url(self.url)} answered with JSON of another kind ({kind}), not with an object"
            raise HttpError("malformed", cause)
        return value


def _refuse_constant(name: str) -> None:
    """Raises ValueError for NaN and Infinity, which Python reads but JSON does not allow (RFC 8259 section 6)."""
    raise ValueError(name)


def _check_depth(value: Any, body: bytes) -> None:
    """Raises ValueError for a value nested so deeply that going through it would fail."""
    if body.count(b"[") + body.count(b"{") <= _MAX_DEPTH:
        return
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [part for item in level for part in _parts(item)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _parts(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds from now in Retry-After, a number or a date (RFC 9110 section 10.2.3), else None.

    A date is taken by the clock of the server that says it, where it says its time: this machine's may be wrong.
    """
    text = headers.get("Retry-After", "").strip()[:100]
    if text.isascii() and text.isdigit():
        return min(float(int(text)), _MOST_SECONDS)
    moment, now = http_date(text), server_time(headers)
    return None if moment is None else min(max(0.0, moment - (time.time() if now is None else now)), _MOST_SECONDS)


def server_time(headers: Mapping[str, str]) -> float | None:
    """Returns the epoch seconds that an answer's server says; None where it says none, or a cache has answered."""
    return None if headers.get("Age") else http_date(headers.get("Date", "").strip()[:100])


def http_date(text: str) -> float | None:
    """Returns epoch seconds for a date in a header, None for another text (RFC 9110 section 5.6.7).

    The form of asctime() names no zone: each date is in GMT.
    """
    try:
        moment = email.utils.parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def whole_body(pieces: Iterable[bytes], url: str, coding: str, most_bytes: int) -> bytes:
    """Returns the body of these pieces, decoded from gzip or deflate; any other content coding stays encoded.

    Raises HttpError: too_large (more than `most_bytes` when decoded), malformed.
    """
    body = bytearray()
    for piece in _decoded(pieces, url) if coding.strip().lower() in _CODINGS else pieces:
        body += piece
        if len(body) > most_bytes:
            raise HttpError("too_large", f"{shown_url(url)} answered with more than {most_bytes} bytes")
    return bytes(body)


def _decoded(pieces: Iterable[bytes], url: str) -> Iterator[bytes]:
    """Decodes a bounded part at a time: a few bytes may expand to gigabytes."""
    members, decoder = 0, None
    for piece in pieces:
        data = piece
        while data:
            if decoder is None:
                members, decoder = members + 1, _decoder(data)
            try:
                yield decoder.decompress(data, _MAX_PIECE_BYTES)
            except zlib.error:
                raise _undecodable(url) from None
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            decoder = None if decoder.eof else decoder
            if members > _MAX_MEMBERS:
                raise _undecodable(url)
    if decoder is not None:
        raise _undecodable(url)


def _decoder(data: bytes) -> zlib._Decompress:
    """Returns a decoder for gzip, for zlib, or for raw deflate data, which some servers send as "deflate"."""
    is_zlib = data[:1] == b"\x1f" or data[0] & 0x0F == zlib.DEFLATED
    return zlib.decompressobj(zlib.MAX_WBITS | 32 if is_zlib else -zlib.MAX_WBITS)


def _undecodable(url: str) -> HttpError:
    return HttpError("malformed", f"{shown_url(url)} answered with a compressed body that cannot be decoded")
