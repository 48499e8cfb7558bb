"""dns-account-01 (draft-ietf-acme-dns-account-label): dns-01 at a name of the account's own.

Several accounts can so prove one domain at the same time, each through its own delegation of that name.
"""

from __future__ import annotations

import base64
import hashlib

from ..acme.authorization import Challenge
from .dns01 import DNS_LABEL as PLAIN_DNS_LABEL
from .dns01 import Dns01
from .dns01 import record_name as plain_record_name

#: "_" and ten bytes in base32, before what dns-01 has.
DNS_LABEL = rf"_[a-z2-7]{{16}}\.{PLAIN_DNS_LABEL}"


def account_label(account_url: str) -> str:
    """The account's label: "_" and the first ten bytes of the URL's SHA-256 in base32, in lower case."""
    digest = hashlib.sha256(account_url.encode()).digest()[:10]
    return f"_{base64.b32encode(digest).decode().lower()}"


def record_name(domain: str, account_url: str) -> str:
    """Where a domain's TXT record stands for this account."""
    return f"{account_label(account_url)}.{plain_record_name(domain)}"


class DnsAccount01(Dns01):
    """As Dns01, at the account's own name."""

    challenge_type = "dns-account-01"

    def name_for(self, challenge: Challenge) -> str:
        return record_name(challenge.identifier.value, challenge.account_url)
