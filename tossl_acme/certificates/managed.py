"""One certificate of a declared set: what it is to be, what is known of it, and the work that is done for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..acme.servers import server_for
from ..context import Context
from ..context.farewell import running
from ..errors import ArgumentError, Cancelled, ForkedError, TosslError, WaitTimeout
from ..files import FilePath
from ..store.protocol import Store
from ..text import quoted
from . import clock, due
from .deploy import Hooks, deploy
from .due import Suggestion
from .files import certificate_folder
from .issuance import Issuance
from .known import take_directory
from .node_files import NodeFiles
from .obtain import Obtained, obtain, obtain_locked
from .pem_file import holds_pem_file, keep_pem_file
from .plain import read_anew
from .questions import ask_once
from .record import KeptCertificate, read_kept

#: Seconds that a CA has to say what time it is.
_CLOCK_SECONDS = 10.0
#: Seconds for which a CA's time is counted on before a CA is asked again.
_CLOCK_KNOWN_SECONDS = 60.0
#: Seconds that a question to a CA may take, with the locks that keep its answer.
_ASK_SECONDS = 30.0
#: Seconds that are waited for another node at work on the same certificate.
_TURN_SECONDS = 1.0
#: Seconds beside the hooks' own that a deployment may take.
_DEPLOY_SECONDS = 30.0


class TakenError(TosslError):
    """Another node is at work on the certificate."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "TAKEN")


@dataclass(frozen=True)
class Managed:
    """What one certificate is to be.

    stand_in: whether a self-signed one is put in its place until it is there. limit: seconds for one issuance. files:
    this machine's own folder for its files.
    """

    issuance: Issuance
    store: Store
    hooks: Hooks
    stand_in: bool = False
    limit: float = 600.0
    files: NodeFiles | None = None

    @property
    def request(self) -> Issuance:
        """Returns the request, with secrets of DNS providers and accounts as their files and variables have them now.

        The certificate's own key stays as it was declared.
        """
        given = self.issuance.for_renewal
        names = ("account", "account_key", "fallbacks", "solvers")
        return replace(given, **{name: read_anew(getattr(given, name)) for name in names})

    def lacks_files(self, kept: KeptCertificate) -> bool:
        """Returns whether this machine's own files are not those of the certificate in force."""
        pem_file = self.issuance.pem_file
        return bool(
            (self.files is not None and not self.files.holds(kept))
            or (pem_file is not None and not holds_pem_file(pem_file, kept.record["digests"]))
        )

    @property
    def has_own_files(self) -> bool:
        """Returns whether this machine has files of its own of it."""
        return self.files is not None or self.issuance.pem_file is not None

    def files_stamp(self, name: str) -> int:
        """Returns what changes when this machine's own files do; 0 without any. Reads none of them."""
        pem_file = self.issuance.pem_file
        paths = [*(self.files.paths_of(name) if self.files is not None else ()), *([pem_file] if pem_file else ())]
        return hash(tuple(map(_stamp, paths))) if paths else 0

    def place_files(self, context: Context, facts: dict[str, object]) -> None:
        """Writes this machine's own files of a certificate, unless they are there; its facts name them then."""
        if self.issuance.pem_file is not None:
            keep_pem_file(self.issuance.pem_file, str(facts["private_key"]), str(facts["fullchain"]))
            facts["files"] = {**dict(facts["files"]), "pem_file": self.issuance.pem_file}  # type: ignore[call-overload]
        if self.files is not None:
            self.files.place(context, facts)


def check_apart(found: Mapping[str, Managed]) -> None:
    """Raises ArgumentError "pem_file" where two certificates of a set have one: each would take the other's place."""
    names: dict[str, str] = {}
    for name, managed in found.items():
        path = managed.issuance.pem_file
        if path is not None and (other := names.setdefault(os.path.realpath(path), name)) != name:
            cause = f"{quoted(other)} and {quoted(name)} have the same -pem_file {path.shown}"
            raise ArgumentError("pem_file", f"{cause}: it is for one certificate, so give each its own")


class Held:
    """What is known of a certificate in force: some of its record, without the rest. See suggested.Held."""

    __slots__ = ("cert_id", "directory", "name", "not_after", "not_before", "persist_until", "serial", "suggestion")

    def __init__(self, kept: KeptCertificate, suggestion: Suggestion) -> None:
        self.name = kept.name
        self.directory = kept.directory
        self.not_before = kept.not_before
        self.not_after = kept.not_after
        self.cert_id = kept.cert_id
        self.serial = kept.serial
        self.persist_until = kept.persist_until
        self.suggestion = suggestion

    @property
    def due(self) -> float:
        """Returns when it is to be renewed, epoch seconds."""
        return due.due_at(self.not_before, self.not_after, self.suggestion)


@dataclass(frozen=True)
class Done:
    """What became of one.

    facts: what obtain_certificate returns. has_files: whether this machine's own files are written. not_deployed: why,
    empty where it is.
    """

    facts: dict[str, object]
    has_files: bool = True
    not_deployed: str = ""

    @property
    def issued(self) -> bool:
        return bool(self.facts["issued"])


