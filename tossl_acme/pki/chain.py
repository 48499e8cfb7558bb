"""Certificate chains (RFC 8555 section 9.1): read, checked against the order, and named for ARI (RFC 9773)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..errors import AcmeError, ArgumentError
from ..identifiers import Identifier
from ..text import clean
from .der import BOOLEAN, EMPTY_SEQUENCE, sequence
from .names import alternative_names, common_names
from .pem import PemError, certificate_blocks, read_blocks
from .signatures import is_issued_by
from .structure import (
    ALTERNATIVE_NAMES,
    AUTHORITY_KEY_ID,
    BASIC_CONSTRAINTS,
    cause_of,
    certificate_extensions,
    unreadable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography import x509

#: Of one chain; the longest in use have four. What came beside them is dropped.
MOST_CERTIFICATES = 10
#: Seconds by which a certificate may begin after the CA's time, which its last answer said.
_MOST_LAG_SECONDS = 60.0
#: Seconds by which it may begin in the future where the CA's time is not known.
_MOST_SKEW_SECONDS = 86400.0
#: The tag of keyIdentifier (RFC 5280 section 4.2.1.1).
_KEY_IDENTIFIER = 0x80


@dataclass(frozen=True, repr=False)
class CertificateChain:
    """A leaf certificate and its issuers, towards a root. All facts are the leaf's.

    certificates: PEM texts, leaf first, each issued by the next, normalised: LF, a final newline.
    dropped: the number of other certificates that came with them, unrelated or unreadable.
    not_before, not_after: epoch seconds. issuer: its common name, else its whole name as in RFC 4514.
    identifiers: its names, also names of types that ACME does not have (email, uri, directory, oid, other).
    public_key: SubjectPublicKeyInfo in DER. authority_key_id: None if the certificate has no such extension.
    """

    certificates: tuple[str, ...]
    dropped: int
    not_before: int
    not_after: int
    issuer: str
    serial: int
    identifiers: tuple[Identifier, ...]
    public_key: bytes
    authority_key_id: bytes | None
    parsed: tuple[x509.Certificate, ...] = field(compare=False)

    @property
    def certificate(self) -> str:
        """Returns the leaf alone."""
        return self.certificates[0]

    @property
    def issuers(self) -> str:
        """Returns the chain without the leaf; empty if the CA sent the leaf alone."""
        return "".join(self.certificates[1:])

    @property
    def fullchain(self) -> str:
        """Returns the whole chain, as a TLS server needs it."""
        return "".join(self.certificates)

    def as_dict(self) -> dict[str, object]:
        """Returns the certificate as a dict of PEM texts and facts, times in epoch seconds."""
        return {
            "domains": [identifier.value for identifier in self.identifiers if identifier.type in ("dns", "ip")],
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
        """Returns the leaf in DER, as revocation sends it."""
        return self.parsed[0].public_bytes(Encoding.DER)

    @property
    def is_self_signed(self) -> bool:
        """Returns whether no CA issued it: its own key signed it."""
        return _issued_by(self.parsed[0], self.parsed[0])

    @property
    def leads_up(self) -> bool:
        """Returns whether it contains the leaf's issuer, or the CA sent the leaf alone."""
        return len(self.certificates) > 1 or not self.dropped


def read_chain(pem: str, public_key: bytes = b"") -> CertificateChain:
    """Returns the chain that a CA sent, in any order.

    public_key: the leaf's, if it is known; else the leaf is the first certificate that is not a CA's.
    Raises AcmeError "badCertificate" (status 200) for anything but certificates in PEM (RFC 8555 section 11.4); the
    error's details contain the certificates of the answer as `certificate`.
    """
    try:
        chain = _read(pem, public_key)
        _check_labels(pem)
        return chain
    except ValueError as error:
        breach = _breach(f"the CA's answer is not a certificate chain: {error}")
        breach.details["certificate"] = certificate_blocks(pem)
        raise breach from None


def read_certificate(pem: str) -> CertificateChain:
    """Returns the user's certificate, alone or with its chain. Raises ArgumentError "certificate"."""
    try:
        return _read(pem, b"")
    except ValueError as error:
        raise ArgumentError("certificate", f"not a certificate: {error}") from None


def check_leaf(chain: CertificateChain, identifiers: Iterable[Identifier], public_key: bytes, now: float) -> None:
    """Raises AcmeError "badCertificate" unless the leaf can serve.

    It must have this key (SubjectPublicKeyInfo, DER) and all of these identifiers, be an end-entity certificate and
    not have expired. Other names beside them are allowed: unwanted_identifiers() returns them.
    """
    if chain.public_key != public_key:
        raise _breach("the certificate from the CA has another key than the request")
    if _is_authority(chain.parsed[0]):
        raise _breach("the chain from the CA has no end-entity certificate")
    missing = {identifier.normal for identifier in identifiers} - set(chain.identifiers)
    if missing:
        raise _breach(f"the certificate from the CA does not have the requested names: {_difference(missing, chain)}")
    if chain.not_after <= now:
        raise _breach(
            f"the certificate from the CA has expired already, or this machine's clock is wrong{_dates(chain)}"
        )


class NotBegun(AcmeError):
    """A certificate that is not valid yet, and may be used once it is."""


def check_begun(chain: CertificateChain, now: float, ca_time: float | None = None) -> None:
    """Raises NotBegun (AcmeError "badCertificate") for a leaf that is not valid yet by the CA's own time.

    Where that is not known, by this machine's clock, which may be a day behind.
    """
    known = max(now, ca_time) + _MOST_LAG_SECONDS if ca_time is not None else now + _MOST_SKEW_SECONDS
    if chain.not_before > known:
        begin, clock = _moment(chain.not_before), _moment(now)
        cause = f"the certificate from the CA is not valid yet: it begins at {begin}, and this machine's clock says"
        raise NotBegun(f"{cause} {clock}; is the clock right?", "badCertificate", 200)


