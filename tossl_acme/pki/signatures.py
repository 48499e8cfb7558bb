"""Signatures of certificates and requests, also with a `cryptography` before 41, which tells less of them."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from .der import OID, Element, sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from cryptography import x509

    Signed: TypeAlias = x509.Certificate | x509.CertificateSigningRequest

_PSS = "1.2.840.113549.1.1.10"
_PKCS1 = "1.2.840.113549.1.1."
_ECDSA = "1.2.840.10045.4."
#: The hashes of RFC 4055 by OID (content); SHA-1 is the default of PSS.
_HASHES: dict[bytes, type[hashes.HashAlgorithm]] = {
    bytes.fromhex("2b0e03021a"): hashes.SHA1,
    bytes.fromhex("608648016503040204"): hashes.SHA224,
    bytes.fromhex("608648016503040201"): hashes.SHA256,
    bytes.fromhex("608648016503040202"): hashes.SHA384,
    bytes.fromhex("608648016503040203"): hashes.SHA512,
}
_PSS_HASH, _PSS_MASK, _PSS_SALT = 0xA0, 0xA1, 0xA2
_PSS_SALT_BYTES = 20


def signed_with(signed: Signed) -> tuple[object, hashes.HashAlgorithm | None]:
    """Returns PKCS1v15, PSS, ECDSA or None, and the hash. Raises UnsupportedAlgorithm or ValueError for others."""
    if hasattr(signed, "signature_algorithm_parameters"):
        return signed.signature_algorithm_parameters, signed.signature_hash_algorithm
    kind = signed.signature_algorithm_oid.dotted_string
    if kind == _PSS:
        return _pss(sequence(signed.public_bytes(Encoding.DER))[1].children()[1:])
    used = signed.signature_hash_algorithm
    if kind.startswith(_PKCS1):
        return padding.PKCS1v15(), used
    return (ec.ECDSA(used) if used and kind.startswith(_ECDSA) else None), used


def is_signed_by(public: object, signed: Signed, part: bytes) -> bool:
    """Returns whether the key signed this part of a certificate or request; true for keys of other types than ACME's.

    Raises as signed_with().
    """
    how, used = signed_with(signed)
    try:
        if isinstance(public, rsa.RSAPublicKey):
            if not isinstance(how, padding.PKCS1v15 | padding.PSS) or used is None:
                return False
            public.verify(signed.signature, part, how, used)
        elif isinstance(public, ec.EllipticCurvePublicKey):
            if not isinstance(how, ec.ECDSA):
                return False
            public.verify(signed.signature, part, how)
        elif isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            public.verify(signed.signature, part)
    except InvalidSignature:
        return False
    return True


def is_issued_by(issued: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Returns whether the issuer has the name that the certificate states, and signed it. Raises as signed_with()."""
    if hasattr(issued, "verify_directly_issued_by"):
        try:
            issued.verify_directly_issued_by(issuer)
        except InvalidSignature:
            return False
        return True
    return issued.issuer == issuer.subject and is_signed_by(issuer.public_key(), issued, issued.tbs_certificate_bytes)


def _pss(parameters: list[Element]) -> tuple[padding.PSS, hashes.HashAlgorithm]:
    """Returns the padding and the hash of RSASSA-PSS-params (RFC 4055 section 3.1). Raises ValueError."""
    parts = {part.tag: part.children() for part in (parameters[0].children() if parameters else ())}
    used = _hash(parts[_PSS_HASH][0]) if _PSS_HASH in parts else hashes.SHA1()  # noqa: S303
    mask = _hash(parts[_PSS_MASK][0].children()[1]) if _PSS_MASK in parts else hashes.SHA1()  # noqa: S303
    salt = parts[_PSS_SALT][0].number if _PSS_SALT in parts else _PSS_SALT_BYTES
    return padding.PSS(padding.MGF1(mask), salt), used


def _hash(algorithm: Element) -> hashes.HashAlgorithm:
    name = algorithm.children()[0]
    if name.tag != OID or name.content not in _HASHES:
        raise ValueError("a hash that RFC 4055 does not have")
    return _HASHES[name.content]()
