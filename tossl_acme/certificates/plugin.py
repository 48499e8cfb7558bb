"""What check finds, in the form of the output of a monitoring plugin, as Nagios, Icinga and others read it.

The first line is TOSSL, the state, a sentence, a bar and figures; a line for each verdict follows. A bar in any text
would begin figures, and is another character there.
"""

from __future__ import annotations

from ..text import safe
from .check import CRITICAL, OK, STATES, UNKNOWN, WARNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .check import Report, Verdict

#: Nagios reads 8 KB. So many certificates have a figure each, and a line if they are well; so many that are not well
#: have a line.
_MOST_FIGURES = 40
_MOST_LINES = 100
#: Characters of a sentence, and of a line.
_MOST_CHARS = 400
_NOT_IN_LABELS = str.maketrans({"'": "''", "=": "_", "|": "_"})


def plugin_text(report: Report) -> str:
    """Returns the lines, without an end of line behind the last."""
    found = sorted(report.verdicts, key=lambda verdict: -verdict.weight)
    sentence = _shown(_sentence(report, found))
    lines = [f"TOSSL {report.state.upper()} - {sentence} | {' '.join(_figures(report))}"]
    told = [verdict for verdict in found if verdict.state != OK or len(found) <= _MOST_FIGURES][:_MOST_LINES]
    lines += map(_line, told)
    if len(told) < len(found):
        lines.append(f"and {len(found) - len(told)} more")
    return "\n".join(lines)


def _sentence(report: Report, found: Sequence[Verdict]) -> str:
    count = len(report.certificates)
    certificates = f"{count} certificate{'s' if count != 1 else ''}"
    if report.state == OK:
        ends = [(one.facts["not_after"], one.name) for one in report.certificates]
        if not ends:
            return certificates
        first, name = min(ends)
        return f"{certificates}; the first to end: {name}, in {int(first - report.at) // 86400} d"
    worst = found[0]
    wrong = sum(verdict.state != OK for verdict in found)
    more = f"; {wrong - 1} more" if wrong > 1 else ""
    of = f"; of {certificates}" if count > 1 else ""
    return f"{worst.name}: {worst.problems[0]}{more}{of}"


def _figures(report: Report) -> list[str]:
    """Returns the performance data: how many are how, and the seconds that are left of each, with its thresholds."""
    states = [verdict.state for verdict in report.verdicts]
    figures = [f"certificates={len(report.certificates)};;;0"]
    figures += [f"{state}={states.count(state)};;;0" for state in (WARNING, CRITICAL, UNKNOWN)]
    dated = [one for one in report.certificates if "not_after" in one.facts]
    if len(dated) <= _MOST_FIGURES:
        for one in dated:
            warn, critical = (f"{int(seconds)}:" for seconds in one.limits)
            figures.append(f"'{_label(one.name)}'={int(one.facts['not_after'] - report.at)}s;{warn};{critical}")
    return figures


def _label(name: str) -> str:
    return safe(name.translate(_NOT_IN_LABELS))


def _line(verdict: Verdict) -> str:
    whose = f"{verdict.kind} {verdict.name}" if verdict.kind in ("node", "store") else verdict.name
    said = "; ".join(verdict.problems) or _all_well(verdict)
    return _shown(f"[{verdict.state.upper()}] {whose}: {said}")


def _all_well(verdict: Verdict) -> str:
    if verdict.kind == "node":
        return "manage was ended" if verdict.facts["ended"] else "manage is at work"
    return "well"


def _shown(text: str) -> str:
    return safe(text, _MOST_CHARS).replace("|", "/")


def exit_status(state: str) -> int:
    """Returns the exit status of a plugin in that state."""
    return STATES.index(state)
