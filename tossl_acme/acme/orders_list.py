"""The list of an account's orders (RFC 8555 section 7.1.2.1)."""

from __future__ import annotations

from ..context import Context
from .answer import Answer
from .client import Client

#: Pages; an account with more is a mistake, or a trap.
_MAX_PAGES = 1000
#: Orders on one page: as many as an answer has room for.
_MAX_PAGE_ORDERS = 50_000


def read_order_urls(client: Client, context: Context, first: str, most: int) -> list[str]:
    """Returns the first `most` order URLs, page by page as the CA links them; reads each page once."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    page = first
    while page and page not in seen and len(seen) < _MAX_PAGES and len(found) < most:
        seen.add(page)
        answer = Answer.of(client.post_as_get(context, page))
        found |= dict.fromkeys(answer.urls("orders", _MAX_PAGE_ORDERS))
        context.tell("orders", url=page, count=len(found))
        page = next(iter(answer.links("next")), "")
    return list(found)[:most]
