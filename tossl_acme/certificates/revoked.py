"""Revoked certificates: each is marked and never held again, and its key is never used again.

certificates/<NAME>/certificate.json    has when it was revoked
revoked/<digest of the key>             outlives the certificate: another takes its place, under other names perhaps
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..context import Context
from ..errors import AcmeError, ArgumentError, WaitTimeout
from ..store.protocol import Store
from ..store.sealed import check_sealing_key
from . import due
from .files import certificate_folder
from .record import KeptCertificate, read_kept, set_name, sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..pki.chain import CertificateChain


@contextlib.contextmanager
def kept_as_revoked(context: Context, store: Store | None, chain: CertificateChain) -> Iterator[None]:
    """Marks the kept certificate, by issuer and serial number, when the block ends well or the CA had revoked it.

    Raises ArgumentError before the block: "store" where the store cannot be read, "seal_key" where the certificate
    cannot be marked without the sealing key. Raises ArgumentError "store" after it where the store cannot be written
    to, and WaitTimeout where another is at work on it: then the message says that the certificate is revoked.
    """
    found: list[str] = []
    if store is not None:
        found = _issued_as(store, chain.issuer, f"{chain.serial:x}")
        for name in found:
            check_sealing_key(store, set_name(name))
    try:
        yield
    except AcmeError as error:
        if error.kind == "alreadyRevoked" and store is not None:
            _mark(context, store, found, chain)
        raise
    if store is not None:
        _mark(context, store, found, chain)


def check_key_unrevoked(store: Store, public_key: bytes, argument: str) -> None:
    """Raises ArgumentError for the key (SubjectPublicKeyInfo, DER) of a certificate that was revoked here."""
    if public_key and is_key_revoked(store, public_key):
        raise ArgumentError(argument, "this key was that of a certificate that was revoked: use another")


def is_key_revoked(store: Store, public_key: bytes) -> bool:
    """Returns whether a certificate with this key (SubjectPublicKeyInfo, DER) was revoked here."""
    return store.read(_set_name(public_key)) is not None


def _issued_as(store: Store, issuer: str, serial: str) -> list[str]:
    """Returns the names of the kept certificates with this issuer and serial number."""
    from .listed import names_of  # an issuance looks for one key alone

    return [name for name in names_of(store) if _is(_readable(store, name), issuer, serial)]


def _readable(store: Store, name: str) -> KeptCertificate | None:
    """Returns the certificate; None if its record cannot be read, and so cannot be marked."""
    try:
        return read_kept(store, name, record_alone=True)
    except ArgumentError:
        return None


def _is(kept: KeptCertificate | None, issuer: str, serial: str) -> bool:
    return kept is not None and (kept.issuer, kept.serial) == (issuer, serial)


def _mark(context: Context, store: Store, names: list[str], chain: CertificateChain) -> None:
    try:
        for name in names:
            with store.locked(context, _set_name(chain.public_key)) as lock:
                store.write(lock, {"serial": f"{chain.serial:x}\n".encode()})
            with certificate_folder(store, context, name) as folder:
                kept = read_kept(store, name)
                if kept is not None and _is(kept, chain.issuer, f"{chain.serial:x}"):
                    folder.write_record(kept.texts, {**kept.record, "revoked": int(due.now())})
    except (ArgumentError, WaitTimeout) as error:
        error = error if isinstance(error, WaitTimeout) else ArgumentError("store", error.message)
        raise error.within("the certificate is revoked, but that cannot be kept") from None


def _set_name(public_key: bytes) -> str:
    return f"revoked/{sha256(public_key)}"
