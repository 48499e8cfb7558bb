"""URLs that must be https (RFC 8555 section 6): the user's, and those that a CA names."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin, urlsplit

from ..errors import ArgumentError, HttpError
from ..http.urls import shown_url
from ..text import quoted

#: No CA comes near it, and every server and proxy takes as much.
_MAX_URL_CHARS = 2048


def https_url(url: str, argument: str) -> str:
    """An https URL with a host and without a user, as given. Raises ArgumentError for `argument`."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ArgumentError(argument, f"{argument} is not a URL") from None
    if "@" in parts.netloc:
        raise ArgumentError(argument, f"{argument} must not hold a user or a password")
    if parts.scheme != "https":
        given = shown_url(url) if parts.netloc else quoted(url)
        raise ArgumentError(argument, f"{argument} must be an https URL: {given}")
    if not usable or any(char.isspace() or not char.isprintable() for char in url):
        raise ArgumentError(argument, f"{argument} is a URL without a usable host: {shown_url(url)}")
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
