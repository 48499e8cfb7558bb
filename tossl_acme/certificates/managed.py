"""One certificate of a declared set: what it is to be, what is known of it, and the work that is done for it."""

from __future__ import annotations

from dataclasses import dataclass

from ..acme.clients import server_for
from ..context import Context
from ..context.farewell import running
from ..errors import Cancelled, ClockError, ForkedError, TosslError
from ..http.options import ConnectionOptions
from ..http.urls import shown_url
from ..store.protocol import Store
from . import due
from .accounts import take_directory
from .clock import MOST_WRONG_SECONDS, Clock
from .deploy import Hooks, deploy
from .due import Suggestion
from .issuance import Issuance
from .obtain import obtain
from .record import KeptCertificate, read_kept
from .suggested import Renewal, due_time

#: Seconds that a CA has to say what time it is.
_CLOCK_SECONDS = 10.0
#: Seconds that a question to a CA may take, with the locks that keep its answer.
_ASK_SECONDS = 30.0
#: Seconds beside the hooks' own that a deployment may take.
_DEPLOY_SECONDS = 30.0


@dataclass(frozen=True)
class Managed:
    """What one certificate is to be.

    stand_in: whether a self-signed one is put in its place until it is there. limit: seconds for one issuance.
    """

    issuance: Issuance
    store: Store
    hooks: Hooks
    stand_in: bool = False
    limit: float = 600.0


class Held:
    """What is known of a certificate in force: some of its record, without the rest. See suggested.Held."""

    __slots__ = ("cert_id", "directory", "name", "not_after", "not_before", "serial", "suggestion")

    def __init__(self, kept: KeptCertificate, suggestion: Suggestion) -> None:
        self.name = kept.name
        self.directory = kept.directory
        self.not_before = kept.not_before
        self.not_after = kept.not_after
        self.cert_id = kept.cert_id
        self.serial = kept.serial
        self.suggestion = suggestion

    @property
    def due(self) -> float:
        """Returns when it is to be renewed, epoch seconds."""
        return due.due_at(self.not_before, self.not_after, self.suggestion)


@dataclass(frozen=True)
class Done:
    """What became of one. facts: what obtain_certificate returns; not_deployed: why, empty where it is."""

    facts: dict[str, object]
    not_deployed: str = ""

    @property
    def issued(self) -> bool:
        return bool(self.facts["issued"])


def obtain_managed(context: Context, clock: Clock, name: str, managed: Managed, life: float | None) -> Done:
    """Obtains or renews a certificate, and deploys it. life: seconds that the one held lives, None without one.

    Raises ClockError where the machine's clock is so wrong that it would take no certificate for a valid one.
    """
    part = context.of_one(managed.limit, name=name)
    with running(part):
        check_clock(part, clock, managed.issuance.directory, managed.issuance.connection, managed.store, life)
        # One that is due by the CA's time is due, too, where this machine's clock is behind.
        within = max(0.0, -clock.error())
        issuance = managed.issuance.for_renewal
        found = obtain(part, issuance, managed.store, name=name, replace_names=True, by_itself=True, within=within)
        failed = _deployed(context, name, managed, found.facts)
    told = {"clean_up_failed": part.told("clean_up_failed"), "warnings": part.told("warning")}
    if failed:
        told["warnings"] = [*told["warnings"], {"warning": "deploy", "message": failed}]
    return Done({**found.facts, **told}, failed)


def deploy_managed(context: Context, name: str, managed: Managed) -> str:
    """Calls what is owed for the certificate in force; returns why it is owed still, empty where it is not."""
    facts = facts_of(managed.store, name)
    return _deployed(context, name, managed, facts) if facts is not None else ""


def facts_of(store: Store, name: str) -> dict[str, object] | None:
    """Returns what obtain_certificate returns of a certificate in force; None without one."""
    kept = read_kept(store, name)
    if kept is None:
        return None
    return {"issued": False, **kept.as_dict(store), "renewable": kept.is_renewable, "warnings": []}


def _deployed(context: Context, name: str, managed: Managed, facts: dict[str, object]) -> str:
    hooks = managed.hooks
    part = context.of_one(_DEPLOY_SECONDS + 2 * hooks.limit, name=name)
    with running(part):
        if deploy(part, managed.store, name, facts, hooks):
            return ""
    return "; ".join(str(warning["message"]) for warning in part.told("warning")) or f"{name} is not deployed"


def ask_due_time(context: Context, clock: Clock, held: Held, managed: Managed, silent: set[str]) -> Suggestion:
    """Asks the CA when it wants a certificate to be renewed; returns what is known then. silent: as in due_time()."""
    part = context.of_one(_ASK_SECONDS, name=held.name)
    connection = managed.issuance.connection
    with running(part):
        due_time(part, managed.store, held, lambda: connection, silent)
        date = server_for(held.directory, connection).date
        if date is not None and held.directory not in silent:
            clock.take(date)
        return Renewal.read(managed.store, held.name).of(held)


def check_clock(
    context: Context, clock: Clock, directory: str, connection: ConnectionOptions, store: Store,
    life: float | None = None,
) -> None:  # fmt: skip
    """Asks a CA what time it is. Raises ClockError where the machine's clock is too wrong for its certificates.

    A CA that gives no answer is no error. life: seconds that its certificates live, None where that is not known.
    """
    server = server_for(directory, connection)
    take_directory(store, server)
    try:
        date = server.ask_time(context.narrowed(_CLOCK_SECONDS))
    except (Cancelled, ForkedError):
        raise
    except TosslError:
        context.check("the CA's time")
        return
    if date is None:
        return
    clock.take(date)
    ahead = clock.error()
    if abs(ahead) > MOST_WRONG_SECONDS or (life is not None and ahead > life / 2):
        text = f"{_span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'}"
        cause = f"this machine's clock is {text} that of {shown_url(directory)}"
        raise ClockError(ahead, f"{cause}: no certificate is ordered until it is set right")


def _span(seconds: float) -> str:
    days, hours = round(seconds / 86400), round(seconds / 3600)
    return f"{days} days" if days > 1 else f"{hours} hours"
