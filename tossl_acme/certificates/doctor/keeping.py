"""What is held for each name, when it is due, and what failed last."""

from __future__ import annotations

import ipaddress
import time

from ...acme.authorization import is_provable
from ...challenges.registry import TYPES
from ...context import Context
from ...errors import ArgumentError, RetryError
from ...identifiers import Identifier
from ...store.protocol import Store
from .. import due
from ..asked import needs_own_server
from ..authorities import read_limits
from ..ca_limits import SharedLimits
from ..issuance import Issuance
from ..listed import told
from .diagnosis import Diagnosis
from .subjects import Examination, Subject, known_client

#: Top-level domains that are nobody's in the public DNS (RFC 6761, RFC 6762, RFC 7686, ICANN's .internal).
_NOT_PUBLIC = {"local", "localhost", "internal", "test", "example", "invalid", "onion", "lan", "home", "corp"}
_OBTAIN = "obtain_certificate (tossl obtain) with the right options keeps these for the renewals"
_GIVE = "mend what the message names, or give another option"


def option_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Says whether each certificate's options can be used: its secrets can be read, its folder is there."""
    found: list[Diagnosis] = []
    for subject in examined.subjects:
        if subject.trouble is not None:
            advice = _OBTAIN if subject.kept is not None else _GIVE
            found.append(Diagnosis.of_error("options", subject.name, subject.trouble, advice))
        else:
            found += _unprovable(subject)
            types = dict.fromkeys(solver.challenge_type for chosen in subject.solvers.values() for solver in chosen)
            found.append(Diagnosis.ok("options", subject.name, f"proven by {', '.join(types)}", challenges=list(types)))
    return found


def _unprovable(subject: Subject) -> list[Diagnosis]:
    """Names that none of their challenges can prove."""
    found = []
    for identifier, solvers in subject.solvers.items():
        if cause := _no_public_name(subject, identifier):
            advice = "such names are for a CA of your own: -directory; or give the name that is registered"
            found.append(Diagnosis.failed("challenge", identifier.value, cause, advice))
        kinds = [solver.challenge_type for solver in solvers]
        if identifier.wildcard and all(TYPES[kind].see is not None for kind in kinds):
            cause = f"a wildcard is proven through the DNS alone, and not by {' or '.join(kinds)}"
            advice = "prove it by dns-01 (-provider) or dns-persist-01 (tossl persist)"
            found.append(Diagnosis.failed("challenge", identifier.value, cause, advice))
        elif not any(is_provable(identifier.base, kind) for kind in kinds):
            cause = f"no DNS record proves an address, and so {' and '.join(kinds)} cannot"
            advice = "prove it by http-01 or tls-alpn-01: -challenge may be a dict by name"
            found.append(Diagnosis.failed("challenge", identifier.value, cause, advice))
    return found


def _no_public_name(subject: Subject, identifier: Identifier) -> str:
    """Returns why no public CA issues for the name; empty where one may."""
    if not subject.is_of_a_public_ca:
        return ""
    if identifier.type == "ip":
        is_global = ipaddress.ip_address(identifier.value).is_global
        return "" if is_global else f"no public CA issues for {identifier.value}, which is no address of the Internet"
    last = identifier.value.rpartition(".")[2]
    if "." not in identifier.base.value or last in _NOT_PUBLIC or identifier.value.endswith(".home.arpa"):
        return f"no public CA issues for {identifier.value}: nobody can register it"
    return ""


