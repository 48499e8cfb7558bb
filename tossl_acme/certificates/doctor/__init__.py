"""Why certificates cannot be had: the machine, the store, the CAs, and each name are looked at. Nothing is ordered.

A check is a function of the Examination that returns findings; CHECKS has them all. Those that do not need the call's
own thread run side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...context import Context
from .authority import authority_findings
from .beside import each_result, findings_of
from .diagnosis import Diagnosis
from .keeping import held_findings, option_findings
from .machine import python_findings, tcl_findings
from .permitted import caa_findings
from .published import alias_findings, write_findings
from .rates import rate_findings
from .reached import reached_findings
from .standing import standing_findings
from .stored import store_findings
from .subjects import Examination

#: Seconds for one check of everything that it is for.
_CHECK_SECONDS = 90.0


@dataclass(frozen=True)
class Check:
    """name: what its failure is told under. in_own_thread: it may call a script's own DNS provider."""

    name: str
    examine: Callable[[Context, Examination], list[Diagnosis]]
    in_own_thread: bool = False


#: In the order of the report.
CHECKS = (
    Check("python", python_findings),
    Check("tcl", tcl_findings),
    Check("store", store_findings),
    Check("ca", authority_findings),
    Check("options", option_findings),
    Check("held", held_findings),
    Check("limits", rate_findings),
    Check("port", reached_findings),
    Check("caa", caa_findings),
    Check("cname", alias_findings),
    Check("persist", standing_findings),
    Check("credentials", write_findings, in_own_thread=True),
)


def examine(context: Context, examined: Examination) -> list[Diagnosis]:
    """Returns all findings, in the order of CHECKS. Raises Cancelled alone: whatever fails is a finding."""
    beside = [check for check in CHECKS if not check.in_own_thread]
    results = each_result(context, lambda part, check: _made(part, check, examined), beside)
    found = dict(zip(beside, results, strict=True))
    for check in CHECKS:
        if check not in found:
            found[check] = _made(context, check, examined)
    return [finding for check in CHECKS for finding in found[check]]


def _made(context: Context, check: Check, examined: Examination) -> list[Diagnosis]:
    part = context.narrowed(_CHECK_SECONDS)
    findings = findings_of(check.name, "", lambda: check.examine(part, examined))
    for finding in findings:
        context.tell("examined", check=finding.check, subject=finding.subject, status=finding.status)
    return findings
