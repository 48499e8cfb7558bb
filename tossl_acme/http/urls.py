"""A URL taken apart safely, and shown without secrets."""

from __future__ import annotations

from urllib.parse import urlsplit

#: Of a URL in a message.
_LONGEST_URL = 500


def shown_url(url: str) -> str:
    """A URL without what may be secret in it: user, password and query."""
    parts = urlsplit(url)
    text = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return text if len(text) <= _LONGEST_URL else text[:_LONGEST_URL] + "..."
