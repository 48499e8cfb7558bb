"""Certificate requests (RFC 2986): built for a key, or given by the user and read."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..errors import ArgumentError
from ..identifiers import Identifier, is_address
from ..text import clean, quoted
from .der import signed_part
from .keys import PrivateKey, check_public_key, private_pem, public_der
from .names import alternative_names, common_name_identifier, common_names, general_names, is_host_name
from .pem import PemError, is_pkcs12, read_blocks
from .signatures import is_signed_by, signed_with
from .structure import ALTERNATIVE_NAMES, cause_of, normal_request, requested_extensions, unreadable, weak_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography import x509

_LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")


@dataclass(frozen=True, eq=False, repr=False)
class Csr:
    """A certificate request.

    identifiers: an order for this request must have exactly these (RFC 8555 section 7.4).
    public_key: its SubjectPublicKeyInfo in DER. private_key: in PEM; empty if only the user has it. make: returns the
    request in DER; a new one is made when it is first needed.
    """

    identifiers: tuple[Identifier, ...]
    public_key: bytes
    make: Callable[[], bytes]
    private_key: str = ""

    @cached_property
    def der(self) -> bytes:
        """Returns the request in DER."""
        return self.make()

    def prepare(self) -> None:
        """Makes the request, which takes some milliseconds, before it is needed."""
        _ = self.der


def csr_for(key: PrivateKey, identifiers: Sequence[Identifier], common_name: str = "") -> Csr:
    """Returns a request for exactly these identifiers, all in the subjectAltName, with an empty subject.

    common_name: one of them, for the subject, which some CAs want.

    Raises ArgumentError "domains" for no name, or for a name that no certificate can contain.
    """
    if not identifiers:
        raise ArgumentError("domains", "a certificate needs at least one name")
    try:
        normal = tuple(dict.fromkeys(identifier.normal for identifier in identifiers))
        for name in normal:
            _check_possible(name)
    except ValueError as error:
        raise ArgumentError("domains", f"a certificate cannot contain the name: {error}") from None
    return Csr(normal, public_der(key), lambda: _made(key, normal, common_name), private_pem(key))


def _check_possible(name: Identifier) -> None:
    """Raises ValueError as x509 would for a name that no certificate can contain."""
    if name.type == "dns":
        name.value.encode("ascii")
    else:
        ipaddress.ip_address(name.value)


def _made(key: PrivateKey, names: Sequence[Identifier], common_name: str) -> bytes:
    from cryptography import x509

    subject = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    alternatives = x509.SubjectAlternativeName(general_names(names))
    return builder.add_extension(alternatives, critical=False).sign(key, hash_for(key)).public_bytes(Encoding.DER)


def check_csr(csr: Csr, identifiers: Iterable[Identifier]) -> None:
    """Raises ArgumentError "csr" unless the request is for exactly these identifiers (RFC 8555 section 7.4).

    Compares an order's identifiers as the CA sent them, which may be in a form that no request has.
    """
    wanted, got = set(identifiers), set(csr.identifiers)
    if wanted != got:
        for_csr, for_order = (
            clean(" ".join(sorted(identifier.value for identifier in which))) for which in (got, wanted)
        )
        raise ArgumentError("csr", f"the CSR is for {for_csr}, the order for {for_order}")


def read_csr(text: str) -> Csr:
    """Returns the user's request, from PEM text or from DER as a Tcl byte array; its common name counts as a name.

    Raises ArgumentError "csr", and KeyFormatError (weak, size, curve, type) for its key.
    """
    from cryptography import x509

    der = _der(text)
    try:
        _check_hash(weak_hash(der))
        request = x509.load_der_x509_csr(normal_request(der))
        public = request.public_key()
        identifiers = _requested_names(request, der)
        if isinstance(signed_with(request)[1], hashes.SHA1):  # the default of PSS
            _check_hash("SHA-1")
        # octet for octet as it came; check_public_key refuses keys of other types
        signed = is_signed_by(public, request, signed_part(der))
    except unreadable() as error:
        raise ArgumentError("csr", f"not a usable certificate request: {cause_of(error)}") from None
    if not signed:
        raise ArgumentError("csr", "the certificate request is not signed by the key in it")
    if not identifiers:
        raise ArgumentError("csr", "the certificate request contains no name")
    check_public_key(public)
    return Csr(identifiers, public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), lambda: der)


def _check_hash(weak: str) -> None:
    """Raises ArgumentError csr if there is the name of a broken hash."""
    if weak:
        cause = f"the certificate request is signed with {weak}, which CAs refuse; make it with SHA-256"
        raise ArgumentError("csr", f"{cause} (openssl req -sha256; HashAlgorithm = sha256 for certreq)")


def hash_for(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """Returns a hash as strong as the key; None for Ed25519, which needs none."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.key_size <= 256:
        return hashes.SHA256()
    return hashes.SHA384() if key.curve.key_size <= 384 else hashes.SHA512()


def _der(text: str) -> bytes:
    if text.startswith("0") and "-----BEGIN" not in text and not is_pkcs12(text):
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            how = "openssl req -inform DER -in FILE -out FILE.pem converts it; Tcl reads it with -translation binary"
            raise ArgumentError("csr", f"not a certificate request, or DER read as text: {how}") from None
    try:
        blocks = read_blocks(text)
    except PemError as error:
        raise ArgumentError("csr", f"cannot read the certificate request: {error}") from None
    for block in blocks:
        if block.label in _LABELS:
            return block.der
    raise ArgumentError("csr", f"a certificate request is needed, this is a {blocks[0].label.lower()}")


def _requested_names(request: x509.CertificateSigningRequest, der: bytes) -> tuple[Identifier, ...]:
    """Returns the names that the request is for (RFC 8555 section 7.4). Raises ArgumentError csr for impossible ones.

    A common name counts if it can be a host's; beside other names, only with a dot in it.
    """
    alternatives = alternative_names(requested_extensions(der).get(ALTERNATIVE_NAMES, b""))
    for name in alternatives:
        _check_name(name)
    common = [text for text in common_names(request.subject) if is_host_name(text)]
    if alternatives:
        common = [text for text in common if "." in text.strip(".") or ":" in text]
    return tuple(dict.fromkeys([*alternatives, *map(common_name_identifier, common)]))


def _check_name(name: Identifier) -> None:
    shown = quoted(name.value)
    if name.type not in ("dns", "ip"):
        cause = f"has a name of the type {name.type} ({shown}): ACME is for domains and addresses alone"
    elif name.type == "dns" and is_address(name.value):
        cause = f"has the address {name.value} as a domain name; it must be IP:{name.value} in the subjectAltName"
    elif name.type == "dns" and not name.value.isascii():
        cause = f"has the domain name {shown} in Unicode; it must be there as A-labels (xn--...)"
    elif not is_host_name(name.value):
        cause = f"has the name {shown}, which is neither a domain name nor an address"
    else:
        return
    raise ArgumentError("csr", f"the certificate request {cause}")
