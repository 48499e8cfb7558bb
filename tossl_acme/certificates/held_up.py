"""First certificates that wait because their CA wants no order of this account just now: one after the other tries.

Else each of many thousands would find out for itself, by reads in the store, at each moment in which the CA takes one
order more. Renewals are not among them: a CA like Let's Encrypt exempts them.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from ..errors import RetryError, TosslError
from . import due
from .ca_limits import ACCOUNT, SERVER, told_to_all
from .upkeep import Upkeep, spread

#: Nodes that wait for the same moment begin within so many seconds of each other.
_SPREAD_SECONDS = 5.0


@dataclass
class _Queue:
    """until: epoch seconds. may_begin: how many may begin; None for all, as long as none is refused.

    left: those that wait, each once, the first first.
    """

    until: float = 0.0
    may_begin: int | None = None
    left: OrderedDict[Upkeep, None] = field(default_factory=OrderedDict)


class HeldUp:
    """Those that wait, by CA. Its methods are for one thread."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}

    def takes(self, entry: Upkeep, at: float) -> bool:
        """Returns whether it has to wait its turn; it comes from ready() then."""
        queue = self._queues.get(entry.managed.issuance.directory)
        if queue is None or not _is_first(entry) or (queue.until <= at and queue.may_begin is None):
            return False
        if queue.until <= at and queue.may_begin:
            queue.may_begin -= 1
            return False
        queue.left[entry] = None
        return True

    def failed(self, entry: Upkeep, error: TosslError) -> None:
        """Takes what a failure says to all first certificates of that CA. Then one of them tries before the rest."""
        at = due.now()
        until = _until(entry, error, at)
        if until > at and _is_first(entry):
            queue = self._queues.setdefault(entry.managed.issuance.directory, _Queue())
            queue.until, queue.may_begin = max(queue.until, until + spread(_SPREAD_SECONDS, until)), 1
        else:
            self.ended(entry, is_issued=False)

    def ended(self, entry: Upkeep, *, is_issued: bool) -> None:
        """Lets another begin in its place, and two for each that the CA has issued."""
        queue = self._queues.get(entry.managed.issuance.directory)
        if queue is not None and queue.may_begin is not None:
            queue.may_begin += 1 + is_issued

    def ready(self, at: float) -> list[Upkeep]:
        """Returns those whose turn it is."""
        found: list[Upkeep] = []
        for queue in self._queues.values():
            while queue.left and queue.until <= at and (queue.may_begin is None or queue.may_begin > len(found)):
                entry, _ = queue.left.popitem(last=False)
                if not entry.is_gone and not entry.is_busy and entry.is_due(at):
                    found.append(entry)
        return found

    def begin_anew(self) -> None:
        """Has one of each CA's try soon: the clock was set, and the moment that they wait for may be far ahead."""
        at = due.now()
        for queue in self._queues.values():
            queue.until = min(queue.until, at)

    def next_at(self) -> float:
        """Returns when ready() is to be asked, epoch seconds; infinite where nobody waits for a moment."""
        waiting = (queue.until for queue in self._queues.values() if queue.left and queue.may_begin != 0)
        return min(waiting, default=float("inf"))


def _is_first(entry: Upkeep) -> bool:
    """Returns whether its order replaces no certificate of that CA, and no other CA is to be asked."""
    issuance, held = entry.managed.issuance, entry.held
    is_replacing = held is not None and held.directory == issuance.directory and bool(held.cert_id)
    return not is_replacing and not issuance.fallbacks


def _until(entry: Upkeep, error: TosslError, at: float) -> float:
    """Returns until when a failure holds up whoever orders with the account; 0 where it does not."""
    if isinstance(error, RetryError):
        return at + error.seconds if error.details.get("scope") in (ACCOUNT, SERVER) else 0.0
    told = told_to_all(error, entry.managed.issuance, at)
    return told.until if told is not None and told.scope in (ACCOUNT, SERVER) else 0.0
