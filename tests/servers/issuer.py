"""What signs the scripted CA's certificates: one intermediate, certified by two roots."""

from __future__ import annotations

import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

ROOTS = ("Scripted Root One", "Scripted Root Two")


class Issuer:
    """Issues what a CSR asks for, with one chain to each root."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Scripted Intermediate")
        self._intermediates = [self._certified(root) for root in ROOTS]

    def issue(
        self, csr: x509.CertificateSigningRequest, days: float = 6, life: tuple[float, float] | None = None
    ) -> list[str]:
        """PEM chains for the request, the usual one first; it ends so many days from now.

        `life` are its begin and end in epoch seconds, in place of that.
        """
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        leaf = (
            _builder(x509.Name([]), self._name, days, life)
            .public_key(csr.public_key())
            .add_extension(names, critical=True)
            .add_extension(key_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = _pem(leaf)
        return [pem + _pem(intermediate) for intermediate in self._intermediates]

    def _certified(self, root: str) -> x509.Certificate:
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        builder = _builder(self._name, _name(root)).public_key(self._key.public_key())
        return builder.add_extension(constraints, critical=True).sign(
            ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()
        )


def _builder(
    subject: x509.Name, issuer: x509.Name, days: float = 6, life: tuple[float, float] | None = None
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    begin, end = now - datetime.timedelta(days=1), now + datetime.timedelta(days=days)
    if life is not None:
        begin, end = (datetime.datetime.fromtimestamp(moment, datetime.UTC) for moment in life)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


class Disguised:
    """One request's names with another's key."""

    def __init__(self, names: x509.CertificateSigningRequest, key: x509.CertificateSigningRequest) -> None:
        self._names, self._key = names, key

    def public_key(self) -> object:
        return self._key.public_key()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._names, name)
