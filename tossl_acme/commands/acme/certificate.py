"""Certificates of an order."""

from __future__ import annotations

from ...context import Context, seconds
from ...errors import AcmeError, ArgumentError, error_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...acme.client import Client
    from ...acme.server import Server
    from ...store.protocol import Store
    from ..groups import SecretGiven, TextGiven


def _reasons() -> Sequence[str]:
    from ...acme.certificate import REASONS

    return tuple(REASONS)


#: The words that an option may have.
CHOICES = {"reason": _reasons}


def finalize_order(
    client: Client,
    order_url: str,
    *,
    private_key: SecretGiven | None = None,
    csr: TextGiven = "",
    common_name: str = "",
    key: str = "",
    shared_key: bool = False,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Finalizes a ready order: sends a certificate signing request for a key, or your own.

    Needs either -private_key or -csr. RFC 8555 section 7.4.

    -private_key pem  the certificate's private key, different from the account's: makes the request for it
    -csr pem          your own certificate signing request, for exactly the order's names
    -common_name name
                      one of the order's names, as the common name in the request's subject
    -key pem          an older name of -private_key
    -shared_key boolean
                      whether the key may be known as that of another account, of this process or the default store

    Returns the order as get_order -authorizations 0 does; wait_order brings it to valid.

    Errors: the CA's errors are of type orderNotReady, badCSR, ...
    TOSSL VALUE csr          not a request, not for the order's names, or for the key of an account
    TOSSL VALUE private_key  the key of an account; neither or both of -private_key and -csr
    TOSSL VALUE common_name  none of the order's names, longer than 64 characters, or given together with -csr
    TOSSL VALUE key          the same for -key; or -key and -private_key are both given
    """
    from ...acme import order as orders
    from ...acme.known_keys import check_certificate_key, know_certificate_key
    from ...acme.urls import https_url
    from ...certificates.key import CertificateKey, check_not_account_key
    from ...certificates.keys_apart import learn_account_keys
    from ...text import Secret

    if private_key and key:
        raise ArgumentError("key", "give only one of -private_key and -key, its older name")
    given, argument = (Secret(key), "key") if key else (private_key, "private_key")
    if bool(given) == bool(csr):
        raise ArgumentError(argument, "finalize_order needs either -private_key or -csr")
    own = CertificateKey(private_key=given, csr=csr, common_name=common_name)
    check_not_account_key(own.public_key, client.key.spki, "csr" if csr else argument)
    if not shared_key:
        learn_account_keys(None)
        check_certificate_key(own.public_key, "csr" if csr else argument)
    order = orders.get_order(client, context, https_url(order_url, "order_url"))
    finalized = orders.finalize_order(client, context, order, own.request(order.identifiers).der)
    know_certificate_key(own.public_key)
    return finalized.as_dict()


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
    chain        the CA's certificates above it in order, PEM text; unrelated certificates are left out
    fullchain    both, as web servers need them
    not_before   its begin, epoch seconds
    not_after    its end, epoch seconds
    issuer       its issuer's name
    serial       its serial number, hexadecimal
    alternates   a list of URLs of other chains for it

    Errors: the -tossl dict has certificate, the PEM text of the certificates in the answer.
    TOSSL ACME badCertificate 200  the answer is not a chain of certificates
    """
    from ...acme import certificate
    from ...acme.urls import https_url
    from ...pki.chain import read_chain

    found = certificate.download_certificate(client, context, https_url(certificate_url, "certificate_url"))
    chain = read_chain(found.pem)
    context.tell("certificate", not_after=chain.not_after, issuer=chain.issuer)
    return chain.as_dict() | {"alternates": list(found.alternates)}


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

    account_key   the key of the certificate's account, or of an account with valid authorizations for all its names;
                  or the certificate's private key, which needs no account
    certificate   the certificate, PEM text, alone or with its chain
    -reason name  unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation, ... or its number in
                  RFC 5280 section 5.3.1
    -store folder  the store of obtain_certificate, found as there; empty leaves it alone

    Returns "Certificate revoked successfully".

    Errors: the CA's errors begin with "Certificate revocation failed: "; types: alreadyRevoked, unauthorized,
    badRevocationReason, ...
    TOSSL VALUE certificate  not a certificate
    TOSSL VALUE reason       no such reason
    TOSSL VALUE store        not a folder, and nothing was sent; or the certificate is revoked, and that cannot be kept
    TOSSL VALUE seal_key     the store keeps it sealed, and its key is missing: nothing was sent
    """
    from ...acme import certificate as certificates
    from ...certificates.revoked import kept_as_revoked
    from ...pki.chain import read_certificate

    leaf = read_certificate(certificate)
    code = certificates.reason_code(reason)
    own_key = client.key if client.key.spki == leaf.public_key else None
    with error_context("Certificate revocation failed", AcmeError), kept_as_revoked(context, store, leaf):
        certificates.revoke_certificate(client, context, leaf.der, code, own_key)
        context.tell("revoked", serial=f"{leaf.serial:x}")
    return "Certificate revoked successfully"


def renewal_info(
    server: Server,
    certificate: str,
    *,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Returns the time at which the CA wants a certificate to be renewed. Needs no account.

    RFC 9773.

    certificate  the certificate, PEM text

    Returns a dict:

    window           a dict start end, epoch seconds
    chosen           a random time in the window, at which to renew; if it is past: at once
    explanation_url  a page with the reason, or empty
    retry_after      seconds until the next call, between a minute and a day
    cert_id          the certificate's id, for create_order -replaces

    Errors:
    TOSSL ACME notOffered 0  the CA does not offer it
    TOSSL VALUE certificate  not a certificate, or it has expired: renew it at once
    """
    import time

    from ...acme import renewal
    from ...pki.chain import read_certificate

    chain = read_certificate(certificate)
    name = renewal.cert_id(chain)
    if chain.not_after <= time.time():
        raise ArgumentError("certificate", "the certificate has expired; renew it at once")
    found = renewal.renewal_info(server, context, name)
    said = {"start": found.start, "end": found.end, "chosen": found.chosen}
    context.tell("renewal_info", **said, explanation_url=found.explanation_url)
    return found.as_dict() | {"cert_id": name}


COMMANDS = (finalize_order, download_certificate, revoke_certificate, renewal_info)
