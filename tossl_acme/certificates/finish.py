"""From an order that is placed to a checked certificate, which is stored as soon as it arrives."""

from __future__ import annotations

from collections.abc import Sequence

from ..acme.authorization import Authorization
from ..acme.certificate import DownloadedChain, download_certificate
from ..acme.known_keys import know_certificate_key
from ..acme.lost_order import find_lost_order, is_open
from ..acme.order import NewOrder, Order, check_authorizations, finish_order, get_order
from ..errors import AcmeError, Cancelled, HttpError, TosslError
from ..pki.chain import (
    CertificateChain,
    NotBegun,
    check_begun,
    check_leads_up,
    check_leaf,
    issuer_names,
    read_chain,
    unwanted_identifiers,
)
from ..pki.csr import Csr
from ..text import clean
from . import due
from .accounts import has_changed_key
from .ancestors import with_ancestors
from .solve import Solvers, deactivate_pending, get_authorizations, solve
from .work import Work

#: Seconds that deactivating the rest of a failed order may take.
_GIVING_UP_SECONDS = 10.0
#: Seconds that one alternate chain may take: one chain is there already.
_ALTERNATE_SECONDS = 30.0
#: A certificate that begins later is not waited for.
_WAITING_SECONDS = 86400.0
#: Refusals of a request that may be due to its key.
_KEY_REFUSALS = ("badPublicKey", "badCSR")
#: Statuses of those that a later request may not meet: a proxy's login, a time limit, too early, too many requests.
_PASSING = (407, 408, 425, 429)


def take_up(work: Work, solvers: Solvers) -> CertificateChain | None:
    """Returns the certificate of an earlier attempt: downloaded already, or that of the order which it placed.

    The order is taken up where it stands: its names are proven, or it is finalized, or waited for. None where none of
    that can serve, or not for long; then what may have a certificate is put aside, and the key with it.
    """
    attempt = work.attempt
    kept = attempt.take_up_certificate(work.csr)
    chain = _servable(work, kept) if kept else None
    is_unfit = bool(kept) and (chain is None or _is_old(chain))
    if is_unfit and attempt.is_in_place:
        attempt.end()  # it is in force already; only the attempt's files were left
        return None
    if is_unfit or not attempt.is_for(work.csr):
        if not attempt.may_have_certificate:
            return None
        work.warn("put_aside", f"a certificate that cannot serve was put aside: {attempt.put_aside()}")
        return None
    chain = _completed(work, solvers) if chain is None else _improved(work, chain)
    return chain and announced(work, chain)


def _improved(work: Work, kept: CertificateChain) -> CertificateChain:
    """Returns the preferred chain, or a chain that leads up, if the CA has it now; else the kept chain."""
    preferred = work.issuance.preferred_chain
    url = work.attempt.left_over_order(work.csr)
    if not url or (kept.leads_up and (not preferred or preferred in issuer_names(kept))):
        return kept
    try:
        order = get_order(work.client, work.context, url)
        if not order.certificate:
            return kept
        download = download_certificate(work.client, work.context, order.certificate)
        chain = read_chain(download.pem, work.csr.public_key)
        _check(work, chain)
    except Cancelled:
        raise
    except TosslError as error:
        work.warn("alternate_chain", f"the certificate cannot be downloaded again: {error.message}")
        return kept
    return _preferred(work, download, chain if chain.leads_up else kept)


def _is_old(chain: CertificateChain) -> bool:
    """Returns whether more than half of its life is over: a caller wants a new certificate then."""
    return due.now() > (chain.not_before + chain.not_after) / 2


def _servable(work: Work, pem: str) -> CertificateChain | None:
    """Returns the chain; None if it cannot serve. Raises NotBegun where it can once it begins, soon."""
    try:
        chain = read_chain(pem, work.csr.public_key)
        _check(work, chain)
    except NotBegun as error:
        if chain.not_before < due.now() + _WAITING_SECONDS:
            raise work.attempt.waiting(error) from None
        return None
    except AcmeError:
        return None
    return chain


def _completed(work: Work, solvers: Solvers) -> CertificateChain | None:
    """Returns the certificate of an earlier attempt's order; None, and drops the order, if it brings none."""
    try:
        order = _left_over_order(work)
        if order is None or not _is_proven(work, order, solvers):
            work.attempt.drop_order()
            return None
        return complete(work, order, may_be_taken=True)
    except (AcmeError, HttpError) as error:
        if isinstance(error, AcmeError) and _is_of_changed_key(work, error):
            raise  # the order stands, and goes on with the new key
        if not work.attempt.may_have_certificate:
            if work.attempt.has_left_over and not _is_final(error):
                raise
            work.attempt.drop_order()
            return None
        chain = _servable(work, work.attempt.issued) if work.attempt.issued else None
        if chain is not None:
            return chain
        if work.attempt.has_left_over and not _is_final(error):
            raise
        message = f"the order of an earlier call brought no certificate: {error.message}"
        aside = work.attempt.put_aside()
        work.warn("put_aside", f"{message}; its files were put aside in {aside}" if aside else message)
        return None


def _is_of_changed_key(work: Work, error: AcmeError) -> bool:
    return has_changed_key(work.context, work.store, work.issuance, work.client, error)


def _left_over_order(work: Work) -> Order | None:
    """Returns an earlier attempt's order, also if its answer was lost; None if it cannot bring a certificate."""
    client, context, attempt = work.client, work.context, work.attempt
    if attempt.may_have_placed:
        order = find_lost_order(client, context, NewOrder(work.issuance.identifiers, work.issuance.order))
    else:
        url = attempt.left_over_order(work.csr)
        order = get_order(client, context, url) if url else None
    return order if order is not None and is_open(order, due.now()) else None


