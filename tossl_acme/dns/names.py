"""Names of validation records."""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
#: What dns-account-01 puts before _acme-challenge: "_" and ten bytes in base32.
_ACCOUNT_LABEL = re.compile(r"_[a-z2-7]{16}")
_FIRST_LABELS = ("_acme-challenge", "_validation-persist")


def normal_name(name: str) -> str:
    """The name in lower case, without a final dot."""
    return name.strip().removesuffix(".").lower()


def is_validation_name(fqdn: str) -> bool:
    """Whether this is the name of an ACME validation record: _acme-challenge.NAME (RFC 8555 section 8.4),
    _ACCOUNTLABEL._acme-challenge.NAME (dns-account-01) or _validation-persist.NAME (dns-persist-01).

    Nothing else is ever deleted by this package.
    """
    return len(normal_name(fqdn)) <= 253 and validated_domain(fqdn) is not None


def validated_domain(fqdn: str) -> str | None:
    """NAME of a validation record's name; None for any other name."""
    labels = normal_name(fqdn).split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        return None
    if labels[0] in _FIRST_LABELS:
        rest = labels[1:]
    elif labels[1:2] == ["_acme-challenge"] and _ACCOUNT_LABEL.fullmatch(labels[0]):
        rest = labels[2:]
    else:
        return None
    return ".".join(rest) or None
