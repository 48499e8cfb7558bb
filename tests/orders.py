"""Orders at a CA, without a store."""

from __future__ import annotations

from collections.abc import Sequence

from tossl_acme.acme.client import Client
from tossl_acme.acme.order import NewOrder, new_order, wait_order
from tossl_acme.certificates.kept import Attempt
from tossl_acme.certificates.sharing import SharedAnswers
from tossl_acme.certificates.solve import get_authorizations, solve
from tossl_acme.challenges.solver import Solver
from tossl_acme.context import Context
from tossl_acme.identifiers import parse_identifiers


def proven_order(client: Client, context: Context, solver: Solver, names: Sequence[str]) -> str:
    """Proves names as an order does; returns the order's status at the end."""
    identifiers = parse_identifiers(names)
    order = new_order(client, context, NewOrder(identifiers))
    authorizations = get_authorizations(client, context, order)
    solvers = dict.fromkeys(identifiers, (solver,))
    solve(client, context, authorizations, solvers, Attempt(None, {}), SharedAnswers(None))
    return wait_order(client, context, order.url).status
