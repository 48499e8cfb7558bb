"""base64url and JSON in the forms of JOSE (RFC 7515 section 2, RFC 8555 section 6.1)."""

from __future__ import annotations

import base64
import json


def b64url(data: bytes) -> str:
    """Returns base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_json(value: object) -> str:
    """Returns a JSON value, without white space, in base64url."""
    return b64url(json.dumps(value, separators=(",", ":")).encode("utf-8"))


def b64url_bytes(text: str) -> bytes:
    """Returns the bytes of a base64url text, with or without padding. Raises ValueError for any other text."""
    trimmed = text.strip().rstrip("=").translate(str.maketrans("+/", "-_"))
    try:
        return base64.b64decode(trimmed + "=" * (-len(trimmed) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise ValueError("not base64url") from error
