"""From a placed order to a checked certificate."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..acme.certificate import DownloadedChain, alternate_chains, download_certificate
from ..acme.client import Client
from ..acme.order import NewOrder, Order, OrderOptions, finish_order, new_order
from ..context import Context
from ..errors import TosslError
from ..identifiers import Identifier
from ..pki.chain import Chain, check_chain, issuer_names, read_chain
from .key import Request
from .solve import Solvers, deactivate_pending, solve

#: Seconds that deactivating the rest of a failed order may take.
_GIVING_UP = 10.0


@dataclass(frozen=True)
class Wanted:
    """What a certificate shall hold: the names, and the request for them."""

    identifiers: tuple[Identifier, ...]
    request: Request
    options: OrderOptions = field(default_factory=OrderOptions)
    preferred_chain: str = ""


def issue(client: Client, context: Context, wanted: Wanted, solvers: Solvers) -> Chain:
    """Places the order, proves its names and returns the certificate, checked against what was wanted.

    Where a name cannot be proven, what is still pending of the order is deactivated.
    """
    order = new_order(client, context, NewOrder(wanted.identifiers, wanted.options))
    if order.status == "pending":
        try:
            solve(client, context, order, solvers)
        except TosslError:
            deactivate_pending(client, context.for_cleanup(_GIVING_UP), order)
            raise
    return complete(client, context, order, wanted)


def complete(client: Client, context: Context, order: Order, wanted: Wanted) -> Chain:
    """Finalizes an order whose names are proven, and downloads its certificate."""
    order = finish_order(client, context, order, wanted.request.csr)
    chain = _chosen(client, context, download_certificate(client, context, order.certificate), wanted.preferred_chain)
    check_chain(chain, wanted.identifiers, wanted.request.spki)
    context.tell("certificate", not_after=chain.not_after, issuer=chain.issuer)
    return chain


def _chosen(client: Client, context: Context, first: DownloadedChain, preferred: str) -> Chain:
    """The chain that leads to the preferred issuer's common name; the CA's default where none does."""
    default = read_chain(first.pem)
    if not preferred:
        return default
    for download in alternate_chains(client, context, first):
        chain = read_chain(download.pem)
        if preferred in issuer_names(chain):
            return chain
    return default
