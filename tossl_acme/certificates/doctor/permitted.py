"""Whether CAA records allow the CAs to issue for the names (RFC 8659, RFC 8657)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...context import Context
from ...dns.caa import CaaRequest, CaaSet, caa_refusal, caa_sets
from ...dns.resolver import resolver_for
from ...identifiers import Identifier
from ...text import clean
from ..issuance import Issuance
from ..permission import CAA_SECONDS
from .beside import each_finding
from .diagnosis import FAILED, WARNING, Diagnosis
from .resolving import resolver_advice
from .subjects import Examination, Subject, known_account


def caa_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Says whether CAA records allow each CA for each name."""
    asked = [(subject, one) for subject in examined.subjects for one in subject.issuance.at_each if one.directory]
    look = lambda part, one: _caa_of(part, examined, *one)  # noqa: E731
    return each_finding(context, "caa", look, asked, lambda one: one[0].name)


def _caa_of(context: Context, examined: Examination, subject: Subject, issuance: Issuance) -> list[Diagnosis]:
    names = [one for one in issuance.identifiers if one.is_provable_by_dns]
    directory = examined.directory_of(context, issuance) if names else None
    if directory is None:
        return []
    issuers = [name.strip().lower().rstrip(".") for name in directory.caa_identities]
    if not issuers:
        return [Diagnosis.ok("caa", subject.name, "the CA's directory has no caaIdentities to look for in CAA records")]
    resolver, part = resolver_for(issuance.solvers.resolvers), context.narrowed(3 * CAA_SECONDS)
    domains = list(dict.fromkeys(one.base.value for one in names))
    sets = part.run(lambda: caa_sets(part, resolver, domains, {}), "the CAA records")
    account = known_account(examined.store, issuance)
    unknown = [name for name in domains if not isinstance(sets.get(name), CaaSet)]
    silent = resolver_advice(context, issuance.solvers.resolvers, unknown[0]) if unknown else ""
    found = [
        _caa_finding(subject, one, sets.get(one.base.value, "no answer in time"), issuers, account) for one in names
    ]
    if silent:
        found = [replace(one, advice=silent) if one.subject.removeprefix("*.") in unknown else one for one in found]
    if issuance.directory == subject.issuance.directory:
        return found
    return [
        replace(one, status=WARNING) if one.status == FAILED else one for one in found
    ]  # it is asked later, or never


def _caa_finding(
    subject: Subject, identifier: Identifier, found: CaaSet | str, issuers: Sequence[str], account: str
) -> Diagnosis:
    name = identifier.value
    if isinstance(found, str):
        advice = "a CA refuses a name whose CAA records it cannot look up: look at the zone's servers, and at DNSSEC"
        return Diagnosis.warned("caa", name, f"the DNS does not tell: {found}", advice)
    methods = {solver.challenge_type for solver in subject.solvers.get(identifier, ())}
    refusal = caa_refusal(found, CaaRequest(issuers, account, methods, identifier.wildcard))
    facts: dict[str, object] = {
        "at": found.name,
        "records": [clean(f'{one.tag} "{one.value}"') for one in found.properties],
    }
    if not refusal:
        said = f"the CAA records at {found.name} allow {issuers[0]}" if found.properties else "no CAA record forbids it"
        return Diagnosis.ok("caa", name, said, **facts)
    if not account and "accounturi" in refusal:
        advice = "the account is not made yet: compare its URL once it is (tossl account show)"
        return Diagnosis.warned("caa", name, refusal, advice, **facts)
    return Diagnosis.failed("caa", name, refusal, "the message has the record to set; or ask another CA", **facts)
