"""A certificate in one call: account, order, challenges, certificate, files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..acme.account import ensure_account
from ..acme.client import Client
from ..context import Context
from ..errors import AcmeError
from ..files import FilePath
from ..identifiers import Identifier
from ..pki.chain import CertificateChain
from ..store.folder import FolderStore
from .files import CertificateFolder, certificate_folder
from .issuance import Issuance
from .issue import Work, issue, take_up
from .kept import Attempt
from .key import check_not_account_key
from .solve import Solvers


@dataclass(frozen=True)
class Certificate:
    """The result of obtain_certificate: PEM texts, epoch seconds, and the paths of the stored files."""

    identifiers: tuple[Identifier, ...]
    chain: CertificateChain
    private_key: str = field(repr=False)
    directory_url: str
    files: dict[str, FilePath] = field(default_factory=dict)
    warnings: tuple[dict[str, object], ...] = ()

    def as_dict(self) -> dict[str, object]:
        return {
            **self.chain.as_dict(),
            "domains": [identifier.value for identifier in self.identifiers],
            "private_key": self.private_key,
            "directory": self.directory_url,
            "files": dict(self.files),
            "warnings": list(self.warnings),
        }


def obtain(
    client: Client, context: Context, issuance: Issuance, solvers: Solvers, store: FolderStore | None
) -> Certificate:
    """Gets a certificate, and stores it.

    Stores its key before the CSR is sent, its order's URL before the order is finalized, and the certificate as soon as
    it is downloaded: after any later failure the next call goes on from there and orders nothing.
    Replaces an earlier certificate only when the new one is complete and checked. If the certificate cannot be stored,
    or no store is used, the error's details contain `certificate` and, for a key that was made here, `private_key`.
    """
    check_not_account_key(issuance.key.public_key, client.key.spki, "csr" if issuance.key.csr else "private_key")
    if store is None:
        return _obtained(client, context, issuance, solvers, None)
    with certificate_folder(store, context, issuance.identifiers[0].value) as folder:
        return _obtained(client, context, issuance, solvers, folder)


def _obtained(
    client: Client, context: Context, issuance: Issuance, solvers: Solvers, folder: CertificateFolder | None
) -> Certificate:
    attempt = Attempt(folder, _asked(issuance))
    attempt.sweep()
    with attempt.not_lost():
        csr = issuance.key.request(issuance.identifiers, attempt.left_over_key())
        work = Work(client, context, issuance, csr, attempt)
        if not attempt.has_left_over:
            attempt.keep_key(csr, made_here=issuance.key.is_new)
        work, chain = _issued(work, solvers)
        found = Certificate(issuance.identifiers, chain, work.csr.private_key, client.server.url)
        if folder is not None:
            found = replace(found, files=_stored(folder, found, issuance.key.type))
            context.tell("stored", folder=folder.path)
            attempt.end()
        return replace(found, warnings=tuple(context.told("warning")))


def _issued(work: Work, solvers: Solvers) -> tuple[Work, CertificateChain]:
    """Returns the certificate, and its work.

    A CA may have lost an account that this process has known for months: makes a new account for the key and a new
    order then.
    """
    may_be_lost = work.client.knows_account
    while True:
        try:
            ensure_account(work.client, work.context, work.issuance.account)
            if work.attempt.has_left_over:
                chain = take_up(work)
                if chain is not None:
                    return work, chain
                work = replace(
                    work, csr=work.issuance.key.request(work.issuance.identifiers, work.attempt.left_over_key())
                )
            work.attempt.keep_key(work.csr, made_here=work.issuance.key.is_new)
            return work, issue(work, solvers)
        except AcmeError as error:
            if error.kind != "accountDoesNotExist" or not may_be_lost or work.attempt.order_url:
                raise
            may_be_lost = False


def _asked(issuance: Issuance) -> dict[str, object]:
    """Returns the part of the request that an earlier certificate must match to be used for this one."""
    order = issuance.order
    return {
        "directory": issuance.directory,
        "identifiers": [identifier.as_json() for identifier in issuance.identifiers],
        "not_before": order.not_before,
        "not_after": order.not_after,
        "profile": order.profile,
    }


def _stored(folder: CertificateFolder, certificate: Certificate, key_type: str) -> dict[str, FilePath]:
    if certificate.private_key:
        folder.keep_key(certificate.private_key)
    values = certificate.as_dict()
    texts = {name: str(values[name]) for name in ("certificate", "chain", "fullchain")}
    left_out = (*texts, "private_key", "files", "warnings")
    record = {name: value for name, value in values.items() if name not in left_out}
    return folder.keep(texts, record | {"key_type": key_type}, has_key=bool(certificate.private_key))
