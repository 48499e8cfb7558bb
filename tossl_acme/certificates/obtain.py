"""A certificate in one call: account, order, challenges, certificate, files."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from ..acme.account import check_binding, ensure_account
from ..acme.client import Client
from ..acme.clients import account_key_of
from ..acme.renewal import cert_id
from ..challenges.choice import choose
from ..context import Context
from ..errors import AcmeError, ArgumentError, HttpError, TosslError, WaitTimeout
from ..files import FilePath
from ..identifiers import Identifier
from ..pki.chain import CertificateChain
from ..store.protocol import Store
from . import due
from .accounts import account_key, client_of_issuance, keep_known, make_accounts
from .authorities import ask_each
from .files import CertificateFolder, certificate_folder
from .held import check_replaceable, difference, has_attempt, is_kept_due, is_usable, told_of
from .issuance import Issuance
from .issue import Work, issue, take_up
from .kept import Attempt
from .key import check_not_account_key, kind_of
from .options import keep_options, renewed_with
from .pem_file import check_pem_file, keep_pem_file
from .permission import CaaLook, caa_look
from .persisted import standing_ends, warn_of_end
from .record import KeptCertificate, read_kept
from .revoked import check_key_unrevoked
from .solve import Solvers
from .suggested import failure_kept
from .traces import Trace, remove_traces

#: How long one at work on the same certificate is waited for where it is held, in seconds.
_CLEARING_SECONDS = 2.0


@dataclass(frozen=True)
class Certificate:
    """A certificate that was issued: PEM texts, epoch seconds, and the files' paths where it is stored."""

    identifiers: tuple[Identifier, ...]
    chain: CertificateChain
    private_key: str = field(repr=False)
    directory_url: str
    files: dict[str, FilePath] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        return {
            **self.chain.as_dict(),
            "domains": [identifier.value for identifier in self.identifiers],
            "private_key": self.private_key,
            "directory": self.directory_url,
            "files": dict(self.files),
        }


@dataclass(frozen=True)
class Obtained:
    """A certificate, issued just now or held. facts: what obtain_certificate returns of it."""

    issued: bool
    facts: dict[str, object] = field(repr=False)

    def as_dict(self) -> dict[str, object]:
        return dict(self.facts)


@dataclass(frozen=True)
class _Place:
    """Where a certificate is kept: nowhere without a store. about: what its record has beside what it says itself."""

    store: Store | None = None
    folder: CertificateFolder | None = None
    about: Mapping[str, object] = field(default_factory=dict)


def obtain(
    context: Context,
    issuance: Issuance,
    store: Store | None,
    *,
    name: str = "",
    force: bool = False,
    replace_names: bool = False,
    by_itself: bool = False,
    within: float = 0.0,
    said: Mapping[str, str] | None = None,
) -> Obtained:
    """Returns the certificate that is held, if it is as asked for and not due; else gets one and keeps it in the store.

    Its key is in the store before the CSR leaves, its order's URL before it is finalized, and the certificate as it
    came before anything is done with it: whatever fails afterwards, the next call finishes with it and orders nothing.
    It never takes the place of another before it is whole and checked. Where it cannot be kept, or there is no store,
    the error's details have it: `certificate` and, if the key was made here, `private_key`.

    Where the CA fails repeatedly, its fallbacks are asked.

    name: what it is kept as; else the first name. force: also where it is held, and through all pauses but what the CA
    told. replace_names: also in the place of one with other names. by_itself: as ask_each() has it. within: seconds
    until the next call; it is due where it is before that. said: what words_digests() returns of the words that ask for
    it: a held certificate is renewed with these from now on. None for those of the kept one.
    """
    name = name or issuance.identifiers[0].value
    if store is None:
        return _asked_of_each(context, issuance, name, _Place(), None, by_itself=by_itself, force=force)
    kept = read_kept(store, name)
    if _is_held(kept, context, store, issuance, force=force, replace_names=replace_names, within=within):
        return _held(context, store, kept, issuance, said)
    check_key_unrevoked(store, issuance.key.public_key, "csr" if issuance.key.csr else "private_key")
    with certificate_folder(store, context, name) as folder:
        # Whoever had it until now may have got one.
        kept = read_kept(store, name)
        if _is_held(kept, context, store, issuance, force=force, replace_names=replace_names, within=within):
            return _held(context, store, kept, issuance, said, folder)
        words = said or {member: kept.asked(member) for member in ("said", "words") if kept is not None}
        about = {**words, "issuance": issuance.as_json(), "renewable": issuance.is_renewable}
        place = _Place(store, folder, about)
        with failure_kept(context, store, name) if kept is not None else contextlib.nullcontext():
            return _asked_of_each(context, issuance, name, place, kept, by_itself=by_itself, force=force)


