"""ACME identifiers (RFC 8555, RFC 8738) as X.509 names, and back."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from cryptography import x509
from cryptography.x509.oid import NameOID

from ..identifiers import Identifier

_OTHER_TYPES: dict[type[x509.GeneralName], str] = {
    x509.RFC822Name: "email",
    x509.UniformResourceIdentifier: "uri",
    x509.DirectoryName: "directory",
    x509.RegisteredID: "oid",
}


def general_names(identifiers: Iterable[Identifier]) -> list[x509.GeneralName]:
    """Returns the names of a subjectAltName, each once, in order. Raises ValueError for an impossible name."""
    return [
        x509.DNSName(name.value) if name.type == "dns" else x509.IPAddress(ipaddress.ip_address(name.value))
        for name in dict.fromkeys(identifier.normal for identifier in identifiers)
    ]


def alternative_names(extensions: x509.Extensions) -> tuple[Identifier, ...]:
    """Returns the names in the subjectAltName, each once. Names unknown to ACME have types like email and uri."""
    try:
        found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(dict.fromkeys(map(_identifier, found)))


def common_names(subject: x509.Name) -> tuple[str, ...]:
    """Returns the common names of a subject or issuer."""
    return tuple(str(attribute.value) for attribute in subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def common_name_identifier(text: str) -> Identifier:
    """Returns a common name read as an identifier, as CAs do."""
    try:
        return Identifier("ip", str(ipaddress.ip_address(text))).normal
    except ValueError:
        return Identifier("dns", text).normal


def _identifier(name: x509.GeneralName) -> Identifier:
    if isinstance(name, x509.DNSName):
        return Identifier("dns", name.value).normal
    if isinstance(name, x509.IPAddress):
        # A network, which no certificate should have, is no address.
        return Identifier.from_json({"type": "ip", "value": str(name.value)})
    return Identifier(_OTHER_TYPES.get(type(name), "other"), str(name.value))
