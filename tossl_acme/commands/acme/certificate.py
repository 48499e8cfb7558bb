"""Certificates of an order."""

from __future__ import annotations

from ...context import Context, seconds
from ...errors import AcmeError, ArgumentError, error_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.client import Client
    from ...acme.server import Server
    from ...store.protocol import Store
    from ...text import Secret


def finalize_order(
    client: Client,
    order_url: str,
    *,
    private_key: Secret | None = None,
    csr: str = "",
    key: str = "",
    context: Context = seconds(60),
) -> dict[str, object]:
    """Asks for the certificate of a ready order, with a request for a key or with your own request.

    It needs one of -private_key and -csr. RFC 8555 section 7.4.

    -private_key pem  the certificate's private key, another than the account's: the request is made for it
    -csr pem          a certificate signing request of your own, for exactly the order's names
    -key pem          an older name of -private_key

    Returns the order as get_order -authorizations 0 does; wait_order brings it to valid.

    Errors: what the CA says is of type orderNotReady, badCSR, ...
    TOSSL VALUE csr          not a request, or not for the order's names, or for the account's key
    TOSSL VALUE private_key  the account's own; neither or both of -private_key and -csr
    TOSSL VALUE key          the same of -key; or -key beside -private_key
    """
    from ...acme import order as orders
    from ...acme.urls import https_url
    from ...certificates.key import CertificateKey, check_not_account_key
    from ...text import Secret

    if private_key and key:
        raise ArgumentError("key", "-key is an older name of -private_key: give one of the two")
    given, argument = (Secret(key), "key") if key else (private_key, "private_key")
    if bool(given) == bool(csr):
        raise ArgumentError(argument, "finalize_order needs either -private_key or -csr")
    own = CertificateKey(private_key=given, csr=csr)
    check_not_account_key(own.public_key, client.key.spki, "csr" if csr else argument)
    order = orders.get_order(client, context, https_url(order_url, "order_url"))
    return orders.finalize_order(client, context, order, own.request(order.identifiers).der).as_dict()


def download_certificate(
    client: Client,
    certificate_url: str,
    *,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Gets a certificate with its chain.

    RFC 8555 section 7.4.2.

    certificate_url  the `certificate` of a valid order, or one of `alternates`

    Returns a dict:

    domains      a list of its names
    certificate  the certificate alone, PEM text
    chain        the CA's certificates above it in order, PEM text; others that came with them are left out
    fullchain    both, as a web server wants them
    not_before   when it begins, epoch seconds
    not_after    when it ends, epoch seconds
    issuer       the name of who issued it
    serial       its serial number, hexadecimal
    alternates   a list of URLs of other chains for it

    Errors: the -tossl dict has certificate, the PEM text of what certificates there are in the answer.
    TOSSL ACME badCertificate 200  the answer is no chain of certificates
    """
    from ...acme import certificate
    from ...acme.urls import https_url
    from ...pki.chain import read_chain

    found = certificate.download_certificate(client, context, https_url(certificate_url, "certificate_url"))
    return read_chain(found.pem).as_dict() | {"alternates": list(found.alternates)}


def revoke_certificate(
    client: Client,
    certificate: str,
    *,
    reason: str = "",
    store: Store | None,
    context: Context = seconds(60),
) -> str:
    """Revokes a certificate.

    Where the store keeps it, it is marked there: obtain_certificate never returns it again, and never uses its key
    again. RFC 8555 section 7.6.

    account_key   the key of the account that it was issued to, or of one that holds authorizations for all its names;
                  or the certificate's own private key: then no account is needed
    certificate   the certificate, PEM text, alone or with its chain
    -reason name  unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation, ... or its number in
                  RFC 5280 section 5.3.1
    -store folder  the store of obtain_certificate, found as there; empty leaves it alone

    Returns "Certificate revoked successfully".

    Errors: what the CA says is led by "Certificate revocation failed: ", of type alreadyRevoked, unauthorized,
    badRevocationReason, ...
    TOSSL VALUE certificate  not a certificate
    TOSSL VALUE reason       no such reason
    TOSSL VALUE store        not a folder, and nothing was sent; or the certificate is revoked, and that cannot be kept
    """
    from ...acme import certificate as certificates
    from ...certificates.revoked import kept_as_revoked
    from ...pki.chain import read_certificate

    leaf = read_certificate(certificate)
    code = certificates.reason_code(reason)
    own_key = client.key if client.key.spki == leaf.public_key else None
    with error_context("Certificate revocation failed", AcmeError), kept_as_revoked(context, store, leaf):
        certificates.revoke_certificate(client, context, leaf.der, code, own_key)
    return "Certificate revoked successfully"


def renewal_info(
    server: Server,
    certificate: str,
    *,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Tells when the CA wants a certificate to be renewed; no account is needed.

    RFC 9773.

    certificate  the certificate, PEM text

    Returns a dict:

    window           a dict start end, epoch seconds
    chosen           a random time in the window, at which to renew; in the past: at once
    explanation_url  a page that says why, or empty
    retry_after      seconds until the CA wants to be asked again, between a minute and a day
    cert_id          the certificate as create_order -replaces takes it

    Errors:
    TOSSL ACME notOffered 0  the CA does not offer it
    TOSSL VALUE certificate  not a certificate, or one that has expired: it is to be renewed at once
    """
    import time

    from ...acme import renewal
    from ...pki.chain import cert_id, read_certificate

    chain = read_certificate(certificate)
    name = cert_id(chain)
    if chain.not_after <= time.time():
        raise ArgumentError("certificate", "the certificate has expired: it is to be renewed at once")
    return renewal.renewal_info(server, context, name).as_dict() | {"cert_id": name}
