"""dns-persist-01 (draft-ietf-acme-dns-persist): a permanent TXT record that lets one account get certificates.

Anybody with the account's key can use the record while it exists. So no order publishes or removes it: the domain's
owner adds it, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..acme.authorization import Challenge
from ..context import Context
from ..dns.failure import LookupFailed
from ..errors import DnsError, WaitTimeout
from ..text import clean
from .solver import ChallengeType, SolverOptions
from .standing import LABEL, Standing, Wanted, find_standing, standing_name

_NAME = "dns-persist-01"
#: Values that an error describes.
_MOST_DESCRIBED = 4
#: Domains above a name whose records are looked at.
_MOST_ABOVE = 5
#: Seconds that one look at the record may take.
LOOK_SECONDS = 10.0
_WHAT = "the permanent record"


class DnsPersist01:
    """Relies on the permanent record. Looks whether it stands before the CA does, and publishes nothing."""

    challenge_type = _NAME

    def __init__(
        self, resolvers: Sequence[str] = (), *, looks: bool = True, now: Callable[[], float] = time.time
    ) -> None:
        self._resolvers = tuple(resolvers)
        self._looks = looks
        self._now = now
        #: The records that were seen, by name.
        self._seen: dict[str, Standing] = {}

    @property
    def ends(self) -> int:
        """Returns when the first of the records ends that were seen, epoch seconds; 0 if none ends."""
        return min((seen.until for seen in self._seen.values() if seen.until is not None), default=0)

    def check_standing(self, context: Context, challenge: Challenge) -> None:
        """Returns if a record stands that may serve. Raises DnsError "record" if none does."""
        self._look(context, _wanted(challenge, is_challenged=False))

    def present(self, context: Context, challenge: Challenge) -> None:
        wanted = _wanted(challenge)
        context.tell("dns_standing", domain=wanted.domain, record=wanted.name, values=wanted.values)

    def place_of(self, challenge: Challenge) -> Mapping[str, str]:
        return {}  # nothing is presented

    def describe(self, challenge: Challenge) -> dict[str, object]:
        """Returns the record's name."""
        return {"record": standing_name(challenge.identifier.value)}

    def wait(self, context: Context, challenge: Challenge) -> None:
        """Returns if the record stands. Raises DnsError "record" if it does not: the challenge is not answered then."""
        wanted = _wanted(challenge)
        seen = self._seen.get(wanted.name)
        if seen is None or find_standing([seen.value], wanted, self._now())[0] is None:
            self._look(context, wanted)

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        """Removes nothing: the record belongs to the domain's owner."""

    def _look(self, context: Context, wanted: Wanted) -> None:
        """Looks at the record. A DNS that gives no answer is reported as progress: the CA may see more."""
        if not self._looks:
            return
        try:
            self._seen[wanted.name] = look(context, wanted, self._resolvers, self._now())
        except LookupFailed as error:
            context.check(_WHAT)
            context.tell("dns_standing_unknown", record=wanted.name, message=clean(error))


def dns_persist01_solver(options: SolverOptions) -> DnsPersist01:
    """Returns the solver. Raises ArgumentError "resolvers"."""
    return DnsPersist01(options.resolvers, looks=options.propagating.looks)


def _wanted(challenge: Challenge, *, is_challenged: bool = True) -> Wanted:
    domain, account = challenge.identifier.value, challenge.account_url
    return Wanted(domain, account, challenge.issuers, challenge.wildcard, is_challenged)


def look(context: Context, wanted: Wanted, resolvers: Sequence[str], at: float) -> Standing:
    """Returns the record that the DNS shows now, as the CA will see it.

    A CA may also accept the record of a domain above, if that has policy=wildcard (section 6).

    Raises DnsError "record" if no record will serve: the message has the differences and the value to set. Raises
    LookupFailed if the DNS gives no answer.
    """
    part = context.narrowed(LOOK_SECONDS)
    try:
        standing, differences = find_standing(_seen(part, wanted.name, resolvers), wanted, at)
        standing = standing or _above(part, wanted, resolvers, at)
    except WaitTimeout:
        context.check(_WHAT)
        raise LookupFailed(f"the DNS servers of {wanted.name} did not answer in {part.limit:.3g} s") from None
    if standing is not None:
        return standing
    more = len(differences) - _MOST_DESCRIBED
    shown = "; ".join(differences[:_MOST_DESCRIBED]) + (f"; and {more} more" if more > 0 else "")
    cause = f"no TXT record at {wanted.name} serves: {shown}" if differences else f"{wanted.name} has no TXT record"
    advice = f"; set {' or '.join(map(repr, wanted.values))}" if wanted.values else ""
    raise DnsError(_NAME, "record", f"{cause}{advice}")


def state_of(context: Context | None, wanted: Wanted, resolvers: Sequence[str]) -> dict[str, object]:
    """Returns whether a record stands that will serve, for a command's result. Without a context nobody is asked."""
    if context is None:
        return {"standing": "", "persist_until": 0, "difference": "not looked at"}
    try:
        found = look(context, wanted, resolvers, time.time())
    except DnsError as error:
        return {"standing": 0, "persist_until": 0, "difference": error.message}
    except LookupFailed as error:
        return {"standing": "", "persist_until": 0, "difference": clean(error)}
    return {"standing": 1, "persist_until": found.until or 0, "difference": ""}


def _seen(context: Context, name: str, resolvers: Sequence[str]) -> tuple[str, ...]:
    """Returns the values at the name. Raises LookupFailed also if this machine has no resolver."""
    from ..dns.texts import seen_texts

    try:
        return seen_texts(context, name, resolvers)
    except DnsError as error:
        raise LookupFailed(error.message) from None


def _above(context: Context, wanted: Wanted, resolvers: Sequence[str], at: float) -> Standing | None:
    """Returns the nearest record of a domain above that is valid for everything below it."""
    labels = wanted.domain.removeprefix("*.").split(".")
    for first in range(1, len(labels) - 1)[:_MOST_ABOVE]:
        above = replace(wanted, domain=".".join(labels[first:]), wildcard=True)
        standing, _differences = find_standing(_seen(context, above.name, resolvers), above, at)
        if standing is not None:
            context.tell("dns_standing_above", domain=wanted.domain, record=above.name)
            return standing
    return None


TYPE = ChallengeType(DnsPersist01.challenge_type, dns_persist01_solver, LABEL)
