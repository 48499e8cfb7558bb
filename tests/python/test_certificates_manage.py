"""The scheduler of a declared set, driven by clocks that the tests own."""

from __future__ import annotations

import contextlib
import email.utils
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.memory_store import MemoryStore
from tests.servers.certs import Certificates
from tests.servers.scripted_ca import ScriptedCa
from tests.servers.web import Reply, Request
from tossl_acme.acme import clients
from tossl_acme.certificates import clock
from tossl_acme.certificates.declaration import DeclaredFile, without_comments
from tossl_acme.certificates.deploy import Hooks
from tossl_acme.certificates.issuance import Issuance
from tossl_acme.certificates.key import CertificateKey
from tossl_acme.certificates.listed import all_told, forget_kept
from tossl_acme.certificates.manage import Manager
from tossl_acme.certificates.managed import Managed
from tossl_acme.certificates.node_files import NodeFiles
from tossl_acme.certificates.obtain import obtain
from tossl_acme.certificates.record import KeptCertificate, read_kept
from tossl_acme.certificates.renew import renew_all
from tossl_acme.certificates.reports import Reports
from tossl_acme.certificates.serving import AnswerServer
from tossl_acme.certificates.stand_in import put_stand_in
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError, TosslError, WaitTimeout
from tossl_acme.files import FilePath, absolute
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.sealing import generate_sealing_key
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.options import FolderOptions
from tossl_acme.store.protocol import Lock, Store
from tossl_acme.store.sealed import SealedStore, SealKey

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
YEAR = 365 * DAY
#: In the far future, so that nothing depends on what time it is.
BEGAN = 4_000_000_000.0
NAME = "a.example"
SEALING_KEY = generate_sealing_key()
PROBLEM = {"Content-Type": "application/problem+json"}
IS_LONG = bool(os.environ.get("TOSSL_TEST_ALL"))


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


@pytest.fixture
def earth(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Earth]:
    clients.reset()
    clock.reset()
    with AwayCa(certificates) as ca:
        earth = Earth(ca, certificates)
        monkeypatch.setattr(clock, "wall", earth.wall)
        monkeypatch.setattr(clock, "counted", earth.counted)
        yield earth
    clock.reset()


# ---- a year ----


class Year:
    """What happens in a year, by the day; and what must hold at each moment."""

    def __init__(self, earth: Earth, days: float, step: float) -> None:
        self.earth = earth
        self.days, self.step = days, step
        self.back_at = -1e9
        self.away_from = 1e99

    def happen(self, day: float) -> None:
        """A CA that is away for a week, a suspend, a clock that is a day ahead, and one that is a day behind."""
        part = day / self.days * 365
        is_away = 100 <= part < 107
        if is_away and not self.earth.ca.is_away:
            self.away_from = self.earth.at
        if self.earth.ca.is_away and not is_away:
            self.back_at = self.earth.at
        self.earth.ca.is_away = is_away
        self.earth.ahead = DAY if 150 <= part < 152 else -DAY if 200 <= part < 203 else 0.0

    def check(self) -> None:
        """No certificate has expired, unless the CA was away from when it was due; then not for long."""
        kept = self.earth.kept()
        late = self.earth.at - kept.not_after
        if late < 0:
            return
        said = f"expired for {late:.0f} s; the last failures: {self.earth.failed[-3:]}"
        assert self.away_from < kept.not_after, said
        pause = max(MINUTE, 0.1 * (self.back_at - kept.not_after)) + self.step + 10 * MINUTE
        assert self.earth.ca.is_away or self.earth.at - self.back_at < pause, said


#: The life of the certificates, and how long time passes between two looks.
LIVES = {
    "90 days": (90 * DAY, HOUR),
    "45 days": (45 * DAY, HOUR),
    "6 days": (6 * DAY, 30 * MINUTE),
    "12 hours": (12 * HOUR, 5 * MINUTE),
}


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("has_windows", [True, False] if IS_LONG else [True], ids=["ARI", "no ARI"][: 1 + IS_LONG])
def test_a_year(earth: Earth, life: str, has_windows: bool) -> None:
    """`make year` lets a year pass for each; else all that happens in it happens within two and a half lives."""
    earth.life, step = LIVES[life]
    days = 365 if IS_LONG else 2.5 * earth.life / DAY
    step *= 1 if IS_LONG else 4
    run_year(earth, days, step, has_windows=has_windows)


