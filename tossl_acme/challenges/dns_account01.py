"""dns-account-01 (draft-ietf-acme-dns-account-label): dns-01 at a record name that differs for each account.

So several accounts can prove one domain at the same time, each with its own CNAME.
"""

from __future__ import annotations

import base64
import hashlib

from ..acme.authorization import Challenge
from ..identifiers import check_record_length
from . import dns01
from .dns01 import Dns01, parts_of, validation_name
from .solver import ChallengeType, SolverOptions


def account_label(account_url: str) -> str:
    """Returns the account's label: "_" and the first ten bytes of the URL's SHA-256 in base32, in lower case."""
    digest = hashlib.sha256(account_url.encode()).digest()[:10]
    return f"_{base64.b32encode(digest).decode().lower()}"


def account_validation_name(domain: str, account_url: str) -> str:
    """Returns the name of a domain's TXT record for this account. Raises ArgumentError as validation_name() does."""
    name = f"{account_label(account_url)}.{validation_name(domain)}"
    check_record_length(name, domain)
    return name


class DnsAccount01(Dns01):
    """As Dns01, at the account's record name."""

    challenge_type = "dns-account-01"

    def name_for(self, challenge: Challenge) -> str:
        return account_validation_name(challenge.identifier.value, challenge.account_url)


def dns_account01_solver(options: SolverOptions) -> DnsAccount01:
    """Returns the solver for a provider. Raises as dns01_solver() does."""
    return DnsAccount01(*parts_of(options, DnsAccount01.challenge_type))


#: The label is "_" and ten bytes in base32, before the label of dns-01.
TYPE = ChallengeType(DnsAccount01.challenge_type, dns_account01_solver, rf"_[a-z2-7]{{16}}\.{dns01.TYPE.dns_label}")