def _is_held(
    kept: KeptCertificate | None, context: Context, store: Store, issuance: Issuance, *,
    force: bool, replace_names: bool, within: float,
) -> TypeGuard[KeptCertificate]:  # fmt: skip
    """Whether the kept certificate is returned as it is. Raises ArgumentError where another may not take its place."""
    if kept is None:
        return False
    kept.check_files()
    check_replaceable(kept, issuance, replace_names=replace_names)
    if force or not is_usable(kept):
        return False
    if other := difference(kept, issuance):
        context.tell("replaced", name=kept.name, option=other)
        return False
    return not is_kept_due(context, store, kept, lambda: issuance.connection, within)


def _held(
    context: Context,
    store: Store,
    kept: KeptCertificate,
    issuance: Issuance,
    said: Mapping[str, str] | None,
    folder: CertificateFolder | None = None,
) -> Obtained:
    """Returns the certificate that is held, which is renewed with this issuance if it was asked for with words.

    Removes what an attempt left beside it. folder: where that is locked already.
    """
    options = renewed_with(kept, issuance, said)
    if folder is not None or options or has_attempt(store, kept.name):
        try:
            with contextlib.nullcontext(folder) if folder is not None else certificate_folder(
                store, context.narrowed(_CLEARING_SECONDS), kept.name
            ) as locked:
                _clear_away(context, locked, issuance)
                kept = keep_options(store, locked, kept, options)
        except (ArgumentError, WaitTimeout) as error:  # one is at work, or the store cannot be written to
            context.check("the certificate")
            context.tell("not_cleared", name=kept.name, message=error.message)
            if issuance.deploy_command not in ("", kept.deploy_command):
                cause = f"the command is not kept with {kept.name}: {error.message}"
                context.warn("warning", warning="deploy", message=cause)
    return Obtained(False, told_of(context, store, kept, issuance.pem_file))


def _clear_away(context: Context, folder: CertificateFolder, issuance: Issuance) -> None:
    """Removes what an attempt left that died: nobody goes on with it, for a certificate is held."""
    attempt = Attempt(folder, _asked(issuance))
    if attempt.traces:
        _clean_up(attempt, attempt.traces, choose(issuance.solvers, issuance.identifiers), context)
    if attempt.is_in_place and not attempt.traces:
        attempt.end()


def _asked_of_each(
    context: Context, issuance: Issuance, name: str, place: _Place, kept: KeptCertificate | None, *,
    by_itself: bool, force: bool,
) -> Obtained:  # fmt: skip
    """Asks the CA, and its fallbacks where it fails repeatedly. kept: the certificate whose place it takes."""
    solvers = choose(issuance.solvers, issuance.identifiers)
    if issuance.pem_file is not None:
        check_pem_file(issuance.pem_file, has_key=not issuance.key.csr)
    for one in issuance.at_each:
        _check_keys(place.store, one)
    make_accounts(context, place.store, issuance.at_each[1:])

    def ask(one: Issuance) -> Obtained:
        client = client_of_issuance(place.store, context, one)
        found = _obtained(client, context, _replacing(one, kept), solvers, place, is_replaced=kept is not None)
        told = {"renewable": place.store is not None and issuance.is_renewable, "warnings": context.told("warning")}
        return Obtained(True, {"name": name, "issued": True, **found.as_dict(), **told})

    not_after = kept.not_after if kept is not None else None
    return ask_each(context, place.store, issuance, ask, not_after=not_after, by_itself=by_itself, force=force)


def _replacing(issuance: Issuance, kept: KeptCertificate | None) -> Issuance:
    """What the CA is asked with that issued the kept one too: the order says which one it replaces (RFC 9773)."""
    if kept is None or kept.is_revoked or kept.directory != issuance.directory:
        return issuance
    return replace(issuance, order=replace(issuance.order, replaces=kept.cert_id))


