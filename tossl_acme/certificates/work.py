"""One certificate under way."""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..acme.client import Client
    from ..context import Context
    from ..pki.csr import Csr
    from ..store.protocol import Store
    from .ca_limits import SharedLimits
    from .issuance import Issuance
    from .kept import Attempt
    from .sharing import SharedAnswers


@dataclass(frozen=True, eq=False, repr=False)
class Work:
    """One certificate under way: the client at its CA, the request, the attempt that stores it, the CA's limits.

    store: where accounts are kept. answers: to its challenges, for other nodes.
    """

    client: Client
    context: Context
    store: Store | None
    issuance: Issuance
    csr: Csr
    attempt: Attempt
    limits: SharedLimits
    answers: SharedAnswers

    def warn(self, kind: str, message: str, **facts: object) -> None:
        """Reports a fault that does not fail the call, as progress and in the result."""
        self.context.warn("warning", warning=kind, message=message, **facts)
