"""URLs that must be https (RFC 8555 section 6): the user's, and those that a CA names."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from ..errors import ArgumentError, HttpError
from ..http.urls import UrlError, shown_url, split_url
from ..text import quoted

#: No CA comes near it, and every server and proxy takes as much.
_MAX_URL_CHARS = 2048


def https_url(url: str, argument: str) -> str:
    """An https URL with a host and without a user, as given. Raises ArgumentError for `argument`."""
    try:
        parts = split_url(url)
    except UrlError as error:
        raise ArgumentError(argument, f"{argument} {error}: {quoted(url)}") from None
    if "@" in parts.netloc:
        raise ArgumentError(argument, f"{argument} must not hold a user or a password")
    if parts.scheme != "https":
        raise ArgumentError(argument, f"{argument} must be an https URL: {shown_url(url)}")
    return url


def server_url(value: Any, name: str, at: str) -> str:
    """A URL that the answer from `at` names, which must be https and of a sane length. Raises HttpError malformed."""
    try:
        return https_url(value if isinstance(value, str) and len(value) <= _MAX_URL_CHARS else "", name)
    except ArgumentError:
        raise HttpError("malformed", f"{shown_url(at)} names no https URL as its {name}") from None


def joined_url(base: str, reference: str) -> str:
    """The URL that a reference in an answer from `base` means (RFC 3986 section 5); empty where it means none."""
    try:
        return urljoin(base, reference.strip())
    except ValueError:
        return ""
