"""Authorizations for a domain above an ordered name (RFC 9444), where the user allows them."""

from __future__ import annotations

from collections.abc import Iterable

from ..acme.authorization import Authorization
from ..acme.order import OrderOptions
from .solve import Solvers


def with_ancestors(solvers: Solvers, authorizations: Iterable[Authorization], options: OrderOptions) -> Solvers:
    """Returns the solvers, with those of an ordered name for each allowed authorization of a domain above it."""
    found = dict(solvers)
    for authorization in authorizations:
        named = authorization.identifier.normal.base if authorization.identifier.type == "dns" else None
        if named is None or named in found or any(one.base == named for one in found):
            continue
        for ordered, chosen in solvers.items():
            if ordered.type == "dns" and options.allows(named.value, ordered.base.value):
                found[named] = chosen
                break
    return found
