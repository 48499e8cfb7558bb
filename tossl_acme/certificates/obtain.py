"""A certificate in one call: the one that is held, else a new one from the CA, or from one of its fallbacks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeGuard

from ..acme.account import check_binding
from ..acme.clients import account_key_of
from ..acme.known_keys import check_certificate_key
from ..challenges.choice import choose
from ..context import Context
from ..errors import ArgumentError, WaitTimeout
from ..store.protocol import Store
from ..text import quoted
from .accounts import account_key, make_accounts, with_account
from .acquire import Place, acquire, clear_up, wanted_of
from .asked import pem_file_of
from .authorities import ask_each, read_limits
from .ca_limits import ca_limits_name
from .dns_accounts import DnsAccounts
from .files import CertificateFolder, certificate_folder
from .held import check_replaceable, difference, has_attempt, is_kept_due, is_usable, told_of
from .history import issuances_before
from .issuance import Issuance
from .kept import Attempt
from .key import check_not_account_key
from .keys_apart import learn_account_keys
from .known import account_set
from .limits import limits_name
from .logged import logged_issuance
from .nodes import node_name
from .options import keep_options, renewed_with
from .owners import check_certificate_owner
from .record import KeptCertificate, read_kept
from .revoked import check_key_unrevoked
from .suggested import failure_kept, renewal_name

#: How long one at work on the same certificate is waited for where it is held, in seconds.
_CLEARING_SECONDS = 2.0


@dataclass(frozen=True, eq=False, repr=False)
class Obtained:
    """A certificate, issued just now or held. facts: what obtain_certificate returns of it."""

    issued: bool
    facts: dict[str, object]

    def as_dict(self) -> dict[str, object]:
        return dict(self.facts)


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
    renews: KeptCertificate | None = None,
) -> Obtained:
    """Returns the certificate that is held, if it is as asked for and not due; else gets one and keeps it in the store.

    Its key is in the store before the CSR leaves, its order's URL before it is finalized, and the certificate as it
    came before anything is done with it: whatever fails afterwards, the next call finishes with it and orders nothing.
    It never takes the place of another before it is whole and checked. Where it cannot be kept, or there is no store,
    the error's details have it: `certificate` and, if the key was made here, `private_key`.

    Where the CA fails repeatedly, its fallbacks are asked.

    name: what it is kept as; else the first name. force: also where it is held, unless it was issued while this call
    waited for whoever was at work on it; and through all pauses but what the CA told, unless that one has failed.
    replace_names: also in the place of one with other names. by_itself: as ask_each() has it. within: seconds until the
    next call; it is due where it is before that. said: what words_digests() returns of the words that ask for it: a
    held certificate is renewed with these from now on. None for those of the kept one. renews: the certificate of whose
    record the request is: what counts is how it is asked for once its lock is held. Raises ArgumentError "name" where
    it is forgotten by then.
    """
    context.issuance = ""
    name = name or issuance.identifiers[0].value
    if store is None:
        return _asked_of_each(context, issuance, name, Place(), None, by_itself=by_itself, force=force)
    kept = read_kept(store, name)
    check_certificate_owner(store, name)
    if _is_held(kept, context, store, issuance, force=force, replace_names=replace_names, within=within):
        return _held(context, store, kept, issuance, said)
    failed_at = read_limits(store, issuance).failed_at if force else 0.0
    with certificate_folder(store, context, name) as folder:
        # Whoever had it until now may have got one: this call takes that, also where it would replace the one before.
        before, kept = kept, read_kept(store, name)
        force = force and not _is_another(before, kept)
        if renews is not None:
            if kept is not None and not kept.is_renewable and _is_another(before, kept):  # it was renewed
                return Obtained(False, told_of(context, store, kept, pem_file_of(kept.issuance)))
            issuance = _asked_by_now(issuance, renews, kept)
        return obtain_locked(
            context, issuance, store, folder, kept,
            force=force, replace_names=replace_names, by_itself=by_itself, within=within, said=said,
            failed_at=failed_at,
        )  # fmt: skip


def obtain_locked(
    context: Context, issuance: Issuance, store: Store, folder: CertificateFolder, kept: KeptCertificate | None, *,
    force: bool = False, replace_names: bool = False, by_itself: bool = False, within: float = 0.0,
    said: Mapping[str, str] | None = None, failed_at: float = 0.0,
) -> Obtained:  # fmt: skip
    """Does what obtain() does, for whoever has locked the certificate's sets, and read what is kept there.

    Nothing is changed under that lock any more once it has got one. failed_at: when that failed last, as far as whoever
    forces it knew before he waited.
    """
    context.issuance = ""
    name = folder.name
    with store.reading_ahead(_looked_at(issuance, name)):
        if _is_held(kept, context, store, issuance, force=force, replace_names=replace_names, within=within):
            return _held(context, store, kept, issuance, said, folder)
        check_key_unrevoked(store, issuance.key.public_key, "csr" if issuance.key.csr else "private_key")
        words = said or {member: kept.asked(member) for member in ("said", "words") if kept is not None}
        about = {**words, "issuance": issuance.as_json(), "renewable": issuance.is_renewable, "node": node_name()}
        about["history"] = issuances_before(kept)
        place = Place(store, folder, about)
        # Or it has failed: many that are forced at once ask no more often than others.
        force = force and read_limits(store, issuance).failed_at == failed_at
        with failure_kept(context, store, name, is_alone=True) if kept is not None else contextlib.nullcontext():
            return _asked_of_each(context, issuance, name, place, kept, by_itself=by_itself, force=force)


def _looked_at(issuance: Issuance, name: str) -> list[str]:
    """Returns the names of the sets that an issuance begins with."""
    each = issuance.at_each
    accounts = [account_set(one.directory) for one in each]
    limits = [limits_name(one.directory, one.identifiers) for one in each]
    return [renewal_name(name), *accounts, *limits, *(ca_limits_name(one.directory) for one in each)]


def _asked_by_now(issuance: Issuance, renews: KeptCertificate, kept: KeptCertificate | None) -> Issuance:
    """Returns the request for a renewal, that of the record if another call has changed that since `renews` was read.

    Raises ArgumentError "name" where the certificate is not kept any more.
    """
    if kept is None:
        raise ArgumentError("name", f"{quoted(renews.name)} is not kept any more: it was forgotten just now")
    if kept.issuance == renews.issuance:
        return issuance
    return Issuance.from_json(kept.issuance).for_renewal


def _is_another(before: KeptCertificate | None, kept: KeptCertificate | None) -> bool:
    """Returns whether a CA has issued the kept certificate since `before` was read."""
    if kept is None or kept.is_self_signed:
        return False
    return before is None or (kept.directory, kept.serial) != (before.directory, before.serial)


def _is_held(
    kept: KeptCertificate | None, context: Context, store: Store, issuance: Issuance, *,
    force: bool, replace_names: bool, within: float,
) -> TypeGuard[KeptCertificate]:  # fmt: skip
    """Returns whether to return the kept certificate. Raises ArgumentError if another must not replace it."""
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
            elif "issuance" in options and isinstance(error, WaitTimeout):  # else it is another's to write to the store
                cause = f"the options of this call are not kept for the renewals of {kept.name}: {error.message}"
                context.warn("warning", warning="options", message=cause)
    return Obtained(False, told_of(context, store, kept, issuance.pem_file))


def _clear_away(context: Context, folder: CertificateFolder, issuance: Issuance) -> None:
    """Removes what an attempt left that died: nobody goes on with it, for a certificate is held."""
    attempt = Attempt(folder, wanted_of(issuance))
    if attempt.traces:
        clear_up(attempt, attempt.traces, choose(issuance.solvers, issuance.identifiers), context)
    if attempt.is_in_place and not attempt.traces:
        attempt.end()


def _asked_of_each(
    context: Context, issuance: Issuance, name: str, place: Place, kept: KeptCertificate | None, *,
    by_itself: bool, force: bool,
) -> Obtained:  # fmt: skip
    """Asks the CA, and its fallbacks where it fails repeatedly. kept: the certificate whose place it takes."""
    with logged_issuance(context, issuance, name) as ending:
        found = _first_issued(context, issuance, name, place, kept, by_itself=by_itself, force=force)
        ending.facts = found.facts
    return found


def _first_issued(
    context: Context, issuance: Issuance, name: str, place: Place, kept: KeptCertificate | None, *,
    by_itself: bool, force: bool,
) -> Obtained:  # fmt: skip
    solvers = choose(issuance.solvers, issuance.identifiers, _dns_accounts(place.store, context))
    if issuance.pem_file is not None:
        from .pem_file import check_pem_file

        check_pem_file(issuance.pem_file, has_key=not issuance.key.csr)
    for one in issuance.at_each:
        _check_keys(place.store, one)
    make_accounts(context, place.store, issuance.at_each[1:])

    def ask(one: Issuance) -> Obtained:
        wanted, is_replaced = _replacing(one, kept), kept is not None
        found = with_account(
            context, place.store, one,
            lambda client: acquire(client, context, wanted, solvers, place, is_replaced=is_replaced),
        )  # fmt: skip
        told = {"renewable": place.store is not None and issuance.is_renewable, "warnings": context.told("warning")}
        return Obtained(True, {"name": name, "issued": True, **found.as_dict(), **told})

    not_after = kept.not_after if kept is not None else None
    return ask_each(context, place.store, issuance, ask, not_after=not_after, by_itself=by_itself, force=force)


def _dns_accounts(store: Store | None, context: Context) -> DnsAccounts | None:
    return DnsAccounts(store, context) if store is not None else None


def _replacing(issuance: Issuance, kept: KeptCertificate | None) -> Issuance:
    """Returns the request, with the certificate that it replaces (RFC 9773) if the same CA issued that."""
    if kept is None or kept.is_revoked or kept.directory != issuance.directory:
        return issuance
    return replace(issuance, order=replace(issuance.order, replaces=kept.cert_id))


def prove(context: Context, issuance: Issuance, store: Store | None, name: str = "") -> Obtained:
    """Gets a certificate from the staging end of each CA, and keeps nothing of it but the accounts there.

    Returns that of the first. Raises ArgumentError dry_run where a CA has no staging end.
    """
    name = name or issuance.identifiers[0].value
    with logged_issuance(context, issuance.at_staging, name) as ending:
        found = _proven(context, issuance, store, name)
        ending.facts = found.facts
    return found


def _proven(context: Context, issuance: Issuance, store: Store | None, name: str) -> Obtained:
    staged = issuance.at_staging.at_each
    solvers = choose(issuance.solvers, issuance.identifiers, _dns_accounts(store, context))
    for one in staged:
        _check_keys(store, one)
    nowhere = Place(store)
    found = [
        with_account(
            context, store, one,
            lambda client, one=one: acquire(client, context, one, solvers, nowhere, is_replaced=False),  # type: ignore[misc]
        )
        for one in staged
    ]  # fmt: skip
    told = {"renewable": store is not None and issuance.is_renewable, "warnings": context.told("warning")}
    return Obtained(False, {"name": name, "issued": False, **found[0].as_dict(), **told})


def _check_keys(store: Store | None, issuance: Issuance) -> None:
    """Raises ArgumentError where the keys cannot serve: the certificate's is the account's, or a new one is unbound."""
    given = issuance.account_key.value if issuance.account_key else ""
    if issuance.key.public_key and not issuance.account.shared_key:
        learn_account_keys(store)
        check_certificate_key(issuance.key.public_key, "csr" if issuance.key.csr else "private_key")
    known = given or (account_key(store, issuance.directory) if store is not None else "")
    if not known:
        check_binding(issuance.directory, issuance.account)
    elif issuance.key.public_key:
        argument = "csr" if issuance.key.csr else "private_key"
        check_not_account_key(issuance.key.public_key, account_key_of(known).spki, argument)
