"""Names as ACME identifiers (RFC 8555, RFC 8738), ("dns", "example.com") or ("ip", "192.0.2.1"), and as in X.509."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TypeAlias

from cryptography import x509
from cryptography.x509.oid import NameOID

Name: TypeAlias = tuple[str, str]


def general_names(names: Iterable[Name]) -> list[x509.GeneralName]:
    """What goes into a subjectAltName, each once, in the order given. ValueError for a name that cannot."""
    return [
        x509.DNSName(value) if kind == "dns" else x509.IPAddress(ipaddress.ip_address(value))
        for kind, value in dict.fromkeys(normal_name(name) for name in names)
    ]


def normal_name(name: Name) -> Name:
    """The form in which equal names are equal: DNS in lower case, IP as RFC 5952 writes it. ValueError if neither."""
    kind, value = name
    if kind == "dns":
        return kind, value.lower()
    if kind == "ip":
        return kind, str(ipaddress.ip_address(value))
    raise ValueError(f"a name of type {kind}")


def alternative_names(extensions: x509.Extensions) -> tuple[Name, ...]:
    """The names in the subjectAltName, each once. ValueError when one is neither DNS nor IP."""
    try:
        found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(dict.fromkeys(normal_name(_name(name)) for name in found))


def common_names(subject: x509.Name) -> tuple[str, ...]:
    """The common names of a subject or issuer."""
    return tuple(str(attribute.value) for attribute in subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def _name(name: x509.GeneralName) -> Name:
    if isinstance(name, x509.DNSName):
        return "dns", name.value
    if isinstance(name, x509.IPAddress):
        return "ip", str(name.value)
    raise ValueError(f"a name of type {type(name).__name__}")
