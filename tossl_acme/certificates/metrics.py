"""What check finds, as metrics in Prometheus's text exposition format 0.0.4, for node_exporter's textfile collector."""

from __future__ import annotations

import os
import stat

from ..errors import ArgumentError
from ..files import FilePath, Folder, refusals
from .check import STATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .check import Report, Verdict

#: Everybody may read it: node_exporter is a user of its own.
_MODE = 0o644
#: Metrics of a certificate: the name, what it says, the fact.
_OF_CERTIFICATES = (
    ("not_before_timestamp_seconds", "When the certificate begins.", "not_before"),
    ("not_after_timestamp_seconds", "When the certificate ends.", "not_after"),
    ("due_timestamp_seconds", "When the certificate is due for renewal.", "due"),
    ("last_success_timestamp_seconds", "When the certificate was obtained.", "last_success"),
    ("failures", "Failed attempts to renew it since then.", "failures"),
    ("paused", "1 if the CA has paused its renewal until a person acts.", "paused"),
    ("deploy_owed", "1 if its deployment has not succeeded yet.", "deploy_owed"),
    ("persist_until_timestamp_seconds", "When its permanent DNS record (dns-persist-01) ends.", "persist_until"),
)
_OF_NODES = (
    ("heartbeat_timestamp_seconds", "When manage on this node was last seen at work.", "heartbeat"),
    ("ended", "1 if manage on this node was ended.", "ended"),
    ("certificates", "Certificates that manage on this node keeps.", "certificates"),
    ("failing", "Certificates for which manage on this node fails.", "failing"),
)
#: Times that are not known, or that there are not, are 0.
_NOT_ZERO = ("last_success", "persist_until")
_STATES = ", ".join(f"{number} {state}" for number, state in enumerate(STATES))


def metrics_text(report: Report) -> str:
    """Returns the metrics, each with its HELP and TYPE.

    A store's have a label `store`: a collector reads several files, and would refuse the same metric in two.
    """
    lines: list[str] = []
    if report.place:
        _add_store(lines, report)
    for what, verdicts, known in (
        ("certificate", report.certificates, _OF_CERTIFICATES),
        ("node", report.nodes, _OF_NODES),
    ):
        begin = f"tossl_{what}_"
        labelled = {_labels(report, {verdict.kind: verdict.name}): verdict for verdict in verdicts}
        each = {labels: STATES.index(verdict.state) for labels, verdict in labelled.items()}
        _add(lines, f"{begin}state", f"The state of the {what}: {_STATES}.", each)
        for name, text, fact in known:
            _add(lines, begin + name, text, _samples(labelled, fact))
    return "".join(f"{line}\n" for line in lines)


def write_metrics(path: FilePath, text: str) -> None:
    """Writes the file whole, by a rename, readable by everybody. Raises ArgumentError "prometheus"."""
    folder, name = os.path.split(path)
    if not name:
        raise ArgumentError("prometheus", f"{path.shown} is a folder: give a file in it, tossl.prom")
    with refusals("prometheus", path), Folder.open(FilePath(folder)) as opened:
        before = opened.status(name)
        if before is not None and not stat.S_ISREG(before.st_mode):  # /dev/null would be no device any more
            raise ArgumentError("prometheus", f"cannot write {path.shown}: it is no plain file; - prints the metrics")
        opened.write_whole(name, text.encode("utf-8", "replace"), _MODE)


def _samples(labelled: Mapping[str, Verdict], fact: str) -> dict[str, int]:
    """Returns the values of those that have the fact. A permanent record that has no end has no time of it."""
    found = {labels: int(verdict.facts[fact]) for labels, verdict in labelled.items() if fact in verdict.facts}
    return {labels: value for labels, value in found.items() if value or fact not in _NOT_ZERO}


def _add(lines: list[str], name: str, text: str, samples: Mapping[str, int]) -> None:
    """Adds a metric. samples: its values by their labels: no two have the same, which would spoil the whole file."""
    if samples:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
        lines += [f"{name}{labels} {value}" for labels, value in samples.items()]


def _add_store(lines: list[str], report: Report) -> None:
    whole = {_labels(report, {}): STATES.index(report.state)}
    _add(lines, "tossl_check_state", f"The state of all in the store together: {_STATES}.", whole)
    states = [verdict.state for verdict in report.verdicts]
    counts = {_labels(report, {"state": state}): states.count(state) for state in STATES}
    _add(lines, "tossl_check_verdicts", "Certificates, nodes and whatever else was looked at, by state.", counts)


def _labels(report: Report, labels: dict[str, str]) -> str:
    known = {**labels, "store": report.place} if report.place else labels
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in known.items())
    return f"{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
