"""Link headers (RFC 8288) in ACME: rel="next", "alternate", "terms-of-service"."""

from __future__ import annotations

import re

from ..errors import ArgumentError
from ..http.response import Response
from .urls import https_url, joined_url

#: Links of one relation; no CA offers more chains.
MOST_LINKS = 20
#: Characters of all links.
_MAX_TEXT_CHARS = 16384
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PARAMETER = re.compile(rf';\s*([\w*!#$&+.^`|~-]+)\s*(?:=\s*({_QUOTED}|[^",;\s]*))?\s*')
_LINK = re.compile(rf"<([^<>]*)>\s*((?:{_PARAMETER.pattern})*)")


def links(response: Response, rel: str) -> list[str]:
    """Returns the https URLs with this relation, in order, resolved against the answer's URL; ignores other URLs."""
    found = []
    for link in _LINK.finditer(response.headers.get("Link", "")[:_MAX_TEXT_CHARS]):
        url = joined_url(response.url, link[1])
        if rel in _relations(link[2]) and _usable(url):
            found.append(url)
    return list(dict.fromkeys(found))[:MOST_LINKS]


def _relations(parameters: str) -> list[str]:
    """Returns the relation types of a link; only its first `rel` counts (RFC 8288 section 3.3)."""
    for name, value in _PARAMETER.findall(parameters):
        if name.lower() == "rel":
            return str(value).strip('"').lower().split()
    return []


def _usable(url: str) -> bool:
    try:
        return bool(https_url(url, "link"))
    except ArgumentError:
        return False
