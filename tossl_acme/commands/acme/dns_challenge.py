"""Presenting challenges through the DNS, and removing their records."""

from __future__ import annotations

from ...context import Context, seconds
from ...errors import ArgumentError
from .shared import challenge_for, client_for, object_url, one_identifier, provider_options, required

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.authorization import Challenge
    from ...challenges.dns01 import Dns01


def dns01_challenge(
    domain: str,
    token: str,
    account_key: str,
    provider: str,
    api_key: str,
    zone_id: str = "",
    *,
    endpoint: str = "",
    resolvers: list[str] = [],  # noqa: B006 - only read
    propagation_timeout: float = 300,
    ca_bundle: str = "",
    proxy: str = "",
    context: Context = seconds(600),
) -> dict[str, object]:
    """Publishes the TXT record of a dns-01 challenge and waits until it is seen.

    RFC 8555 section 8.4.

    domain  the DNS name that is to be proven; of a wildcard the "*." is left out in the record's name

    Returns a dict, when the zone's authoritative servers, or the resolvers given, all show the record:

    type               dns-01
    token              as given
    key_authorization  what the record holds the digest of
    dns_record_name    the record's name, for cleanup_dns
    dns_record_value   its value

    Errors:
    TOSSL DNS provider kind    "Provider not supported: ", "Failed to create DNS record: ": unsupported, credentials,
                               zone, record, refused or answer
    TOSSL TIMEOUT propagation  "DNS propagation timeout": the record was not seen in time; it is removed again
    TOSSL VALUE domains        not a DNS name
    """
    from ...challenges.dns01 import dns01_solver
    from ...challenges.solver import SolverOptions

    challenge = challenge_for("dns-01", domain, token, account_key)
    options = SolverOptions(
        provider=provider_options(provider, api_key, zone_id, endpoint, ca_bundle, proxy),
        resolvers=tuple(resolvers),
        propagation_timeout=propagation_timeout,
    )
    return _presented(context, dns01_solver(options), challenge)


def dns_account01_challenge(
    domain: str,
    token: str,
    account_key: str,
    provider: str,
    api_key: str,
    zone_id: str = "",
    *,
    account_url: str = "",
    endpoint: str = "",
    resolvers: list[str] = [],  # noqa: B006 - only read
    propagation_timeout: float = 300,
    ca_bundle: str = "",
    proxy: str = "",
    context: Context = seconds(600),
) -> dict[str, object]:
    """Publishes the TXT record of a dns-account-01 challenge, which stands at a name of the account's own.

    As dns01_challenge; several accounts can so prove one domain side by side. draft-ietf-acme-dns-account-label.

    domain            the DNS name that is to be proven
    -account_url url  required: the `url` that get_account returns

    Returns a dict as dns01_challenge does, of type dns-account-01.

    Errors: those of dns01_challenge, and
    TOSSL VALUE account_url  missing, or not an https URL
    """
    from ...challenges.dns_account01 import dns_account01_solver
    from ...challenges.solver import SolverOptions

    url = object_url(required("account_url", account_url, "the url that get_account returns"), "account_url")
    challenge = challenge_for("dns-account-01", domain, token, account_key, url)
    options = SolverOptions(
        provider=provider_options(provider, api_key, zone_id, endpoint, ca_bundle, proxy),
        resolvers=tuple(resolvers),
        propagation_timeout=propagation_timeout,
    )
    return _presented(context, dns_account01_solver(options), challenge)


def dns_persist01_record(
    directory_url: str,
    account_key: str,
    domain: str,
    *,
    issuer: str = "",
    persist_until: int | None = None,
    ca_bundle: str = "",
    proxy: str = "",
    context: Context = seconds(60),
) -> dict[str, object]:
    """Tells the standing TXT record that lets this account have certificates for the domain (dns-persist-01).

    Nothing is published: whoever holds the account's key can use the record for as long as it stands, so it is for the
    domain's owner to put it there. draft-ietf-acme-dns-persist.

    domain               a DNS name; with "*." before it the record is one for wildcards and subdomains too
    -issuer name         the CA's name for itself; without it each of caaIdentities in the directory's meta makes a
                         value
    -persist_until time  epoch seconds, after which the record is of no use

    Returns a dict:

    type               dns-persist-01
    account_url        the account's URL
    dns_record_name    the record's name
    dns_record_values  a list of values, any one of which will do

    Errors:
    TOSSL ACME accountDoesNotExist 400  the CA does not know the key
    TOSSL VALUE issuer                  not a DNS name; missing, where the directory names no caaIdentities
    TOSSL VALUE persist_until           not a time
    TOSSL VALUE domains                 not a DNS name
    """
    from ...challenges.dns_persist01 import standing_name, standing_value

    name = dns_name(domain)
    if persist_until is not None and persist_until < 0:
        raise ArgumentError("persist_until", "persist_until must be a time in epoch seconds")
    client = client_for(directory_url, account_key, ca_bundle, proxy)
    issuers = [dns_name(issuer)] if issuer else client.directory(context).caa_identities
    if not issuers:
        raise ArgumentError("issuer", "the CA's directory names no caaIdentities: -issuer has to")
    account = client.account_url(context)
    wildcard = name.startswith("*.")
    return {
        "type": "dns-persist-01",
        "account_url": account,
        "dns_record_name": standing_name(name),
        "dns_record_values": [standing_value(one, account, wildcard=wildcard, until=persist_until) for one in issuers],
    }


def cleanup_dns(
    domain: str,
    record_name: str,
    provider: str,
    api_key: str,
    zone_id: str = "",
    *,
    value: str | None = None,
    endpoint: str = "",
    ca_bundle: str = "",
    proxy: str = "",
    context: Context = seconds(120),
) -> str:
    """Removes the TXT values that this process published at a name; where it published none, every one there.

    A name that is not that of an ACME validation record is refused.

    domain       the DNS name that was to be proven
    record_name  the `dns_record_name` of dns01_challenge
    -value text  this value alone

    Returns "DNS record deleted successfully".

    Errors:
    TOSSL DNS provider kind  "Failed to delete DNS record: ": of kind record where nothing is there
    TOSSL VALUE record_name  not the name of a validation record
    TOSSL VALUE domains      not a name
    """
    from ...challenges.registry import check_validation_name
    from ...dns.published import PUBLISHED, check_removed
    from ...dns.registry import open_provider
    from ...identifiers import parse_identifiers

    parse_identifiers([domain])
    check_validation_name(record_name)
    service = open_provider(provider_options(provider, api_key, zone_id, endpoint, ca_bundle, proxy))
    removed = PUBLISHED.remove(context, service, record_name, value)
    check_removed(removed, service, record_name, value)
    return "DNS record deleted successfully"


def dns_name(domain: str) -> str:
    """A DNS name, perhaps with "*.", as it is sent. ArgumentError "domains" for an IP address too."""
    from ...identifiers import check_provable_by_dns

    identifier = one_identifier(domain)
    check_provable_by_dns(identifier, "domains")
    return identifier.value


def _presented(context: Context, solver: Dns01, challenge: Challenge) -> dict[str, object]:
    """Publishes the challenge's record, waits until it is seen, and says what stands now."""
    from ...challenges.presented import present_and_wait

    present_and_wait(context, solver, challenge)
    name, value = solver.record(challenge)
    return {
        "type": challenge.type,
        "token": challenge.token,
        "key_authorization": challenge.key_authorization,
        "dns_record_name": name,
        "dns_record_value": value,
    }
