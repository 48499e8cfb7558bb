"""Certificates for test suites, from roots that are made for them and that nobody else trusts."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..errors import ArgumentError, KeyFormatError
from ..identifiers import Identifier
from .chain import read_certificate
from .csr import hash_for
from .keys import PrivateKey, key_type, load_private_key, private_pem, public_der
from .names import general_names
from .usages import key_usage

DAY_SECONDS = 86400
#: Days that a certificate lasts without further words, and days for which its root lasts longer at each end.
_DAYS, _ROOT_DAYS = 30, 400
#: Epoch seconds of 1950 and of the last second of 9999: RFC 5280 section 4.1.2.5.
_FIRST, _LAST = -631152000, 253402300799
#: RFC 5280 appendix A.1, ub-common-name.
_MOST_COMMON_NAME = 64


@dataclass(frozen=True)
class Life:
    """Begin and end of a certificate, in epoch seconds."""

    not_before: int
    not_after: int

    @classmethod
    def of(cls, not_before: int | None = None, not_after: int | None = None, *, is_root: bool = False) -> Life:
        """Returns the life with these ends: without them from a day ago for 30 days, a root's around that and today.

        An end in the past moves the begin before it, a begin in the future the end behind it.
        Raises ArgumentError not_before or not_after for times that no certificate has, and for an end before the begin.
        """
        for name, moment in (("not_before", not_before), ("not_after", not_after)):
            if moment is not None and not _FIRST <= moment <= _LAST:
                raise ArgumentError(name, f"-{name}: must be epoch seconds in the years from 1950 to 9999")
        now = int(time.time())
        begin = min(now - DAY_SECONDS, _LAST if not_after is None else not_after - _DAYS * DAY_SECONDS)
        begin = max(_FIRST, begin) if not_before is None else not_before
        end = min(_LAST, max(now, begin) + _DAYS * DAY_SECONDS) if not_after is None else not_after
        if end <= begin:
            raise ArgumentError("not_after", "-not_after: must be later than -not_before")
        if not is_root:
            return cls(begin, end)
        around = cls(begin, end).of_root
        begin = around.not_before if not_before is None else not_before
        return cls(begin, around.not_after if not_after is None else not_after)

    @property
    def of_root(self) -> Life:
        """Returns a life around this one and today, for whoever issues."""
        now, more = int(time.time()), _ROOT_DAYS * DAY_SECONDS
        begin, end = min(now, self.not_before) - more, max(now, self.not_after) + more
        return Life(max(_FIRST, begin), min(_LAST, end))


@dataclass(frozen=True, eq=False, repr=False)
class Throwaway:
    """A certificate with its key. `above`: its issuer, that one's issuer and so on; the root is the last of them."""

    certificate: x509.Certificate
    key: PrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def chain(self) -> str:
        """Returns its issuers but for the root, in PEM, as a server sends them."""
        return "".join(_pem(each) for each in self.above if each.issuer != each.subject)

    @property
    def root(self) -> str:
        """Returns the certificate (PEM) to trust: the last of its issuers, or itself."""
        return _pem((self.certificate, *self.above)[-1])

    def as_dict(self) -> dict[str, object]:
        """Returns it as a dict of PEM texts and facts, times in epoch seconds."""
        own = _pem(self.certificate)
        facts = {**read_certificate(own).as_dict(), "chain": self.chain, "fullchain": own + self.chain}
        return {**facts, "private_key": private_pem(self.key), "root": self.root}


