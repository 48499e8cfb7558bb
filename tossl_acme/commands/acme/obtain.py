"""A certificate in one call."""

from __future__ import annotations

from ...context import Context, seconds
from ...errors import ArgumentError
from .shared import DEFAULT_STORE, client_for, leading, order_options, provider_options, required, store_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.account import ExternalAccountBinding
    from ...files import FilePath
    from ...identifiers import Identifier
    from ...pki.csr import Csr
    from ...pki.keys import PrivateKey


def obtain_certificate(
    domains: list[str],
    *,
    directory: str = "",
    email: str = "",
    challenge: list[str] = [],  # noqa: B006 - only read
    webroot: FilePath | None = None,
    port: int | None = None,
    tls_port: int = 443,
    provider: str = "",
    api_key: str = "",
    zone_id: str = "",
    endpoint: str = "",
    resolvers: list[str] = [],  # noqa: B006 - only read
    propagation_timeout: float = 300,
    account_key: str = "",
    eab_kid: str = "",
    eab_hmac_key: str = "",
    eab_alg: str = "HS256",
    agree_tos: bool = True,
    key_type: str = "ec",
    private_key: str = "",
    csr: str = "",
    profile: str = "",
    not_before: str = "",
    not_after: str = "",
    preferred_chain: str = "",
    store: FilePath = DEFAULT_STORE,
    ca_bundle: str = "",
    proxy: str = "",
    context: Context = seconds(600),
) -> dict[str, object]:
    """Gets a certificate: account, order, challenges, certificate, files. What it presents it cleans up.

    Every name is proven by the first type of challenge in -challenge that the CA offers for it. http-01 takes -webroot
    or -port; tls-alpn-01 takes -tls_port; dns-01 and dns-account-01 take -provider and what goes with it;
    dns-persist-01 takes nothing, the record that dns_persist01_record tells has to stand. Where a name cannot be
    proven, the authorizations still pending are deactivated.

    domains                a list of DNS names, perhaps with "*.", and IP addresses; with -csr it may be empty
    -directory url         required: the CA, as directory_url
    -email address         a mail address for the account
    -challenge list        types in order of preference: http-01, tls-alpn-01, dns-01, dns-account-01, dns-persist-01;
                           or a dict of such lists by domain, in which default stands for all others; dns-01 if there is
                           a -provider, else http-01
    -webroot folder        the folder from which a web server serves the domains
    -port number           the port of a responder of its own for http-01, to which port 80 of the domains leads
    -tls_port number       the port of a responder of its own for tls-alpn-01, to which port 443 of the domains leads
    -provider name         as provider of dns01_challenge
    -api_key text          as api_key of dns01_challenge
    -zone_id text          as zone_id of dns01_challenge
    -account_key pem       the account's private key; without it the one in the store for this CA, else a new one; an
                           account that is there already needs no -eab_kid and no -agree_tos
    -key_type name         of a new key for the certificate: ec (P-256), ec384, ec521, rsa (2048 bits), rsa3072,
                           rsa4096, rsa8192, ed25519
    -private_key pem       the certificate's private key, in place of a new one
    -csr pem               your own certificate signing request, for exactly these names, in place of a key
    -preferred_chain name  an issuer's common name: the first chain with such an issuer is taken, else the CA's first
    -store folder          where account keys and certificates are kept; without it the environment's TOSSL_STORE, else
                           tossl in the XDG data home; empty stores nothing

    Returns a dict:

    domains      a list of its names
    certificate  the certificate alone, PEM text
    chain        the CA's certificates above it, PEM text
    fullchain    both, as a web server wants them
    private_key  PEM text; empty with -csr
    not_before   when it begins, epoch seconds
    not_after    when it ends, epoch seconds
    issuer       the name of who issued it
    serial       its serial number, hexadecimal
    directory    the CA's directory URL
    files        a dict certificate chain fullchain private_key of paths; empty if nothing is stored
    clean_up_failed  a list of dicts of challenges that could not be removed again: domain, record or file or port,
                     message; empty as a rule

    Errors: those of the single steps; what the CA says is led by "Certificate not obtained: ".
    TOSSL VALUE domains      "Failed to parse domains: " and what is wrong with which name
    TOSSL VALUE option       what an option is given cannot be, or one that is required is missing
    TOSSL DNS provider kind  a DNS provider failed
    """
    from ...acme.account import NewAccount, contact_urls
    from ...acme.public_cas import directory_url
    from ...certificates import accounts
    from ...certificates.key import check_key_type
    from ...certificates.obtain import Plan, obtain
    from ...challenges.choice import choose
    from ...challenges.solver import SolverOptions

    own_key, own_csr = _own(private_key, csr)
    identifiers = _names(domains, own_csr)
    url = directory_url(required("directory", directory, "a directory URL or a CA's short name"))
    dns = provider_options(provider, api_key, zone_id, endpoint, ca_bundle, proxy) if provider else None
    options = SolverOptions(tuple(challenge), webroot, port, tls_port, dns, tuple(resolvers), propagation_timeout)
    solvers = choose(options, identifiers)
    folder = store_in(store)
    has_key = bool(account_key) or bool(folder and accounts.account_key(folder, url))
    plan = Plan(
        identifiers,
        NewAccount(contact_urls(email), agree_tos, _binding(url, has_key, eab_kid, eab_hmac_key, eab_alg)),
        check_key_type(key_type),
        own_key,
        own_csr,
        order_options(not_before, not_after, profile),
        preferred_chain,
    )
    client = client_for(url, accounts.account_key_for(context, folder, url, account_key), ca_bundle, proxy)
    with leading("Certificate not obtained"):
        certificate = obtain(client, context, plan, solvers, folder).as_dict()
    return certificate | {"clean_up_failed": context.told("clean_up_failed")}