def run_year(earth: Earth, days: float, step: float, *, has_windows: bool) -> None:
    life = earth.life
    if has_windows:
        suggest_windows(earth)
    manager = earth.manager()
    manager.look()
    manager.look()
    year = Year(earth, days, step)
    end = BEGAN + days * DAY
    slept = False
    while earth.at < end:
        year.happen((earth.at - BEGAN) / DAY)
        manager.look()
        year.check()
        earth.pass_time(step)
        if not slept and earth.at > BEGAN + 0.7 * days * DAY:  # the machine sleeps
            slept = True
            earth.pass_time(0.1 * life)
    renewals = days * DAY / life
    assert renewals < earth.orders < 4 * renewals + 20
    assert not [code for code in earth.errors if code[1] not in ("ACME", "HTTP", "CLOCK")]  # type: ignore[index]


def suggest_windows(earth: Earth) -> None:
    """The CA moves each window once a certificate is a fifth over: to earlier, then to later."""
    earth.ca.script.renewal = True
    earth.ca.script.retry_after = f"{earth.life / 15:.0f}"

    def window() -> tuple[float, float]:
        kept = read_kept(earth.store, NAME)
        begin = earth.at if kept is None else kept.not_before
        is_young = earth.at < begin + 0.2 * earth.life
        start, end = (0.5, 0.6) if is_young else (0.3, 0.4) if earth.orders % 2 else (0.75, 0.8)
        return begin + start * earth.life, begin + end * earth.life

    earth.ca.script.window = window


# ---- what happens otherwise ----