def _stamp(path: FilePath) -> tuple[int, ...]:
    try:
        status = os.stat(path)  # noqa: PTH116 - pathlib loads slowly
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns


def obtain_managed(
    context: Context, name: str, managed: Managed, *, by_itself: bool, known: str | None = None
) -> Done:
    """Obtains or renews a certificate, and deploys it. Its CA says first what time it is. by_itself: as in obtain().

    known: the serial number of the certificate of which the caller has found that it is due; one that has come since,
    from another node, is taken. Empty for no certificate, None where it is not known.
    """
    part = context.of_one(managed.limit, name=name)
    store = managed.store
    with running(part), part.naming("clean_up_failed"):
        if store.is_shared:
            got = _obtained_in_turn(part, name, managed, by_itself=by_itself, known=known)
        else:
            _check_ready(part, name, managed)
            got = obtain(part, managed.request, store, name=name, replace_names=True, by_itself=by_itself)
        if isinstance(got, KeptCertificate):
            return _delivered(context, name, managed, _facts(store, got))
    done = _delivered(context, name, managed, dict(got.facts))
    told = {"clean_up_failed": part.told("clean_up_failed"), "warnings": part.told("warning")}
    if done.not_deployed:
        told["warnings"] = [*told["warnings"], {"warning": "deploy", "message": done.not_deployed}]
    return Done({**done.facts, **told}, done.has_files, done.not_deployed)


def _check_ready(context: Context, name: str, managed: Managed) -> None:
    """Looks at what an issuance needs before it begins: the machine's own files, and the CA's time."""
    if managed.files is not None:
        managed.files.check(managed.store, name)
    if not clock.is_known(_CLOCK_KNOWN_SECONDS):  # else names that their CA refuses would each ask it again
        ask_time(context, managed)


def _obtained_in_turn(
    context: Context, name: str, managed: Managed, *, by_itself: bool, known: str | None
) -> Obtained | KeptCertificate:
    """Returns what obtain() does, or the certificate that another node has got since.

    Raises TakenError where another node is at work on it: nobody waits here for that one's end.
    """
    store = managed.store
    with contextlib.ExitStack() as taken:
        try:
            folder = taken.enter_context(certificate_folder(store, context, name, _TURN_SECONDS))
        except WaitTimeout as error:
            context.check("the certificate")
            raise TakenError(error.message) from None
        kept = read_kept(store, name)
        has_come = known is not None and kept is not None and kept.serial != known
        if has_come and kept is not None and not (kept.is_revoked or kept.is_self_signed):
            return kept
        _check_ready(context, name, managed)
        return obtain_locked(context, managed.request, store, folder, kept, replace_names=True, by_itself=by_itself)


def deliver_managed(
    context: Context, name: str, managed: Managed, whole: KeptCertificate | None = None
) -> Done | None:
    """Writes the files and calls the hooks that are owed for the certificate in force; None without one.

    whole: that certificate, where it was read just now.
    """
    kept = whole or read_kept(managed.store, name)
    if kept is None:
        return None
    return _delivered(context, name, managed, _facts(managed.store, kept), is_news=whole is not None)


def facts_of(store: Store, name: str) -> dict[str, object] | None:
    """Returns what obtain_certificate returns of a certificate in force; None without one."""
    kept = read_kept(store, name)
    return _facts(store, kept) if kept is not None else None


def _facts(store: Store, kept: KeptCertificate) -> dict[str, object]:
    facts = {"issued": False, **kept.as_dict(store), "renewable": kept.is_renewable}
    return {**facts, "clean_up_failed": [], "warnings": []}


def _delivered(
    context: Context, name: str, managed: Managed, facts: dict[str, object], *, is_news: bool = True
) -> Done:
    hooks, has_files = managed.hooks, False
    part = context.of_one(_DEPLOY_SECONDS + 2 * hooks.limit, name=name)
    try:
        with running(part):
            managed.place_files(part, facts)
            has_files = True
            if deploy(part, managed.store, name, facts, hooks, is_news=is_news):
                return Done(facts)
    except (Cancelled, ForkedError):
        raise
    except TosslError as error:  # the machine's own files: the certificate is there
        return Done(facts, has_files, f"{name} is not deployed: {error.message}")
    failed = "; ".join(str(warning["message"]) for warning in part.told("warning")) or f"{name} is not deployed"
    return Done(facts, has_files, failed)


def ask_due_time(context: Context, held: Held, managed: Managed, silent: set[str]) -> Suggestion:
    """Asks the CA when it wants a certificate to be renewed; returns what is known then. silent: as in due_time()."""
    part = context.of_one(_ASK_SECONDS, name=held.name)
    with running(part):
        return ask_once(part, managed.store, held, managed.issuance.connection, silent)


def ask_time(context: Context, managed: Managed) -> None:
    """Asks the CA of a certificate what time it is; a CA that gives no answer is no error."""
    server = server_for(managed.issuance.directory, managed.issuance.connection)
    try:
        take_directory(managed.store, server)
        date = server.ask_time(context.narrowed(_CLOCK_SECONDS))
    except (Cancelled, ForkedError):
        raise
    except TosslError:
        context.check("the CA's time")
        return
    if date is not None:
        clock.take_date(date)
