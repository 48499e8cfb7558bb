"""dns-persist-01 (draft-ietf-acme-dns-persist): a permanent TXT record that lets one account get certificates.

Anybody with the account's key can use the record while it exists. So no order publishes or removes it: the domain's
owner adds it, once.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..acme.authorization import Challenge
from ..context import Context
from .solver import ChallengeType

_LABEL = "_validation-persist"


def standing_name(domain: str) -> str:
    """Returns the name of a domain's permanent record; a wildcard's is that of its domain."""
    return f"{_LABEL}.{domain.removeprefix('*.').removesuffix('.').lower()}"


def standing_value(issuer: str, account_url: str, *, wildcard: bool = False, until: int | None = None) -> str:
    """Returns the TXT value, in the form of a CAA issue value (RFC 8659 section 4.2).

    wildcard: also valid for wildcards and subdomains. until: end of its validity, epoch seconds.
    """
    parts = [issuer.removesuffix(".").lower(), f"accounturi={account_url}"]
    parts += ["policy=wildcard"] if wildcard else []
    parts += [f"persistUntil={until}"] if until is not None else []
    return "; ".join(parts)


class DnsPersist01:
    """Relies on the permanent record, and reports its name and the accepted values as progress."""

    challenge_type = "dns-persist-01"

    def place_of(self, challenge: Challenge) -> Mapping[str, str]:
        return {}  # nothing is presented

    def present(self, context: Context, challenge: Challenge) -> None:
        account, wildcard = challenge.account_url, challenge.wildcard
        values = [standing_value(issuer, account, wildcard=wildcard) for issuer in challenge.issuers]
        domain = challenge.identifier.value
        context.tell("dns_standing", domain=domain, record=standing_name(domain), values=values)

    def describe(self, challenge: Challenge) -> dict[str, object]:
        """Returns the record's name."""
        return {"record": standing_name(challenge.identifier.value)}

    def wait(self, context: Context, challenge: Challenge) -> None:
        """Returns at once: the record exists, or the CA will report its absence."""

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        """Removes nothing: the record belongs to the domain's owner."""


TYPE = ChallengeType(DnsPersist01.challenge_type, lambda _options: DnsPersist01(), _LABEL)
