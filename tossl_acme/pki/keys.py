"""Private keys: read, generated, written. No message ever contains any part of a key."""

from __future__ import annotations

from typing import TypeAlias

import cryptography
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from ..errors import ArgumentError, KeyFormatError
from ..text import quoted
from .der import RSA, UNREADABLE, DerError, normal_private_key, sequence, stated_public_key
from .pem import Block, PemError, read_blocks

#: The key types of ACME accounts and certificates.
PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
#: The key types that can be generated: also DSA, which no CA accepts.
AnyPrivateKey: TypeAlias = PrivateKey | dsa.DSAPrivateKey

RSA_BITS = range(2048, 8192 + 1)
DSA_BITS = (2048, 3072)
#: The curves of RFC 7518, by the name that OpenSSL and Tcl use.
ACME_CURVES = ("prime256v1", "secp384r1", "secp521r1")

_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "prime256v1": ec.SECP256R1,
    "secp384r1": ec.SECP384R1,
    "secp521r1": ec.SECP521R1,
    "secp256k1": ec.SECP256K1,
    "brainpoolP256r1": ec.BrainpoolP256R1,
    "brainpoolP384r1": ec.BrainpoolP384R1,
    "brainpoolP512r1": ec.BrainpoolP512R1,
}
_CURVE_NAMES = {name.lower(): name for name in _CURVES} | {
    "secp256r1": "prime256v1",
    "p-256": "prime256v1",
    "p-384": "secp384r1",
    "p-521": "secp521r1",
}
_CURVE_OF_BITS = {256: "prime256v1", 384: "secp384r1", 521: "secp521r1"}
#: Of keys for any padding, and for PSS alone.
_RSA_TYPES = (RSA, bytes.fromhex("2a864886f70d01010a"))
_LIBRARY_VERSION = int(cryptography.__version__.partition(".")[0])
_PRIVATE_LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
_TYPES = {"rsa": rsa.RSAPrivateKey, "ec": ec.EllipticCurvePrivateKey, "ed25519": ed25519.Ed25519PrivateKey}
_PUBLIC_TYPES = {"rsa": rsa.RSAPublicKey, "ec": ec.EllipticCurvePublicKey, "ed25519": ed25519.Ed25519PublicKey}


def load_private_key(pem: str) -> PrivateKey:
    """Returns the first private key in PKCS#8, PKCS#1 or SEC1 PEM text.

    Raises KeyFormatError: format, public, encrypted, weak, size, curve, type.
    """
    try:
        blocks = read_blocks(pem)
    except PemError as error:
        raise KeyFormatError("format", str(error)) from None
    for block in blocks:
        if block.label in _PRIVATE_LABELS:
            return _usable(_parsed(block))
    raise _not_private(blocks)


def generate_private_key(type: str = "ec", bits: int | None = None, curve: str | None = None) -> AnyPrivateKey:
    """Returns a new key: rsa or dsa (2048 bits by default), ec (prime256v1 by default), or ed25519.

    Raises ArgumentError: type, bits, curve.
    """
    kind = type.lower()
    if kind not in (*_TYPES, "dsa"):
        raise ArgumentError("type", f"bad key type {quoted(type)}: must be rsa, dsa, ec or ed25519")
    if kind == "ec":
        return ec.generate_private_key(_CURVES[_chosen_curve(bits, curve)]())
    if curve is not None:
        raise ArgumentError("curve", f"a curve is for keys of type ec, not {kind}")
    if kind == "ed25519":
        if bits not in (None, 256):
            raise ArgumentError("bits", f"an ed25519 key has 256 bits, not {bits}")
        return ed25519.Ed25519PrivateKey.generate()
    size = 2048 if bits is None else bits
    if kind == "dsa":
        if size not in DSA_BITS:
            raise ArgumentError("bits", f"a dsa key has 2048 or 3072 bits, not {size}")
        return dsa.generate_private_key(size)
    if size not in RSA_BITS or size % 8:
        raise ArgumentError("bits", f"an rsa key has 2048 to 8192 bits, a multiple of 8, not {size}")
    return rsa.generate_private_key(65537, size)


