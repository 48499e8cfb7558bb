"""Whether the DNS allows the CA to issue: looked at while the account is, before an order is placed (RFC 8659)."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from ..acme.client import Client
from ..context import Context
from ..context.threads import start_thread
from ..errors import AcmeError, TosslError, WaitTimeout, foreign_error
from ..identifiers import Identifier
from ..text import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..dns.caa import CaaSet
    from .solve import Solvers

#: Seconds for all names of an order.
CAA_SECONDS = 3.0
#: Names that one thread looks at.
_NAMES_PER_THREAD = 4
#: Names that an error or a step explains.
_MOST_SHOWN = 4
_WHAT = "the CAA records"


class CaaLook:
    """The CAA records of some names, looked up beside the call."""

    def __init__(self, context: Context, identifiers: tuple[Identifier, ...], resolvers: tuple[str, ...]) -> None:
        self._identifiers = [one for one in identifiers if one.is_provable_by_dns]
        self._domains = list(dict.fromkeys(one.base.value for one in self._identifiers))
        self._found: Mapping[str, CaaSet | str] = {}
        self._trouble = ""
        self._ended = threading.Event()
        part = context.aside().narrowed(CAA_SECONDS)

        def look() -> None:
            try:
                self._found = _looked_up(part, self._domains, resolvers)
            except Exception as error:  # noqa: BLE001 - check() tells it
                self._trouble = (error if isinstance(error, TosslError) else foreign_error(error)).message
            finally:
                self._ended.set()

        try:
            start_thread("tossl caa", look)
        except RuntimeError:
            self._trouble = "no more threads can be started in this process"
            self._ended.set()

    def check(self, context: Context, client: Client, solvers: Solvers) -> None:
        """Returns if the records allow a certificate, or the DNS does not tell, which is reported as progress.

        Raises AcmeError "caa", as the CA would.
        """
        from ..dns.caa import CaaRequest, caa_refusal

        while not self._ended.is_set():
            self._ended.wait(context.poll_seconds(_WHAT))
        issuers = _issuers(context, client)
        account = client.account_url(context)
        refused: list[str] = []
        unknown: dict[str, str] = {}
        for one in self._identifiers:
            found = self._found.get(one.base.value, self._trouble or "the DNS did not answer in time")
            if isinstance(found, str):
                unknown[one.base.value] = found
                continue
            methods = {solver.challenge_type for solver in solvers.get(one, ())}
            reason = caa_refusal(found, CaaRequest(issuers, account, methods, one.wildcard))
            refused += [f"{one.value}: {reason}"] if reason else []
        if refused:
            more = f"; and {len(refused) - _MOST_SHOWN} more names" if len(refused) > _MOST_SHOWN else ""
            raise AcmeError(f"{'; '.join(refused[:_MOST_SHOWN])}{more}", "caa", 0)
        if unknown:
            domain, cause = next(iter(unknown.items()))
            context.tell("caa_unknown", domains=list(unknown), message=f"{domain}: {clean(cause)}")


def caa_look(
    context: Context, client: Client, identifiers: tuple[Identifier, ...], resolvers: tuple[str, ...]
) -> CaaLook | None:
    """Begins a look at the CAA records; None, told as progress, if the CA names no caaIdentities to look for."""
    if _issuers(context, client):
        return CaaLook(context, identifiers, resolvers)
    context.tell("caa_unknown", domains=[], message="the CA's directory has no caaIdentities")
    return None


def _issuers(context: Context, client: Client) -> list[str]:
    """Returns the CA's names in CAA records."""
    names = (name.strip().lower().rstrip(".") for name in client.directory(context).caa_identities)
    return [name for name in names if name]


def _looked_up(context: Context, domains: list[str], resolvers: tuple[str, ...]) -> dict[str, CaaSet | str]:
    """Looks at the names side by side. Returns what is found in time."""
    from ..dns.caa import caa_sets
    from ..dns.resolver import resolver_for

    resolver = resolver_for(resolvers)
    known: dict[str, CaaSet] = {}
    batches = [tuple(domains[at : at + _NAMES_PER_THREAD]) for at in range(0, len(domains), _NAMES_PER_THREAD)]
    found: dict[str, CaaSet | str] = {}
    try:
        for _batch, part in context.run_each(lambda batch: caa_sets(context, resolver, batch, known), batches, _WHAT):
            found |= part
    except WaitTimeout:
        pass
    return found
