"""Certificate chains (RFC 8555 section 9.1): read, checked against what was ordered, and named for ARI (RFC 9773)."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..errors import AcmeError, ArgumentError
from ..identifiers import Identifier
from .der import UNREADABLE
from .names import alternative_names, common_names
from .pem import PemError, read_blocks

#: The longest chains in use have four certificates.
MOST_CERTIFICATES = 10


@dataclass(frozen=True)
class Chain:
    """A leaf certificate and what leads from it towards a root. All facts are the leaf's.

    certificates: PEM texts, leaf first, normalised: nothing but certificates, LF, a final newline.
    not_before, not_after: seconds since the epoch. issuer: its common name, else the whole name as RFC 4514 writes it.
    public_key: SubjectPublicKeyInfo in DER. authority_key_id: None when the certificate has none.
    """

    certificates: tuple[str, ...]
    not_before: int
    not_after: int
    issuer: str
    serial: int
    identifiers: tuple[Identifier, ...]
    public_key: bytes
    authority_key_id: bytes | None
    parsed: tuple[x509.Certificate, ...] = field(repr=False, compare=False)

    @property
    def certificate(self) -> str:
        """The leaf alone."""
        return self.certificates[0]

    @property
    def issuers(self) -> str:
        """Everything but the leaf; empty when the CA sent the leaf alone."""
        return "".join(self.certificates[1:])

    @property
    def fullchain(self) -> str:
        """What a TLS server is given."""
        return "".join(self.certificates)

    def as_dict(self) -> dict[str, object]:
        """What a caller is told of a certificate; PEM texts, times in epoch seconds."""
        return {
            "domains": [identifier.value for identifier in self.identifiers],
            "certificate": self.certificate,
            "chain": self.issuers,
            "fullchain": self.fullchain,
            "not_before": self.not_before,
            "not_after": self.not_after,
            "issuer": self.issuer,
            "serial": f"{self.serial:x}",
        }

    @property
    def der(self) -> bytes:
        """The leaf in DER, as revocation sends it."""
        return self.parsed[0].public_bytes(Encoding.DER)


def read_chain(pem: str) -> Chain:
    """The chain that a CA sent. AcmeError "badCertificate" (status 200) for anything but certificates in PEM."""
    try:
        return _read(pem)
    except ValueError as error:
        raise _breach(f"what the CA sent is not a certificate chain: {error}") from None


def read_certificate(pem: str) -> Chain:
    """The certificate that the user gave, alone or with its chain. Raises ArgumentError "certificate"."""
    try:
        return _read(pem)
    except ValueError as error:
        raise ArgumentError("certificate", f"not a certificate: {error}") from None


def check_chain(chain: Chain, identifiers: Sequence[Identifier], public_key: bytes) -> None:
    """Raises AcmeError "badCertificate" unless the chain leads from a leaf to its issuers, holds this key
    (SubjectPublicKeyInfo, DER) and covers exactly these identifiers.
    """
    if chain.public_key != public_key:
        raise _breach("the certificate from the CA holds another key than the one asked for")
    if _is_authority(chain.parsed[0]):
        raise _breach("the chain from the CA does not begin with an end-entity certificate")
    wanted, got = {identifier.normal for identifier in identifiers}, set(chain.identifiers)
    if wanted != got:
        raise _breach(f"the certificate from the CA does not have the names asked for: {_difference(wanted, got)}")
    for number, (issued, issuer) in enumerate(itertools.pairwise(chain.parsed), start=1):
        if not _issued_by(issued, issuer):
            raise _breach(f"certificate {number} in the chain from the CA is not signed by the one after it")


def cert_id(chain: Chain) -> str:
    """The leaf's name in renewal information (RFC 9773 section 4.1).

    Raises ArgumentError "certificate" when it has no authority key identifier.
    """
    if not chain.authority_key_id:
        raise ArgumentError("certificate", "the certificate has no authority key identifier, which its ARI name needs")
    # A byte more where the highest bit is set: that is how DER writes a positive number.
    serial = chain.serial.to_bytes(chain.serial.bit_length() // 8 + 1, "big", signed=True)
    return f"{_base64url(chain.authority_key_id)}.{_base64url(serial)}"


def issuer_names(chain: Chain) -> tuple[str, ...]:
    """The issuer's common name of each certificate, leaf first: the last is the root that the chain leads to."""
    return tuple(_issuer(certificate) for certificate in chain.parsed)


def _read(pem: str) -> Chain:
    ders = _ders(pem)
    try:
        parsed = tuple(x509.load_der_x509_certificate(der) for der in ders)
        leaf = parsed[0]
        return Chain(
            certificates=tuple(certificate.public_bytes(Encoding.PEM).decode() for certificate in parsed),
            not_before=int(leaf.not_valid_before_utc.timestamp()),
            not_after=int(leaf.not_valid_after_utc.timestamp()),
            issuer=_issuer(leaf),
            serial=leaf.serial_number,
            identifiers=alternative_names(leaf.extensions),
            public_key=leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            authority_key_id=_authority_key_id(leaf),
            parsed=parsed,
        )
    except UNREADABLE as error:
        raise PemError(str(error)) from None


def _ders(pem: str) -> list[bytes]:
    blocks = read_blocks(pem)
    for block in blocks:
        # RFC 8555 section 7.4.2: a key smuggled in here would end up in the files of a TLS server.
        if block.label != "CERTIFICATE":
            raise PemError(f"it has a {block.label.lower()} in it")
    if len(blocks) > MOST_CERTIFICATES:
        raise PemError(f"it has more than {MOST_CERTIFICATES} certificates")
    return [block.der for block in blocks]


def _issued_by(issued: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        issued.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _issuer(certificate: x509.Certificate) -> str:
    return next(iter(common_names(certificate.issuer)), certificate.issuer.rfc4514_string())


def _authority_key_id(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return None


def _difference(wanted: set[Identifier], got: set[Identifier]) -> str:
    parts = [("lacks", wanted - got), ("has", got - wanted)]
    return ", ".join(f"it {verb} {' '.join(sorted(name.value for name in names))}" for verb, names in parts if names)


def _breach(message: str) -> AcmeError:
    return AcmeError(message, "badCertificate", 200)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
