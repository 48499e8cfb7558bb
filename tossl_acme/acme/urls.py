"""URLs that must be https (RFC 8555 section 6): the user's and the CA's."""

from __future__ import annotations

from urllib.parse import urljoin

from ..errors import ArgumentError, HttpError
from ..http.urls import UrlError, shown_url, split_url
from ..text import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Characters of a CA's URL; every server and proxy accepts as many.
_MAX_URL_CHARS = 2048


def https_url(url: str, argument: str) -> str:
    """Returns an https URL with a host and without a user, unchanged. Raises ArgumentError `argument`."""
    try:
        parts = split_url(url)
    except UrlError as error:
        raise ArgumentError(argument, f"{argument} {error}: {quoted(url)}") from None
    if "@" in parts.netloc:
        raise ArgumentError(argument, f"{argument} must not contain a user or a password")
    if parts.scheme != "https":
        raise ArgumentError(argument, f"{argument} must be an https URL: {shown_url(url)}")
    return url


def server_url(value: Any, name: str, at: str) -> str:
    """Returns a URL in the answer from `at`, which must be https and not too long. Raises HttpError malformed."""
    try:
        return https_url(value if isinstance(value, str) and len(value) <= _MAX_URL_CHARS else "", name)
    except ArgumentError:
        raise HttpError("malformed", f"{shown_url(at)} names no https URL as its {name}") from None


def joined_url(base: str, reference: str) -> str:
    """Returns the URL of a reference in an answer from `base` (RFC 3986 section 5), empty if it is no URL."""
    try:
        return urljoin(base, reference.strip())
    except ValueError:
        return ""
