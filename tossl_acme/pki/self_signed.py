"""Self-signed certificates: for tls-alpn-01, and for a server that starts before it has another."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..identifiers import Identifier
from .csr import hash_for
from .keys import PrivateKey, generate_private_key, key_type, private_pem
from .names import general_names
from .usages import key_usage

_ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_DER_OCTET_STRING = b"\x04"


def _self_signed(
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


def server_certificate(identifiers: Sequence[Identifier], key: PrivateKey, days: int) -> str:
    """Returns a certificate (PEM) with which a server starts before a CA has issued one; nobody trusts it by itself.

    Raises ValueError for a name that no certificate can contain, or where `days` is later than a certificate can tell.
    """
    uses = ("digital_signature", "key_encipherment") if key_type(key) == "rsa" else ("digital_signature",)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage(*uses), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]
    return _self_signed(identifiers, key, "self-signed", days, extensions)


def challenge_certificate(identifier: Identifier, digest: bytes) -> tuple[str, str]:
    """Returns the certificate that proves control of exactly this name, and its new key, in PEM (RFC 8737 section 3).

    digest: the SHA-256 of the key authorization.
    """
    key = generate_private_key("ec")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    proof = x509.UnrecognizedExtension(_ACME_IDENTIFIER, _DER_OCTET_STRING + bytes([len(digest)]) + digest)
    return _self_signed([identifier], key, "ACME challenge", 7, [(proof, True)]), private_pem(key)
