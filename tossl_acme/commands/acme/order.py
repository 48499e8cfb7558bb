"""Orders."""

from __future__ import annotations

from ...scope import Scope
from .shared import client_for, leading, object_url, order_terms

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
    scope: Scope = Scope(60),
) -> str | dict[str, object]:
    """Places an order for a certificate with these names (DNS names, IP addresses), in the account of the key.

    -profile is one of the directory's (profiles in its meta), else it is refused before the order is sent.
    -not_before and -not_after (epoch seconds or RFC 3339) are wishes that few CAs take. -replaces names the
    certificate that this one renews, in PEM or by its certID; a CA that refuses that is asked once more without.
    Returns "Order created successfully", or with -return_details 1 the order: url status expires identifiers
    authorizations finalize; each authorization with its challenges (type url token status). RFC 8555 section 7.4.
    One request on an account that this process knows, two on another; the details cost one more for each name.
    Errors: "Failed to parse domains: ..." TOSSL VALUE domains; "Order creation failed: ..." TOSSL ACME type status;
    TOSSL VALUE profile, not_before, not_after, replaces.
    """
    from ...acme.identifiers import parse_identifiers
    from ...acme.order import new_order

    identifiers = parse_identifiers(domains)
    terms = order_terms(not_before, not_after, profile, replaces)
    client = client_for(directory_url, account_key, ca_bundle, proxy)
    with leading("Order creation failed"):
        order = new_order(client, scope, identifiers, terms)
        return _detailed(client, scope, order) if return_details else "Order created successfully"


def get_order(
    directory_url: str,
    account_key: str,
    order_url: str,
    *,
    authorizations: bool = True,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(60),
) -> dict[str, object]:
    """The order as the CA sees it now, with its authorizations as create_order -return_details gives them.

    -authorizations 0 leaves them as URLs, which saves a request for each name. RFC 8555 section 7.1.3.
    """
    from ...acme import order as orders

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    order = orders.get_order(client, scope, object_url(order_url, "order_url"))
    return _detailed(client, scope, order) if authorizations else order.as_dict()


def wait_order(
    directory_url: str,
    account_key: str,
    order_url: str,
    *,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(120),
) -> dict[str, object]:
    """Waits until the order is ready (its names are proven) or valid (its certificate is there) and returns it.

    Its authorizations are URLs. An order that becomes invalid is raised with the CA's reason, TOSSL ACME type status;
    TOSSL TIMEOUT order. RFC 8555 section 7.1.6.
    """
    from ...acme import order as orders

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    return orders.wait_order(client, scope, object_url(order_url, "order_url")).as_dict()


def _detailed(client: Client, scope: Scope, order: Order) -> dict[str, object]:
    from ...acme.authorization import get_authorization

    found = [get_authorization(client, scope, url).as_dict() for url in order.authorizations]
    return order.as_dict() | {"authorizations": found}
