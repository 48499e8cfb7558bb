"""What will happen to certificates unless somebody acts: those in a store, and those in PEM files of others.

Nobody is asked but the store and the files. Of a store only records are read, no X.509. Times are epoch seconds.
"""

from __future__ import annotations

import time

from ..errors import ArgumentError
from . import clock, due
from .listed import all_told
from .nodes import Node, read_nodes
from .record import ABOVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from ..files import FilePath
    from ..store.protocol import Store
    from .limits import Limits

#: The states; each one's place is the exit status of a plugin in that state.
STATES = ("ok", "warning", "critical", "unknown")
OK, WARNING, CRITICAL, UNKNOWN = STATES
#: The states from the best to the worst.
_BY_WEIGHT = (OK, UNKNOWN, WARNING, CRITICAL)
#: What is left of a life, in seconds, where a warning and a failure begin, if nobody says: no more than these shares.
WARN_SECONDS, CRITICAL_SECONDS = 10 * 86400.0, 3 * 86400.0
_WARN_SHARE, _CRITICAL_SHARE = 1 / 4, 1 / 10
#: Seconds for which manage may be silent.
SILENT_SECONDS = 900.0
#: Seconds behind the due time in which a renewal is not late: this share of a life, within these bounds.
_LATE_SHARE, _LEAST_LATE_SECONDS, _MOST_LATE_SECONDS = 0.05, 7200.0, 86400.0
#: A node that has been silent for so many seconds is gone, where another one is at work.
_GONE_SECONDS = 7 * 86400.0
#: Names that are in no certificate here have failed lately if it was within so many seconds.
_LATELY_SECONDS = 2 * 86400.0
#: Bytes of a PEM file; and seconds for which one that is a pipe is read.
_MOST_FILE_BYTES = 1 << 20
_FILE_SECONDS = 5.0


class Thresholds:
    """When something is wrong, in seconds. warn, critical: before the end of a certificate; None: by its life.

    silent: since a heartbeat. Raises ArgumentError for what cannot be meant.
    """

    __slots__ = ("critical", "silent", "warn")

    def __init__(
        self, warn: float | None = None, critical: float | None = None, silent: float = SILENT_SECONDS
    ) -> None:
        for option, value in {"warn": warn, "critical": critical, "silent": silent}.items():
            if value is not None and value < 0:
                raise ArgumentError(option, f"-{option}: must be no less than 0 seconds")
        if warn is not None and critical is not None and warn < critical:
            raise ArgumentError("warn", "-warn: must be no less than -critical")
        self.warn, self.critical, self.silent = warn, critical, silent

    def of_life(self, life: float) -> tuple[float, float]:
        """Returns how long before its end a certificate with such a life is a warning, and critical."""
        warn = self.warn if self.warn is not None else min(WARN_SECONDS, _WARN_SHARE * life)
        critical = self.critical if self.critical is not None else min(CRITICAL_SECONDS, _CRITICAL_SHARE * life)
        return (warn, min(warn, critical)) if self.critical is None else (max(warn, critical), critical)


class Verdict:
    """What is found of one thing. kind: "name" of a certificate in the store, "file", "node" or "store".

    facts: by name, as the command's result has them. limits: the thresholds of its end, in seconds.
    """

    __slots__ = ("facts", "kind", "limits", "name", "problems", "state")

    def __init__(self, kind: str, name: str, **facts: Any) -> None:
        self.kind, self.name, self.facts = kind, name, facts
        self.state = OK
        self.problems: list[str] = []
        self.limits = (0.0, 0.0)

    def add(self, state: str, problem: str) -> None:
        """Adds a problem, the worst first."""
        if _BY_WEIGHT.index(state) > _BY_WEIGHT.index(self.state):
            self.state = state
            self.problems.insert(0, problem)
        else:
            self.problems.append(problem)

    @property
    def weight(self) -> int:
        return _BY_WEIGHT.index(self.state)

    def as_dict(self) -> dict[str, object]:
        return {self.kind: self.name, "state": self.state, "problems": self.problems, **self.facts}


class Report:
    """All verdicts. certificates: in the store, or in files; nodes; others: of the store itself.

    place: where the store is; empty if no store was looked at.
    """

    __slots__ = ("at", "certificates", "nodes", "others", "place")

    def __init__(self, at: float, place: str = "") -> None:
        self.at, self.place = at, place
        self.certificates: list[Verdict] = []
        self.nodes: list[Verdict] = []
        self.others: list[Verdict] = []

    @property
    def verdicts(self) -> list[Verdict]:
        return [*self.others, *self.certificates, *self.nodes]

    @property
    def state(self) -> str:
        return max((verdict.state for verdict in self.verdicts), key=_BY_WEIGHT.index, default=OK)


