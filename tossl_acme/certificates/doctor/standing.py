"""The permanent records of names (draft-ietf-acme-dns-persist): whether they stand, and when they end."""

from __future__ import annotations

import time

from ...acme.authorization import Challenge
from ...challenges.registry import TYPES
from ...challenges.solver import Solver, is_standing
from ...context import Context
from ...dns.failure import LookupFailed
from ...dns.texts import seen_texts
from ...errors import AcmeError, DnsError
from ...identifiers import Identifier
from .. import due
from ..issuance import Issuance
from .beside import each_finding
from .diagnosis import Diagnosis
from .rates import registered_domain
from .subjects import Examination, Subject, known_account


def standing_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Says whether the permanent record of each name stands, and when it ends."""
    wanted = [
        (subject, one)
        for subject in examined.subjects
        for one in subject.issuance.identifiers
        if (solver := subject.solver(one)) is not None and is_standing(solver)
    ]
    look = lambda part, one: _standing_of(part, examined, *one)  # noqa: E731
    return each_finding(context, "persist", look, wanted, lambda one: one[1].value)


def _standing_of(context: Context, examined: Examination, subject: Subject, one: Identifier) -> list[Diagnosis]:
    solver, issuance = subject.solver(one), subject.issuance
    assert solver is not None and is_standing(solver)
    account = known_account(examined.store, issuance)
    if not account or not issuance.directory:
        advice = "make the account, and its record: tossl persist NAME"
        return [Diagnosis.failed("persist", one.value, "no account is known, whose URL the record has to name", advice)]
    directory = examined.directory_of(context, issuance)
    if directory is None:
        return []
    issuers = tuple(directory.caa_identities)
    challenge = Challenge(solver.challenge_type, one.base, wildcard=one.wildcard, account_url=account, issuers=issuers)
    own = TYPES[solver.challenge_type].from_options(issuance.solvers)  # it has seen no other name's record
    assert is_standing(own)
    try:
        own.check_standing(context, challenge)
    except (DnsError, AcmeError) as error:
        advice = _doubled(context, own, challenge, issuance) or "set the record: tossl persist NAME shows it"
        return [Diagnosis.of_error("persist", one.value, error, advice)]
    ends = own.ends
    due_at = due.life_due_at(subject.kept.not_before, subject.kept.not_after) if subject.kept else due.now()
    if warning := due.record_warning(ends, due_at, due.now()):
        return [Diagnosis.warned("persist", one.value, warning, "tossl persist NAME shows the record", ends=ends)]
    until = f" until {time.strftime('%Y-%m-%d', time.gmtime(ends))}" if ends else ", without an end"
    return [Diagnosis.ok("persist", one.value, f"its permanent record stands{until}", ends=ends)]


def _doubled(context: Context, solver: Solver, challenge: Challenge, issuance: Issuance) -> str:
    """Returns what to do where the record stands at its name with the zone's behind it once more; else empty.

    Web pages of many DNS providers add the zone to what is typed.
    """
    record = str(solver.describe(challenge)["record"])
    doubled = f"{record}.{registered_domain(challenge.identifier.value)}"
    try:
        values = seen_texts(context, doubled, issuance.solvers.resolvers)
    except (LookupFailed, DnsError):
        return ""
    return f"the record stands at {doubled}: leave the zone out of its name, for it is added" if values else ""
