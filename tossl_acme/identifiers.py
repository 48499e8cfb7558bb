"""What a certificate is for: DNS names (RFC 8555 section 9.7.7) and IP addresses (RFC 8738), checked before sending."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import ArgumentError
from .text import quoted

_MOST_NAME = 253
_MOST_LABEL = 63
_LDH = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


@dataclass(frozen=True, order=True)
class Identifier:
    """A name as it stands in an order: type "dns" or "ip"; a wildcard keeps its "*."."""

    type: str
    value: str

    def as_json(self) -> dict[str, str]:
        return {"type": self.type, "value": self.value}

    @classmethod
    def from_json(cls, value: Any) -> Identifier:
        """Reads what a server sent; anything odd becomes text, to be shown and compared, never trusted."""
        if isinstance(value, Mapping):
            return cls(str(value.get("type", "")), str(value.get("value", "")).lower())
        return cls("", "")


def parse_identifiers(names: Iterable[str]) -> tuple[Identifier, ...]:
    """The identifiers for what a user typed: lower case, IDN as A-labels, each once, in the order given.

    Raises ArgumentError "domains" naming what is wrong with which name.
    """
    found = tuple(dict.fromkeys(_identifier(name) for name in names))
    if not found:
        raise _unusable("no domain names given")
    return found


def _identifier(name: str) -> Identifier:
    if not name.strip():
        raise _unusable("a domain name is empty")
    if any(char.isspace() or not char.isprintable() for char in name):
        raise _unusable(f"{_quoted(name)} has white space or a control character in it")
    try:
        # "fe80::1%eth0" is an address with a zone, which means nothing elsewhere; it fails as a name.
        address = ipaddress.ip_address(name if "%" not in name else "")
    except ValueError:
        return Identifier("dns", _dns_name(name))
    mapped = getattr(address, "ipv4_mapped", None)
    # Python 3.13 writes these as RFC 5952 section 5 would; RFC 8738 wants section 4.
    return Identifier("ip", f"::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}" if mapped else str(address))


def _dns_name(name: str) -> str:
    wildcard = name.startswith("*.")
    base = name.removeprefix("*.")
    if "*" in base:
        raise _unusable(f"{_quoted(name)}: a wildcard is one * as the whole first label")
    ascii_name = _ascii(base.removesuffix("."), name).lower()
    labels = ascii_name.split(".")
    if len(ascii_name) > _MOST_NAME:
        raise _unusable(f"{_quoted(name)} is longer than {_MOST_NAME} characters")
    for label in labels:
        _check_label(label, name)
    if labels[-1].isdigit():
        raise _unusable(f"{_quoted(name)} ends with a number, which is neither a domain name nor an IP address")
    if wildcard and len(labels) < 2:
        raise _unusable(f"{_quoted(name)}: a wildcard needs a domain below it")
    return f"*.{ascii_name}" if wildcard else ascii_name


def _check_label(label: str, name: str) -> None:
    if not label:
        raise _unusable(f"{_quoted(name)} has an empty label")
    if len(label) > _MOST_LABEL:
        raise _unusable(f"{_quoted(name)} has a label of more than {_MOST_LABEL} characters")
    if not set(label) <= _LDH:
        raise _unusable(f"{_quoted(name)} has a character that no domain name holds")
    if label.startswith("-") or label.endswith("-"):
        raise _unusable(f"{_quoted(name)} has a label that begins or ends with a hyphen")


def _ascii(base: str, name: str) -> str:
    if base.isascii():
        return base
    import idna

    try:
        return idna.encode(base, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise _unusable(f"{_quoted(name)} is not a valid internationalized name: {error}") from None


def _quoted(name: str) -> str:
    return quoted(name)


def _unusable(cause: str) -> ArgumentError:
    return ArgumentError("domains", f"Failed to parse domains: {cause}")
