"""A CA's answer: the one place where its members are checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import HttpError
from ..http.response import Response
from ..http.urls import shown_url
from .links import links
from .urls import joined_url, server_url

#: Items of a list; no order has as many names. A page of an account's orders may have more.
_MAX_ITEMS = 1000


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """A JSON object from a CA, `raw`: the whole answer, or an object in it. Ignores unknown members (RFC 8555
    section 7.1).

    A member that is missing or null is absent. A member of the wrong type, or a required member that is absent, raises
    HttpError malformed with its name.
    """

    response: Response
    raw: Mapping[str, Any]

    @classmethod
    def of(cls, response: Response) -> Answer:
        return cls(response, response.json_object())

    def text(self, name: str, default: str | None = None) -> str:
        """Returns a string that is not empty, `default` if it is absent."""
        value = self.raw.get(name)
        if isinstance(value, str) and value:
            return value
        if value is None and default is not None:
            return default
        raise self._unusable(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """Returns a list of strings, empty if it is absent."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise self._unusable(name)
        return tuple(values)

    def url(self, name: str) -> str:
        """Returns a URL, which must be https."""
        return server_url(self.raw.get(name), f"{name} URL", self.response.url)

    def optional_url(self, name: str) -> str:
        """Returns a URL, which must be https; empty if it is absent or empty."""
        return self.url(name) if self.raw.get(name) else ""

    def urls(self, name: str, most: int = _MAX_ITEMS) -> tuple[str, ...]:
        """Returns a list of URLs, each https; empty if it is absent."""
        return tuple(server_url(value, f"{name} URL", self.response.url) for value in self._list(name, most))

    def part(self, name: str) -> Answer | None:
        """Returns an object in this object, None if it is absent."""
        value = self.raw.get(name)
        return None if value is None else self._part(name, value)

    def parts(self, name: str) -> tuple[Answer, ...]:
        """Returns a list of objects, empty if it is absent."""
        return tuple(self._part(name, value) for value in self._list(name))

    def location(self, name: str) -> str:
        """Returns the Location, the URL of the created object; a relative URL is resolved (RFC 9110 section 10.2.2)."""
        named = self.response.headers.get("Location")
        return server_url(named and joined_url(self.response.url, named), f"{name} URL", self.response.url)

    def links(self, rel: str) -> list[str]:
        """Returns the https URLs in the Link headers with this relation."""
        return links(self.response, rel)

    @property
    def retry_after(self) -> float | None:
        """Returns the seconds until the CA expects the next request, None if it does not say."""
        return self.response.retry_after

    def _list(self, name: str, most: int = _MAX_ITEMS) -> list[Any]:
        value = self.raw.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > most:
            raise self._unusable(name)
        return value

    def _part(self, name: str, value: object) -> Answer:
        if not isinstance(value, dict):
            raise self._unusable(name)
        return Answer(self.response, value)

    def _unusable(self, name: str) -> HttpError:
        return HttpError("malformed", f"{shown_url(self.response.url)} answered without a usable {name}")
