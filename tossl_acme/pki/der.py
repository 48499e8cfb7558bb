"""DER of other programs, converted to the form that `cryptography` reads. No message contains any part of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InternalError, UnsupportedAlgorithm

#: Every exception that `cryptography` raises for a key that it cannot read. See structure.unreadable().
UNREADABLE = (ValueError, TypeError, LookupError, UnsupportedAlgorithm, InternalError)

INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x06, 0x30, 0x31
BOOLEAN = 0x01
EMPTY_SEQUENCE = b"\x30\x00"
CONTEXT_0, CONTEXT_1 = 0xA0, 0xA1
#: The public key of RFC 5958, which is tagged implicitly.
PUBLIC_KEY = 0x81

#: An 8192-bit RSA key has 4.7 KB, the largest CSR of a hundred names 30 KB.
MOST_BYTES = 1 << 19
_MOST_ELEMENTS = 10_000

RSA = bytes.fromhex("2a864886f70d010101")
EC = bytes.fromhex("2a8648ce3d0201")
_NULL = b"\x05\x00"
_SHAPE = "its structure is not DER"


class DerError(ValueError):
    """The reason why a structure cannot be read, without any part of it."""


@dataclass(frozen=True, eq=False, repr=False)
class Element:
    """One element. Its repr hides the content, which may be a private key."""

    tag: int
    content: bytes

    @property
    def number(self) -> int:
        """Returns an INTEGER's value, read as unsigned: some programs omit the leading zero octet."""
        return int.from_bytes(self.content, "big")

    def children(self) -> list[Element]:
        """Returns the elements in a constructed element. Raises DerError."""
        found = []
        for element in elements(self.content):
            found.append(element)
            if len(found) > _MOST_ELEMENTS:
                raise DerError(_SHAPE)
        return found


def elements(data: bytes) -> Iterator[Element]:
    """Yields the elements in sequence. Raises DerError for anything else, and for too many bytes."""
    if len(data) > MOST_BYTES:
        raise DerError("its structure is too long")
    at = 0
    while at < len(data):
        tag, begin, end = _header(data, at)
        yield Element(tag, data[begin:end])
        at = end


def sequence(data: bytes) -> list[Element]:
    """Returns the children of `data`, a single SEQUENCE. Raises DerError."""
    found = list(elements(data))
    if len(found) != 1 or found[0].tag != SEQUENCE:
        raise DerError(_SHAPE)
    return found[0].children()


def encoded(tag: int, content: bytes) -> bytes:
    """Returns one element in DER."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def encoded_number(number: int) -> bytes:
    """Returns an INTEGER, not negative, in DER."""
    return encoded(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """Returns an element's tag, and the positions where its content begins and ends."""
    if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
        raise DerError(_SHAPE)
    size, begin = data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or begin + count > len(data):
            raise DerError(_SHAPE)
        size = int.from_bytes(data[begin : begin + count], "big")
        begin += count
    if begin + size > len(data):
        raise DerError(_SHAPE)
    return data[at], begin, begin + size


# ---- private keys ----


@dataclass(frozen=True, eq=False, repr=False)
class _Curve:
    """A curve: its OID, and the numbers that identify it in explicit parameters (SEC 2)."""

    oid: bytes
    octets: int
    p: int
    a: int
    b: int
    g: int
    n: int


