"""The permanent TXT record of the draft-ietf-acme-dns-persist: its name, its value, and how others differ."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..dns.issue_value import parse_issue_value
from ..identifiers import check_record_length
from ..text import clean

LABEL = "_validation-persist"
#: Bytes of one character-string in a TXT record (RFC 1035 section 3.3).
_MOST_STRING_BYTES = 255


def standing_name(domain: str) -> str:
    """Returns the name of a domain's permanent record; a wildcard's is that of its domain.

    Raises ArgumentError "domain" if it is longer than a DNS name can be.
    """
    name = f"{LABEL}.{domain.removeprefix('*.').removesuffix('.').lower()}"
    check_record_length(name, domain)
    return name


def standing_value(issuer: str, account_url: str, *, wildcard: bool = False, until: int | None = None) -> str:
    """Returns the TXT value, in the form of a CAA issue value (RFC 8659 section 4.2).

    wildcard: also valid for wildcards and subdomains. until: end of its validity, epoch seconds.
    """
    parts = [issuer.removesuffix(".").lower(), f"accounturi={account_url}"]
    parts += ["policy=wildcard"] if wildcard else []
    parts += [f"persistUntil={until}"] if until is not None else []
    return "; ".join(parts)


def zone_line(name: str, value: str) -> str:
    """Returns the record as a line of a zone file, its value in strings of at most 255 bytes."""
    strings = [value[at : at + _MOST_STRING_BYTES] for at in range(0, len(value), _MOST_STRING_BYTES)]
    quoted_strings = " ".join('"' + one.replace("\\", r"\\").replace('"', r"\"") + '"' for one in strings)
    return f"{name}. IN TXT {quoted_strings}"


@dataclass(frozen=True)
class Wanted:
    """The record that a name needs.

    issuers: the CA's names, one of which it must have. wildcard: it must be valid for wildcards. is_challenged: the
    names are those of the challenge; before that, a record with another name of the CA may serve as well. until: the
    end of a new record's validity.
    """

    domain: str
    account_url: str
    issuers: Collection[str]
    wildcard: bool = False
    is_challenged: bool = True
    until: int | None = None

    @property
    def name(self) -> str:
        return standing_name(self.domain)

    @property
    def values(self) -> list[str]:
        """Returns the values of which one is enough."""
        return [standing_value(one, self.account_url, wildcard=self.wildcard, until=self.until) for one in self.issuers]


@dataclass(frozen=True)
class Standing:
    """A record that the CA will accept. until: the end of its validity, epoch seconds; None without an end."""

    value: str
    issuer: str
    until: int | None

    @property
    def ends(self) -> float:
        return float("inf") if self.until is None else self.until


def find_standing(values: Sequence[str], wanted: Wanted, at: float) -> tuple[Standing | None, list[str]]:
    """Returns the record that will serve for longest, and how each other value differs from the wanted one.

    at: the time that persistUntil is compared with, epoch seconds. draft-ietf-acme-dns-persist section 4.
    """
    found: list[Standing] = []
    differences: list[str] = []
    for value in values:
        standing, difference = _compared(value, wanted, at)
        if standing is not None:
            found.append(standing)
        else:
            differences.append(f"{clean(value)!r}: {difference}")
    return max(found, key=lambda one: one.ends, default=None), differences


def _compared(value: str, wanted: Wanted, at: float) -> tuple[Standing | None, str]:
    """Returns the value as a record that serves; else None and how it differs."""
    try:
        read = parse_issue_value(value)
    except ValueError as error:
        return None, str(error)
    if wanted.is_challenged and read.issuer not in [name.removesuffix(".").lower() for name in wanted.issuers]:
        return None, f"it names the CA {read.issuer or '(none)'}, not {' or '.join(wanted.issuers)}"
    account = read.parameters.get("accounturi", "")
    if account != wanted.account_url:
        return None, f"its accounturi is {clean(account) or 'missing'}, not {wanted.account_url}"
    if wanted.wildcard and read.parameters.get("policy", "").lower() != "wildcard":
        return None, "policy=wildcard is missing"
    text = read.parameters.get("persistuntil")
    if text is None:
        return Standing(value, read.issuer, None), ""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        return None, "its persistUntil is not a time in epoch seconds"
    if int(text) < at:
        return None, f"its persistUntil {text} is over"
    return Standing(value, read.issuer, int(text)), ""
