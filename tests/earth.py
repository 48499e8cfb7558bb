"""A CA, a machine and its manage, by clocks that a test owns."""

from __future__ import annotations

import email.utils
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.memory_store import MemoryStore
from tests.servers.certs import Certificates
from tests.servers.scripted_ca import ScriptedCa
from tests.servers.web import Reply, Request
from tossl_acme.certificates.declaration import DeclaredFile
from tossl_acme.certificates.deploy import Hooks
from tossl_acme.certificates.issuance import Issuance
from tossl_acme.certificates.manage import Manager
from tossl_acme.certificates.managed import Managed
from tossl_acme.certificates.obtain import obtain
from tossl_acme.certificates.record import KeptCertificate, read_kept
from tossl_acme.certificates.reports import Reports
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.context import Context
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.store.protocol import Store

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
#: In the far future, so that nothing depends on what time it is.
BEGAN = 4_000_000_000.0
NAME = "a.example"
PROBLEM = {"Content-Type": "application/problem+json"}


class AwayCa(ScriptedCa):
    """A CA that can be away: it answers nothing of use then, and at once."""

    is_away = False
    #: Called before an order is answered.
    before_order: Callable[[Request], None] | None = None

    def answer(self, request: Request) -> Reply:
        if self.before_order is not None and request.path == "/new-order":
            self.before_order(request)
        if self.is_away:
            problem = {"type": "urn:ietf:params:acme:error:serverInternal", "detail": "away", "status": 400}
            return Reply(400, json.dumps(problem).encode(), {**PROBLEM, **self.script.headers})
        return super().answer(request)


@dataclass
class Queue:
    """Does work when the test lets it: at once, or not before finish()."""

    is_at_once: bool = True
    left: list[Callable[[], None]] = field(default_factory=list)

    def put(self, work: Callable[[], None]) -> None:
        if self.is_at_once:
            work()
        else:
            self.left.append(work)

    def finish(self) -> None:
        while self.left:
            self.left.pop(0)()

    def close(self) -> None:
        self.left.clear()


class Earth:
    """The true time, a machine whose clock may be wrong, and a CA by the true time."""

    def __init__(self, ca: AwayCa, certificates: Certificates) -> None:
        self.at = BEGAN
        #: How far the machine's clock is ahead.
        self.ahead = 0.0
        self.life = 90 * DAY
        self.ca = ca
        self.connection = ConnectionOptions(str(certificates.ca_bundle))
        self.store: Store = MemoryStore()
        self.renewed: list[dict[str, object]] = []
        self.failed: list[dict[str, Any]] = []
        self.told: list[dict[str, object]] = []
        self.queue, self.questions = Queue(), Queue()
        ca.script.order, ca.script.finalized, ca.script.renewal = "ready", "valid", False
        ca.script.life = lambda: (self.at, self.at + self.life)
        self.pass_time(0)

    def wall(self) -> float:
        return self.at + self.ahead

    def counted(self) -> float:
        return self.at - BEGAN

    def pass_time(self, seconds: float) -> None:
        self.at += seconds
        self.ca.script.headers = {"Date": email.utils.formatdate(self.at, usegmt=True)}

    def managed(self, *names: str, hooks: Hooks | None = None, **options: Any) -> Managed:
        identifiers = tuple(parse_identifiers(list(names or (NAME,))))
        solvers = SolverOptions(("dns-persist-01",), propagation_timeout=0)
        issuance = Issuance(identifiers, self.ca.directory, solvers=solvers, connection=self.connection, **options)
        return Managed(issuance, self.store, hooks or Hooks())

    @property
    def context(self) -> Context:
        return Context(1e6).begin(listener=self.told.append)

    def manager(self, declared: Mapping[str, Managed] | None = None, source: DeclaredFile | None = None) -> Manager:
        found = {NAME: self.managed()} if declared is None else declared
        reports = Reports(self.renewed.append, self.failed.append)
        return Manager(self.context, found, reports, source, issuers=self.queue, askers=self.questions)

    def run(self, manager: Manager, seconds: float, step: float = MINUTE) -> None:
        """Lets time pass, with a look at each step."""
        end = self.at + seconds
        while self.at < end:
            manager.look()
            self.pass_time(min(step, end - self.at))
        manager.look()

    def obtain(self, name: str = NAME, *, force: bool = False, **options: Any) -> None:
        managed = self.managed(name, **options)
        obtain(self.context, managed.issuance, self.store, name=name, force=force)

    @property
    def texts(self) -> Mapping[str, str]:
        kept = read_kept(self.store, NAME)
        assert kept is not None
        return kept.texts

    def kept(self, name: str = NAME) -> KeptCertificate:
        kept = read_kept(self.store, name)
        assert kept is not None
        return kept

    @property
    def orders(self) -> int:
        return len(self.ca.payloads("new-order"))

    @property
    def errors(self) -> list[object]:
        return [failure["errorcode"] for failure in self.failed]