def _curve(oid: str, p: str, b: str, g: str, n: str) -> _Curve:
    prime = int(p, 16)
    return _Curve(bytes.fromhex(oid), len(p) // 2, prime, prime - 3, int(b, 16), int(g, 16), int(n, 16))


#: P-256, P-384 and P-521; g is the base point's x coordinate.
CURVES = (
    _curve(
        "2a8648ce3d030107",
        "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    ),
    _curve(
        "2b81040022",
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
        "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
        "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    ),
    _curve(
        "2b81040023",
        "01ff" + "ff" * 64,
        "0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf07"
        "3573df883d2c34f1ef451fd46b503f00",
        "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de"
        "3348b3c1856a429bf97e7e31c2e5bd66",
        "01ff" + "ff" * 31 + "fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
    ),
)


def normal_private_key(label: str, der: bytes) -> bytes:
    """Returns a private key in plain PKCS#8 (version 0, no attributes), whatever program wrote it.

    An EC key's number gets as many octets as its curve requires, and explicit parameters of P-256, P-384 or P-521
    become that curve's name; an RSA key's numbers become valid DER. Keys of other types stay unchanged.
    Raises DerError.
    """
    if label == "RSA PRIVATE KEY":
        return _wrapped(RSA, _NULL, _rsa_key(der))
    if label == "EC PRIVATE KEY":
        return _ec_key(der, None)
    children = sequence(der)
    if [child.tag for child in children[:3]] != [INTEGER, SEQUENCE, OCTET_STRING] or children[0].number > 1:
        raise DerError(_SHAPE)
    algorithm, key = children[1].children(), children[2].content
    if not algorithm or algorithm[0].tag != OID:
        raise DerError(_SHAPE)
    if algorithm[0].content == RSA:
        return _wrapped(RSA, _NULL, _rsa_key(key))
    if algorithm[0].content == EC:
        return _ec_key(key, algorithm[1] if len(algorithm) > 1 else None)
    return _wrapped(algorithm[0].content, b"".join(encoded(e.tag, e.content) for e in algorithm[1:]), key)


def stated_public_key(der: bytes) -> bytes | None:
    """Returns the public key in a PKCS#8 key of version 1 (RFC 5958); None if it has none."""
    for element in sequence(der)[3:]:
        if element.tag == CONTEXT_1 and element.content[:1] == bytes([BIT_STRING]):  # explicit, against the RFC
            return element.children()[0].content[1:]
        if element.tag == PUBLIC_KEY:
            return element.content[1:]
    return None


def _wrapped(oid: bytes, parameters: bytes, key: bytes) -> bytes:
    algorithm = encoded(SEQUENCE, encoded(OID, oid) + parameters)
    return encoded(SEQUENCE, encoded_number(0) + algorithm + encoded(OCTET_STRING, key))


def _rsa_key(der: bytes) -> bytes:
    numbers = sequence(der)
    if len(numbers) > 9:
        raise DerError("it is an RSA key of more than two primes, which is not supported")
    if len(numbers) != 9 or any(number.tag != INTEGER for number in numbers):
        raise DerError(_SHAPE)
    return encoded(SEQUENCE, b"".join(encoded_number(number.number) for number in numbers))


def _ec_key(der: bytes, parameters: Element | None) -> bytes:
    """Returns PKCS#8 of an ECPrivateKey (RFC 5915); its parameters count if the algorithm states none."""
    children = sequence(der)
    if [child.tag for child in children[:2]] != [INTEGER, OCTET_STRING]:
        raise DerError(_SHAPE)
    inside = {child.tag: child for child in children[2:]}
    own = inside[CONTEXT_0].children() if CONTEXT_0 in inside else []
    parameters = parameters or (own[0] if own else None)
    if parameters is None:
        raise DerError("it is an EC key that does not state its curve")
    number, curve = children[1].number, _known_curve(parameters)
    if curve is None:  # the library and the check of curves decide later
        named, octets = encoded(parameters.tag, parameters.content), children[1].content
    elif not 0 < number < curve.n:
        raise DerError("its number is not within its curve")
    else:
        named, octets = encoded(OID, curve.oid), number.to_bytes(curve.octets, "big")
    public = encoded(CONTEXT_1, inside[CONTEXT_1].content) if CONTEXT_1 in inside else b""
    return _wrapped(EC, named, encoded(SEQUENCE, encoded_number(1) + encoded(OCTET_STRING, octets) + public))


def _known_curve(parameters: Element) -> _Curve | None:
    if parameters.tag == OID:
        return next((curve for curve in CURVES if curve.oid == parameters.content), None)
    if parameters.tag != SEQUENCE:
        return None
    stated = _explicit_numbers(parameters)
    return next((curve for curve in CURVES if stated == (curve.p, curve.a, curve.b, curve.g, curve.n)), None)


def _explicit_numbers(parameters: Element) -> tuple[int, int, int, int, int] | None:
    """Returns p, a, b, the base point's x and n of ECParameters (X9.62); None for a field that is not prime."""
    children = parameters.children()
    if [child.tag for child in children[:5]] != [INTEGER, SEQUENCE, SEQUENCE, OCTET_STRING, INTEGER]:
        raise DerError(_SHAPE)
    field, curve, base = children[1].children(), children[2].children(), children[3].content
    if [child.tag for child in field] != [OID, INTEGER] or [child.tag for child in curve[:2]] != [OCTET_STRING] * 2:
        return None
    # Uncompressed, hybrid or compressed: x follows the first octet.
    x = base[1:] if base[:1] in (b"\x02", b"\x03") else base[1 : 1 + len(base) // 2]
    return field[1].number, curve[0].number, curve[1].number, int.from_bytes(x, "big"), children[4].number


# ---- certificate requests ----


def signed_part(der: bytes) -> bytes:
    """Returns the first element of the SEQUENCE `der`, octet for octet: the part that is signed."""
    _, begin, _ = _header(der, 0)
    _, _, end = _header(der, begin)
    return der[begin:end]
