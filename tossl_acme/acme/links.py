"""Link headers (RFC 8288), as far as ACME uses them: rel="next", "alternate", "up"."""

from __future__ import annotations

from urllib.parse import urljoin

from requests.utils import parse_header_links

from ..errors import ArgumentError
from ..wire import Reply
from .directory import check_url

#: No CA offers more chains than this, and no account has more pages worth reading.
MOST_LINKS = 20


def links(reply: Reply, rel: str) -> list[str]:
    """The https URLs linked with this relation, in order, resolved against the answer's own; others are ignored."""
    found = []
    for link in parse_header_links(reply.headers.get("Link", "")):
        url = urljoin(reply.url, str(link.get("url", "")).strip())
        if rel in str(link.get("rel", "")).lower().split() and _usable(url):
            found.append(url)
    return list(dict.fromkeys(found))[:MOST_LINKS]


def _usable(url: str) -> bool:
    try:
        return bool(check_url(url, "link"))
    except ArgumentError:
        return False
