"""One certificate from one CA: issued, or taken up where an earlier attempt stopped, and kept in its place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..acme.account import ensure_account
from ..acme.client import Client
from ..context import Context
from ..errors import AcmeError, ArgumentError, HttpError, TosslError
from ..files import FilePath
from ..http.dial import WIDTH
from ..identifiers import Identifier
from ..store.protocol import Store
from . import due
from .accounts import keep_known
from .ca_limits import SharedLimits
from .files import CertificateFolder
from .issuance import Issuance
from .issue import issue
from .kept import Attempt
from .key import kind_of
from .permission import caa_look
from .persisted import standing_ends, warn_of_end
from .sharing import SharedAnswers
from .work import Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..pki.chain import CertificateChain
    from .permission import CaaLook
    from .solve import Solvers
    from .traces import Trace


@dataclass(frozen=True, eq=False, repr=False)
class Certificate:
    """A certificate that was issued: PEM texts, epoch seconds, and the files' paths where it is stored."""

    identifiers: tuple[Identifier, ...]
    chain: CertificateChain
    private_key: str
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


@dataclass(frozen=True, eq=False, repr=False)
class Place:
    """Where a certificate is kept: nowhere without a store. about: what its record has beside what it says itself."""

    store: Store | None = None
    folder: CertificateFolder | None = None
    about: Mapping[str, object] = field(default_factory=dict)


def acquire(
    client: Client, context: Context, issuance: Issuance, solvers: Solvers, place: Place, *, is_replaced: bool
) -> Certificate:
    """Returns a certificate from this CA, kept in its place; goes on where an earlier attempt stopped.

    is_replaced: whether it takes the place of another. Raises RetryError where the CA has told others to wait, and this
    is held up as well; an order that is placed already goes on.
    """
    folder, limits = place.folder, SharedLimits(context, place.store, issuance)
    answers = SharedAnswers(place.store, folder.name if folder is not None else "")
    attempt = Attempt(folder, wanted_of(issuance))
    attempt.sweep()
    if is_replaced and attempt.is_in_place:
        attempt.end()
    has_left_over = attempt.has_left_over
    if has_left_over:
        answers.forget_dead(context)
    else:
        limits.check(client)
    client.server.fetch_nonces(context, min(WIDTH, len(issuance.identifiers)))
    with attempt.not_lost(), limits.kept():
        csr = issuance.key.request(issuance.identifiers, attempt.left_over_key())
        work = Work(client, context, place.store, issuance, csr, attempt, limits, answers)
        if not has_left_over:
            attempt.keep_key(csr, made_here=issuance.key.is_new)
        dead = attempt.traces
        try:
            work, chain = _issued(work, solvers, has_left_over=has_left_over)
            warn_of_end(context, solvers, due.life_due_at(chain.not_before, chain.not_after))
        finally:
            clear_up(attempt, dead, solvers, context)
        found = Certificate(issuance.identifiers, chain, work.csr.private_key, client.server.url)
        if folder is not None:
            found = replace(
                found,
                files=_stored(
                    folder, found, {**_of_itself(found, issuance, solvers), **place.about, "exempt": _is_exempt(work)}
                ),
            )
            context.tell("stored", folder=folder.path)
        if issuance.pem_file is not None:
            from .pem_file import keep_pem_file

            keep_pem_file(issuance.pem_file, found.private_key, chain.fullchain)
            found = replace(found, files=found.files | {"pem_file": issuance.pem_file})
        if folder is not None:
            attempt.end(ends=True)
        return found


def clear_up(attempt: Attempt, dead: Sequence[Trace], solvers: Solvers, context: Context) -> None:
    """Removes what an attempt left presented that died, unless this one has presented and removed it as well."""
    left = [trace for trace in dead if trace in attempt.traces]
    if not left:
        return
    from .traces import remove_traces

    present = [solver for chosen in solvers.values() for solver in chosen]
    failed = remove_traces(left, present, context)
    attempt.drop_traces(trace for trace in left if trace not in failed)


def _issued(work: Work, solvers: Solvers, *, has_left_over: bool) -> tuple[Work, CertificateChain]:
    """Returns the certificate, and the work that it came of.

    A CA may lose an account that has been known for months; the key can have another, and orders once more. It may
    move what its directory names: that is read anew where it was kept by an earlier process.
    """
    may_be_lost, store = work.client.knows_account, work.store
    while True:
        try:
            look = None if has_left_over else _caa_look(work)
            ensure_account(work.client, work.context, work.issuance.account)
            if store is not None:
                keep_known(store, work.context, work.client)
            known = _known_of(work.client)
            if has_left_over:
                from .finish import take_up

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
            if store is not None and _known_of(work.client) != known:
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


def _known_of(client: Client) -> tuple[object, object]:
    """Returns what keep_known() keeps of it."""
    return client.known_account, client.server.known_directory


def _caa_look(work: Work) -> CaaLook | None:
    """Begins a look at the CAA records, beside the account and the first nonce; None if it is not wanted."""
    issuance = work.issuance
    if not issuance.solvers.check_caa:
        return None
    return caa_look(work.context, work.client, issuance.identifiers, issuance.solvers.resolvers)


def _is_lost(error: TosslError) -> bool:
    return isinstance(error, AcmeError) and error.kind == "accountDoesNotExist"


def _may_have_moved(error: TosslError) -> bool:
    """Returns whether the directory may have changed: its URLs have moved, or it offers or demands more."""
    if isinstance(error, AcmeError):
        return error.status in (404, 405, 410) or error.kind == "notOffered"
    return isinstance(error, HttpError) or error.errorcode[2:] in (("profile",), ("agree_tos",), ("eab_kid",))


def wanted_of(issuance: Issuance) -> dict[str, object]:
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


def _is_exempt(work: Work) -> bool:
    """Returns whether the order named the certificate that it replaces, so that CAs do not count it in their limits."""
    return bool(work.issuance.order.replaces) and "renewalInfo" in work.client.directory(work.context).urls


def _of_itself(certificate: Certificate, issuance: Issuance, solvers: Solvers) -> dict[str, object]:
    """Returns the members of the record that spare reading the certificate."""
    from ..acme.renewal import cert_id  # loaded by now: see issue.py

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
