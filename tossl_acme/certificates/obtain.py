"""A certificate in one call: account, order, challenges, certificate, files."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..acme.account import check_binding, ensure_account
from ..acme.client import Client
from ..acme.clients import account_key_of
from ..challenges.choice import choose
from ..context import Context
from ..errors import AcmeError, HttpError, TosslError
from ..files import FilePath
from ..identifiers import Identifier
from ..pki.chain import CertificateChain
from ..store.protocol import Store
from .accounts import account_key, client_of, keep_known, make_accounts
from .authorities import ask_each
from .files import CertificateFolder, certificate_folder
from .issuance import Issuance
from .issue import Work, issue, take_up
from .kept import Attempt
from .key import check_not_account_key
from .pem_file import check_pem_file, keep_pem_file
from .solve import Solvers
from .traces import Trace, clean_up


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
    context: Context, issuance: Issuance, store: Store | None, *, by_itself: bool = False, force: bool = False
) -> Certificate:
    """Gets a certificate, and stores it.

    Its key is in the store before the CSR leaves, its order's URL before it is finalized, and the certificate as it
    came before anything is done with it: whatever fails afterwards, the next call finishes with it and orders nothing.
    It never takes the place of another before it is whole and checked. Where it cannot be kept, or there is no store,
    the error's details have it: `certificate` and, if the key was made here, `private_key`.

    Where the CA fails repeatedly, its fallbacks are asked. by_itself, force: as ask_each() has them.
    """
    solvers = choose(issuance.solvers, issuance.identifiers)
    if issuance.pem_file is not None:
        check_pem_file(issuance.pem_file, has_key=not issuance.key.csr)
    for one in issuance.at_each:
        _check_keys(store, one)
    with contextlib.ExitStack() as opened:
        folder = None
        if store is not None:
            folder = opened.enter_context(certificate_folder(store, context, issuance.identifiers[0].value))
        make_accounts(context, store, issuance.at_each[1:])

        def ask(one: Issuance) -> Certificate:
            return _obtained(client_of(store, context, one), context, one, solvers, folder, store)

        return ask_each(context, store, issuance, ask, by_itself=by_itself, force=force)


def prove(context: Context, issuance: Issuance, store: Store | None) -> Certificate:
    """Gets a certificate from the staging end of each CA, and keeps nothing of it but the accounts there.

    Returns that of the first. Raises ArgumentError dry_run where a CA has no staging end.
    """
    staged = issuance.at_staging.at_each
    solvers = choose(issuance.solvers, issuance.identifiers)
    for one in staged:
        _check_keys(store, one)
    found = [_obtained(client_of(store, context, one), context, one, solvers, None, store) for one in staged]
    return replace(found[0], warnings=tuple(context.told("warning")))


def _check_keys(store: Store | None, issuance: Issuance) -> None:
    """Raises ArgumentError where the keys cannot serve: the certificate's is the account's, or a new one is unbound."""
    given = issuance.account_key.value if issuance.account_key else ""
    known = given or (account_key(store, issuance.directory) if store is not None else "")
    if not known:
        check_binding(issuance.directory, issuance.account.binding)
    elif issuance.key.public_key:
        argument = "csr" if issuance.key.csr else "private_key"
        check_not_account_key(issuance.key.public_key, account_key_of(known).spki, argument)


def _obtained(
    client: Client,
    context: Context,
    issuance: Issuance,
    solvers: Solvers,
    folder: CertificateFolder | None,
    store: Store | None,
) -> Certificate:
    attempt = Attempt(folder, _asked(issuance))
    attempt.sweep()
    has_left_over = attempt.has_left_over
    with attempt.not_lost():
        csr = issuance.key.request(issuance.identifiers, attempt.left_over_key())
        work = Work(client, context, issuance, csr, attempt)
        if not has_left_over:
            attempt.keep_key(csr, made_here=issuance.key.is_new)
        dead = attempt.traces
        try:
            work, chain = _issued(work, solvers, store, has_left_over=has_left_over)
        finally:
            _clean_up(attempt, dead, solvers, context)
        found = Certificate(issuance.identifiers, chain, work.csr.private_key, client.server.url)
        if folder is not None:
            found = replace(found, files=_stored(folder, found, issuance.key.type))
            context.tell("stored", folder=folder.path)
        if issuance.pem_file is not None:
            keep_pem_file(issuance.pem_file, found.private_key, chain.fullchain)
            found = replace(found, files=found.files | {"pem_file": issuance.pem_file})
        if folder is not None:
            attempt.end()
        return replace(found, warnings=tuple(context.told("warning")))


def _clean_up(attempt: Attempt, dead: Sequence[Trace], solvers: Solvers, context: Context) -> None:
    """Removes what an attempt left presented that died, unless this one has presented and removed it as well."""
    left = [trace for trace in dead if trace in attempt.traces]
    present = [solver for chosen in solvers.values() for solver in chosen]
    failed = clean_up(left, present, context)
    attempt.drop_traces(trace for trace in left if trace not in failed)


def _issued(work: Work, solvers: Solvers, store: Store | None, *, has_left_over: bool) -> tuple[Work, CertificateChain]:
    """The certificate, and the work that it came of.

    A CA may lose an account that has been known for months; the key can have another, and orders once more. It may
    move what its directory names: that is read anew where it was kept by an earlier process.
    """
    may_be_lost = work.client.knows_account
    while True:
        try:
            ensure_account(work.client, work.context, work.issuance.account)
            if store is not None:
                keep_known(store, work.context, work.client)
            if has_left_over:
                chain = take_up(work, solvers)
                if chain is not None:
                    return work, chain
                has_left_over = False
                work = replace(
                    work, csr=work.issuance.key.request(work.issuance.identifiers, work.attempt.left_over_key())
                )
            work.attempt.keep_key(work.csr, made_here=work.issuance.key.is_new)
            chain = issue(work, solvers)
            if store is not None:
                keep_known(store, work.context, work.client)
            return work, chain
        except (AcmeError, HttpError) as error:
            if work.attempt.order_url:
                raise
            if _is_lost(error) and may_be_lost:
                may_be_lost = False
                if not has_left_over:
                    work.attempt.drop_order()
            elif not (_may_have_moved(error) and work.client.server.drop_kept_directory()):
                raise
            has_left_over = work.attempt.has_left_over


def _is_lost(error: TosslError) -> bool:
    return isinstance(error, AcmeError) and error.kind == "accountDoesNotExist"


def _may_have_moved(error: TosslError) -> bool:
    """Whether what the directory names may be elsewhere by now."""
    return isinstance(error, HttpError) or (isinstance(error, AcmeError) and error.status in (404, 405, 410))


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