def report_on_store(store: Store | None, thresholds: Thresholds) -> Report:
    """Returns what there is to say of a store; that it cannot be read is a verdict, too."""
    report = Report(due.now(), _place(store) if store is not None else "")
    where = Verdict("store", report.place)
    try:
        told: list[dict[str, Any]] = all_told(store) if store is not None else []
        all_failing = _failing(store) if store is not None else {}
        nodes = read_nodes(store) if store is not None else []
        at = due.now_in(store) if nodes and store is not None and store.is_shared else clock.wall()
    except ArgumentError as error:
        where.add(UNKNOWN, error.message)
        report.others.append(where)
        return report
    for facts in told:
        failing = all_failing.get(_names(facts.get("domains", ())))
        report.certificates.append(_kept(facts, failing, thresholds, report.at))
    held = {_names(facts.get("domains", ())) for facts in told}
    for names, failing in all_failing.items():
        if names not in held:
            report.others += _never_obtained(failing, report.at)
    is_any_alive = any(at - node.at <= thresholds.silent for node in nodes if not node.has_ended)
    report.nodes += [_node(node, at - node.at, thresholds.silent, is_alone=not is_any_alive) for node in nodes]
    if not report.verdicts:
        where.add(UNKNOWN, "there is no certificate in the store")
        report.others.append(where)
    return report


def _place(store: Store) -> str:
    """Returns where a store is: its path, if it is a folder."""
    path = store.path_of(ABOVE)
    return path.word.removesuffix(f"/{ABOVE}") if path is not None else store.where(ABOVE)


def report_on_files(paths: Sequence[FilePath], thresholds: Thresholds) -> Report:
    """Returns what there is to say of PEM files, each a certificate, perhaps with its chain and its key."""
    report = Report(due.now())
    report.certificates += [_file(path, thresholds, report.at) for path in paths]
    return report


# ---- one certificate ----


def _kept(told: dict[str, Any], failing: _Failing | None, thresholds: Thresholds, at: float) -> Verdict:
    """Returns what is found of a certificate that all_told() told of."""
    if "damaged" in told:
        found = Verdict("name", told["name"])
        found.add(UNKNOWN, told["damaged"])
        return found
    error, owed = told["last_error"], _owed(told)
    if failing is not None and failing.failed_at <= told["issued_at"]:
        failing = None
    found = Verdict(
        "name", told["name"], domains=told["domains"], not_before=told["not_before"], not_after=told["not_after"],
        due=told["due"], last_success=told["issued_at"],
        failures=failing.failures if failing is not None else int(bool(error)),
        paused=failing is not None and failing.paused, last_error=error.get("message", ""),
        deploy_owed=bool(owed), persist_until=told["persist_until"],
    )  # fmt: skip
    _judge_life(found, thresholds, at)
    if told["revoked"]:
        found.add(CRITICAL, "it was revoked")
    if told["self_signed"]:
        found.add(WARNING, "it is self-signed, in the place of one that has not come yet")
    _judge_renewal(found, failing, error, at)
    for problem in owed:
        found.add(WARNING, problem)
    for warning in told["warnings"]:
        found.add(WARNING, warning["message"])
    return found


def _owed(told: dict[str, Any]) -> list[str]:
    """Returns what is said of deployments that are owed: where several nodes keep it, of those that have failed."""
    if not told["nodes"]:
        cause = f": {told['deploy_error']}" if told["deploy_error"] else ""
        return [f"it is not deployed{cause}"] if told["deploy_owed"] else []
    failed = [node for node in told["nodes"] if node["deploy_owed"] and node["deploy_error"]]
    return [f"it is not deployed on {node['node']}: {node['deploy_error']}" for node in failed]


def _judge_life(found: Verdict, thresholds: Thresholds, at: float) -> None:
    begin, end = found.facts["not_before"], found.facts["not_after"]
    found.limits = warn, critical = thresholds.of_life(max(0.0, end - begin))
    left = end - at
    if left <= 0:
        found.add(CRITICAL, f"it expired {_span(-left)} ago, at {_moment(end)}")
    elif at < begin:
        found.add(CRITICAL, f"it is not valid before {_moment(begin)}")
    elif left < warn:
        found.add(CRITICAL if left < critical else WARNING, f"it ends in {_span(left)}, at {_moment(end)}")


def _judge_renewal(found: Verdict, failing: _Failing | None, error: dict[str, Any], at: float) -> None:
    facts = found.facts
    late = at - facts["due"]
    life = facts["not_after"] - facts["not_before"]
    if late > max(_LEAST_LATE_SECONDS, min(_MOST_LATE_SECONDS, _LATE_SHARE * life)):
        found.add(WARNING, f"its renewal has been due for {_span(late)}")
    said = str(error.get("message") or (failing.message if failing is not None else ""))
    if failing is not None and failing.paused:
        where = f": open {failing.visit}" if failing.visit else ""
        found.add(WARNING, f"the CA has paused its renewal{where}")
    if failing is not None or error:
        count = f" ({facts['failures']} times in a row)" if facts["failures"] > 1 else ""
        found.add(WARNING, f"its renewal fails{count}{': ' if said else ''}{said}")