def read_issuer(issuer: dict[str, str], *, is_authority: bool = False) -> Throwaway:
    """Returns the CA in a dict of PEM texts: certificate and private_key; chain and root may be missing.

    is_authority: a CA is to be issued, not a certificate with names.
    Raises ArgumentError "issuer" unless the certificate is a CA's that may issue that, and the key is its own.
    """
    lacking = [name for name in ("certificate", "private_key") if not issuer.get(name, "").strip()]
    if lacking:
        raise _unfit(f"its dict has no {lacking[0]}: give what tossl::testing::certificate -ca 1 returns")
    try:
        parsed = [x509_ for name in ("certificate", "chain", "root") for x509_ in _read(issuer.get(name, ""))]
        key = load_private_key(issuer["private_key"])
    except (ArgumentError, KeyFormatError) as error:
        raise _unfit(error.message) from None
    if parsed[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != public_der(key):
        raise _unfit("its private_key is not the key of its certificate")
    if not _is_authority(parsed[0]):
        raise _unfit("its certificate is not a CA's, which alone can issue: -ca 1 makes one")
    if not _may_sign(parsed[0]):
        raise _unfit("its key usage does not allow to sign certificates (keyCertSign)")
    certificate, *above = dict.fromkeys(parsed)
    # RFC 5280 section 4.2.1.9: how many CAs may stand below each.
    for below, each in enumerate((certificate, *above), start=int(is_authority)):
        most = _path_length(each)
        if most is not None and below > most:
            name = each.subject.rfc4514_string()
            raise _unfit(f"the CAs below {name} would be {below}, and its path length allows {most}")
    return Throwaway(certificate, key, tuple(above))


def make_authority(key: PrivateKey, life: Life, issuer: Throwaway | None = None) -> Throwaway:
    """Returns a CA: a root, or an intermediate of `issuer`."""
    kind = "root" if issuer is None else "intermediate"
    serial = x509.random_serial_number()
    subject = _name(f"tossl testing {kind} {serial % 2**32:08x}")
    builder = _builder(subject, key, serial, life, issuer).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    return _signed(builder.add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True), key, issuer)


def make_certificate(
    names: Sequence[Identifier], key: PrivateKey, life: Life, issuer: Throwaway, *, is_client: bool = False
) -> Throwaway:
    """Returns a certificate with these names, for a TLS server or a TLS client."""
    common = names[0].value if len(names[0].value) <= _MOST_COMMON_NAME else ""
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if is_client else ExtendedKeyUsageOID.SERVER_AUTH
    builder = (
        _builder(_name(common), key, x509.random_serial_number(), life, issuer)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage("digital_signature", *_of_rsa(key)), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(general_names(names)), critical=not common)
    )
    return _signed(builder, key, issuer)


def make_crl(issuer: Throwaway, revoked: Sequence[Throwaway], life: Life) -> str:
    """Returns the CA's list of revoked certificates (CRL, PEM), for as long as `life` lasts."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(_moment(life.not_before))
        .next_update(_moment(life.not_after))
        .add_extension(_authority_key_id(issuer.certificate), critical=False)
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(_moment(life.not_before)).build())
    return builder.sign(issuer.key, hash_for(issuer.key)).public_bytes(Encoding.PEM).decode()


def _builder(
    subject: x509.Name, key: PrivateKey, serial: int, life: Life, issuer: Throwaway | None
) -> x509.CertificateBuilder:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(_moment(life.not_before))
        .not_valid_after(_moment(life.not_after))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer is None:
        return builder
    return builder.add_extension(_authority_key_id(issuer.certificate), critical=False)


def _signed(builder: x509.CertificateBuilder, key: PrivateKey, issuer: Throwaway | None) -> Throwaway:
    if issuer is None:
        return Throwaway(builder.sign(key, hash_for(key)), key)
    certificate = builder.sign(issuer.key, hash_for(issuer.key))
    return Throwaway(certificate, key, (issuer.certificate, *issuer.above))


def _authority_key_id(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        known = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known)


def _read(pem: str) -> tuple[x509.Certificate, ...]:
    return read_certificate(pem).parsed if pem.strip() else ()


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound):
        return False


def _path_length(certificate: x509.Certificate) -> int | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    except (ValueError, x509.ExtensionNotFound):
        return None


def _may_sign(certificate: x509.Certificate) -> bool:
    """Whether its key may sign certificates, by its key usage; without one it may."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False


def _of_rsa(key: PrivateKey) -> tuple[str, ...]:
    """The exchange of keys before TLS 1.3, which RSA keys alone take part in."""
    return ("key_encipherment",) if key_type(key) == "rsa" else ()


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])


def _moment(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _unfit(cause: str) -> ArgumentError:
    return ArgumentError("issuer", f"-issuer cannot issue: {cause}")
