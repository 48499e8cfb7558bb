"""Certificates of an order."""

from __future__ import annotations

from ...errors import ArgumentError
from ...scope import Scope
from .shared import client_for, object_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def finalize_order(
    directory_url: str,
    account_key: str,
    order_url: str,
    *,
    key: str = "",
    csr: str = "",
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(60),
) -> dict[str, object]:
    """Asks for the certificate of a ready order: -key makes the request for that private key, -csr sends your own.

    Returns the order, which wait_order brings to valid. A CSR whose names are not the order's is refused before it is
    sent. RFC 8555 section 7.4. Errors: TOSSL VALUE csr, TOSSL KEY kind, TOSSL ACME type status.
    """
    from ...acme import order as orders

    request_for = _request_maker(key, csr)
    client = client_for(directory_url, account_key, ca_bundle, proxy)
    order = orders.get_order(client, scope, object_url(order_url, "order_url"))
    request = request_for([(identifier.type, identifier.value) for identifier in order.identifiers])
    return orders.finalize_order(client, scope, order, request).as_dict()


def _request_maker(key: str, csr: str) -> Callable[[Sequence[tuple[str, str]]], bytes]:
    """What makes the CSR for an order's names; key and CSR are read right away, before anything is sent."""
    from ...pki.csr import build_csr, read_csr
    from ...pki.keys import load_private_key

    if bool(key) == bool(csr):
        raise ArgumentError("key", "finalize_order needs either -key or -csr")
    if key:
        private_key = load_private_key(key)
        return lambda names: build_csr(private_key, names)
    own = read_csr(csr)

    def checked(names: Sequence[tuple[str, str]]) -> bytes:
        if set(names) != set(own.names):
            wanted, got = (" ".join(sorted(value for _, value in which)) for which in (names, own.names))
            raise ArgumentError("csr", f"the CSR is for {got}, the order for {wanted}")
        return own.der

    return checked


def download_certificate(
    directory_url: str,
    account_key: str,
    certificate_url: str,
    *,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(60),
) -> dict[str, object]:
    """A certificate by its URL, the `certificate` of a valid order.

    Returns a dict domains certificate chain fullchain not_before not_after (epoch seconds) issuer serial alternates
    (the URLs of other chains for it). RFC 8555 section 7.4.2.
    """
    from ...acme import certificate
    from ...pki.chain import read_chain

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    found = certificate.download_certificate(client, scope, object_url(certificate_url, "certificate_url"))
    return read_chain(found.pem).as_dict() | {"alternates": list(found.alternates)}