def _file(path: FilePath, thresholds: Thresholds, at: float) -> Verdict:
    """Returns what is found of the first certificate in a PEM file."""
    from ..files import read_small

    found = Verdict("file", path.word)
    try:
        content = read_small(path, _MOST_FILE_BYTES, _FILE_SECONDS)
    except (OSError, ValueError) as error:
        found.add(UNKNOWN, f"it cannot be read: {getattr(error, 'strerror', None) or error}")
        return found
    try:
        facts = _first_certificate(content.decode("utf-8", "replace"))
    except (ValueError, ArgumentError) as error:
        found.add(CRITICAL, getattr(error, "message", "") or f"not a certificate: {error}")
        return found
    found.facts |= facts
    _judge_life(found, thresholds, at)
    return found


def _first_certificate(text: str) -> dict[str, object]:
    """Returns the facts of the first certificate in a text. Raises PemError and ArgumentError."""
    from ssl import DER_cert_to_PEM_cert

    from ..pki.chain import read_certificate
    from ..pki.pem import PemError, read_blocks

    der = next((block.der for block in read_blocks(text) if block.label in ("CERTIFICATE", "X509 CERTIFICATE")), None)
    if der is None:
        raise PemError("it contains none")
    facts = read_certificate(DER_cert_to_PEM_cert(der)).as_dict()
    return {name: facts[name] for name in ("domains", "not_before", "not_after")}


# ---- what fails ----


class _Failing:
    """The failures of one set of names at all CAs that were asked for it."""

    __slots__ = ("failed_at", "failures", "message", "names", "paused", "visit")

    def __init__(self, names: Sequence[str], limits: Limits) -> None:
        self.names = names
        self.failures, self.failed_at, self.message = limits.failures, limits.failed_at, limits.message
        self.paused, self.visit = limits.paused, limits.visit

    def merge(self, other: _Failing) -> None:
        newest = max(self, other, key=lambda one: one.failed_at)
        self.failed_at, self.message = newest.failed_at, newest.message
        self.failures = max(self.failures, other.failures)
        self.paused, self.visit = self.paused or other.paused, self.visit or other.visit


def _failing(store: Store) -> dict[frozenset[str], _Failing]:
    """Returns the failures in a store, by the names that they are of."""
    from .limits import LIMITS, LIMITS_VALUE, Limits
    from .record import read_json

    found: dict[frozenset[str], _Failing] = {}
    for _, values in store.read_all(LIMITS):
        if isinstance(values, ArgumentError):
            continue
        try:
            data = read_json(values.get(LIMITS_VALUE, b"").decode())
            one = _Failing([str(name) for name in data["names"]], Limits.from_json(data))
        except (ValueError, KeyError, TypeError):
            continue  # whoever asks the CA meets that, and tells it
        if one.failures:
            known = found.setdefault(_names(one.names), one)
            if known is not one:
                known.merge(one)
    return found


def _names(names: Iterable[Any]) -> frozenset[str]:
    return frozenset(str(name).lower().removesuffix(".") for name in names)


def _never_obtained(failing: _Failing, at: float) -> list[Verdict]:
    """Returns what is found of names that were asked for lately, and are in no certificate here."""
    if not 0 <= at - failing.failed_at < _LATELY_SECONDS:
        return []
    found = Verdict("name", failing.names[0] if failing.names else "?")
    count = f" ({failing.failures} times in a row)" if failing.failures > 1 else ""
    found.add(WARNING, f"no certificate comes for {' '.join(failing.names[:3])}{count}: {failing.message}")
    return [found]


# ---- one node ----


def _node(node: Node, since: float, silent: float, *, is_alone: bool) -> Verdict:
    """Returns what is found of a node where manage has been. is_alone: it is at work on no other one.

    since: the seconds since its heartbeat.
    """
    found = Verdict("node", node.name)
    if node.problem:
        found.add(UNKNOWN, node.problem)
        return found
    found.facts |= {
        "heartbeat": round(node.at), "ended": node.has_ended, "certificates": node.certificates,
        "failing": node.failing, "process": node.process, "version": node.version,
    }  # fmt: skip
    if node.has_ended or (since > _GONE_SECONDS and not is_alone):
        return found
    if since > silent:
        todo = "start it again, or end it by a signal"
        found.add(WARNING, f"manage has been silent for {_span(since)} (process {node.process}): {todo}")
    elif since < -silent:
        found.add(WARNING, f"manage's heartbeat is {_span(-since)} ahead: a clock is wrong")
    if node.has_twin:
        found.add(WARNING, "another machine is called like this as well: give each a TOSSL_NODE of its own")
    if node.failing:
        found.add(WARNING, f"manage fails for {node.failing} of {node.certificates} certificates")
    return found


def _span(seconds: float) -> str:
    """Returns a time span for people."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
