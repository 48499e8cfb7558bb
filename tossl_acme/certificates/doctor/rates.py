"""Which of Let's Encrypt's published limits is near, by what the store knows.

https://letsencrypt.org/docs/rate-limits (2026-11-26). Renewals by renewal information (RFC 9773) are exempt from those
for orders and certificates. Other machines may have used up more of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...acme.public_cas import directory_url
from ...context import Context
from ...errors import ArgumentError
from ...http.urls import shown_url
from ...store.protocol import Store
from .. import due
from ..authorities import read_limits
from ..history import issuances_of
from ..issuance import Issuance
from ..record import ABOVE, RECORD, certificate_name, kept_of
from .diagnosis import Diagnosis
from .subjects import Examination, Subject

_CA = "letsencrypt"
_HOUR_SECONDS = 3600.0
#: From this share on a limit is near.
_NEAR = 0.6
#: Second labels below countries that are no registered domains themselves.
_SECOND_LABELS = {"ac", "co", "com", "edu", "gob", "gov", "gouv", "net", "ne", "nom", "or", "org", "go"}


@dataclass(frozen=True)
class Limit:
    """A published limit: most in so many hours. what: what is counted, for people."""

    key: str
    what: str
    most: int
    hours: float


_SAME_NAMES = Limit("same_names", "certificates for exactly these names", 5, 168)
_DOMAIN = Limit("registered_domain", "certificates for names below {subject}", 50, 168)
_ORDERS = Limit("orders", "orders of the account", 300, 3)
_FAILURES = Limit("failed_validations", "failed validations of these names", 5, 1)


@dataclass(frozen=True)
class Issued:
    """A certificate that was issued. at: epoch seconds. is_exempt: the limits do not count it."""

    at: float
    directory: str
    domains: frozenset[str]
    is_exempt: bool


def rate_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Counts what the store knows against each limit, of each name at Let's Encrypt."""
    store = examined.store
    if store is None:
        return []
    try:
        issued = _issued(store)
    except ArgumentError:  # the store's own check tells
        return []
    found: dict[tuple[str, str, str], Diagnosis] = {}
    for subject in examined.subjects:
        for one in subject.issuance.at_each:
            if one.directory and (examined.counts or one.directory == directory_url(_CA)):
                for finding in _of_issuance(store, issued, subject, one):
                    found.setdefault((str(finding.facts["limit"]), finding.subject, one.directory), finding)
    return list(found.values())


def _issued(store: Store) -> list[Issued]:
    """Returns the certificates of the last week."""
    found = []
    for where, values in store.read_all(ABOVE, (RECORD,)):
        if isinstance(values, ArgumentError):
            continue  # the store's own check tells
        try:
            kept = kept_of(store, certificate_name(where.removeprefix(f"{ABOVE}/")), values)
        except ArgumentError:
            continue
        for one in issuances_of(kept):
            domains = one["domains"]
            assert isinstance(domains, list)
            found.append(Issued(float(str(one["at"])), str(one["directory"]), frozenset(domains), bool(one["exempt"])))
    return found


def _of_issuance(store: Store, issued: Collection[Issued], subject: Subject, one: Issuance) -> list[Diagnosis]:
    counted = [each for each in issued if each.directory == one.directory and not each.is_exempt]
    names = frozenset(identifier.value for identifier in one.identifiers)
    found = [
        _counted(_SAME_NAMES, subject.name, [each.at for each in counted if each.domains == names], one),
        _counted(_ORDERS, shown_url(one.directory), [each.at for each in counted], one),
        _counted(_FAILURES, subject.name, _failed_at(store, one), one),
    ]
    for domain in sorted({registered_domain(name) for name in names}):
        below = [each.at for each in counted if domain in map(registered_domain, each.domains)]
        found.append(_counted(_DOMAIN, domain, below, one))
    return found


def _failed_at(store: Store, one: Issuance) -> list[float]:
    try:
        return list(read_limits(store, one).recent)
    except ArgumentError:
        return []


def _counted(limit: Limit, subject: str, times: Collection[float], one: Issuance) -> Diagnosis:
    begin = due.now() - limit.hours * _HOUR_SECONDS
    recent = [at for at in times if at > begin]
    count, what = len(recent), limit.what.format(subject=subject)
    facts = {"limit": limit.key, "count": count, "most": limit.most, "hours": limit.hours, "directory": one.directory}
    said = f"{count} of {limit.most} {what} in {limit.hours:g} hours, as far as this store knows"
    if count < _NEAR * limit.most:
        return Diagnosis.ok("limits", subject, said, **facts)
    next_at = (min(recent) if recent else begin) + limit.hours * _HOUR_SECONDS - due.now()
    advice = (
        f"wait: one is free again in {max(1, round(next_at / _HOUR_SECONDS))} h; try with letsencrypt-staging meanwhile"
    )
    make = Diagnosis.warned if count < limit.most else Diagnosis.failed
    return make("limits", subject, said, advice, **facts)


def registered_domain(name: str) -> str:
    """Returns the domain that was registered for a name, as far as that can be told without the Public Suffix List."""
    labels = name.removeprefix("*.").split(".")
    is_below_country = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LABELS
    return ".".join(labels[-3 if is_below_country else -2 :])
