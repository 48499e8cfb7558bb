"""Renewal by name alone: one certificate, or all that are due. What issues loads where one is due, beside connecting.

runs/renew_certificates/runs.json    when all were looked at: how soon that will be again
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ..context import Context
from ..context.farewell import running
from ..errors import ArgumentError, Cancelled, ForkedError, RetryError, TosslError, WaitTimeout
from ..store.protocol import ASIDE_SECONDS, Store
from ..text import quoted
from . import due
from .ahead import begin_renewal
from .deploy import Hooks, Marks, deploy, deploy_one, has_own_marks, kept_command, owed
from .due import Runs
from .held import is_usable, told_of
from .pem_file import holds_pem_file
from .questions import due_time
from .record import ABOVE, RECORD, KeptCertificate, certificate_name, kept_of, read_kept
from .suggested import failure_kept
from .timers import RUNS, with_own_timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..http.options import ConnectionOptions
    from .deploy import Hook
    from .node_files import NodeFiles
    from .obtain import Obtained

_VALUE = "runs.json"
#: Seconds that one certificate of many may take.
_EACH_SECONDS = 600.0
_NEEDS_SERVER = (
    "the web server of the program that obtained it answers its challenges (-http01_response 1), so that program "
    "renews it, with -http01_response 1; nothing was sent"
)


def renew(
    context: Context,
    store: Store,
    name: str,
    *,
    force: bool = False,
    by_itself: bool = False,
    within: float = 0.0,
    script: Hook | None = None,
    http01_response: bool = False,
    files: NodeFiles | None = None,
) -> Obtained:
    """Returns the certificate that is kept under this name, renewed if it is due or with force.

    It is asked for with what it was obtained with, but for the dates of that one certificate. within: seconds until the
    next call. by_itself: nobody asked for this certificate by name. script: called once it is there, and what it was
    obtained with to be run. http01_response: this program's web server answers, if it was obtained so. files: where
    this machine has its files. Raises ArgumentError "name" where none is kept, or where its name alone cannot renew it;
    "http01_response" where that web server is needed.
    """
    kept = read_kept(store, name)
    if kept is None:
        raise ArgumentError("name", f"no certificate {quoted(name)} is kept: list_certificates tells those that are")
    if files is not None:
        files.check(store, name)
    found = _renewed(context, store, kept, http01_response, force=force, by_itself=by_itself, within=within)
    if files is not None:
        files.place(context, found.facts)
    from .asked import deployment_of

    is_same = found.facts["serial"] == kept.serial  # else another call may have changed the command meanwhile
    command = deployment_of(kept.issuance) if is_same else kept_command(store, kept.name)
    deploys = deploy if by_itself else deploy_one  # a run over all keeps that this node is there
    deploys(context, store, kept.name, found.facts, Hooks(script, *command))
    return found


def _renewed(
    context: Context,
    store: Store,
    kept: KeptCertificate,
    http01_response: bool,
    *,
    force: bool,
    by_itself: bool,
    within: float,
) -> Obtained:
    is_held = not force and is_usable(kept) and not _is_due(context, store, kept, within)
    if not is_held and kept.is_renewable:
        begin_renewal(context, store, kept)
    from .asked import needs_own_server, pem_file_of
    from .issuance import Issuance
    from .obtain import Obtained, obtain

    if is_held:
        return Obtained(False, told_of(context, store, kept, pem_file_of(kept.issuance)))
    if not kept.is_renewable:
        raise ArgumentError("name", f"{kept.name}: {_why_not(kept)}; obtain_certificate renews it")
    if needs_own_server(kept.issuance) and not http01_response:
        raise ArgumentError("http01_response", f"{kept.name}: {_NEEDS_SERVER}")
    with failure_kept(context, store, kept.name):
        issuance = Issuance.from_json(kept.issuance).for_renewal
        return obtain(
            context, issuance, store, name=kept.name, force=force, by_itself=by_itself, within=within, renews=kept
        )


@dataclass
class Renewals:
    """The results of a run over all certificates. next: when the next one is due, epoch seconds; 0 without any.

    renewed: what obtain_certificate returns of each. failed, waiting, skipped: a name with why each.
    """

    renewed: list[dict[str, object]] = field(default_factory=list)
    failed: list[dict[str, object]] = field(default_factory=list)
    waiting: list[dict[str, object]] = field(default_factory=list)
    skipped: list[dict[str, object]] = field(default_factory=list)
    next: float = 0.0

    def as_dict(self) -> dict[str, object]:
        return {
            "renewed": self.renewed,
            "failed": self.failed,
            "waiting": self.waiting,
            "skipped": self.skipped,
            "next": round(self.next),
        }


def renew_all(
    context: Context,
    store: Store,
    within: float | None = None,
    script: Hook | None = None,
    *,
    http01_response: bool = False,
    files: NodeFiles | None = None,
) -> Renewals:
    """Renews all certificates that are due, those first that expire first. One that fails does not stop the rest.

    within: seconds until the next call, None for what was usual so far: a certificate that is due before that is
    renewed now. script: called for each that was renewed; what is owed of an earlier call is called too.
    http01_response, files: as in renew(). Raises Cancelled.
    """
    runs = _read_runs(store).with_run(due.now())
    within = runs.interval if within is None else within
    result = Renewals()
    unanswered: set[str] = set()
    found = [kept for name, values in store.read_all(ABOVE, (RECORD,)) if (kept := _read(store, name, values, result))]
    for kept in sorted(found, key=lambda kept: kept.not_after):
        _renew_if_due(context, store, kept, _Run(within, script, unanswered, http01_response, files), result)
    _keep_runs(context, store, runs)
    return result


@dataclass(frozen=True)
class _Run:
    """within: seconds until the next one. unanswered: the CAs that gave no answer in this one."""

    within: float
    script: Hook | None
    unanswered: set[str]
    http01_response: bool
    files: NodeFiles | None


def _renew_if_due(context: Context, store: Store, kept: KeptCertificate, run: _Run, result: Renewals) -> None:
    """Renews one of many, and adds the outcome to the result."""
    try:
        due_at = due_time(context, store, kept, lambda: _connection_of(kept), run.unanswered)
        if kept.is_revoked or not kept.is_renewable:
            why = "it was revoked" if kept.is_revoked else _why_not(kept)
            result.skipped.append({"name": kept.name, "message": why, "due": round(due_at)})
            return
        if not kept.is_self_signed and not due.is_due(due_at, due.now(), run.within):
            result.next = min(result.next or due_at, due_at)
            _deploy_owed(context, store, kept, run)
            return
        from .asked import needs_own_server

        if needs_own_server(kept.issuance) and not run.http01_response:
            result.skipped.append({"name": kept.name, "message": _NEEDS_SERVER, "due": round(due_at)})
            return
        context.check("the certificates before this one")  # an attempt that has no time is no failure of its CA
        narrowed = context.narrowed(_EACH_SECONDS)
        with running(narrowed):
            found = renew(
                narrowed,
                store,
                kept.name,
                by_itself=True,
                within=run.within,
                script=run.script,
                http01_response=run.http01_response,
                files=run.files,
            )
    except (Cancelled, ForkedError):
        raise
    except RetryError as error:
        result.waiting.append(_told(kept.name, error))
    except TosslError as error:
        result.failed.append(_told(kept.name, error))
    except Exception as error:  # noqa: BLE001 - a defect that one certificate meets does not let the rest expire
        result.failed.append(_told(kept.name, TosslError(f"internal error: {type(error).__name__}", "INTERNAL")))
    else:
        if found.issued:  # else somebody was faster
            result.renewed.append(found.as_dict())


def _deploy_owed(context: Context, store: Store, kept: KeptCertificate, run: _Run) -> None:
    """Writes the files and calls the hooks that this machine owes for a certificate that is not due."""
    from .asked import deployment_of, pem_file_of

    files, pem_file = run.files, pem_file_of(kept.issuance)
    hooks = Hooks(run.script, *deployment_of(kept.issuance))
    is_owed = Marks(store, kept.name).owes(kept, hooks) if has_own_marks(store) else owed(store, kept)["deploy_owed"]
    lacks_files = (files is not None and not files.holds(kept)) or (
        pem_file is not None and has_own_marks(store) and not holds_pem_file(pem_file, kept.record["digests"])
    )
    whole = read_kept(store, kept.name) if is_owed or lacks_files else None
    if whole is not None:
        certificate = told_of(context, store, whole, pem_file)
        if files is not None:
            files.check(store, kept.name)
            files.place(context, certificate)
        deploy(context, store, kept.name, certificate, hooks)


def _read(
    store: Store, where: str, values: dict[str, bytes] | ArgumentError, result: Renewals
) -> KeptCertificate | None:
    """Returns the certificate that is kept there; None, and a failure in the result, if it cannot be read."""
    name = certificate_name(where.removeprefix(f"{ABOVE}/"))
    try:
        if isinstance(values, ArgumentError):
            raise values
        return kept_of(store, name, values)
    except ArgumentError as error:
        result.failed.append(_told(name, error))
        return None


def _is_due(context: Context, store: Store, kept: KeptCertificate, within: float) -> bool:
    due_at = due_time(context, store, kept, lambda: _connection_of(kept))
    return due.is_due(due_at, due.now(), within)


def _connection_of(kept: KeptCertificate) -> ConnectionOptions:
    from .asked import connection_of

    return connection_of(kept.issuance)


def _why_not(kept: KeptCertificate) -> str:
    if not kept.issuance:
        return "what it was obtained with was not kept"
    return "a secret that it was obtained with was given as it is, and not kept: -X_file and -X_env are"


def _told(name: str, error: TosslError) -> dict[str, object]:
    return {"name": name, **error.as_dict("retry_after", "visit")}


def _read_runs(store: Store) -> Runs:
    """Returns the times of the runs so far; ignores a damaged record."""
    try:
        return Runs.from_json(json.loads((store.read(RUNS) or {}).get(_VALUE, b"[]")))
    except (ValueError, RecursionError, ArgumentError):
        return Runs()


def _keep_runs(context: Context, store: Store, runs: Runs) -> None:
    try:
        with store.locked(context.for_cleanup(ASIDE_SECONDS), RUNS) as lock:
            store.write(lock, with_own_timer(store, {_VALUE: json.dumps(runs.as_json()).encode()}))
    except (ArgumentError, WaitTimeout) as error:
        context.tell("not_kept", name=RUNS, message=error.message)
