"""Challenges through the DNS, and the removal of their records."""

from __future__ import annotations

from ...context import Context, seconds
from ...errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.authorization import Challenge
    from ...acme.client import Client
    from ...acme.jws import AccountKey
    from ...challenges.dns01 import Dns01
    from ...challenges.solver import Aliases, Propagation
    from ...dns.options import ProviderOptions
    from ...identifiers import Identifier


def dns01_challenge(
    domain: str,
    token: str,
    account_key: AccountKey,
    provider: ProviderOptions,
    *,
    propagation: Propagation,
    context: Context = seconds(600),
) -> dict[str, object]:
    """Publishes the TXT record of a dns-01 challenge and waits until the DNS servers show it.

    RFC 8555 section 8.4.

    domain  the DNS name to prove; the record's name does not contain a wildcard's "*."

    Returns a dict when all of the zone's authoritative servers, or of -resolvers, show the record:

    type               dns-01
    token              as given
    key_authorization  the record contains its digest
    dns_record_name    the record's name, for cleanup_dns
    dns_record_value   its value
    published_name     the name at which the record is published: dns_record_name, or where CNAME records lead

    After an error the record is removed again. The call may outlast its -timeout for that, by as much as the limit, but
    10 to 60 seconds. Where that fails, the error's -tossl dict has clean_up_failed, as obtain_certificate has it.

    Errors:
    TOSSL DNS provider kind    "Provider not supported: ", "Failed to create DNS record: ": unsupported, credentials,
                               zone, record, refused or answer
    TOSSL TIMEOUT propagation  "DNS propagation timeout": not all servers showed the record in time; it is removed again
    TOSSL VALUE domain         not a DNS name
    """
    from ...acme.authorization import Challenge
    from ...challenges.dns01 import dns01_solver
    from ...challenges.solver import SolverOptions

    challenge = Challenge.from_words("dns-01", domain, token, account_key)
    return _presented(context, dns01_solver(SolverOptions.proving(provider, propagation)), challenge)


def dns_account01_challenge(
    domain: str,
    token: str,
    account_key: AccountKey,
    provider: ProviderOptions,
    *,
    account_url: str = "",
    propagation: Propagation,
    context: Context = seconds(600),
) -> dict[str, object]:
    """Publishes the TXT record of a dns-account-01 challenge, whose name differs for each account.

    Works as dns01_challenge, but several accounts can prove one domain at the same time.
    draft-ietf-acme-dns-account-label.

    domain            the DNS name to prove
    -account_url url  required: the `url` that get_account returns

    Returns a dict as dns01_challenge does, with type dns-account-01.

    Errors: those of dns01_challenge, and
    TOSSL VALUE account_url  missing, or not an https URL
    """
    from ...acme.authorization import Challenge
    from ...acme.urls import https_url
    from ...challenges.dns_account01 import dns_account01_solver
    from ...challenges.solver import SolverOptions

    if not account_url:
        raise ArgumentError("account_url", "-account_url is required; give the url that get_account returns")
    url = https_url(account_url, "account_url")
    challenge = Challenge.from_words("dns-account-01", domain, token, account_key, url)
    return _presented(context, dns_account01_solver(SolverOptions.proving(provider, propagation)), challenge)


