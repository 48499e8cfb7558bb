"""A certificate in one call."""

from __future__ import annotations

from ...context import Context, seconds
from ...errors import AcmeError, ArgumentError, error_context
from ..groups import from_environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.account import NewAccount
    from ...acme.order import OrderOptions
    from ...certificates.key import CertificateKey
    from ...challenges.solver import SolverOptions
    from ...http.options import ConnectionOptions
    from ...store.folder import FolderStore
    from ...text import Secret


def obtain_certificate(
    domains: list[str],
    *,
    directory: str = from_environment("TOSSL_DIRECTORY"),
    email: str = from_environment("TOSSL_EMAIL"),
    solvers: SolverOptions,
    account_key: Secret | None = None,
    account: NewAccount,
    key: CertificateKey,
    order: OrderOptions,
    preferred_chain: str = "",
    store: FolderStore | None,
    connection: ConnectionOptions,
    context: Context = seconds(600),
) -> dict[str, object]:
    """Gets a certificate in one call: account, order, challenges, certificate, files.

    Proves every name by the first type in -challenge that the CA offers for it. http-01 needs -webroot or -port;
    tls-alpn-01 uses -tls_port; dns-01 and dns-account-01 need -provider and its options; dns-persist-01 needs the
    record that dns_persist01_record returns. Removes challenge files and DNS records again, also after an error; the
    result names what could not be removed. If a name cannot be proven, deactivates the pending authorizations.

    domains                a list of DNS names, also with "*.", and IP addresses; with -csr it may be empty
    -directory url         the CA, as directory_url; default: TOSSL_DIRECTORY of the environment; one of both is
                           required
    -email address         a mail address for the account; default: TOSSL_EMAIL of the environment
    -account_key pem       the account's private key; default: the store's key for this CA, else a new key. An existing
                           account needs no -eab_kid and no -agree_tos
    -preferred_chain name  an issuer's common name: uses the first chain with such an issuer, else the CA's first chain,
                           with a warning

    Returns a dict:

    domains      a list of its names
    certificate  the certificate alone, PEM text
    chain        the CA's certificates above it, PEM text
    fullchain    both, as web servers need them
    private_key  PEM text; empty with -csr
    not_before   its begin, epoch seconds
    not_after    its end, epoch seconds
    issuer       its issuer's name
    serial       its serial number, hexadecimal
    directory    the CA's directory URL
    files        a dict certificate chain fullchain private_key of paths; empty if nothing is stored
    clean_up_failed  a list of dicts, one for each challenge that could not be removed: domain, record or file or port,
                     message; usually empty
    warnings     a list of dicts warning message, for faults that did not fail the call; usually empty. warning is names
                 (it has names that were not requested), preferred_chain (no chain leads to that issuer),
                 alternate_chain (another chain of the CA cannot be used), chain (it came without its issuer's
                 certificate) or put_aside (a certificate of an earlier call is unusable). -progress reports each as the
                 step warning

    Once the CA has issued a certificate, no error loses it: it stays in the store, in the folder pending beside the
    certificate in force. Repeat the call: it goes on from there and orders nothing. Without a store, or if the store
    cannot be written, the error's -tossl dict has certificate, and private_key if tossl made the key. An unusable
    certificate (other names, another key, or expired) is put aside; the message names the folder.

    Errors: those of the single steps; the CA's errors begin with "Certificate not obtained: ".
    TOSSL VALUE domains      "Failed to parse domains: " with the name and its fault
    TOSSL VALUE option       the option's value is wrong, or a required option is missing
    TOSSL DNS provider kind  a DNS provider failed
    TOSSL ACME badCertificate 200
                             the CA issued an unusable certificate
    """
    from dataclasses import replace

    from ...acme.account import check_binding, contact_urls
    from ...acme.clients import client_for
    from ...acme.public_cas import directory_url
    from ...certificates import accounts
    from ...certificates.issuance import Issuance
    from ...certificates.obtain import obtain
    from ...challenges.choice import choose

    identifiers = key.identifiers(domains)
    if not directory:
        raise ArgumentError("directory", "-directory is required: a directory URL or a CA's short name")
    url = directory_url(directory)
    chosen = choose(solvers, identifiers)
    own_account_key = account_key.value if account_key else ""
    if not own_account_key and not (store and accounts.account_key(store, url)):
        check_binding(url, account.binding)
    issuance = Issuance(
        identifiers,
        url,
        replace(account, contact=contact_urls(email)),
        account_key,
        key,
        order,
        solvers,
        preferred_chain,
        connection,
    )
    pem = accounts.account_key_for(context, store, url, own_account_key)
    client = client_for(url, pem, connection)
    with error_context("Certificate not obtained", AcmeError):
        certificate = obtain(client, context, issuance, chosen, store).as_dict()
    return certificate | {"clean_up_failed": context.told("clean_up_failed")}


def get_account_key(directory_url: str, *, store: FolderStore | None) -> str:
    """Returns the account key in obtain_certificate's store for this CA. Sends nothing.

    directory_url  the CA, as in the other commands
    -store folder  the store of obtain_certificate, with the same default

    Returns the private key, PEM text.

    Errors:
    TOSSL VALUE directory_url
                       neither an https URL nor a CA's short name
    TOSSL VALUE store  no key is stored for this CA
    """
    from ...acme.public_cas import directory_url as url_for
    from ...certificates.accounts import account_key

    url = url_for(directory_url)
    key = account_key(store, url) if store else ""
    if not key:
        from ...http.urls import shown_url

        raise ArgumentError("store", f"no account key is stored for {shown_url(url)}")
    return key
