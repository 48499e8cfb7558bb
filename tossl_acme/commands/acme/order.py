"""Orders."""

from __future__ import annotations

from ...context import Context, seconds
from ...errors import AcmeError, error_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.client import Client
    from ...acme.order import Order, OrderOptions
    from ..groups import Identifiers


def create_order(
    client: Client,
    identifiers: Identifiers,
    *,
    options: OrderOptions,
    replaces: str = "",
    return_details: bool = False,
    context: Context = seconds(60),
) -> str | dict[str, object]:
    """Places an order for a certificate with these names, in the key's account.

    Sends one request on an account that this process knows, else two; the details cost one more for each name. RFC 8555
    section 7.4.

    domains         a list of DNS names, also with "*.", and IP addresses; an internationalized name is sent as
                    A-labels, a repeated name once
    -replaces text  the certificate that this one renews: PEM text, or its `cert_id` from renewal_info. If the CA
                    refuses it, the order is placed again without
    -return_details boolean
                    1 returns the order instead of the status line

    Returns "Order created successfully"; or the CA's whole order, a dict with

    url             the order's URL, for the commands that follow
    status          pending; or ready, if all names are proven already
    expires         the end of the order's validity, an RFC 3339 time
    identifiers     a list of dicts type value: the names
    authorizations  a list of dicts, one for each name, as get_authorization returns
    finalize        the URL for the certificate signing request of finalize_order

    Errors: the CA's errors begin with "Order creation failed: ".
    TOSSL VALUE replaces  neither a certificate nor a certID
    """
    from dataclasses import replace

    from ...acme.order import NewOrder, new_order, replaced_id
    from ...acme.renewal import cert_id
    from ...pki.chain import read_certificate

    replaced = replaced_id(cert_id(read_certificate(replaces)) if "-----BEGIN" in replaces else replaces)
    with error_context("Order creation failed", AcmeError):
        order = new_order(client, context, NewOrder(identifiers, replace(options, replaces=replaced)))
        return _detailed(client, context, order) if return_details else "Order created successfully"


def get_order(
    client: Client,
    order_url: str,
    *,
    authorizations: bool = True,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Gets the order in its present state.

    RFC 8555 section 7.1.3.

    -authorizations boolean  0 returns them as URLs, which saves a request for each name

    Returns the order, as create_order -return_details does; a valid order has

    certificate  the certificate's URL, for download_certificate
    """
    from ...acme import order as orders
    from ...acme.urls import https_url

    order = orders.get_order(client, context, https_url(order_url, "order_url"))
    context.tell("order", url=order.url, status=order.status)
    return _detailed(client, context, order) if authorizations else order.as_dict()


def wait_order(
    client: Client,
    order_url: str,
    *,
    context: Context = seconds(120),
) -> dict[str, object]:
    """Waits until the order is ready (its names are proven) or valid (its certificate is issued).

    RFC 8555 section 7.1.6.

    Returns the order as get_order -authorizations 0 does.

    Errors: an order that becomes invalid raises the CA's reason, with status 0.
    TOSSL TIMEOUT order  it was still pending or processing
    """
    from ...acme import order as orders
    from ...acme.urls import https_url

    order = orders.wait_order(client, context, https_url(order_url, "order_url"))
    context.tell("order", url=order.url, status=order.status)
    return order.as_dict()


def _detailed(client: Client, context: Context, order: Order) -> dict[str, object]:
    from ...acme.authorization import get_authorization

    found = [get_authorization(client, context, url).as_dict() for url in order.authorizations]
    return order.as_dict() | {"authorizations": found}


COMMANDS = (create_order, get_order, wait_order)