def _own(private_key: str, csr: str) -> tuple[PrivateKey | None, Csr | None]:
    """The user's own key or request."""
    from ...pki.csr import read_csr
    from ...pki.keys import load_private_key

    if private_key and csr:
        raise ArgumentError("csr", "-csr and -private_key cannot be given together: the request has its own key")
    return load_private_key(private_key) if private_key else None, read_csr(csr) if csr else None


def _names(domains: list[str], csr: Csr | None) -> tuple[Identifier, ...]:
    """The names asked for, which are the request's where none are given."""
    from ...certificates.key import check_csr_names
    from ...identifiers import parse_identifiers

    if csr is None:
        return parse_identifiers(domains)
    identifiers = parse_identifiers(domains or [identifier.value for identifier in csr.identifiers])
    check_csr_names(csr, identifiers)
    return identifiers


def _binding(url: str, has_key: bool, kid: str, hmac_key: str, alg: str) -> ExternalAccountBinding | None:
    """The external account binding; a key that may have its account already can do without."""
    from ...acme.account import ExternalAccountBinding, unbound
    from ...acme.public_cas import needs_binding

    if kid or hmac_key:
        return ExternalAccountBinding.parse(kid, hmac_key, alg)
    if needs_binding(url) and not has_key:
        raise unbound(url)
    return None


def get_account_key(directory_url: str, *, store: FilePath = DEFAULT_STORE) -> str:
    """Tells the account key that obtain_certificate keeps in its store for this CA; nothing is sent.

    -store folder  the store of obtain_certificate, found as there

    Returns the private key, PEM text, as the other commands take it.

    Errors:
    TOSSL VALUE store  no key is kept for this CA
    """
    from ...acme.public_cas import directory_url as url_for
    from ...certificates.accounts import account_key

    url = url_for(directory_url)
    folder = store_in(store)
    key = account_key(folder, url) if folder else ""
    if not key:
        from ...http.urls import shown_url

        raise ArgumentError("store", f"no account key is kept for {shown_url(url)}")
    return key
