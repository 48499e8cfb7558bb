"""A URL taken apart safely, and shown without secrets."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from ..text import clean, without_credentials

#: Characters of a URL in a message.
_MAX_SHOWN_CHARS = 500
#: Every server and proxy takes as many; to look at more takes time.
_MAX_URL_CHARS = 8192
#: Of a DNS name; to encode a longer international one takes the square of its length.
_MAX_HOST_CHARS = 253


class UrlError(ValueError):
    """Why something is no URL of a server, in words that show nothing of it and follow its name: "has no host"."""


def split_url(url: str, schemes: tuple[str, ...] = ("https", "http")) -> SplitResult:
    """The parts of an absolute URL with a host, of one of the schemes. Raises UrlError."""
    if len(url) > _MAX_URL_CHARS:
        raise UrlError(f"is longer than {_MAX_URL_CHARS} characters")
    if not url.isprintable() or any(map(str.isspace, url)):
        raise UrlError("has white space or control characters in it")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UrlError("is malformed") from None
    if parts.scheme not in schemes:
        raise UrlError(f"must begin with {' or '.join(f'{scheme}://' for scheme in reversed(schemes))}")
    if not host:
        raise UrlError("has no host")
    if len(host) > _MAX_HOST_CHARS:
        raise UrlError(f"has a host of more than {_MAX_HOST_CHARS} characters")
    # urllib3 would connect to another host than this one: to what is before the backslash, or to the decoded name.
    if "\\" in parts.netloc or "%" in parts.netloc.rpartition("@")[2].rpartition("]")[2]:
        raise UrlError("has a character in its host that no host has")
    if port == 0:
        raise UrlError("has port 0, which nobody listens on")
    return parts


def shown_url(url: str) -> str:
    """A URL, or what was meant as one, without what may be secret in it: user, password, query, fragment."""
    return clean(without_credentials(url), _MAX_SHOWN_CHARS)
