"""Self-signed certificates: for tls-alpn-01, and for a server that starts before it has another."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ..identifiers import Identifier
from .csr import hash_for
from .keys import PrivateKey, generate_private_key, private_pem
from .names import general_names

_ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_DER_OCTET_STRING = b"\x04"


def self_signed(
    identifiers: Sequence[Identifier],
    key: PrivateKey,
    common_name: str,
    days: int,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> str:
    """Returns a self-signed certificate (PEM) for these identifiers, from a day ago to `days` days from now.

    extensions: further extensions, each with whether it is critical.
    Raises ValueError for a name that no certificate can contain.
    """
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # The clocks of this machine and of the peer may differ.
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(general_names(identifiers)), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hash_for(key)).public_bytes(Encoding.PEM).decode()


def challenge_certificate(identifier: Identifier, digest: bytes) -> tuple[str, str]:
    """Returns the certificate that proves control of exactly this name, and its new key, in PEM (RFC 8737 section 3).

    digest: the SHA-256 of the key authorization.
    """
    key = generate_private_key("ec")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    proof = x509.UnrecognizedExtension(_ACME_IDENTIFIER, _DER_OCTET_STRING + bytes([len(digest)]) + digest)
    return self_signed([identifier], key, "ACME challenge", 7, [(proof, True)]), private_pem(key)
