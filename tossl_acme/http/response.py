"""An answer of a server, whole and within its bounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import HttpError
from .urls import shown_url


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
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """The body as JSON; HttpError "malformed" when it is something else."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            kind = self.media_type or "no content type"
            cause = f"{shown_url(self.url)} answered {self.status} with {kind}, which is not JSON"
            raise HttpError("malformed", cause) from None

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object; HttpError "malformed" when it is something else."""
        value = self.json()
        if not isinstance(value, dict):
            cause = f"{shown_url(self.url)} answered with a JSON {type(value).__name__}, not an object"
            raise HttpError("malformed", cause)
        return value
