"""The challenge types by name, and the names that their DNS records can have."""

from __future__ import annotations

import re

from ..dns.provider import canonical_name
from ..errors import ArgumentError
from ..identifiers import MAX_NAME_CHARS
from ..text import quoted
from . import dns01, dns_account01, dns_persist01, http01, tls_alpn01
from .solver import ChallengeType

#: In the order in which messages list them.
TYPES: dict[str, ChallengeType] = {
    kind.name: kind for kind in (http01.TYPE, dns01.TYPE, tls_alpn01.TYPE, dns_account01.TYPE, dns_persist01.TYPE)
}

_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"


def is_validation_name(fqdn: str) -> bool:
    """Returns whether a name can be that of an ACME validation record: a type's labels before a domain.

    RFC 8555 section 8.4, draft-ietf-acme-dns-account-label, draft-ietf-acme-dns-persist.
    """
    name = canonical_name(fqdn)
    labels = "|".join(kind.dns_label for kind in TYPES.values() if kind.dns_label)
    return len(name) <= MAX_NAME_CHARS and bool(re.fullmatch(rf"({labels})(\.{_LABEL})+", name))


def check_validation_name(fqdn: str) -> None:
    """Raises ArgumentError "record_name" for any other name: this package never deletes other records."""
    if not is_validation_name(fqdn):
        raise ArgumentError("record_name", f"{quoted(fqdn)} is not the name of an ACME validation record")