def private_pem(key: AnyPrivateKey) -> str:
    """Returns the key as unencrypted PKCS#8 PEM text."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: AnyPrivateKey) -> str:
    """Returns the public key as SubjectPublicKeyInfo PEM text."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def public_der(key: AnyPrivateKey) -> bytes:
    """Returns the public key as SubjectPublicKeyInfo DER, for comparing keys."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_type(key: AnyPrivateKey) -> str:
    """Returns rsa, ec, ed25519 or dsa."""
    return next((name for name, kind in _TYPES.items() if isinstance(key, kind)), "dsa")


def key_bits(key: AnyPrivateKey) -> int:
    """Returns the size that OpenSSL states for the key."""
    return 256 if isinstance(key, ed25519.Ed25519PrivateKey) else key.key_size


def public_kind(der: bytes) -> tuple[str, int]:
    """Returns type and size of a key (SubjectPublicKeyInfo, DER) as key_type() and key_bits(); ("", 0) of others."""
    try:
        key = load_der_public_key(der)
    except UNREADABLE:
        return "", 0
    found = next((name for name, kind in _PUBLIC_TYPES.items() if isinstance(key, kind)), "")
    return found, 256 if found == "ed25519" else getattr(key, "key_size", 0)


def curve_name(key: AnyPrivateKey) -> str | None:
    """Returns OpenSSL's name of an ec key's curve; None for other keys."""
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    return _CURVE_NAMES.get(key.curve.name.lower(), key.curve.name)


def check_public_key(key: object) -> None:
    """Raises KeyFormatError (weak, size, curve, type) for a key that no CA can accept."""
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < RSA_BITS.start:
            raise KeyFormatError(
                "weak", f"an RSA key of {key.key_size} bits is too weak; it needs at least {RSA_BITS.start}"
            )
        _check_largest(key.key_size)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if _CURVE_NAMES.get(key.curve.name.lower()) not in ACME_CURVES:
            cause = f"the curve {key.curve.name} is not usable in ACME; use {', '.join(ACME_CURVES)}"
            raise KeyFormatError("curve", cause)
    elif not isinstance(key, ed25519.Ed25519PublicKey):
        kind = type(key).__name__.lstrip("_").removesuffix("PublicKey") or "unknown"
        raise KeyFormatError("type", f"a key of type {kind} is not usable in ACME")


def _chosen_curve(bits: int | None, curve: str | None) -> str:
    if curve is None:
        if bits is not None and bits not in _CURVE_OF_BITS:
            raise ArgumentError("bits", f"an ec key has 256, 384 or 521 bits unless -curve says otherwise, not {bits}")
        return _CURVE_OF_BITS[bits or 256]
    name = _CURVE_NAMES.get(curve.lower())
    if name is None:
        raise ArgumentError("curve", f"bad curve {quoted(curve)}: must be {', '.join(_CURVES)}")
    size = _CURVES[name]().key_size
    if bits not in (None, size):
        raise ArgumentError("bits", f"a key on {name} has {size} bits, not {bits}")
    return name


def _parsed(block: Block) -> object:
    if block.encrypted:
        cause = "the key is encrypted with a passphrase; openssl pkey -in old.pem -out new.pem removes it"
        raise KeyFormatError("encrypted", cause)
    try:
        key = _loaded(normal_private_key(block.label, block.der))
    except UnsupportedAlgorithm as error:
        kind = "curve" if str(error).startswith(("Curve", "ECDSA")) else "type"
        raise KeyFormatError(kind, f"a key of this {kind} is not usable in ACME") from None
    except DerError as error:
        raise KeyFormatError("format", f"its {block.label} block contains no usable private key: {error}") from None
    except UNREADABLE:
        raise KeyFormatError("format", f"its {block.label} block contains no private key") from None
    _check_sound(key, block)
    return key


def _loaded(der: bytes) -> object:
    """Returns the key as the library reads it. Raises KeyFormatError size for an RSA key that is too large."""
    _check_largest(_rsa_bits(der))
    if _LIBRARY_VERSION < 39:  # it tests the primes always, however large they are
        return load_der_private_key(der, None)
    # The library would test the primes: 50 ms for 2048 bits, 0.4 s for 4096. _check_rsa does the cheap tests.
    return load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)


def _rsa_bits(der: bytes) -> int:
    """Returns the size of an RSA key in PKCS#8; 0 of other keys. Raises DerError."""
    algorithm, key = sequence(der)[1:3]
    if algorithm.children()[0].content not in _RSA_TYPES:
        return 0
    numbers = sequence(key.content)
    return numbers[1].number.bit_length() if len(numbers) > 1 else 0


def _check_largest(bits: int) -> None:
    if bits > RSA_BITS[-1]:
        raise KeyFormatError("size", f"an RSA key of {bits} bits is too large; the limit is {RSA_BITS[-1]}")


def _check_sound(key: object, block: Block) -> None:
    """Raises KeyFormatError if the parts of a key contradict each other."""
    if isinstance(key, rsa.RSAPrivateKey):
        _check_rsa(key)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        _check_ec(key)
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        stated = stated_public_key(block.der)
        if stated not in (None, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)):
            raise KeyFormatError("format", "the private and the public part of the Ed25519 key contradict each other")


def _check_rsa(key: rsa.RSAPrivateKey) -> None:
    """Raises KeyFormatError for a damaged number: a faulty signature would betray the primes."""
    all_of_it = key.private_numbers()
    p, q, d, e = all_of_it.p, all_of_it.q, all_of_it.d, all_of_it.public_numbers.e
    sound = (
        min(p, q) > 1
        and p * q == all_of_it.public_numbers.n
        and e % 2 == 1
        and e > 2
        and d * e % (p - 1) == d * e % (q - 1) == 1
        and all_of_it.dmp1 == d % (p - 1)
        and all_of_it.dmq1 == d % (q - 1)
        and all_of_it.iqmp * q % p == 1
    )
    if not sound:
        raise KeyFormatError("format", "the numbers of the RSA key contradict each other")


def _check_ec(key: ec.EllipticCurvePrivateKey) -> None:
    """Raises KeyFormatError for a wrong public key in SEC1 or PKCS#8, which older versions of the library trust."""
    derived = ec.derive_private_key(key.private_numbers().private_value, key.curve)
    if derived.public_key().public_numbers() != key.public_key().public_numbers():
        raise KeyFormatError("format", "the private and the public part of the EC key contradict each other")


def _usable(key: object) -> PrivateKey:
    if not isinstance(key, PrivateKey):
        kind = type(key).__name__.lstrip("_").removesuffix("PrivateKey")
        raise KeyFormatError("type", f"a key of type {kind} is not usable in ACME")
    check_public_key(key.public_key())
    return key


def _not_private(blocks: list[Block]) -> KeyFormatError:
    labels = [block.label for block in blocks]
    for label in labels:
        if label == "CERTIFICATE REQUEST" or label.endswith(("PUBLIC KEY", "CERTIFICATE")):
            return KeyFormatError("public", f"a private key is needed, this is a {label.lower()}")
    if "DSA PRIVATE KEY" in labels:
        return KeyFormatError("type", "a key of type DSA is not usable in ACME")
    if "OPENSSH PRIVATE KEY" in labels:
        return KeyFormatError("format", "a key in OpenSSH's own format; ssh-keygen -p -m PKCS8 converts it")
    return KeyFormatError("format", "it contains no private key")
