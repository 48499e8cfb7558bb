"""What a certificate is asked for with: a new key, a key of the user's, or the user's own CSR."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..acme.jws import AccountKey
from ..errors import ArgumentError, KeyFormatError
from ..identifiers import Identifier
from ..pki.csr import Csr, build_csr
from ..pki.keys import PrivateKey, generate_private_key, key_bits, key_type, load_private_key, private_pem, public_der
from ..text import quoted

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


@dataclass(frozen=True)
class Request:
    """A CSR (DER) with its public key (SPKI DER), and the private key in PEM where it is ours to give back."""

    csr: bytes = field(repr=False)
    spki: bytes = field(repr=False)
    private_key: str = field(default="", repr=False)


def check_key_type(kind: str) -> str:
    """The kind of a leaf key in lower case. Raises ArgumentError "key_type"."""
    if kind.lower() not in _KEY_TYPES:
        raise ArgumentError("key_type", f"key_type {quoted(kind)} is none of {', '.join(_KEY_TYPES)}")
    return kind.lower()


def new_leaf_key(kind: str) -> PrivateKey:
    """A key for a certificate: ec (P-256), ec384, ec521, rsa (2048), rsa3072, rsa4096, rsa8192, ed25519."""
    return load_private_key(private_pem(generate_private_key(*_KEY_TYPES[check_key_type(kind)])))


def left_over_key(pem: str, kind: str) -> PrivateKey | None:
    """The key of an attempt that did not end, if it is of this kind: a certificate that it got would still have it."""
    try:
        key = load_private_key(pem) if pem else None
    except KeyFormatError:
        return None
    name, bits, _curve = _KEY_TYPES[kind]
    return key if key and (key_type(key), key_bits(key)) == (name, bits or 256) else None


def request_by_key(
    key: PrivateKey, identifiers: Iterable[Identifier], account_key: AccountKey, argument: str = "private_key"
) -> Request:
    """A request for these names. ArgumentError for the account's own key (RFC 8555 section 11.1)."""
    if public_der(key) == account_key.spki:
        raise ArgumentError(argument, "a certificate must not have the account's key (RFC 8555 section 11.1)")
    return Request(build_csr(key, tuple(identifiers)), public_der(key), private_pem(key))


def request_by_csr(csr: Csr, identifiers: Iterable[Identifier], account_key: AccountKey) -> Request:
    """The user's own request, if it is for exactly these names. Raises ArgumentError "csr"."""
    check_csr_names(csr, identifiers)
    if csr.public_key == account_key.spki:
        raise ArgumentError("csr", "a certificate must not have the account's key (RFC 8555 section 11.1)")
    return Request(csr.der, csr.public_key)


def check_csr_names(csr: Csr, identifiers: Iterable[Identifier]) -> None:
    """Raises ArgumentError "csr" unless the request is for exactly these names (RFC 8555 section 7.4)."""
    wanted, got = {identifier.normal for identifier in identifiers}, set(csr.identifiers)
    if wanted != got:
        for_csr, for_order = (" ".join(sorted(identifier.value for identifier in which)) for which in (got, wanted))
        raise ArgumentError("csr", f"the CSR is for {for_csr}, the order for {for_order}")
