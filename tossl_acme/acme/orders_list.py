"""The list of an account's orders (RFC 8555 section 7.1.2.1)."""

from __future__ import annotations

from ..context import Context
from .answer import Answer
from .client import Client

#: An account with more pages than this is a mistake, or a trap.
_MAX_PAGES = 1000
#: As many as an answer has room for.
_MAX_PAGE_ORDERS = 50_000


def read_order_urls(client: Client, context: Context, first: str, most: int) -> list[str]:
    """The first `most` order URLs, page by page as the CA links them; a page is read once."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    page = first
    while page and page not in seen and len(seen) < _MAX_PAGES and len(found) < most:
        seen.add(page)
        answer = Answer.of(client.post_as_get(context, page))
        found |= dict.fromkeys(answer.urls("orders", _MAX_PAGE_ORDERS))
        page = next(iter(answer.links("next")), "")
    return list(found)[:most]
