"""ACME identifiers (RFC 8555, RFC 8738) as X.509 names, and back."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from cryptography import x509
from cryptography.x509.oid import NameOID

from ..identifiers import Identifier


def general_names(identifiers: Iterable[Identifier]) -> list[x509.GeneralName]:
    """The names of a subjectAltName, each once, in the order given. ValueError for a name that it cannot hold."""
    return [
        x509.DNSName(name.value) if name.type == "dns" else x509.IPAddress(ipaddress.ip_address(name.value))
        for name in dict.fromkeys(identifier.normal for identifier in identifiers)
    ]


def alternative_names(extensions: x509.Extensions) -> tuple[Identifier, ...]:
    """The names in the subjectAltName, each once. ValueError when one is neither DNS nor IP."""
    try:
        found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(dict.fromkeys(_identifier(name).normal for name in found))


def common_names(subject: x509.Name) -> tuple[str, ...]:
    """The common names of a subject or issuer."""
    return tuple(str(attribute.value) for attribute in subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def common_name_identifier(text: str) -> Identifier:
    """A common name read as the name that it stands for, as CAs do."""
    try:
        return Identifier("ip", str(ipaddress.ip_address(text))).normal
    except ValueError:
        return Identifier("dns", text).normal


def _identifier(name: x509.GeneralName) -> Identifier:
    if isinstance(name, x509.DNSName):
        return Identifier("dns", name.value)
    if isinstance(name, x509.IPAddress):
        return Identifier("ip", str(name.value))
    raise ValueError(f"a name of type {type(name).__name__}")
