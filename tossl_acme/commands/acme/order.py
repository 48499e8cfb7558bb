"""Orders."""

from __future__ import annotations

from ...context import Context, seconds
from .shared import client_for, leading, object_url, order_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.client import Client
    from ...acme.order import Order


def create_order(
    directory_url: str,
    account_key: str,
    domains: list[str],
    *,
    profile: str = "",
    not_before: str = "",
    not_after: str = "",
    replaces: str = "",
    return_details: bool = False,
    ca_bundle: str = "",
    proxy: str = "",
    context: Context = seconds(60),
) -> str | dict[str, object]:
    """Places an order for a certificate with these names, in the account of the key.

    One request on an account that this process knows, two on another; the details cost one more for each name. RFC 8555
    section 7.4.

    domains         a list of DNS names, perhaps with "*.", and IP addresses; a name in other letters is sent as its
                    A-label, one given twice is sent once
    -replaces text  the certificate that this one renews, PEM text or its `cert_id` of renewal_info; a CA that refuses
                    that is asked once more without
    -return_details boolean
                    1 returns the order in place of the status line

    Returns "Order created successfully"; or the order, all that the CA says of it with

    url             the order's URL, for the commands that follow
    status          pending; ready, where all names are proven already
    expires         until when the order can be finished
    identifiers     a list of dicts type value: the names
    authorizations  a list of dicts, one for each name, as get_authorization returns them
    finalize        the URL to which finalize_order sends the request

    Errors: what the CA says is led by "Order creation failed: ".
    TOSSL VALUE domains   "Failed to parse domains: " and what is wrong with which name
    TOSSL VALUE replaces  neither a certificate nor a certID
    """
    from ...acme.order import NewOrder, new_order
    from ...identifiers import parse_identifiers

    identifiers = parse_identifiers(domains)
    options = order_options(not_before, not_after, profile, replaces)
    client = client_for(directory_url, account_key, ca_bundle, proxy)
    with leading("Order creation failed"):
        order = new_order(client, context, NewOrder(identifiers, options))
        return _detailed(client, context, order) if return_details else "Order created successfully"


def get_order(
    directory_url: str,
    account_key: str,
    order_url: str,
    *,
    authorizations: bool = True,
    ca_bundle: str = "",
    proxy: str = "",
    context: Context = seconds(60),
) -> dict[str, object]:
    """Gets the order as the CA sees it now.

    RFC 8555 section 7.1.3.

    -authorizations boolean  0 leaves them as URLs, which saves a request for each name

    Returns the order, as create_order -return_details does; a valid one has

    certificate  the certificate's URL, for download_certificate
    """
    from ...acme import order as orders

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    order = orders.get_order(client, context, object_url(order_url, "order_url"))
    return _detailed(client, context, order) if authorizations else order.as_dict()


def wait_order(
    directory_url: str,
    account_key: str,
    order_url: str,
    *,
    ca_bundle: str = "",
    proxy: str = "",
    context: Context = seconds(120),
) -> dict[str, object]:
    """Waits until the order is ready (its names are proven) or valid (its certificate is there).

    RFC 8555 section 7.1.6.

    Returns the order as get_order -authorizations 0 does.

    Errors: an order that becomes invalid is raised with the CA's reason, which has the status 0.
    TOSSL TIMEOUT order  it was still pending or processing
    """
    from ...acme import order as orders

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    return orders.wait_order(client, context, object_url(order_url, "order_url")).as_dict()


def _detailed(client: Client, context: Context, order: Order) -> dict[str, object]:
    from ...acme.authorization import get_authorization

    found = [get_authorization(client, context, url).as_dict() for url in order.authorizations]
    return order.as_dict() | {"authorizations": found}
