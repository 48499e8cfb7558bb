"""The list of an account's orders (RFC 8555 section 7.1.2.1)."""

from __future__ import annotations

from typing import Any

from ..errors import HttpError
from ..scope import Scope
from ..wire import shown_url
from .client import Client
from .directory import server_url
from .links import links

_MOST_PAGES = 100


def read_order_urls(client: Client, scope: Scope, first: Any, at: str) -> list[str]:
    """All order URLs, page by page as the CA links them; bounded, and a page is read once."""
    if not first:
        raise HttpError("malformed", f"{shown_url(at)} does not offer a list of orders")
    found: dict[str, None] = {}
    seen: set[str] = set()
    page = server_url(first, "orders URL", at)
    while page and page not in seen and len(seen) < _MOST_PAGES:
        seen.add(page)
        reply = client.post_as_get(scope, page)
        orders = reply.json_object().get("orders")
        found |= dict.fromkeys(server_url(url, "order URL", page) for url in orders or () if isinstance(orders, list))
        page = next(iter(links(reply, "next")), "")
    return list(found)