def dns_persist01_record(
    client: Client,
    identifier: Identifier,
    *,
    issuer: str = "",
    persist_until: int | None = None,
    propagation: Propagation,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Returns the permanent TXT record that lets this account get certificates for the domain (dns-persist-01).

    Publishes nothing: the account's key can use the record while it exists, so the domain's owner must add it. Looks
    whether it stands, unless -propagation is none or -propagation_timeout is 0. draft-ietf-acme-dns-persist.

    domain               a DNS name; with "*." the record is also valid for wildcards and subdomains
    -issuer name         the CA's name in CAA records; default: one value for each of caaIdentities in the directory's
                         meta
    -persist_until time  the end of the record's validity, epoch seconds

    Returns a dict:

    type               dns-persist-01
    account_url        the account's URL
    dns_record_name    the record's name
    dns_record_values  a list of values; one of them is enough
    dns_record_lines   the same as lines of a zone file, in strings of at most 255 bytes
    standing           1 if the DNS shows a record that will serve, 0 if not, empty if that is not known
    persist_until      the end of that record's validity, epoch seconds; 0 if it has none
    difference         why none serves, or why that is not known; else empty

    Errors:
    TOSSL ACME accountDoesNotExist 400  the CA does not know the key
    TOSSL VALUE issuer                  not a DNS name; or missing, and the directory lists no caaIdentities
    TOSSL VALUE persist_until           not a time
    TOSSL VALUE domain                  not a DNS name
    """
    from ...challenges.dns_persist01 import state_of
    from ...challenges.standing import Wanted, zone_line
    from ...identifiers import check_provable_by_dns

    check_provable_by_dns(identifier)
    if persist_until is not None and persist_until < 0:
        raise ArgumentError("persist_until", "-persist_until: must be a time in epoch seconds")
    issuers = [_issuer_name(issuer)] if issuer else client.directory(context).caa_identities
    if not issuers:
        raise ArgumentError("issuer", "the CA's directory lists no caaIdentities; give -issuer")
    wanted = Wanted(
        identifier.base.value, client.account_url(context), issuers, identifier.wildcard, until=persist_until
    )
    context.tell("dns_standing", domain=wanted.domain, record=wanted.name, values=wanted.values)
    part = context.narrowed(propagation.timeout) if propagation.looks else None
    return {
        "type": "dns-persist-01",
        "account_url": wanted.account_url,
        "dns_record_name": wanted.name,
        "dns_record_values": wanted.values,
        "dns_record_lines": [zone_line(wanted.name, value) for value in wanted.values],
        **state_of(part, wanted, propagation.aliases.resolvers),
    }


def _issuer_name(issuer: str) -> str:
    from ...identifiers import check_provable_by_dns, parse_identifier

    identifier = parse_identifier(issuer, "issuer")
    check_provable_by_dns(identifier, "issuer")
    return identifier.value


def cleanup_dns(
    domain: str,
    record_name: str,
    provider: ProviderOptions,
    *,
    value: str | None = None,
    aliases: Aliases,
    context: Context = seconds(120),
) -> str:
    """Removes the TXT values that this process published at a name; if it published none, every value there.

    Removes them from where this process published them, even if CNAME records at the name lead elsewhere by now; if it
    published none, from where they lead now. Refuses any name that is not an ACME validation record's.

    domain       the DNS name of the challenge
    record_name  the `dns_record_name` of dns01_challenge
    -value text  removes only this value

    Returns "DNS record deleted successfully".

    Errors:
    TOSSL DNS provider kind  "Failed to delete DNS record: "; kind record: no such record
    TOSSL VALUE record_name  not the name of a validation record
    TOSSL VALUE value        missing, and CNAME records lead to a name that may have other records
    TOSSL VALUE domain       not a name
    """
    from ...challenges.dns_cleanup import remove_record
    from ...challenges.solver import Propagation, SolverOptions
    from ...identifiers import parse_identifier

    parse_identifier(domain)
    options = SolverOptions.proving(provider, Propagation(aliases))
    remove_record(context, options, domain, record_name, value)
    return "DNS record deleted successfully"


def _presented(context: Context, solver: Dns01, challenge: Challenge) -> dict[str, object]:
    """Publishes the challenge's record, waits until the DNS servers show it, and returns its description."""
    from ...challenges.presented import present_and_wait

    present_and_wait(context, solver, challenge)
    name, value = solver.record(challenge)
    return {
        "type": challenge.type,
        "token": challenge.token,
        "key_authorization": challenge.key_authorization,
        "dns_record_name": name,
        "dns_record_value": value,
        "published_name": solver.published_name(challenge),
    }


COMMANDS = (dns01_challenge, dns_account01_challenge, dns_persist01_record, cleanup_dns)
