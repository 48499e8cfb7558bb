"""A certificate's names: DNS names (RFC 8555 section 9.7.7) and IP addresses (RFC 8738), checked before sending."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import ArgumentError
from .text import quoted

#: Characters of a DNS name (RFC 1035 section 3.1).
MAX_NAME_CHARS = 253
#: Characters of a typed name with its wildcard and its final dot; its A-labels are longer.
_MAX_TYPED_CHARS = MAX_NAME_CHARS + 3
_MAX_LABEL_CHARS = 63
#: Names of one certificate: more than any CA signs, and than are read of one.
_MOST_NAMES = 5000
_LDH = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


@dataclass(frozen=True, order=True)
class Identifier:
    """A name in an order: type "dns" or "ip"; a wildcard keeps its "*."."""

    type: str
    value: str

    def as_json(self) -> dict[str, str]:
        return {"type": self.type, "value": self.value}

    @classmethod
    def from_json(cls, value: Any) -> Identifier:
        """Reads a server's identifier, also in Unicode; anything odd is text to show and compare, never to trust."""
        if not isinstance(value, Mapping):
            return cls("", "")
        read = cls(str(value.get("type", "")), str(value.get("value", "")))
        if read.type == "dns":
            return cls("dns", _as_ordered(read.value))
        try:
            return read.normal
        except ValueError:
            return read

    @property
    def normal(self) -> Identifier:
        """Returns the normal form, in which equal names are equal.

        DNS in lower case without a final dot, IP as in RFC 8738 section 3.

        Raises ValueError for another type, and for a text that is no address.
        """
        if self.type == "dns":
            return Identifier("dns", self.value.lower().removesuffix("."))
        if self.type == "ip":
            return Identifier("ip", _address_text(ipaddress.ip_address(self.value)))
        raise ValueError(f"a name of type {self.type}")

    @property
    def wildcard(self) -> bool:
        """Returns whether the name stands for all names directly below it."""
        return self.value.startswith("*.")

    @property
    def base(self) -> Identifier:
        """Returns the name to prove: a wildcard without its "*."."""
        return Identifier(self.type, self.value.removeprefix("*."))

    @property
    def is_provable_by_dns(self) -> bool:
        """Returns whether a DNS record can prove it: never an IP address (RFC 8738 section 7)."""
        return self.type == "dns"


def is_address(text: str) -> bool:
    """Returns whether a text is an IP address, also where it stands as a domain name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_record_length(name: str, domain: str) -> None:
    """Raises ArgumentError "domain" if a record's name is longer than a DNS name can be."""
    if len(name) > MAX_NAME_CHARS:
        cause = f"its record's name has more than {MAX_NAME_CHARS} characters"
        raise ArgumentError("domain", f"{quoted(domain)} cannot be proven through the DNS: {cause}")


def check_provable_by_dns(identifier: Identifier, argument: str = "domain") -> None:
    """Raises ArgumentError `argument` for an IP address, which no DNS record proves (RFC 8738 section 7)."""
    if not identifier.is_provable_by_dns:
        raise ArgumentError(argument, "an IP address cannot be proven through the DNS (RFC 8738 section 7)")


def parse_identifier(name: str, argument: str = "domain") -> Identifier:
    """Returns the identifier for one name that a user typed. Raises ArgumentError `argument`."""
    try:
        return _identifier(name)
    except ArgumentError as error:
        raise ArgumentError(argument, error.message) from None


def parse_identifiers(names: Iterable[str]) -> tuple[Identifier, ...]:
    """Returns the identifiers for the names that a user typed: lower case, IDN as A-labels, each once, in order.

    Raises ArgumentError "domains", with the name and its fault.
    """
    found = tuple(dict.fromkeys(_identifier(name) for name in names))
    if not found:
        raise _unusable("no domain names given")
    if len(found) > _MOST_NAMES:
        raise _unusable(f"{len(found)} names are more than the {_MOST_NAMES} of one certificate")
    return found


def _identifier(name: str) -> Identifier:
    if not name.strip():
        raise _unusable("a domain name is empty")
    if len(name) > _MAX_TYPED_CHARS:
        # First of all checks: encoding an IDN takes the square of its length.
        raise _unusable(f"{quoted(name)} is longer than {MAX_NAME_CHARS} characters")
    if any(char.isspace() or not char.isprintable() for char in name):
        raise _unusable(f"{quoted(name)} contains white space or a control character")
    try:
        # "fe80::1%eth0" is an address with a zone, which has no meaning elsewhere; it fails as a name.
        address = ipaddress.ip_address(name if "%" not in name else "")
    except ValueError:
        return Identifier("dns", _dns_name(name))
    return Identifier("ip", _address_text(address))


def _as_ordered(name: str) -> str:
    """Returns a server's name in the form in which names are ordered; text that is no name stays as it is."""
    lower = name.lower().removesuffix(".")
    if lower.isascii() or len(lower) > _MAX_TYPED_CHARS:
        return lower
    star = "*." if lower.startswith("*.") else ""
    try:
        return star + _ascii(lower.removeprefix(star), lower).lower().removesuffix(".")
    except ArgumentError:
        return lower


def _address_text(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    mapped = getattr(address, "ipv4_mapped", None)
    # Python 3.13 writes these as RFC 5952 section 5 would; RFC 8738 wants section 4.
    return f"::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}" if mapped else str(address)


def _dns_name(name: str) -> str:
    wildcard = name.startswith("*.")
    base = name.removeprefix("*.")
    if "*" in base:
        raise _unusable(f"{quoted(name)}: a wildcard is one * as the whole first label")
    ascii_name = _ascii(base.removesuffix("."), name).lower()
    labels = ascii_name.split(".")
    if len(ascii_name) > MAX_NAME_CHARS:
        raise _unusable(f"{quoted(name)} is longer than {MAX_NAME_CHARS} characters")
    for label in labels:
        _check_label(label, name)
    if labels[-1].isdigit():
        raise _unusable(f"{quoted(name)} ends with a number, which is neither a domain name nor an IP address")
    if wildcard and len(labels) < 2:
        raise _unusable(f"{quoted(name)}: a wildcard needs a domain below it")
    return f"*.{ascii_name}" if wildcard else ascii_name


def _check_label(label: str, name: str) -> None:
    if not label:
        raise _unusable(f"{quoted(name)} has an empty label")
    if len(label) > _MAX_LABEL_CHARS:
        raise _unusable(f"{quoted(name)} has a label of more than {_MAX_LABEL_CHARS} characters")
    if not set(label) <= _LDH:
        odd = next(char for char in label if char not in _LDH)
        hint = ": names are the words of a list, separated by spaces" if odd in ",;" else ""
        raise _unusable(f"{quoted(name)} contains {quoted(odd)}, which is not allowed in a domain name{hint}")
    if label.startswith("-") or label.endswith("-"):
        raise _unusable(f"{quoted(name)} has a label that begins or ends with a hyphen")


def _ascii(base: str, name: str) -> str:
    if base.isascii():
        return base
    import idna

    try:
        return idna.encode(base, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise _unusable(f"{quoted(name)} is not a valid internationalized name: {error}") from None


def _unusable(cause: str) -> ArgumentError:
    return ArgumentError("domains", f"Failed to parse domains: {cause}")
