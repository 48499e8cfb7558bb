"""A certificate's key: new, given by the user, or in the user's CSR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ArgumentError, KeyFormatError
from ..identifiers import Identifier, parse_identifier, parse_identifiers
from ..pki.csr import Csr, check_csr, csr_for, read_csr
from ..pki.keys import (
    PrivateKey,
    generate_private_key,
    key_bits,
    key_type,
    load_private_key,
    private_pem,
    public_der,
    public_kind,
)
from ..text import Secret, quoted

#: RFC 5280 appendix A.1, ub-common-name.
_MOST_COMMON_NAME = 64
#: The kinds of leaf key, as arguments of generate_private_key.
_KEY_TYPES: dict[str, tuple[str, int | None, str | None]] = {
    "ec": ("ec", None, None),
    "ec256": ("ec", 256, None),
    "ec384": ("ec", 384, None),
    "ec521": ("ec", 521, None),
    "rsa": ("rsa", 2048, None),
    "rsa2048": ("rsa", 2048, None),
    "rsa3072": ("rsa", 3072, None),
    "rsa4096": ("rsa", 4096, None),
    "rsa8192": ("rsa", 8192, None),
    "ed25519": ("ed25519", None, None),
}


def names_of_key_types() -> tuple[str, ...]:
    """Returns the words for types of a new key."""
    return tuple(_KEY_TYPES)


@dataclass(frozen=True, repr=False)
class CertificateKey:
    """The source of a certificate's key: the user's CSR, else the given key, else a new key.

    type: of a new key: ec (P-256), ec384, ec521, rsa (2048 bits), rsa3072, rsa4096, rsa8192, ed25519; upper or lower
    case.
    private_key: PEM text. csr: PEM text. common_name: one of the names, for the request's subject; empty for none.
    Raises ArgumentError key_type, csr or common_name, and KeyFormatError for a key that cannot be used.
    """

    type: str = "ec"
    private_key: Secret | None = None
    csr: str = ""
    common_name: str = ""

    def __post_init__(self) -> None:
        if self.type.lower() not in _KEY_TYPES:
            raise ArgumentError("key_type", f"-key_type {quoted(self.type)} is not one of {', '.join(_KEY_TYPES)}")
        object.__setattr__(self, "type", self.type.lower())
        if self.private_key and self.csr:
            raise ArgumentError("csr", "give either -csr or -private_key: the request has its own key")
        if self.common_name and self.csr:
            raise ArgumentError("common_name", "-common_name: a request given by -csr has its own subject")
        if self.common_name:
            object.__setattr__(self, "common_name", parse_identifier(self.common_name, "common_name").value)
        if len(self.common_name) > _MOST_COMMON_NAME:
            cause = f"a common name has {_MOST_COMMON_NAME} characters at most"
            raise ArgumentError("common_name", f"-common_name {quoted(self.common_name)}: {cause}")
        if self.private_key:
            load_private_key(self.private_key.value)
        if self.csr:
            read_csr(self.csr)

    @property
    def kind(self) -> str:
        """Returns the type of a new key, by one of its names: rsa and rsa2048 are one type."""
        return _kind(*_KEY_TYPES[self.type][:2])

    @property
    def is_new(self) -> bool:
        """Returns whether this package makes the key."""
        return not self.private_key and not self.csr

    def identifiers(self, domains: Sequence[str]) -> tuple[Identifier, ...]:
        """Returns the identifiers for these names; without names, those of the CSR.

        Raises ArgumentError domains, csr if the CSR is for other names, and common_name if it is none of them.
        """
        if not self.csr:
            found = parse_identifiers(domains)
            self._check_common_name(found)
            return found
        csr = read_csr(self.csr)
        found = parse_identifiers(domains or [identifier.value for identifier in csr.identifiers])
        check_csr(csr, found)
        return found

    @property
    def public_key(self) -> bytes:
        """Returns SubjectPublicKeyInfo in DER; empty for a key that is not made yet."""
        if self.csr:
            return read_csr(self.csr).public_key
        return public_der(load_private_key(self.private_key.value)) if self.private_key else b""

    def request(self, identifiers: Sequence[Identifier], left_over: str = "") -> Csr:
        """Returns the CSR for finalizing the order.

        left_over: the key (PEM) of an unfinished attempt, used again instead of a new key of its type: the CA may have
        issued a certificate for it.
        Raises ArgumentError csr if the user's CSR is not for these identifiers.
        """
        if not self.csr:
            self._check_common_name(identifiers)
            return csr_for(self._key(left_over), identifiers, self.common_name)
        csr = read_csr(self.csr)
        check_csr(csr, identifiers)
        return csr

    def _check_common_name(self, identifiers: Sequence[Identifier]) -> None:
        if self.common_name and self.common_name not in {identifier.value for identifier in identifiers}:
            cause = "is not one of the names of the certificate"
            raise ArgumentError("common_name", f"-common_name {quoted(self.common_name)} {cause}")

    def new_key(self) -> PrivateKey:
        """Returns a new key of its type."""
        return load_private_key(private_pem(generate_private_key(*_KEY_TYPES[self.type])))

    def _key(self, left_over: str) -> PrivateKey:
        if self.private_key:
            return load_private_key(self.private_key.value)
        return self._left_over(left_over) or self.new_key()

    def _left_over(self, pem: str) -> PrivateKey | None:
        try:
            key = load_private_key(pem) if pem else None
        except KeyFormatError:
            return None
        name, bits, _curve = _KEY_TYPES[self.type]
        return key if key and (key_type(key), key_bits(key)) == (name, bits or 256) else None


def kind_of(public_key: bytes) -> str:
    """Returns the type of a key (SubjectPublicKeyInfo, DER), as CertificateKey.kind names it; else empty."""
    return _kind(*public_kind(public_key))


def _kind(type: str, bits: int | None) -> str:
    wanted = type, bits or 256
    return next((name for name, (of, size, _) in _KEY_TYPES.items() if (of, size or 256) == wanted), "")


def check_not_account_key(public_key: bytes, account_key: bytes, argument: str) -> None:
    """Raises ArgumentError if a certificate's key is the account's (RFC 8555 section 11.1); both SPKI in DER."""
    if public_key == account_key:
        cause = "a certificate must not have the account's key (RFC 8555 section 11.1); give another key"
        raise ArgumentError(argument, cause)
