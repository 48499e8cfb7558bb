"""From a new order to a checked certificate, which is stored as soon as it arrives."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..acme.certificate import DownloadedChain, download_certificate
from ..acme.client import Client
from ..acme.order import NewOrder, Order, finish_order, get_order, new_order
from ..context import Context
from ..errors import AcmeError, Cancelled, HttpError, TosslError
from ..pki.chain import (
    CertificateChain,
    check_begun,
    check_leads_up,
    check_leaf,
    issuer_names,
    read_chain,
    unwanted_identifiers,
)
from ..pki.csr import Csr
from ..text import clean
from .issuance import Issuance
from .kept import Attempt
from .solve import Solvers, deactivate_pending, solve

#: Seconds that deactivating the rest of a failed order may take.
_GIVING_UP_SECONDS = 10.0
#: Seconds that one alternate chain may take: one chain is there already.
_ALTERNATE_SECONDS = 30.0
#: Refusals of a request that may be due to its key.
_KEY_REFUSALS = ("badPublicKey", "badCSR")
#: Statuses of those that a later request may not meet: a proxy's login, a time limit, too early, too many requests.
_PASSING = (407, 408, 425, 429)


@dataclass(frozen=True)
class Work:
    """One certificate under way: the client at its CA, the request, and the attempt that stores it."""

    client: Client
    context: Context
    issuance: Issuance
    csr: Csr
    attempt: Attempt

    def warn(self, kind: str, message: str, **facts: object) -> None:
        """Reports a fault that does not fail the call, as progress and in the result."""
        self.context.warn("warning", warning=kind, message=message, **facts)


def issue(work: Work, solvers: Solvers) -> CertificateChain:
    """Places the order, proves its names and returns the certificate, checked against the request.

    If a name cannot be proven, deactivates the order's pending authorizations.
    """
    client, context, issuance = work.client, work.context, work.issuance
    order = new_order(client, context, NewOrder(issuance.identifiers, issuance.order))
    if order.status == "pending":
        try:
            solve(client, context, order, solvers)
        except TosslError:
            deactivate_pending(client, context.for_cleanup(_GIVING_UP_SECONDS), order)
            raise
    chain = _complete(work, order)
    check_leads_up(chain)
    return _told(work, chain)


def take_up(work: Work) -> CertificateChain | None:
    """Returns the certificate of an earlier attempt: the downloaded one, or that of its finalized order.

    Returns None if neither is usable, or not for long, and puts all files of the attempt aside, with its key.
    """
    attempt = work.attempt
    kept = attempt.take_up_certificate(work.csr)
    chain = _servable(work, kept) if kept else None
    is_unfit = bool(kept) and (chain is None or _is_old(chain))
    if is_unfit and attempt.is_in_place:
        attempt.end()  # it is in force already; only the attempt's files were left
        return None
    if is_unfit or not attempt.is_for(work.csr):
        work.warn("put_aside", f"an unusable certificate was put aside in {attempt.put_aside()}")
        return None
    chain = _completed(work) if chain is None else _improved(work, chain)
    return chain and _told(work, chain)


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
    """Returns whether more than half of its life is over: then the caller wants a new certificate."""
    return time.time() > (chain.not_before + chain.not_after) / 2


def _servable(work: Work, pem: str) -> CertificateChain | None:
    try:
        chain = read_chain(pem, work.csr.public_key)
        _check(work, chain)
    except AcmeError:
        return None
    return chain


def _completed(work: Work) -> CertificateChain | None:
    """Completes the order that an earlier attempt finalized. Returns None, and drops the order, if it cannot."""
    url = work.attempt.left_over_order(work.csr)
    try:
        order = get_order(work.client, work.context, url) if url else None
        if order is None or order.status not in ("ready", "processing", "valid"):
            work.attempt.drop_order()
            return None
        return _complete(work, order)
    except (AcmeError, HttpError) as error:
        chain = _servable(work, work.attempt.issued) if work.attempt.issued else None
        if chain is not None:
            return chain
        if work.attempt.has_left_over and not _is_final(error):
            raise
        message = f"the order of an earlier call brought no certificate: {error.message}"
        aside = work.attempt.put_aside()
        work.warn("put_aside", f"{message}; its files were put aside in {aside}" if aside else message)
        return None


def _is_final(error: AcmeError | HttpError) -> bool:
    """Returns whether the CA would give the same answer next time."""
    if isinstance(error, HttpError):
        is_refusal = 300 <= error.status < 500 and error.status not in _PASSING
        return error.kind in ("malformed", "too_large") or is_refusal
    return error.status < 500 and error.kind not in ("rateLimited", "accountDoesNotExist")


def _complete(work: Work, order: Order) -> CertificateChain:
    """Finalizes an order whose names are proven, and downloads and checks its certificate."""
    attempt = work.attempt
    attempt.keep_order(order.url)
    try:
        order = finish_order(work.client, work.context, order, work.csr.der)
    except AcmeError as error:
        if error.kind in _KEY_REFUSALS:
            attempt.refuse_key()
            attempt.drop_order()
        raise
    download = download_certificate(work.client, work.context, order.certificate)
    attempt.keep_issued(download.pem)
    try:
        chain = read_chain(download.pem, work.csr.public_key)
        _check(work, chain)
    except AcmeError as error:
        if _servable(work, attempt.issued):  # only other blocks, which are not stored, are bad
            raise
        raise attempt.unusable(error) from None
    return _preferred(work, download, chain)


def _check(work: Work, chain: CertificateChain) -> None:
    """Raises AcmeError badCertificate unless the leaf is usable."""
    now = time.time()
    check_leaf(chain, work.issuance.identifiers, work.csr.public_key, now)
    if not work.issuance.order.not_before:
        check_begun(chain, now)


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


def _told(work: Work, chain: CertificateChain) -> CertificateChain:
    unwanted = unwanted_identifiers(chain, work.issuance.identifiers)
    if unwanted:
        names = clean(" ".join(identifier.value for identifier in unwanted))
        work.warn("names", f"the certificate has names that were not requested: {names}")
    if not chain.leads_up:
        work.warn("chain", "the CA sent no chain that leads up from the certificate: it is stored without a chain")
    work.context.tell("certificate", not_after=chain.not_after, issuer=chain.issuer)
    return chain
