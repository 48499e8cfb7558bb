"""A URL taken apart safely, and shown without secrets."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from ..text import clean, without_credentials

#: Characters of a URL in a message.
_MAX_SHOWN_CHARS = 500
#: Every server and proxy accepts as many; longer URLs would take too long to check.
_MAX_URL_CHARS = 8192
#: Characters of a host's name (RFC 1035 section 3.1); encoding an international one takes the square of its length.
_MAX_HOST_CHARS = 253


class UrlError(ValueError):
    """The reason why a text is no server's URL. It follows the text's name ("has no host") and shows nothing of it."""


def split_url(url: str, schemes: tuple[str, ...] = ("https", "http")) -> SplitResult:
    """Returns the parts of an absolute URL with a host and one of the schemes. Raises UrlError."""
    if len(url) > _MAX_URL_CHARS:
        raise UrlError(f"is longer than {_MAX_URL_CHARS} characters")
    if not url.isprintable() or " " in url:  # no other white space is printable
        raise UrlError("contains white space or control characters")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise UrlError("is malformed") from None
    if parts.scheme not in schemes:
        raise UrlError(f"must begin with {' or '.join(f'{scheme}://' for scheme in reversed(schemes))}")
    if not host:
        raise UrlError("has no host")
    if len(host) > _MAX_HOST_CHARS:
        raise UrlError(f"has a host of more than {_MAX_HOST_CHARS} characters")
    # urllib3 would connect to another host: to the part before the backslash, or to the decoded name.
    if "\\" in parts.netloc or "%" in parts.netloc.rpartition("@")[2].rpartition("]")[2]:
        raise UrlError("has an invalid character in its host")
    try:
        is_port = parts.port != 0
    except ValueError:
        is_port = False
    if not is_port:
        raise UrlError("has no port of 1 to 65535 behind its host")
    return parts


def shown_url(url: str) -> str:
    """Returns a URL, or a text meant as one, without user, password, query and fragment, which may be secret."""
    return clean(without_credentials(url), _MAX_SHOWN_CHARS)
