"""The schedulers of machines with one store, driven by clocks that the tests own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.earth import BEGAN, DAY, HOUR, MINUTE, NAME, PROBLEM, Earth
from tests.memory_store import MemoryStore
from tests.servers.web import Reply, Request
from tossl_acme.certificates.deploy import Hooks, deploy_obtained
from tossl_acme.certificates.gone import forget_gone_nodes
from tossl_acme.certificates.key import CertificateKey
from tossl_acme.certificates.listed import all_told
from tossl_acme.certificates.manage import Manager
from tossl_acme.certificates.managed import facts_of
from tossl_acme.certificates.node_files import NodeFiles
from tossl_acme.certificates.renew import renew, renew_all
from tossl_acme.certificates.reports import Reports
from tossl_acme.certificates.serving import AnswerServer
from tossl_acme.certificates.stand_in import put_stand_in
from tossl_acme.certificates.timers import read_timers
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError, WaitTimeout
from tossl_acme.files import absolute
from tossl_acme.pki.sealing import generate_sealing_key
from tossl_acme.store.options import FolderOptions
from tossl_acme.store.protocol import Lock
from tossl_acme.store.sealed import SealedStore, SealKey

SEALING_KEY = generate_sealing_key()


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
    """A node that was down gets them at its start; a node whose server is down, once the server is up."""
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


@pytest.mark.parametrize("is_shared", [True, False], ids=["nodes", "machine"])
def test_what_comes_while_a_hook_is_at_work_is_told_as_well(shared: Earth, tmp_path: Path, is_shared: bool) -> None:
    """A hook that hangs lets another certificate come. The script hears of each of them, once."""
    shared.store, came = MemoryStore(is_shared=is_shared), list[str]()

    class Slow(Node):
        def _call(self, context: Context, found: Mapping[str, object]) -> None:
            super()._call(context, found)
            if len(came) < 2:
                shared.obtain(force=True)
                came.append(shared.kept().serial)

    node = Slow(shared, "www1", tmp_path)
    run_nodes(shared, [node], 5 * MINUTE)
    assert node.called[1:] == came
    assert [one["serial"] for one in node.renewed] == node.called
    assert node.files.holds(shared.kept())


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


@pytest.mark.parametrize("way", ["renew", "obtain"])
def test_a_node_that_asks_for_one_certificate_alone_is_not_gone(
    shared: Earth, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """It leaves marks as well: they are removed once it asks no more, and not while it does. Kept once a day."""
    asked, called = shared.context, list[str]()
    shared.obtain()

    def script(_context: Context, _found: Mapping[str, object]) -> None:
        called.append(os.environ["TOSSL_NODE"])

    def ask(node: str) -> None:
        monkeypatch.setenv("TOSSL_NODE", node)
        if way == "renew":
            renew(asked, shared.store, NAME, script=script)
        else:
            deploy_obtained(asked, shared.store, facts_of(shared.store, NAME) or {}, Hooks(script))

    def rooms() -> set[str]:
        forget_gone_nodes(asked, shared.store, "none")
        return {name.partition("/")[0] for name in shared.store.names() if name.startswith("deploy.")}

    ask("left")
    for _ in range(20):
        ask("stays")
        shared.pass_time(DAY / 8)
    assert read_timers(shared.store) == {"left": BEGAN, "stays": BEGAN + 2 * DAY}
    shared.pass_time(29 * DAY)
    assert rooms() == {"deploy.stays"}
    assert called == ["left", "stays"]
    assert shared.orders == 1


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
    """The node gives up the lock after a second, and tries again within a minute."""

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
