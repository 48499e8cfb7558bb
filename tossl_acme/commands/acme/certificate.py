"""Certificates of an order."""

from __future__ import annotations

from ...errors import ArgumentError
from ...scope import Scope
from .shared import client_for, leading, object_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...acme.jws import AccountKey
    from ...certificates.request import Request
    from ...pki.names import Name


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
    sent, and so is the account's own key. RFC 8555 section 7.4.
    Errors: TOSSL VALUE csr, key; TOSSL KEY kind; TOSSL ACME type status.
    """
    from ...acme import order as orders

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    request_for = _request_maker(key, csr, client.key)
    order = orders.get_order(client, scope, object_url(order_url, "order_url"))
    request = request_for([(identifier.type, identifier.value) for identifier in order.identifiers])
    return orders.finalize_order(client, scope, order, request.csr).as_dict()


def _request_maker(key: str, csr: str, account_key: AccountKey) -> Callable[[Sequence[Name]], Request]:
    """What makes the request for an order's names; key and CSR are read right away, before anything is sent."""
    from ...certificates.request import request_by_csr, request_by_key
    from ...pki.csr import read_csr
    from ...pki.keys import load_private_key

    if bool(key) == bool(csr):
        raise ArgumentError("key", "finalize_order needs either -key or -csr")
    if key:
        private_key = load_private_key(key)
        return lambda names: request_by_key(private_key, names, account_key, "key")
    own = read_csr(csr)
    return lambda names: request_by_csr(own, names, account_key)


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


def revoke_certificate(
    directory_url: str,
    account_key: str,
    certificate: str,
    *,
    reason: str = "",
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(60),
) -> str:
    """Revokes a certificate (PEM, alone or with its chain).

    account_key is the key of the account that it was issued to, or of one that holds authorizations for all its names,
    or the certificate's own private key: then no account is needed. -reason is unspecified, keyCompromise,
    affiliationChanged, superseded, cessationOfOperation, ... or its number in RFC 5280 section 5.3.1.
    Returns "Certificate revoked successfully". RFC 8555 section 7.6.
    Errors: "Certificate revocation failed: ..." TOSSL ACME type status (alreadyRevoked, unauthorized,
    badRevocationReason); TOSSL VALUE certificate, reason; TOSSL KEY kind.
    """
    from ...acme import certificate as certificates
    from ...pki.chain import read_certificate

    leaf = read_certificate(certificate)
    code = certificates.reason_code(reason)
    client = client_for(directory_url, account_key, ca_bundle, proxy)
    own_key = client.key if client.key.spki == leaf.public_key else None
    with leading("Certificate revocation failed"):
        certificates.revoke_certificate(client, scope, leaf.der, code, own_key)
    return "Certificate revoked successfully"


def renewal_info(
    directory_url: str,
    certificate: str,
    *,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(60),
) -> dict[str, object]:
    """When the CA wants this certificate (PEM) to be renewed; no account is needed.

    Returns a dict window {start end}, chosen (a random time in the window, at which to renew; in the past: at once),
    explanation_url (empty where there is none), retry_after (seconds until the CA wants to be asked again, between a
    minute and a day) and cert_id, which create_order -replaces takes. Times are epoch seconds. RFC 9773.
    Errors: TOSSL ACME notOffered 0 where the CA does not offer it; TOSSL VALUE certificate.
    """
    from ...acme import renewal
    from ...pki.chain import cert_id, read_certificate
    from ...wire import Route
    from ..session import SESSION

    name = cert_id(read_certificate(certificate))
    server = SESSION.server(directory_url, Route(ca_bundle, proxy))
    return renewal.renewal_info(server, scope, name).as_dict() | {"cert_id": name}
