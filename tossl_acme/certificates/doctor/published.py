"""The records that prove names: where CNAME records lead from there, what stands there, a real write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from ...acme.authorization import Challenge, is_provable
from ...challenges.solver import Solver, SolverOptions, is_together
from ...context import Context
from ...dns.delegation import Delegation, delegations
from ...dns.failure import LookupFailed
from ...dns.propagation import WAIT, NotShownError
from ...dns.texts import seen_texts
from ...dns.zones import zones_through
from ...errors import Cancelled, DnsError, TosslError, WaitTimeout
from ...identifiers import Identifier
from ...text import clean
from ..crew import side_by_side
from .beside import each_finding, findings_of
from .diagnosis import Diagnosis
from .resolving import resolver_advice
from .shown import NotRemovedError, presented_for, throwaway
from .subjects import Examination, Subject, known_account

#: Seconds for one record to be written, seen and removed.
_WRITE_SECONDS = 60.0
#: Seconds that the zone's servers have to show it.
_SHOWN_SECONDS = 20.0
_MOST_SHOWN = 4


@runtime_checkable
class _RecordSolver(Protocol):
    """A solver that publishes records."""

    def name_for(self, challenge: Challenge) -> str: ...

    def record(self, challenge: Challenge) -> tuple[str, str]: ...


# ---- CNAME and TXT at the names of the records ----


def alias_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Says where CNAME records lead from the names of the records, and what already stands there."""
    look = lambda part, one: _alias_of(part, examined, one)  # noqa: E731
    return each_finding(context, "cname", look, examined.subjects, lambda one: one.name)


def _alias_of(context: Context, examined: Examination, subject: Subject) -> list[Diagnosis]:
    names = _record_names(examined, subject)
    options = subject.issuance.solvers
    zones = zones_through(options.resolvers) if options.follow_cname and names else None
    found = delegations(context, zones, list(names)) if zones is not None else {}
    troubled = [name for name, one in found.items() if one.trouble and not one.is_endless]
    silent = resolver_advice(context, options.resolvers, troubled[0]) if troubled else ""
    findings = [_alias_finding(name, one, silent) for name, one in found.items()]
    endless = {name for name, one in found.items() if one.is_endless}
    looked = [one for one in names if one not in endless]
    look = lambda part, name: _texts_at(part, name, options.resolvers)  # noqa: E731
    texts = each_finding(context, "txt", look, looked, str)
    return [*findings, *texts]


def _record_names(examined: Examination, subject: Subject) -> dict[str, Challenge]:
    """Returns the names of the records that prove names, with a challenge for each."""
    account = known_account(examined.store, subject.issuance)
    found: dict[str, Challenge] = {}
    for domain in subject.domains:
        solver = _solver_of(subject, domain)
        if isinstance(solver, _RecordSolver) and is_provable(domain, solver.challenge_type):
            challenge = throwaway(solver, domain, account)
            name = solver.name_for(challenge)
            # A record whose name depends on the account has none before that.
            if account or name == solver.name_for(replace(challenge, account_url=challenge.token)):
                found.setdefault(name, challenge)
    return found


def _solver_of(subject: Subject, domain: Identifier) -> Solver | None:
    """Returns the solver of the name, or of its wildcard."""
    return subject.solver(domain) or subject.solver(Identifier(domain.type, f"*.{domain.value}"))


def _alias_finding(name: str, found: Delegation, silent: str) -> Diagnosis:
    """silent: what to do where the resolver itself does not answer."""
    at = found.published_name
    if found.is_endless:
        advice = f"remove the CNAME record at {name}, or let it lead to a name in a zone that can be written to"
        return Diagnosis.failed("cname", name, found.trouble, advice)
    if found.trouble:
        advice = silent or "look at the zone's servers: a CA may get no answer either"
        return Diagnosis.warned("cname", name, found.trouble, advice)
    if at == name:
        return Diagnosis.ok("cname", name, "no CNAME record: the TXT record is published here", published_name=at)
    return Diagnosis.ok("cname", name, f"is an alias of {at}, where the TXT record is published", published_name=at)


