"""TXT contents as APIs write them: plain, or in quoted strings as a zone file has them (RFC 1035 section 5.1)."""

from __future__ import annotations

import re

#: Bytes of one string of a TXT record (RFC 1035 section 3.3).
_STRING_BYTES = 255
#: A quoted string. Without a closing quote it extends to the end, so no character is read twice.
_QUOTED = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)(?:"|\\?\Z)', re.DOTALL)
_ESCAPE = re.compile(r"\\(0[0-9]{2}|1[01][0-9]|12[0-7]|.)", re.DOTALL)


def txt_value(content: str) -> str:
    """Returns a record's TXT value from content that may be in quoted strings."""
    if not content.startswith('"'):
        return content
    return _ESCAPE.sub(_unescaped, "".join(_QUOTED.findall(content)))


def quoted_txt(value: str) -> str:
    """Returns the value in quoted strings of 255 bytes at most."""
    data = value.encode("utf-8", "surrogatepass")
    pieces = [data[at : at + _STRING_BYTES] for at in range(0, len(data), _STRING_BYTES)] or [b""]
    return " ".join('"' + "".join(map(_escaped, piece)) + '"' for piece in pieces)


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1])) if len(match[1]) == 3 else match[1]


def _escaped(byte: int) -> str:
    if byte in b'"\\':
        return "\\" + chr(byte)
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03d}"
