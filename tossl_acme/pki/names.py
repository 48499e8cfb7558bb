"""ACME identifiers (RFC 8555, RFC 8738) as X.509 names, and back."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable

from ..errors import ArgumentError
from ..identifiers import Identifier, parse_identifier
from .der import Element, sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography import x509

_EMAIL, _DNS, _URI, _IP, _OID = 0x81, 0x82, 0x86, 0x87, 0x88
#: The types of names that ACME does not have, by their tags (RFC 5280 section 4.2.1.6).
_OTHER_TYPES = {_EMAIL: "email", _URI: "uri", _OID: "oid", 0xA0: "other", 0xA3: "x400", 0xA4: "directory", 0xA5: "edi"}
_ATTRIBUTES = {b"\x55\x04\x03": "CN", b"\x55\x04\x06": "C", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU"}


def general_names(identifiers: Iterable[Identifier]) -> list[x509.GeneralName]:
    """Returns the names of a subjectAltName, each once, in order. Raises ValueError for an impossible name."""
    from cryptography import x509

    return [
        x509.DNSName(name.value) if name.type == "dns" else x509.IPAddress(ipaddress.ip_address(name.value))
        for name in dict.fromkeys(identifier.normal for identifier in identifiers)
    ]


def alternative_names(extension: bytes) -> tuple[Identifier, ...]:
    """Returns the names in a subjectAltName (DER, empty for none), each once.

    Names unknown to ACME have types like email and uri. Raises DerError.
    """
    return tuple(dict.fromkeys(map(_identifier, sequence(extension)))) if extension else ()


def common_names(subject: x509.Name) -> tuple[str, ...]:
    """Returns the common names of a subject or issuer."""
    from cryptography.x509.oid import NameOID

    return tuple(str(attribute.value) for attribute in subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def common_name_identifier(text: str) -> Identifier:
    """Returns a common name read as an identifier, as CAs do."""
    try:
        return Identifier("ip", str(ipaddress.ip_address(text))).normal
    except ValueError:
        return Identifier("dns", text).normal


def is_host_name(text: str) -> bool:
    """Returns whether a common name can be a domain name or an address."""
    try:
        parse_identifier(text)
    except ArgumentError:
        return False
    return True


def _identifier(name: Element) -> Identifier:
    if name.tag == _DNS:
        text = name.content.decode("utf-8", "replace")
        return Identifier("dns", text).normal if text.isascii() else Identifier("dns", text)
    if name.tag == _IP:
        # A network, which no certificate should have, is no address.
        if len(name.content) not in (4, 16):
            return Identifier("ip", name.content.hex())
        return Identifier("ip", str(ipaddress.ip_address(name.content))).normal
    kind = _OTHER_TYPES.get(name.tag, "other")
    if name.tag in (_EMAIL, _URI):
        return Identifier(kind, name.content.decode("latin-1"))
    if kind == "directory":
        with contextlib.suppress(ValueError):
            return Identifier(kind, _directory_name(name))
    return Identifier(kind, name.content.hex())


def _directory_name(name: Element) -> str:
    """Returns the parts of a directory name, as CN=example,O=Example; those of other kinds are left out."""
    found = []
    for attribute in (one for names in name.children() for parts in names.children() for one in parts.children()):
        kind, value = attribute.children()[:2]
        if label := _ATTRIBUTES.get(kind.content):
            found.append(f"{label}={value.content.decode('utf-8', 'replace')}")
    return ",".join(found)