class Full:
    """A store whose disk is full."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_full = False

    def write(self, lock: Lock, values: Mapping[str, bytes], part: str = "", *, ends: bool = False) -> None:
        if self.is_full:
            raise ArgumentError("store", 'cannot use "/store": No space left on device')
        self._store.write(lock, values, part, ends=ends)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def obtained(earth: Earth, count: int) -> dict[str, Managed]:
    """A set whose certificates are all held: one, and what differs from it only by its names."""
    store = earth.store
    assert isinstance(store, MemoryStore)
    if NAME not in [name.partition("/")[2] for name in store.sets]:
        earth.obtain()
    one = store.sets[f"certificates/{NAME}"]
    declared = {}
    for number in range(count):
        name = f"n{number}.example"
        record = json.loads(one["certificate.json"])
        record |= {"domains": [name], "cert_id": f"{record['cert_id']}{number}"}
        store.sets[f"certificates/{name}"] = {**one, "certificate.json": json.dumps(record).encode()}
        declared[name] = earth.managed(name)
    return declared


def test_what_is_missing_is_obtained_at_once_and_told(earth: Earth) -> None:
    manager = earth.manager({"x": earth.managed("a.example", "b.example"), "y": earth.managed("c.example")})
    manager.look()
    manager.look()
    assert [one["name"] for one in earth.renewed] == ["x", "y"]
    assert earth.kept("x").domains == ["a.example", "b.example"]
    assert not earth.failed
    assert manager.look() == MINUTE


def test_after_30_days_off_what_has_expired_begins_at_once_and_what_is_due_is_spread(earth: Earth) -> None:
    declared = obtained(earth, 20)
    del declared["n0.example"]
    earth.pass_time(75 * DAY)
    earth.life = 20 * DAY
    earth.obtain("short.example")
    declared["short.example"] = earth.managed("short.example")
    earth.pass_time(30 * DAY)
    for name in list(declared)[:3]:  # in force, and due
        earth.life = 10 * DAY
        earth.pass_time(-6 * DAY)
        earth.obtain(name)
        earth.pass_time(6 * DAY)
    earth.life = 90 * DAY
    before = earth.orders
    manager = earth.manager(declared)
    manager.look()
    expired = {"short.example", *list(declared)[3:19]}
    at_once = {one["name"] for one in earth.renewed}
    earth.run(manager, 5 * MINUTE, 10)
    assert expired <= {str(name) for name in at_once} | {str(one["name"]) for one in earth.renewed[: len(expired) + 2]}
    assert {one["name"] for one in earth.renewed} == set(declared)
    assert earth.orders - before == 20


def test_500_that_are_due_at_once_begin_within_five_minutes(earth: Earth) -> None:
    """Each is begun once, and they are not begun at the same time."""
    count = 500 if IS_LONG else 60
    declared = obtained(earth, count)
    earth.pass_time(70 * DAY)
    earth.queue.is_at_once = False
    manager = earth.manager(declared)
    manager.look()
    begun = []
    for _ in range(31):
        earth.pass_time(10)
        manager.look()
        begun.append(len(earth.queue.left) - sum(begun))
    assert sum(begun) == count
    assert max(begun) < 0.4 * count
    del earth.queue.left[5:]
    earth.queue.finish()
    manager.look()
    assert len(earth.renewed) == 5


def test_a_full_disk_costs_no_order_and_the_certificate_in_force_stays(earth: Earth) -> None:
    full = Full(MemoryStore())
    earth.store = full  # type: ignore[assignment]
    manager = earth.manager()
    manager.look()
    earth.pass_time(65 * DAY)
    full.is_full = True
    before, serial = earth.orders, earth.kept().serial
    earth.run(manager, 3 * HOUR)
    assert earth.orders == before
    assert earth.kept().serial == serial
    assert earth.errors[0] == ["TOSSL", "VALUE", "store"]
    assert 3 <= len(earth.failed) <= 4  # after 1, 10 and 100 minutes
    assert earth.failed[0]["next"] > earth.at - 3 * HOUR
    full.is_full = False
    earth.run(manager, DAY, 10 * MINUTE)
    assert earth.orders == before + 1
    assert earth.kept().serial != serial


def test_a_hook_that_fails_is_owed_and_tried_again(earth: Earth) -> None:
    calls: list[float] = []
    is_well = False

    def hook(context: Context, certificate: Mapping[str, object]) -> object:
        calls.append(earth.at - BEGAN)
        if not is_well:
            raise TosslError("it hangs", "TIMEOUT", "callback")
        return None

    manager = earth.manager({NAME: earth.managed(hooks=Hooks(hook))})
    earth.run(manager, 3 * HOUR)
    assert [round(at / MINUTE) for at in calls] == [0, 1, 11, 111]
    assert earth.errors == [["TOSSL", "DEPLOY"]] * 4
    assert len(earth.renewed) == 1
    assert earth.renewed[0]["warnings"]
    is_well = True
    earth.run(manager, 2 * DAY, HOUR)
    assert len(calls) == 5
    assert len(earth.failed) == 4


def test_two_managers_of_one_set_order_once(earth: Earth) -> None:
    """The second one takes up what the first one has kept, and tells it."""
    first, second = earth.manager(), earth.manager()
    first.look()
    second.look()
    assert earth.orders == 1
    earth.pass_time(61 * DAY)
    for _ in range(10):
        first.look()
        second.look()
        earth.pass_time(MINUTE)
    assert earth.orders == 2
    assert [one["issued"] for one in earth.renewed].count(True) == 2
    assert [one["issued"] for one in earth.renewed].count(False) == 1
    assert len({one["serial"] for one in earth.renewed}) == 2


def test_what_others_do_in_the_store_is_followed(earth: Earth) -> None:
    manager = earth.manager()
    manager.look()
    earth.run(manager, 2 * MINUTE)
    earth.pass_time(DAY)
    obtain(earth.context, earth.managed().issuance, earth.store, name=NAME, force=True)
    earth.run(manager, MINUTE)
    assert [one["issued"] for one in earth.renewed] == [True, False]
    assert earth.renewed[1]["serial"] == earth.kept().serial
    forget_kept(earth.context, earth.store, NAME)
    earth.run(manager, 2 * MINUTE)
    assert earth.orders == 3
    assert earth.kept().serial == earth.renewed[-1]["serial"]


def test_the_machine_s_own_files_are_written_for_what_others_renewed(earth: Earth, tmp_path: Path) -> None:
    """Before the hooks are called and the script is told; also at the start, and once somebody removed them."""
    called: list[object] = []

    def script(_context: Context, found: Mapping[str, object]) -> None:
        files = found["files"]
        assert isinstance(files, dict)
        called.append((found["serial"], sorted(files), Path(files["fullchain"]).read_text() == found["fullchain"]))

    files = NodeFiles(absolute(tmp_path / "files"), FolderOptions())
    pem_file = absolute(tmp_path / "site.pem")
    earth.obtain()
    managed = replace(earth.managed(hooks=Hooks(script), pem_file=pem_file), files=files)
    manager = earth.manager({NAME: managed})
    earth.run(manager, MINUTE)
    kinds = ["certificate", "chain", "fullchain", "pem_file", "private_key"]
    assert called == [(earth.kept().serial, kinds, True)]
    earth.pass_time(DAY)
    earth.obtain(force=True)
    earth.run(manager, 2 * MINUTE)
    assert called[1:] == [(earth.kept().serial, kinds, True)]
    assert [one["serial"] for one in earth.renewed] == [earth.kept().serial]
    pem_file_is_whole = Path(pem_file).read_text() == f"{earth.texts['privkey.pem']}{earth.texts['fullchain.pem']}"
    assert pem_file_is_whole
    for gone in (tmp_path / "site.pem", tmp_path / "files" / NAME / "..data"):
        gone.unlink()
        earth.run(earth.manager({NAME: managed}), MINUTE)
        assert files.holds(earth.kept())
        assert Path(pem_file).exists()
    assert len(called) == 2


def test_files_that_cannot_be_written_are_owed_and_the_script_is_told_once_they_are(
    earth: Earth, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "files"
    earth.obtain()
    managed = replace(earth.managed(), files=NodeFiles(absolute(in_the_way), FolderOptions()))
    manager = earth.manager({NAME: managed})
    earth.run(manager, MINUTE)
    (in_the_way / NAME / "..data").unlink()
    (in_the_way / NAME / "..data").mkdir()
    earth.pass_time(DAY)
    earth.obtain(force=True)
    earth.run(manager, 2 * MINUTE)
    assert earth.errors[0] == ["TOSSL", "DEPLOY"]
    assert not earth.renewed
    (in_the_way / NAME / "..data").rmdir()
    earth.run(manager, HOUR)
    assert [one["serial"] for one in earth.renewed] == [earth.kept().serial]
    assert managed.files is not None
    assert managed.files.holds(earth.kept())


class Node:
    """A machine with manage on a store that others use, too."""

    def __init__(self, earth: Earth, name: str, folder: Path, *names: str) -> None:
        self.earth, self.name, self.names = earth, name, names or (NAME,)
        self.called: list[str] = []
        self.failures = 0
        self.files = NodeFiles(absolute(folder / name), FolderOptions())
        self.start()

    def start(self) -> None:
        self.renewed: list[dict[str, object]] = []
        hooks = Hooks(self._call)
        declared = {name: replace(self.earth.managed(name, hooks=hooks), files=self.files) for name in self.names}
        reports = Reports(self.renewed.append, self.earth.failed.append)
        queue = self.earth.queue
        self.manager = Manager(self.earth.context, declared, reports, issuers=queue, askers=queue)

    def _call(self, _context: Context, found: Mapping[str, object]) -> None:
        self.called.append(str(found["serial"]))
        if self.failures:
            self.failures -= 1
            raise ArgumentError("web", "the server is down")

    def look(self) -> None:
        os.environ["TOSSL_NODE"] = self.name
        self.manager.look()


@pytest.fixture
def shared(earth: Earth, monkeypatch: pytest.MonkeyPatch) -> Earth:
    monkeypatch.setenv("TOSSL_NODE", "none")
    monkeypatch.setattr(AnswerServer, "take", lambda *_: None)  # it looks by the machine's clock, in a thread
    earth.store = MemoryStore(is_shared=True)
    return earth


def run_nodes(earth: Earth, nodes: Iterable[Node], seconds: float, step: float = 10) -> None:
    end = earth.at + seconds
    while earth.at < end:
        for node in nodes:
            node.look()
        earth.pass_time(step)


def test_one_node_issues_and_all_have_files_and_hooks(shared: Earth, tmp_path: Path) -> None:
    """Also one that was down meanwhile, at its start; and one whose server is down, once it is up."""
    nodes = [Node(shared, f"www{number}", tmp_path) for number in range(5)]
    nodes[3].failures = 2
    run_nodes(shared, nodes[:4], 10 * MINUTE)
    assert shared.orders == 1
    serial = shared.kept().serial
    assert [node.called for node in nodes] == [[serial]] * 3 + [[serial] * 2, []]
    assert [[one["serial"] for one in node.renewed] for node in nodes] == [[serial]] * 4 + [[]]
    assert sum(one["issued"] is True for node in nodes for one in node.renewed) == 1
    (listed,) = all_told(shared.store)
    assert listed["node"] in [node.name for node in nodes]
    run_nodes(shared, nodes, 10 * MINUTE)
    assert [node.called for node in nodes] == [[serial]] * 3 + [[serial] * 3, [serial]]
    assert all(node.files.holds(shared.kept()) for node in nodes)
    for node in nodes:
        node.start()
    run_nodes(shared, nodes, 5 * MINUTE)
    assert [node.renewed for node in nodes] == [[]] * 5  # it was told before
    shared.pass_time(60 * DAY)
    run_nodes(shared, nodes, 10 * MINUTE)
    assert shared.orders == 2
    assert {node.called[-1] for node in nodes} == {shared.kept().serial}


def declare_key_type(earth: Earth, node: Node, key_type: str) -> None:
    """Starts manage on a node anew, with another declaration."""
    managed = replace(earth.managed(), files=node.files)
    managed = replace(managed, issuance=replace(managed.issuance, key=CertificateKey(key_type)))
    reports = Reports(node.renewed.append, earth.failed.append)
    node.manager = Manager(earth.context, {NAME: managed}, reports, issuers=earth.queue, askers=earth.queue)


def test_nodes_that_declare_different_things_do_not_replace_each_others(shared: Earth, tmp_path: Path) -> None:
    """Whoever declared it last obtains it, once; the others tell that, and have its files."""
    nodes = [Node(shared, f"www{number}", tmp_path) for number in range(3)]
    run_nodes(shared, nodes, 5 * MINUTE)
    assert (shared.orders, shared.failed) == (1, [])
    declare_key_type(shared, nodes[0], "ec384")  # one node after the other gets the new declaration
    run_nodes(shared, nodes, 30 * MINUTE)
    assert shared.orders == 2
    assert shared.kept().asked("key_type") == "ec384"
    assert shared.errors == [["TOSSL", "VALUE", "key_type"]] * 2
    assert "www0 has obtained it with another -key_type" in shared.failed[0]["message"]
    assert all(node.files.holds(shared.kept()) for node in nodes)
    for node in nodes[1:]:
        declare_key_type(shared, node, "ec384")
    run_nodes(shared, nodes, 30 * MINUTE)
    declare_key_type(shared, nodes[2], "ec")
    run_nodes(shared, nodes, HOUR)
    assert shared.orders == 3
    shared.pass_time(61 * DAY)
    run_nodes(shared, nodes, HOUR)
    assert shared.orders == 4
    assert len(shared.failed) <= 2 + 2 + 2


def test_files_that_somebody_removed_or_changed_are_written_again(shared: Earth, tmp_path: Path) -> None:
    node = Node(shared, "www1", tmp_path)
    run_nodes(shared, [node], 2 * MINUTE)
    folder = tmp_path / "www1" / NAME
    for harm in (shutil.rmtree, lambda _: (folder / "fullchain.pem").write_text("x")):
        harm(folder)
        assert not node.files.holds(shared.kept())
        run_nodes(shared, [node], 2 * MINUTE)
        assert node.files.holds(shared.kept())
    assert (shared.orders, node.called, shared.failed) == (1, [shared.kept().serial], [])


def test_a_stand_in_has_files_on_each_node(shared: Earth, tmp_path: Path) -> None:
    """A server can start there, and gets the certificate once one node has it."""
    managed = []
    for node in ("www1", "www2"):
        files = NodeFiles(absolute(tmp_path / node), FolderOptions())
        managed.append(replace(shared.managed(), files=files, stand_in=True))
        assert put_stand_in(shared.context, NAME, managed[-1]) is (node == "www1")
    assert shared.kept().is_self_signed
    for one in managed:
        assert one.files is not None
        assert one.files.holds(shared.kept())
    shared.obtain()
    assert not shared.kept().is_self_signed
    assert put_stand_in(shared.context, NAME, managed[0]) is False
    assert managed[0].files is not None
    assert managed[0].files.holds(shared.kept())


def test_a_timer_on_each_node_writes_files_and_calls_hooks(
    shared: Earth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """renew_certificates where no manage runs: for what another node has obtained, too."""
    pem_file, told = absolute(tmp_path / "site.pem"), tmp_path / "told"
    command = f"echo $TOSSL_NODE $TOSSL_PEM_FILE $TOSSL_FULLCHAIN >> {told}"
    called: list[object] = []

    def script(_context: Context, found: Mapping[str, object]) -> None:
        called.append(found["serial"])

    shared.obtain(pem_file=pem_file, deploy_command=command)
    Path(pem_file).unlink()
    for node in ("www1", "www2", "www2"):
        monkeypatch.setenv("TOSSL_NODE", node)
        files = NodeFiles(absolute(tmp_path / node), FolderOptions())
        done = renew_all(shared.context, shared.store, 0.0, script, files=files)
        assert (done.renewed, done.failed) == ([], [])
        assert files.holds(shared.kept())
    assert Path(pem_file).exists()
    assert called == [shared.kept().serial] * 2
    lines = [f"{node} {pem_file} {tmp_path}/{node}/{NAME}/fullchain.pem\n" for node in ("www1", "www2")]
    assert told.read_text() == "".join(lines)


def test_one_node_asks_for_renewal_information_for_all(shared: Earth, tmp_path: Path) -> None:
    """And another does once that one is gone."""
    shared.ca.script.renewal, shared.ca.script.retry_after = True, "21600"
    shared.ca.script.window = lambda: (BEGAN + 80 * DAY, BEGAN + 81 * DAY)
    nodes = [Node(shared, f"www{number}", tmp_path) for number in range(4)]

    def asked() -> int:
        return sum(request.path.startswith("/renewal/") for request in shared.ca.requests)

    run_nodes(shared, nodes, 20 * MINUTE, 30)
    assert asked() == 1
    run_nodes(shared, nodes, 13 * HOUR, MINUTE)
    assert asked() == 3
    run_nodes(shared, nodes[3:], 13 * HOUR, MINUTE)
    assert asked() == 5
    assert shared.orders == 1


def test_a_node_does_not_wait_for_another_at_work(shared: Earth, tmp_path: Path) -> None:
    """It lets go after a second, and looks again within a minute."""

    class Held(MemoryStore):
        is_held = True

        @contextlib.contextmanager
        def locked(self, context: Context, name: str, within: float | None = None) -> Iterator[Lock]:
            if self.is_held and name.startswith("certificates/"):
                assert within is not None
                assert within <= 1
                raise WaitTimeout("the store", "another process holds it")
            with super().locked(context, name, within) as lock:
                yield lock

    shared.store = store = Held(is_shared=True)
    node = Node(shared, "www1", tmp_path)
    run_nodes(shared, [node], MINUTE)
    assert (shared.orders, shared.failed) == (0, [])
    store.is_held = False
    run_nodes(shared, [node], MINUTE + 10)
    assert (shared.orders, shared.failed) == (1, [])


def test_a_store_that_is_away_is_one_failure_and_is_read_when_it_is_back(shared: Earth, tmp_path: Path) -> None:
    class Away(MemoryStore):
        is_away = True

        def changes(self, since: str) -> tuple[str, frozenset[str]] | None:
            if self.is_away:
                raise ArgumentError("store", "no answer from the database")
            return super().changes(since)

    shared.store = store = Away(is_shared=True)
    node = Node(shared, "www1", tmp_path)
    run_nodes(shared, [node], 10 * MINUTE)
    assert (shared.orders, shared.errors) == (0, [["TOSSL", "VALUE", "store"]])
    store.is_away = False
    run_nodes(shared, [node], 2 * MINUTE)
    assert shared.orders == 1
    store.is_away = True
    run_nodes(shared, [node], 5 * MINUTE)
    assert shared.errors == [["TOSSL", "VALUE", "store"]] * 2
    shared.obtain(force=True)
    store.is_away = False
    run_nodes(shared, [node], 2 * MINUTE)
    assert node.called[-1] == shared.kept().serial


def test_a_node_without_the_sealing_key_tells_that_now_and_then_and_holds_up_nobody(
    shared: Earth, tmp_path: Path
) -> None:
    memory = shared.store
    shared.store = SealedStore(memory, SealKey("-seal_key", SEALING_KEY))
    has_key = Node(shared, "www1", tmp_path)
    run_nodes(shared, [has_key], MINUTE)
    shared.store = SealedStore(memory)
    lacks_key = Node(shared, "www2", tmp_path)
    run_nodes(shared, [has_key, lacks_key], 9 * MINUTE)
    assert shared.errors == [["TOSSL", "VALUE", "seal_key"]] * 2
    shared.pass_time(61 * DAY)
    run_nodes(shared, [lacks_key, has_key], 9 * MINUTE)
    assert shared.orders == 2
    assert len(has_key.called) == 2
    assert set(map(tuple, shared.errors)) == {("TOSSL", "VALUE", "seal_key")}
    assert len(shared.failed) <= 6


def test_what_a_store_can_no_longer_say_is_read_anew(shared: Earth, tmp_path: Path) -> None:
    class Forgetful(MemoryStore):
        def changes(self, since: str) -> tuple[str, frozenset[str]] | None:
            return None if since else super().changes(since)

    shared.store = Forgetful(is_shared=True)
    nodes = [Node(shared, f"www{number}", tmp_path, "a.example", "b.example") for number in range(2)]
    run_nodes(shared, nodes, 5 * MINUTE)
    assert shared.orders == 2
    shared.obtain(force=True)
    run_nodes(shared, nodes, 5 * MINUTE)
    assert {node.called[-1] for node in nodes} == {shared.kept().serial}


def test_many_first_certificates_wait_for_the_ca_behind_one_that_tries(shared: Earth, tmp_path: Path) -> None:
    """A CA that takes an order a minute gets little more than one request for an order a minute, from all nodes."""
    names = [f"n{number}.example" for number in range(30)]
    nodes = [Node(shared, f"www{number}", tmp_path, *names) for number in range(3)]
    taken: list[float] = []

    def limit(_request: Request) -> None:
        if taken and shared.at < taken[-1] + MINUTE:
            detail = "too many new orders (300) from this account in the last 3h0m0s, retry after then"
            problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": detail, "status": 429}
            after = str(int(taken[-1] + MINUTE - shared.at))
            headers = {**PROBLEM, **shared.ca.script.headers, "Retry-After": after}
            shared.ca.answers["/new-order"].append(Reply(429, json.dumps(problem).encode(), headers))
        else:
            taken.append(shared.at)

    shared.ca.before_order = limit
    run_nodes(shared, nodes, 20 * MINUTE, 5)
    assert len(taken) > 12
    assert shared.orders < 2.2 * len(taken)
    # Whoever is refused by what others were told asks for neither time nor nonce.
    questions = [request for request in shared.ca.requests if request.method == "HEAD"]
    assert len(questions) < 2.2 * len(taken)


def test_a_clock_that_is_wrong_by_a_year_is_told_and_the_ca_s_counts(earth: Earth) -> None:
    for ahead in (YEAR, -YEAR):
        earth.failed.clear()
        clock.reset()
        earth.ahead = ahead
        before = earth.orders
        name = "ahead.example" if ahead > 0 else "behind.example"
        manager = earth.manager({name: earth.managed(name)})
        earth.run(manager, 3 * MINUTE)
        assert earth.errors == [["TOSSL", "CLOCK", f"{ahead:.0f}"]]
        assert earth.orders == before + 1
        earth.run(manager, 59 * DAY, DAY)
        assert earth.orders == before + 1
        earth.run(manager, 3 * DAY, HOUR)
        assert earth.orders == before + 2
        earth.ahead = 0
        earth.run(manager, 3 * MINUTE)
        assert earth.orders == before + 2
        assert len(earth.failed) == 1


def test_a_clock_that_was_wrong_and_is_set_right_ends_the_pauses(earth: Earth) -> None:
    earth.ca.is_away = True
    manager = earth.manager()
    earth.run(manager, 3 * HOUR)
    failed = len(earth.failed)
    assert not earth.renewed
    earth.ca.is_away = False
    earth.ahead = 600.0
    manager.look()
    manager.look()
    earth.run(manager, 2 * HOUR)
    assert len(earth.failed) == failed
    assert len(earth.renewed) == 1


# ---- a file ----


def test_the_end_of_a_permanent_record_is_told_once_a_day(earth: Earth) -> None:
    declared = obtained(earth, 2)
    store = earth.store
    assert isinstance(store, MemoryStore)
    values = store.sets["certificates/n1.example"]
    record = json.loads(values["certificate.json"]) | {"persist_until": int(earth.at + 40 * DAY)}
    store.sets["certificates/n1.example"] = {**values, "certificate.json": json.dumps(record).encode()}
    manager = earth.manager(declared)
    earth.run(manager, 2.5 * DAY, HOUR)
    assert [(told["name"], told["errorcode"]) for told in earth.failed] == [
        ("n1.example", ["TOSSL", "WARNING", "persist_until"])
    ] * 3
    assert "set a later persistUntil" in earth.failed[0]["message"]


def parse_names(earth: Earth) -> Callable[[Context, str], Mapping[str, Managed]]:
    """Reads a file of names; the same object for the same name."""
    known: dict[str, Managed] = {}

    def parse(_context: Context, text: str) -> Mapping[str, Managed]:
        if "{" in text:
            raise ArgumentError("certificates", "unmatched open brace")
        return {name: known.setdefault(name, earth.managed(name)) for name in text.split()}

    return parse


def test_a_file_is_read_again_and_what_left_it_is_said(earth: Earth, tmp_path: Path) -> None:
    path = tmp_path / "set"
    path.write_text("# mine\na.example b.example\n")
    source = DeclaredFile(FilePath(str(path)), parse_names(earth))
    manager = earth.manager(source.read(earth.context), source)
    earth.run(manager, 2 * MINUTE)
    assert [one["name"] for one in earth.renewed] == ["a.example", "b.example"]
    path.write_text("b.example c.example\n")
    earth.run(manager, 2 * MINUTE)
    assert [one["name"] for one in earth.renewed] == ["a.example", "b.example", "c.example"]
    assert [step["name"] for step in earth.told if step["step"] == "unmanaged"] == ["a.example"]
    earth.run(manager, 70 * DAY, DAY)
    assert {one["name"] for one in earth.renewed[3:]} == {"b.example", "c.example"}
    assert not earth.failed


@pytest.mark.parametrize("wrong", ["{", None, b"\xff"], ids=["no dict", "gone", "no UTF-8"])
def test_a_file_that_became_wrong_leaves_the_last_good_set(earth: Earth, tmp_path: Path, wrong: str | None) -> None:
    path = tmp_path / "set"
    path.write_text("a.example\n")
    source = DeclaredFile(FilePath(str(path)), parse_names(earth))
    manager = earth.manager(source.read(earth.context), source)
    earth.run(manager, MINUTE)
    if wrong is None:
        path.unlink()
    else:
        path.write_bytes(wrong if isinstance(wrong, bytes) else wrong.encode())
    earth.run(manager, 70 * DAY, DAY)
    assert len(earth.renewed) == 2
    assert earth.errors == [["TOSSL", "VALUE", "certificates"]]
    assert str(path) in earth.failed[0]["message"]
    path.write_text("a.example b.example\n")
    earth.run(manager, 2 * MINUTE)
    assert earth.renewed[-1]["name"] == "b.example"
    assert len(earth.failed) == 1


def test_a_pipe_is_refused_and_not_waited_for(earth: Earth, tmp_path: Path) -> None:
    path = tmp_path / "set"
    os.mkfifo(path)
    closing = os.open(path, os.O_RDWR)
    os.write(closing, b"a.example\n")
    os.set_blocking(closing, False)
    try:
        with pytest.raises(ArgumentError, match="is not a regular file"):
            DeclaredFile(FilePath(str(path)), parse_names(earth)).read(earth.context)
        assert os.read(closing, 10) == b"a.example\n"
    finally:
        os.close(closing)


def test_only_line_feeds_end_a_comment() -> None:
    text = "# a\u2028b {\r\nweb {domains a -api_key x\x0c#y\u2028#z}\r\n"
    assert without_comments(text) == "\nweb {domains a -api_key x\x0c#y\u2028#z}\r\n"


# ---- idle ----


class Counting(MemoryStore):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = self.writes = self.versions = 0

    def read(self, name: str, only: Any = None) -> dict[str, bytes] | None:
        self.reads += 1
        return super().read(name, only)

    def write(self, lock: Lock, values: Mapping[str, bytes], part: str = "", *, ends: bool = False) -> None:
        self.writes += 1
        super().write(lock, values, part, ends=ends)

    def version(self, name: str) -> str:
        self.versions += 1
        return super().version(name)


def test_an_idle_minute_opens_no_record_and_sends_nothing(earth: Earth) -> None:
    """With 250 certificates: 200 looks whether one was changed, and nothing else."""
    store = earth.store = Counting()
    earth.ca.script.renewal, earth.ca.script.retry_after = True, "86400"
    earth.ca.script.window = lambda: (BEGAN + 60 * DAY, BEGAN + 61 * DAY)
    manager = earth.manager(obtained(earth, 250))
    earth.run(manager, 40 * MINUTE)  # until all questions are answered
    store.reads = store.writes = store.versions = 0
    requests = len(earth.ca.requests)
    for _ in range(5):
        manager.look()
        earth.pass_time(MINUTE)
    assert (store.reads, store.writes) == (0, 0)
    assert 0 < store.versions <= 5 * 200
    assert len(earth.ca.requests) == requests


def test_questions_to_the_ca_are_spread(earth: Earth) -> None:
    """Certificates of which nothing is known: 60 questions a minute at most, and each certificate is asked for."""
    earth.ca.script.renewal, earth.ca.script.retry_after = True, "86400"
    earth.ca.script.window = lambda: (BEGAN + 60 * DAY, BEGAN + 61 * DAY)
    declared = obtained(earth, 200 if IS_LONG else 70)
    manager = earth.manager(declared)
    asked = 0
    for _ in range(12):
        manager.look()
        now_asked = sum(request.path.startswith("/renewal/") for request in earth.ca.requests)
        assert now_asked - asked <= 60
        asked = now_asked
        earth.pass_time(MINUTE)
    assert asked == len(declared)


# ---- a certificate that stands in ----


def test_a_stand_in_is_in_place_marked_and_replaced(earth: Earth, tmp_path: Path) -> None:
    earth.store = FolderStore(FilePath(str(tmp_path / "store")))
    earth.ca.is_away = True
    managed = replace(earth.managed(), stand_in=True)
    manager = earth.manager({NAME: managed})
    manager.look()
    first = earth.kept()
    assert first.is_self_signed
    assert first.is_renewable
    earth.ca.is_away = False
    earth.run(manager, 5 * MINUTE)
    assert not earth.kept().is_self_signed
    assert [one["serial"] for one in earth.renewed] == [earth.kept().serial]
    assert "replaces" not in earth.ca.payloads("new-order")[-1]
