"""Proofs that stand before there is an order: looked at before it, and their end."""

from __future__ import annotations

from ..acme.client import Client
from ..challenges.solver import is_standing
from ..context import Context
from ..identifiers import Identifier
from . import due

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .solve import Solvers


def check_standing(context: Context, client: Client, solvers: Solvers) -> None:
    """Returns if the proof of each name stands that nothing else proves, or that is not known.

    So no order is placed that the CA will refuse. Raises DnsError "record": what differs, and the value to set.
    """
    only = {identifier: chosen[0] for identifier, chosen in solvers.items() if len(chosen) == 1}
    standing = {identifier: solver for identifier, solver in only.items() if is_standing(solver)}
    if not standing:
        return
    from ..acme.authorization import Challenge

    issuers, account = tuple(client.directory(context).caa_identities), client.account_url(context)

    def check(identifier: Identifier) -> None:
        solver, base = standing[identifier], identifier.base
        kind, wildcard = solver.challenge_type, identifier.wildcard
        challenge = Challenge(kind, base, wildcard=wildcard, account_url=account, issuers=issuers)
        solver.check_standing(context, challenge)

    for _identifier, _nothing in context.run_each(check, standing, "the permanent records"):
        pass


def standing_ends(solvers: Solvers) -> int:
    """Returns when the first of the proofs ends that were seen, epoch seconds; 0 if none ends."""
    used = [solver for chosen in solvers.values() for solver in chosen if is_standing(solver)]
    return min((solver.ends for solver in used if solver.ends), default=0)


def warn_of_end(context: Context, solvers: Solvers, due_at: float) -> None:
    """Warns if a proof ends before the certificate is to be renewed, or within 30 days. due_at: epoch seconds."""
    ends = standing_ends(solvers)
    if said := due.record_warning(ends, due_at, due.now()):
        context.warn("warning", warning="persist_until", message=said, persist_until=ends)
