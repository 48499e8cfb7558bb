"""An answer of a server, whole and within its bounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import HttpError
from ..text import clean
from .urls import shown_url

#: Of a media type; RFC 6838 section 4.2 allows 127 for each half.
_MAX_TYPE_CHARS = 255
#: Objects and lists within each other; no answer needs a tenth of it.
_MAX_DEPTH = 100


@dataclass(frozen=True)
class Response:
    """An answer, whole and within its bounds.

    `headers` joins what came in several lines; `header_lines` keeps every line apart, for Set-Cookie cannot be joined.
    """

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    header_lines: tuple[tuple[str, str], ...] = ()
    http_version: str = ""

    @property
    def media_type(self) -> str:
        return clean(self.headers.get("Content-Type", "").partition(";")[0].lower(), _MAX_TYPE_CHARS)

    def json(self) -> Any:
        """The body as JSON; HttpError "malformed" when it is something else."""
        try:
            value = json.loads(self.body, parse_constant=_refuse_constant)
            _check_depth(value, self.body)
        except (ValueError, RecursionError):
            kind = self.media_type or "no content type"
            cause = f"{shown_url(self.url)} answered {self.status} with {kind}, which is not JSON"
            raise HttpError("malformed", cause) from None
        return value

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object; HttpError "malformed" when it is something else."""
        value = self.json()
        if not isinstance(value, dict):
            cause = f"{shown_url(self.url)} answered with a JSON {type(value).__name__}, not an object"
            raise HttpError("malformed", cause)
        return value


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are no JSON (RFC 8259 section 6), whatever Python thinks."""
    raise ValueError(name)


def _check_depth(value: Any, body: bytes) -> None:
    """Raises ValueError for a value that is nested too deeply for whoever goes through it."""
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