def check_leads_up(chain: CertificateChain) -> None:
    """Raises AcmeError "badCertificate" if certificates came with the leaf, and none of them issued it."""
    if not chain.leads_up:
        raise _breach("the chain from the CA does not lead up from its leaf: the issuer's certificate is not in it")


def unwanted_identifiers(chain: CertificateChain, identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
    """Returns the leaf's names that are not among the identifiers."""
    wanted = {identifier.normal for identifier in identifiers}
    return tuple(identifier for identifier in chain.identifiers if identifier not in wanted)


def issuer_names(chain: CertificateChain) -> tuple[str, ...]:
    """Returns each certificate's issuer (common name), leaf first: the last is the root that the chain leads to."""
    return tuple(_issuer(certificate) for certificate in chain.parsed)


def _read(pem: str, public_key: bytes) -> CertificateChain:
    readable, count = _certificates(pem)
    leaf = next((one for one in readable if public_key and _public_key(one) == public_key), None) or next(
        (one for one in readable if not _is_authority(one)), readable[0]
    )
    path = _path(leaf, readable)
    try:
        extensions = _extensions(leaf)
        return CertificateChain(
            certificates=tuple(certificate.public_bytes(Encoding.PEM).decode() for certificate in path),
            dropped=count - len(path),
            not_before=_epoch(leaf, "not_valid_before"),
            not_after=_epoch(leaf, "not_valid_after"),
            issuer=_issuer(leaf),
            serial=leaf.serial_number,
            identifiers=alternative_names(extensions.get(ALTERNATIVE_NAMES, b"")),
            public_key=_public_key(leaf),
            authority_key_id=_authority_key_id(extensions),
            parsed=path,
        )
    except unreadable() as error:
        raise PemError(cause_of(error)) from None


def _certificates(pem: str) -> tuple[list[x509.Certificate], int]:
    """Returns each readable certificate, once, and the number of different ones. Raises PemError without any."""
    from cryptography import x509

    ders = list(dict.fromkeys(_ders(pem)))
    readable: list[x509.Certificate] = []
    trouble = ""
    for der in ders:
        try:
            readable.append(x509.load_der_x509_certificate(der))
        except unreadable() as error:
            trouble = cause_of(error)
    if not readable:
        raise PemError(trouble)
    return readable, len(ders)


def _check_labels(pem: str) -> None:
    """Raises PemError for "-----BEGIN" before anything but " CERTIFICATE-----" (RFC 8555 section 11.4)."""
    for what in pem.split("-----BEGIN")[1:]:
        if not what.startswith(" CERTIFICATE-----"):
            raise PemError("it contains the beginning of a block that is no certificate")


def _ders(pem: str) -> list[bytes]:
    blocks = read_blocks(pem)
    for block in blocks:
        # RFC 8555 section 11.4: a key hidden here would get into the files of a TLS server.
        if block.label != "CERTIFICATE":
            raise PemError(f"it contains a {block.label.lower()}")
    return [block.der for block in blocks]


def _path(leaf: x509.Certificate, certificates: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """Returns the leaf, its issuer, that one's issuer and so on, as far as the certificates contain them.

    Stops after MOST_CERTIFICATES: each further one costs a look at all that are left.
    """
    left = [certificate for certificate in certificates if certificate != leaf]
    path = [leaf]
    while len(path) < MOST_CERTIFICATES:
        issuer = next((one for one in left if _issued_by(path[-1], one)), None)
        if issuer is None:
            break
        path.append(issuer)
        left.remove(issuer)
    return tuple(path)


def _public_key(certificate: x509.Certificate) -> bytes:
    """Returns SubjectPublicKeyInfo in DER; empty for a key of an unknown type."""
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except unreadable():
        return b""


def _issued_by(issued: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        return is_issued_by(issued, issuer)
    except unreadable():
        return False


def _epoch(certificate: x509.Certificate, name: str) -> int:
    """Returns a time of the certificate in epoch seconds; a `cryptography` before 42 has it without its zone."""
    aware = getattr(certificate, f"{name}_utc", None)
    moment: datetime.datetime = aware or getattr(certificate, name).replace(tzinfo=datetime.UTC)
    return int(moment.timestamp())


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        constraints = _extensions(certificate).get(BASIC_CONSTRAINTS, b"")
        return bool(constraints) and any(one.tag == BOOLEAN and any(one.content) for one in sequence(constraints))
    except unreadable():
        return False


def _extensions(certificate: x509.Certificate) -> dict[bytes, bytes]:
    return certificate_extensions(certificate.public_bytes(Encoding.DER))


def _issuer(certificate: x509.Certificate) -> str:
    return next(iter(common_names(certificate.issuer)), certificate.issuer.rfc4514_string())


def _authority_key_id(extensions: Mapping[bytes, bytes]) -> bytes | None:
    try:
        parts = sequence(extensions.get(AUTHORITY_KEY_ID, EMPTY_SEQUENCE))
    except unreadable():
        return None
    return next((part.content for part in parts if part.tag == _KEY_IDENTIFIER), None)


def _difference(missing: set[Identifier], chain: CertificateChain) -> str:
    lacks, has = (" ".join(sorted(name.value for name in names)) for names in (missing, chain.identifiers))
    return clean(f"it lacks {lacks}, it has {has or 'none'}")


def _dates(chain: CertificateChain) -> str:
    return f": it is valid from {_moment(chain.not_before)} to {_moment(chain.not_after)}"


def _moment(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _breach(message: str) -> AcmeError:
    return AcmeError(message, "badCertificate", 200)
