"""An order that the CA has and whose answer was lost: it is in the account's list of orders, where the CA has one."""

from __future__ import annotations

from ..context import Context
from ..errors import AcmeError, HttpError, WaitTimeout
from .account import get_account
from .client import Client
from .order import NewOrder, Order, get_order
from .orders_list import read_order_urls
from .times import epoch_seconds

#: So many orders are looked at, the last of the list first: the first ones are the oldest at every CA that has a list.
_MOST_LOOKED_AT = 10
_MOST_LISTED = 1000
#: Seconds for all of it, and the share of what the call has left: a new order is as good, and needs some time.
_SECONDS, _SHARE = 10.0, 1 / 3
#: What may differ between what was asked for and what the order says of it.
_SAID = ("notBefore", "notAfter", "profile")


def find_lost_order(client: Client, context: Context, wanted: NewOrder) -> Order | None:
    """Returns the only open order of the account for this, not finalized; None for several, or a CA without a list.

    Of several, some are of others with this account, and nobody can tell which. One request at a CA without a list.
    What the CA refuses is no error, nor that its list is long or slow.
    """
    within = context.narrowed(min(_SECONDS, _SHARE * context.remaining()))
    try:
        account = get_account(client, within)
        if not account.orders:
            return None
        listed = read_order_urls(client, within, account.orders, _MOST_LISTED)
        orders = [get_order(client, within, url) for url in listed[: -_MOST_LOOKED_AT - 1 : -1]]
        found = [order for order in orders if order.status in ("pending", "ready") and _is_for(order, wanted)]
        return found[0] if len(found) == 1 else None
    except AcmeError as error:
        if error.kind == "accountDoesNotExist":
            raise
    except (HttpError, WaitTimeout):
        context.check("the list of orders")
    return None


def is_open(order: Order, now: float) -> bool:
    """Returns whether a certificate can come of the order: it is neither invalid nor expired (section 7.1.6)."""
    if order.status in ("processing", "valid"):
        return True
    return order.status in ("pending", "ready") and not _has_expired(order, now)


def _has_expired(order: Order, now: float) -> bool:
    try:
        return epoch_seconds(str(order.raw.get("expires"))) < now
    except (ValueError, OverflowError):
        return False


def _is_for(order: Order, wanted: NewOrder) -> bool:
    asked = wanted.payload()
    names = {identifier.normal for identifier in wanted.identifiers}
    if {identifier.normal for identifier in order.identifiers} != names:
        return False
    return all(order.raw.get(member, "") == asked.get(member, "") for member in _SAID if member in asked)