def _texts_at(context: Context, name: str, resolvers: Sequence[str]) -> list[Diagnosis]:
    try:
        values = seen_texts(context, name, resolvers)
    except (LookupFailed, DnsError) as error:
        behind = "a CA that gets no answer refuses the name: look at the zone's servers, and at DNSSEC"
        advice = resolver_advice(context, resolvers, name) or behind
        return [Diagnosis.warned("txt", name, f"the DNS does not tell its TXT records: {clean(error)}", advice)]
    if not values:
        return []
    shown = ", ".join(map(repr, values[:_MOST_SHOWN]))
    advice = "remove what no call is using now; many old values make answers too long"
    return [Diagnosis.warned("txt", name, f"{len(values)} TXT values stand here: {clean(shown)}", advice)]


# ---- a real write ----


def write_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Publishes a throw-away TXT value at each record's name, looks for it, and removes it.

    As many at a time as the provider takes, and in the call's own thread where that is one: a provider of a script's
    own is called there.
    """
    tasks: dict[str, _Task] = {}
    for subject in examined.subjects:
        for name, challenge in _record_names(examined, subject).items():
            solver = _solver_of(subject, challenge.identifier)
            assert solver is not None
            tasks.setdefault(name, _Task(solver, challenge, subject.issuance.solvers))
    found: dict[str, list[Diagnosis]] = {}

    def write(part: Context, name: str) -> None:
        found[name] = findings_of("credentials", name, lambda: _written_at(part, name, tasks[name]))

    for width, names in _by_width(tasks).items():
        side_by_side(context, write, names, width)
    return [finding for name in tasks for finding in found[name]]


@dataclass(frozen=True, eq=False)
class _Task:
    solver: Solver
    challenge: Challenge
    options: SolverOptions

    @property
    def width(self) -> int:
        """Returns how many such records may be published at the same time."""
        try:
            return self.solver.width(self.challenge) if is_together(self.solver) else 1
        except TosslError:  # no provider is for this name, which presenting tells
            return 1

    @property
    def looks(self) -> bool:
        """Returns whether servers are asked for the record."""
        propagation = self.options.propagating
        return propagation.looks and propagation.mode != WAIT


def _by_width(tasks: dict[str, _Task]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name, task in tasks.items():
        found.setdefault(task.width, []).append(name)
    return found


def _to_remove(name: str, task: _Task) -> str:
    """Returns what to do about a record that is still there."""
    value = f" {task.solver.record(task.challenge)[1]}" if isinstance(task.solver, _RecordSolver) else ""
    at = task.solver.describe(task.challenge).get("published_name", name)
    return f"remove the TXT record{value} at {at} by hand, and see whether the credentials may delete records"


def _written_at(context: Context, name: str, task: _Task) -> list[Diagnosis]:
    part = context.narrowed(_WRITE_SECONDS)
    late: WaitTimeout | None = None
    try:
        with presented_for(part, task.solver, task.challenge):
            try:
                if task.looks:
                    task.solver.wait(part.narrowed(_SHOWN_SECONDS), task.challenge)
            except WaitTimeout as error:
                context.check("the record")
                late = error
    except Cancelled:
        raise
    except NotRemovedError as error:
        context.check("the record")
        return [Diagnosis.of_error("credentials", name, error, _to_remove(name, task))]
    except TosslError as error:
        context.check("the record")
        silent = resolver_advice(context, task.options.resolvers, name) if isinstance(error, DnsError) else ""
        return [Diagnosis.of_error("credentials", name, error, silent)]
    facts = task.solver.describe(task.challenge)
    silent = resolver_advice(context, task.options.resolvers, name) if late is not None else ""
    if late is not None and (silent or isinstance(late, NotShownError)):
        advice = silent or "look whether the zone's NS records name the provider's servers; some take minutes"
        return [Diagnosis.of_error("credentials", name, late, advice, **facts)]
    seen = ", seen" if task.looks and late is None else ""  # else the provider wants more time than is spent here
    return [Diagnosis.ok("credentials", name, f"a TXT record was written{seen} and removed again", **facts)]
