"""The list of an account's orders (RFC 8555 section 7.1.2.1)."""

from __future__ import annotations

from typing import Any

from ..context import Context
from ..errors import AcmeError
from ..http.urls import shown_url
from .client import Client
from .directory import server_url
from .links import links

#: An account with more pages than this is a mistake, or a trap.
_MOST_PAGES = 1000


def read_order_urls(client: Client, context: Context, first: Any, at: str, most: int) -> list[str]:
    """The first `most` order URLs, page by page as the CA links them; a page is read once."""
    if not first:
        raise AcmeError(f"the CA does not offer a list of orders: {shown_url(at)} has none", "notOffered", 0)
    found: dict[str, None] = {}
    seen: set[str] = set()
    page = server_url(first, "orders URL", at)
    while page and page not in seen and len(seen) < _MOST_PAGES and len(found) < most:
        seen.add(page)
        response = client.post_as_get(context, page)
        orders = response.json_object().get("orders")
        listed = orders if isinstance(orders, list) else []
        found |= dict.fromkeys(server_url(url, "order URL", page) for url in listed)
        page = next(iter(links(response, "next")), "")
    return list(found)[:most]