def _is_proven(work: Work, order: Order, solvers: Solvers) -> bool:
    """Proves the remaining names of an order that is taken up. Returns whether all are proven.

    False where an authorization has ended, or ends by what the earlier attempt had answered.
    """
    is_lost = work.attempt.may_have_placed
    work.attempt.keep_order(order.url)
    if order.status != "pending":
        return True
    check_authorizations(order, len(work.issuance.identifiers))
    authorizations = get_authorizations(work.client, work.context, order)
    if any(authorization.status != "valid" and authorization.has_ended() for authorization in authorizations):
        return False
    is_answered = any(
        challenge.status == "processing" for authorization in authorizations for challenge in authorization.challenges
    )
    if is_answered and is_lost:
        return False  # whoever died before it heard of its order has answered nothing: it is somebody else's
    try:
        _prove(work, order, authorizations, solvers)
    except AcmeError as error:
        if is_answered and error.status == 0:
            return False
        raise
    return True


def prove_names(work: Work, order: Order, solvers: Solvers) -> None:
    """Makes every authorization of the order valid. Where that fails, what is still pending is deactivated."""
    _prove(work, order, get_authorizations(work.client, work.context, order), solvers)


def _prove(work: Work, order: Order, authorizations: Sequence[Authorization], solvers: Solvers) -> None:
    """Makes every authorization of the order valid. Where that fails, what is still pending is deactivated."""
    try:
        allowed = with_ancestors(solvers, authorizations, work.issuance.order)
        # The CA looks at the answers meanwhile, which takes longer than to make the request.
        with work.context.meanwhile(work.csr.prepare):
            solve(work.client, work.context, authorizations, allowed, work.attempt, work.answers)
    except TosslError:
        if deactivate_pending(work.client, work.context.for_cleanup(_GIVING_UP_SECONDS), order):
            work.attempt.drop_order()
        raise


def _is_final(error: AcmeError | HttpError) -> bool:
    """Returns whether the CA would give the same answer next time."""
    if isinstance(error, HttpError):
        is_refusal = 300 <= error.status < 500 and error.status not in _PASSING
        return error.kind in ("malformed", "too_large") or is_refusal
    return error.status < 500 and error.kind not in ("rateLimited", "accountDoesNotExist")


def complete(work: Work, order: Order, *, may_be_taken: bool) -> CertificateChain | None:
    """Finalizes an order whose names are proven, and downloads and checks its certificate.

    None, and no order any more, where somebody else with this account has finalized it with another key.
    """
    attempt = work.attempt
    may_be_taken = may_be_taken and not attempt.may_have_certificate  # else this call's predecessor finalized it
    attempt.keep_finalizing(order.url)
    try:
        finished = finish_order(work.client, work.context, order, work.csr.der)
        know_certificate_key(work.csr.public_key)
    except AcmeError as error:
        if error.kind in _KEY_REFUSALS:
            attempt.refuse_key()
            attempt.drop_order()
        raise
    download = download_certificate(work.client, work.context, finished.order.certificate)
    if may_be_taken and finished.by_another and _has_another_key(download.pem, work.csr):
        work.context.tell("taken", url=order.url)
        attempt.drop_order()
        return None
    attempt.keep_issued(download.pem)
    try:
        chain = read_chain(download.pem, work.csr.public_key)
        _check(work, chain)
    except NotBegun as error:
        raise attempt.waiting(error) from None
    except AcmeError as error:
        if _servable(work, attempt.issued):  # only other blocks, which are not stored, are bad
            raise
        raise attempt.unusable(error) from None
    return _preferred(work, download, chain)


def _has_another_key(pem: str, csr: Csr) -> bool:
    try:
        return read_chain(pem).public_key != csr.public_key
    except AcmeError:
        return False


def _check(work: Work, chain: CertificateChain) -> None:
    """Raises AcmeError badCertificate unless the leaf can serve."""
    now = due.now()
    check_leaf(chain, work.issuance.identifiers, work.csr.public_key, now)
    if not work.issuance.order.not_before:
        check_begun(chain, now, work.client.server.date)


def _preferred(work: Work, download: DownloadedChain, first: CertificateChain) -> CertificateChain:
    """Returns the chain that leads to the preferred issuer's common name, else the CA's first chain."""
    name = work.issuance.preferred_chain
    if not name or name in issuer_names(first):
        return first
    for url in download.alternates:
        chain = _alternate(work, url)
        if chain and name in issuer_names(chain):
            return chain
    work.warn("preferred_chain", f"no chain leads to the issuer {clean(name)}: the CA's first chain is used")
    return first


def _alternate(work: Work, url: str) -> CertificateChain | None:
    """Returns another chain for the certificate; None, with a warning, if it cannot be downloaded or used."""
    try:
        pem = download_certificate(work.client, work.context.narrowed(_ALTERNATE_SECONDS), url).pem
        chain = read_chain(pem, work.csr.public_key)
        _check(work, chain)
        check_leads_up(chain)
    except Cancelled:
        raise
    except TosslError as error:
        work.warn("alternate_chain", f"another chain of the CA cannot be used: {error.message}", url=url)
        return None
    return chain


def announced(work: Work, chain: CertificateChain) -> CertificateChain:
    unwanted = unwanted_identifiers(chain, work.issuance.identifiers)
    if unwanted:
        names = clean(" ".join(identifier.value for identifier in unwanted))
        work.warn("names", f"the certificate has names that were not requested: {names}")
    if not chain.leads_up:
        work.warn("chain", "the CA sent no chain that leads up from the certificate: it is stored without a chain")
    work.context.tell("certificate", not_after=chain.not_after, issuer=chain.issuer)
    return chain
