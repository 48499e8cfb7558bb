"""What certificates and requests contain, read from their DER: one odd extension does not hide the others.

Here, and in what reads and makes them, cryptography.x509 is imported inside the functions: it loads slowly, and an
order is placed without it.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.exceptions import UnsupportedAlgorithm

from .der import (
    BIT_STRING,
    CONTEXT_0,
    INTEGER,
    OID,
    SEQUENCE,
    SET,
    UNREADABLE,
    DerError,
    Element,
    encoded,
    encoded_number,
    sequence,
)
from .pem import PemError

ALTERNATIVE_NAMES = bytes.fromhex("551d11")
BASIC_CONSTRAINTS = bytes.fromhex("551d13")
AUTHORITY_KEY_ID = bytes.fromhex("551d23")

_CONTEXT_3 = 0xA3
#: PKCS #9, and what Microsoft's programs write in its place.
_EXTENSION_REQUESTS = (bytes.fromhex("2a864886f70d01090e"), bytes.fromhex("2b060104018237020114"))
#: Signature algorithms that have no parameters (RFC 5758, RFC 8410); Mbed TLS, tpm2-openssl and Java (DSA) write NULL.
_WITHOUT_PARAMETERS = (
    bytes.fromhex("2a8648ce3d0403"), bytes.fromhex("2a8648ce3d0401"), bytes.fromhex("2b6570"),
    bytes.fromhex("2a8648ce3804"), bytes.fromhex("608648016503040302"),
)  # fmt: skip
#: Signature algorithms whose hash is broken.
_WEAK = {
    bytes.fromhex("2a864886f70d010102"): "MD2",
    bytes.fromhex("2a864886f70d010104"): "MD5",
    bytes.fromhex("2a864886f70d010105"): "SHA-1",
    bytes.fromhex("2b0e03021d"): "SHA-1",
    bytes.fromhex("2a8648ce3d0401"): "SHA-1",
    bytes.fromhex("2a8648ce380403"): "SHA-1",
}
_MOST_DEPTH = 20


def unreadable() -> tuple[type[Exception], ...]:
    """Returns every exception that `cryptography` raises for a certificate or request that it cannot read."""
    from cryptography import x509

    return (*UNREADABLE, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)


def cause_of(error: Exception) -> str:
    """Returns in words why a structure cannot be read; the library's own are for its programmers."""
    if isinstance(error, (DerError, PemError)):
        return str(error)
    from cryptography import x509

    if isinstance(error, x509.InvalidVersion):
        return "it has a version that does not exist; X.509 has 1 to 3"
    if isinstance(error, x509.DuplicateExtension):
        return "an extension in it comes twice"
    if isinstance(error, UnsupportedAlgorithm):
        return "its key or its signature is of a kind that is not supported"
    return "it is damaged: cut, or changed on its way"


def certificate_extensions(der: bytes) -> dict[bytes, bytes]:
    """Returns the values of a certificate's extensions by OID (content). Raises DerError."""
    children = sequence(der)
    if not children or children[0].tag != SEQUENCE:
        raise DerError("its structure is not DER")
    for part in children[0].children():
        if part.tag == _CONTEXT_3:
            return _extensions(part.children())
    return {}


def requested_extensions(der: bytes) -> dict[bytes, bytes]:
    """Returns the values of the extensions that a request asks for, by OID (content). Raises DerError."""
    for attribute in _attributes(der):
        parts = attribute.children()
        if len(parts) == 2 and parts[0].tag == OID and parts[0].content in _EXTENSION_REQUESTS:
            return _extensions(parts[1].children())
    return {}


def weak_hash(der: bytes) -> str:
    """Returns the name of a broken hash that a request is signed with, else an empty text. Raises DerError."""
    children = sequence(der)
    algorithm = children[1].children() if len(children) > 1 and children[1].tag == SEQUENCE else []
    return _WEAK.get(algorithm[0].content, "") if algorithm else ""


def normal_request(der: bytes) -> bytes:
    """Returns a CertificationRequest (RFC 2986) in the form that `cryptography` reads; its signature is invalid.

    There is only version 0, but some programs write 1 or 2. Others write NULL beside ecdsa-with-SHA256, or a set in
    another order than DER's. Raises DerError.
    """
    children = sequence(der)
    info = children[0].children() if children and children[0].tag == SEQUENCE else []
    if len(info) < 3 or info[0].tag != INTEGER or info[0].number > 2:
        raise DerError("its structure is not DER")
    subject, key = _in_order(info[1]), encoded(info[2].tag, info[2].content)
    attributes = b"".join(_in_order(part, is_set=part.tag == CONTEXT_0) for part in info[3:])
    body = encoded(SEQUENCE, encoded_number(0) + subject + key + attributes)
    return encoded(SEQUENCE, body + b"".join(_without_null(child) for child in children[1:]))


def _attributes(der: bytes) -> Iterable[Element]:
    children = sequence(der)
    info = children[0].children() if children and children[0].tag == SEQUENCE else []
    return next((part.children() for part in info[3:] if part.tag == CONTEXT_0), ())


def _extensions(outer: list[Element]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for extension in outer[0].children() if outer else ():
        parts = extension.children()
        if len(parts) < 2 or parts[0].tag != OID:
            raise DerError("one of its extensions is damaged")
        if parts[0].content in found:
            raise DerError("an extension in it comes twice")
        found[parts[0].content] = parts[-1].content
    return found


def _without_null(element: Element) -> bytes:
    """Returns the element; a signature's algorithm that has no parameters without them."""
    if element.tag == SEQUENCE:
        parts = element.children()
        if parts and parts[0].content.startswith(_WITHOUT_PARAMETERS):
            return encoded(SEQUENCE, encoded(OID, parts[0].content))
    return encoded(element.tag, element.content)


def _in_order(element: Element, *, is_set: bool = False, depth: int = 0) -> bytes:
    """Returns the element with the members of its sets in DER's order (X.690 section 11.6)."""
    if not element.tag & 0x20 or element.tag == BIT_STRING:
        return encoded(element.tag, element.content)
    if depth > _MOST_DEPTH:
        raise DerError("its structure is too deep")
    parts = [_in_order(part, depth=depth + 1) for part in element.children()]
    return encoded(element.tag, b"".join(sorted(parts) if is_set or element.tag == SET else parts))
