"""From a new order to a checked certificate: what follows the order is in finish.py, which loads while it is placed."""

from __future__ import annotations

from ..acme.order import NewOrder, new_order
from ..errors import AcmeError, RetryError
from ..log import INFO
from .logged import NAME
from .persisted import check_standing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..pki.chain import CertificateChain
    from .solve import Solvers
    from .work import Work


def issue(work: Work, solvers: Solvers) -> CertificateChain:
    """Places the order, proves its names and returns the certificate, checked against the request.

    If a name cannot be proven, deactivates the order's pending authorizations. Places another order, once, if somebody
    else with this account has finalized the first.
    """
    chain = _placed(work, solvers, may_be_taken=True) or _placed(work, solvers, may_be_taken=False)
    assert chain is not None
    from ..pki.chain import check_leads_up
    from .finish import announced

    check_leads_up(chain)
    return announced(work, chain)


def _placed(work: Work, solvers: Solvers, *, may_be_taken: bool) -> CertificateChain | None:
    """Returns the certificate of a new order; None, without the order, if another process has got its certificate."""
    issuance = work.issuance
    check_standing(work.context, work.client, solvers)
    try:
        work.limits.check(work.client, anew=True)  # another node may have been refused a moment ago
        with work.context.meanwhile(_load_finish):
            order = new_order(work.client, work.context, NewOrder(issuance.identifiers, issuance.order))
    except (AcmeError, RetryError):
        work.attempt.drop_order()  # the CA said no, or was not asked: there is none
        raise
    work.context.event(NAME, INFO, f"has placed an order, which is {order.status}", order=order.url)
    from .finish import complete, prove_names

    if order.status == "pending":
        work.attempt.keep_order(order.url)
        prove_names(work, order, solvers)
    return complete(work, order, may_be_taken=may_be_taken)  # keeps an order that needs no proof


def _load_finish() -> None:
    """Loads what a placed order needs: the CA is awaited meanwhile."""
    from ..acme import renewal  # noqa: F401 - for the certificate's record
    from . import finish  # noqa: F401