def held_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Says what is held, and when it is due."""
    if examined.is_unread:
        return []
    return [finding for subject in examined.subjects for finding in _of_subject(examined, subject)]


def _of_subject(examined: Examination, subject: Subject) -> list[Diagnosis]:
    if subject.kept is None or examined.store is None:
        found = [Diagnosis.ok("held", subject.name, "no certificate is kept under this name")]
    else:
        try:
            facts = told(examined.store, subject.kept)
        except ArgumentError as error:
            return [Diagnosis.of_error("held", subject.name, error)]
        found = [_held(subject.name, facts), *_notes(subject, facts)]
    return [*found, *_failures(examined, subject)]


def _held(name: str, facts: dict[str, object]) -> Diagnosis:
    not_after, due_at = _number(facts["not_after"]), _number(facts["due"])
    said = f"valid until {_day(not_after)}, due {_day(due_at)}"
    brief = {"not_after": not_after, "due": due_at, "issuer": facts["issuer"], "directory": facts["directory"]}
    again = "tossl renew NAME; a timer or manage does it by itself (docs/terminal.md)"
    if facts["revoked"]:
        return Diagnosis.failed("held", name, "it was revoked", f"get another: {again}", **brief)
    if not_after <= due.now():
        return Diagnosis.failed("held", name, f"it ended {_day(not_after)}", again, **brief)
    if facts["self_signed"]:
        return Diagnosis.warned("held", name, "a self-signed one stands in for the first", "manage obtains it", **brief)
    if due_at <= due.now():
        return Diagnosis.warned("held", name, f"{said}: nobody has renewed it yet", again, **brief)
    return Diagnosis.ok("held", name, said, **brief)


def _notes(subject: Subject, facts: dict[str, object]) -> list[Diagnosis]:
    """Says what else is known of a kept certificate that keeps it from being renewed and used."""
    found = []
    error = facts["last_error"]
    if isinstance(error, dict) and error:
        visit = str(error.get("visit") or "")
        advice = (
            f"open {visit}, and do what it says there"
            if visit
            else "the lines of this name tell the cause, if it lasts"
        )
        said = f"the last renewal failed, {_day(_number(error.get('at')))}: {error.get('message')}"
        found.append(Diagnosis.warned("error", subject.name, said, advice, errorcode=error.get("errorcode", [])))
    if not facts["renewable"]:
        advice = "give secrets by -X_file or -X_env, so that the renewal finds them"
        said = "its name alone cannot renew it: a secret was given literally"
        found.append(Diagnosis.warned("renewal", subject.name, said, advice))
    elif subject.kept is not None and needs_own_server(subject.kept.issuance):
        advice = "let that program renew it: renew_certificates -http01_response 1, or manage"
        said = "the web server of the program that obtained it answers its challenges"
        found.append(Diagnosis.warned("renewal", subject.name, said, advice))
    if facts["deploy_owed"]:
        said = f"its deployment has not succeeded: {facts['deploy_error'] or 'not called yet'}"
        found.append(
            Diagnosis.warned("deploy", subject.name, said, "mend the command; the next renewal run calls it again")
        )
    warnings = facts["warnings"]
    for warning in warnings if isinstance(warnings, list) else []:
        found.append(
            Diagnosis.warned("persist", subject.name, str(warning["message"]), "tossl persist NAME shows the record")
        )
    return found


def _failures(examined: Examination, subject: Subject) -> list[Diagnosis]:
    """Says what failed lately for this set of names, and whether the CA wants no request now."""
    found = []
    for one in subject.issuance.at_each:
        if examined.store is None or not one.directory:
            continue
        try:
            known = read_limits(examined.store, one)
        except ArgumentError as error:
            found.append(Diagnosis.of_error("records", subject.name, error))
            continue
        found += _told_to_all(examined.store, subject, one)
        if not known.failures:
            continue
        at = due.now()
        wait = max(known.ca_wait(at), known.hourly_wait(at))
        advice = (
            f"open {known.visit}, and do what it says there"
            if known.visit
            else "mend the cause before the next attempt"
        )
        times = f"{known.failures} attempt{'' if known.failures == 1 else 's'} failed, the last {_day(known.failed_at)}"
        pause = f"; no request is sent for {wait:.0f} s" if wait else ""
        facts = {"failures": known.failures, "retry_after": round(wait), "visit": known.visit}
        found.append(Diagnosis.warned("error", subject.name, f"{times}{pause}: {known.message}", advice, **facts))
    return found


def _told_to_all(store: Store, subject: Subject, one: Issuance) -> list[Diagnosis]:
    """Says whether the CA has told anybody with this store to wait, which holds for these names too."""
    client = known_client(store, one)
    try:
        if client is not None:
            SharedLimits(Context(1.0).begin(), store, one).check(client)
    except RetryError as error:
        facts = {"retry_after": error.seconds}
        return [Diagnosis.of_error("limits", subject.name, error, "wait as long as the message says", **facts)]
    except ArgumentError as error:
        return [Diagnosis.of_error("records", subject.name, error)]
    return []


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(at))