def prove(context: Context, issuance: Issuance, store: Store | None, name: str = "") -> Obtained:
    """Gets a certificate from the staging end of each CA, and keeps nothing of it but the accounts there.

    Returns that of the first. Raises ArgumentError dry_run where a CA has no staging end.
    """
    staged = issuance.at_staging.at_each
    solvers = choose(issuance.solvers, issuance.identifiers)
    for one in staged:
        _check_keys(store, one)
    nowhere = _Place(store)
    found = [
        _obtained(client_of_issuance(store, context, one), context, one, solvers, nowhere, is_replaced=False)
        for one in staged
    ]
    told = {"renewable": store is not None and issuance.is_renewable, "warnings": context.told("warning")}
    name = name or issuance.identifiers[0].value
    return Obtained(False, {"name": name, "issued": False, **found[0].as_dict(), **told})


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
    client: Client, context: Context, issuance: Issuance, solvers: Solvers, place: _Place, *, is_replaced: bool
) -> Certificate:
    folder = place.folder
    attempt = Attempt(folder, _asked(issuance))
    attempt.sweep()
    if is_replaced and attempt.is_in_place:
        attempt.end()
    has_left_over = attempt.has_left_over
    with attempt.not_lost():
        csr = issuance.key.request(issuance.identifiers, attempt.left_over_key())
        work = Work(client, context, issuance, csr, attempt)
        if not has_left_over:
            attempt.keep_key(csr, made_here=issuance.key.is_new)
        dead = attempt.traces
        try:
            work, chain = _issued(work, solvers, place.store, has_left_over=has_left_over)
            warn_of_end(context, solvers, due.life_due_at(chain.not_before, chain.not_after))
        finally:
            _clean_up(attempt, dead, solvers, context)
        found = Certificate(issuance.identifiers, chain, work.csr.private_key, client.server.url)
        if folder is not None:
            found = replace(
                found, files=_stored(folder, found, {**_of_itself(found, issuance, solvers), **place.about})
            )
            context.tell("stored", folder=folder.path)
        if issuance.pem_file is not None:
            keep_pem_file(issuance.pem_file, found.private_key, chain.fullchain)
            found = replace(found, files=found.files | {"pem_file": issuance.pem_file})
        if folder is not None:
            attempt.end()
        return found


def _clean_up(attempt: Attempt, dead: Sequence[Trace], solvers: Solvers, context: Context) -> None:
    """Removes what an attempt left presented that died, unless this one has presented and removed it as well."""
    left = [trace for trace in dead if trace in attempt.traces]
    present = [solver for chosen in solvers.values() for solver in chosen]
    failed = remove_traces(left, present, context)
    attempt.drop_traces(trace for trace in left if trace not in failed)


def _issued(work: Work, solvers: Solvers, store: Store | None, *, has_left_over: bool) -> tuple[Work, CertificateChain]:
    """The certificate, and the work that it came of.

    A CA may lose an account that has been known for months; the key can have another, and orders once more. It may
    move what its directory names: that is read anew where it was kept by an earlier process.
    """
    may_be_lost = work.client.knows_account
    while True:
        try:
            look = None if has_left_over else _caa_look(work)
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
            if look is not None:
                look.check(work.context, work.client, solvers)
            work.attempt.keep_key(work.csr, made_here=work.issuance.key.is_new)
            chain = issue(work, solvers)
            if store is not None:
                keep_known(store, work.context, work.client)
            return work, chain
        except (AcmeError, HttpError, ArgumentError) as error:
            if work.attempt.order_url:
                raise
            if _is_lost(error) and may_be_lost:
                may_be_lost = False
                if not has_left_over:
                    work.attempt.drop_order()
            elif not (_may_have_moved(error) and work.client.server.drop_kept_directory()):
                raise
            has_left_over = work.attempt.has_left_over


def _caa_look(work: Work) -> CaaLook | None:
    """Begins a look at the CAA records, beside the account and the first nonce; None if it is not wanted."""
    issuance = work.issuance
    if not issuance.solvers.check_caa:
        return None
    return caa_look(work.context, work.client, issuance.identifiers, issuance.solvers.resolvers)


def _is_lost(error: TosslError) -> bool:
    return isinstance(error, AcmeError) and error.kind == "accountDoesNotExist"


def _may_have_moved(error: TosslError) -> bool:
    """Whether the directory may be another by now: what it names is elsewhere, or it offers or demands more."""
    if isinstance(error, AcmeError):
        return error.status in (404, 405, 410) or error.kind == "notOffered"
    return isinstance(error, HttpError) or error.errorcode[2:] in (("profile",), ("agree_tos",), ("eab_kid",))


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


def _stored(folder: CertificateFolder, certificate: Certificate, about: Mapping[str, object]) -> dict[str, FilePath]:
    if certificate.private_key:
        folder.keep_key(certificate.private_key)
    values = certificate.as_dict()
    texts = {name: str(values[name]) for name in ("certificate", "chain", "fullchain")}
    left_out = (*texts, "private_key", "files")
    record = {name: value for name, value in values.items() if name not in left_out}
    return folder.keep(texts, {**record, **about}, has_key=bool(certificate.private_key))


def _of_itself(certificate: Certificate, issuance: Issuance, solvers: Solvers) -> dict[str, object]:
    """What the record has so that nobody has to read the certificate for it."""
    public_key = certificate.chain.public_key
    try:
        name = cert_id(certificate.chain)
    except ArgumentError:  # it has none
        name = ""
    return {
        "key_type": kind_of(public_key),
        "public_key": hashlib.sha256(public_key).hexdigest(),
        "cert_id": name,
        "issued_at": int(due.now()),
        "persist_until": standing_ends(solvers),
        "revoked": 0,
        "profile": issuance.order.profile,
        "preferred_chain": issuance.preferred_chain,
    }
