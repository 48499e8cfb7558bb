"""The nodes of a store: their names, and the heartbeat of manage."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.memory_store import MemoryStore
from tossl_acme import version
from tossl_acme.certificates import clock
from tossl_acme.certificates.check import Thresholds, report_on_store
from tossl_acme.certificates.deploy import Hooks, forget_hooks
from tossl_acme.certificates.heartbeat import BEAT_SECONDS, Heartbeat
from tossl_acme.certificates.issuance import Issuance
from tossl_acme.certificates.manage import Manager
from tossl_acme.certificates.managed import Managed
from tossl_acme.certificates.nodes import Node, machine, node_name, read_node, read_nodes
from tossl_acme.certificates.renew import renew_all
from tossl_acme.certificates.reports import Reports
from tossl_acme.certificates.timers import read_timers
from tossl_acme.certificates.upkeep import Upkeep
from tossl_acme.context import Context
from tossl_acme.context.workers import Works
from tossl_acme.errors import ArgumentError, Cancelled
from tossl_acme.files import FilePath
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.protocol import Store

BEGAN = 4_000_000_000.0


class Queue:
    """Does work when the test lets it."""

    def __init__(self) -> None:
        self.left: list[Callable[[], None]] = []

    def put(self, work: Callable[[], None]) -> None:
        self.left.append(work)

    def close(self) -> None:
        while self.left:
            self.left.pop(0)()


class World:
    """A clock, and managers that issue nothing, for their work is never done."""

    def __init__(self) -> None:
        self.at = BEGAN
        self.told: list[dict[str, object]] = []
        self.context = Context(1e6).begin(listener=self.told.append)
        self.beats = Queue()

    def manager(self, *stores: Store, issuers: Works | None = None) -> Manager:
        found = {f"n{number}.example": self.managed(store) for number, store in enumerate(stores)}
        heartbeat = Heartbeat(self.context, "one", self.beats)
        reports = Reports(lambda facts: None, lambda facts: None)
        return Manager(self.context, found, reports, issuers=issuers or Idle(), askers=Idle(), heartbeat=heartbeat)

    def managed(self, store: Store) -> Managed:
        return Managed(Issuance(tuple(parse_identifiers(["a.example"])), "https://127.0.0.1:1/dir"), store, Hooks())

    def end(self, manager: Manager) -> None:
        """Has it serve until it is cancelled, which it is already."""
        self.context.cancel()
        with pytest.raises(Cancelled):
            manager.serve()


class Idle:
    def put(self, work: Callable[[], None]) -> None: ...
    def close(self) -> None: ...


class AtOnce(Idle):
    def put(self, work: Callable[[], None]) -> None:
        work()


class Refusing(MemoryStore):
    is_refused = True

    def write(self, lock: object, values: object, part: str = "", *, ends: bool = False) -> None:
        if self.is_refused:
            raise ArgumentError("store", "no space left on device")
        super().write(lock, values, part, ends=ends)  # type: ignore[arg-type]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    clock.reset()
    world = World()
    monkeypatch.setattr(clock, "wall", lambda: world.at)
    monkeypatch.setattr(clock, "counted", lambda: world.at - BEGAN)
    yield world
    clock.reset()


def test_a_node_is_named_by_the_environment_else_as_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOSSL_NODE", "web-1.example")
    assert node_name() == "web-1.example"
    monkeypatch.delenv("TOSSL_NODE")

    def host(name: str) -> str:
        monkeypatch.setattr(os, "uname", lambda: os.uname_result(("", name, "", "", "")))
        return node_name()

    assert host("Web_2.example") == "Web_2.example"
    assert host("büro rechner/3") == "b-ro-rechner-3"
    assert host("..hidden") == "hidden"
    assert host("") == "localhost"
    assert len(host("a" * 300)) == 255


@pytest.mark.parametrize("name", ["a/b", "..", ".x", "ä", "a b", "x" * 256], ids=range(6))
def test_a_name_that_the_store_could_not_keep_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TOSSL_NODE", name)
    with pytest.raises(ArgumentError, match="TOSSL_NODE must be") as caught:
        node_name()
    assert caught.value.errorcode == ("TOSSL", "VALUE", "node")


def test_manage_tells_of_itself_at_its_start_every_few_minutes_and_at_its_end(world: World, tmp_path: Path) -> None:
    store = FolderStore(FilePath(str(tmp_path / "store")))
    manager = world.manager(store, store)
    manager.look()
    world.beats.close()
    (node,) = read_nodes(store)
    assert (node.name, node.process, node.version) == ("one", os.getpid(), version.__version__)
    assert (node.started, node.at, node.certificates, node.failing, node.has_ended) == (BEGAN, BEGAN, 2, 0, False)
    world.at += BEAT_SECONDS - 1
    manager.look()
    assert not world.beats.left
    world.at += 1
    manager.look()
    world.beats.close()
    (node,) = read_nodes(store)
    assert (node.started, node.at) == (BEGAN, BEGAN + BEAT_SECONDS)
    world.end(manager)
    assert read_nodes(store)[0].has_ended
    (folder,) = (tmp_path / "store" / "nodes").iterdir()
    assert (folder / "node.json").stat().st_mode & 0o777 == 0o600


def test_it_counts_the_certificates_whose_last_attempt_failed(world: World) -> None:
    store = MemoryStore()
    world.manager(store, store, issuers=AtOnce()).look()
    world.beats.close()
    (node,) = read_nodes(store)
    assert (node.certificates, node.failing) == (2, 2)


def test_a_store_that_hangs_holds_up_no_look(world: World) -> None:
    store = MemoryStore()
    manager = world.manager(store)
    for _ in range(3):
        manager.look()
        world.at += BEAT_SECONDS
    assert len(world.beats.left) == 1
    world.beats.close()
    manager.look()
    assert len(world.beats.left) == 1


def test_a_store_that_refuses_it_is_one_warning_until_it_takes_it(world: World) -> None:
    refusing, other = Refusing(), MemoryStore()
    refusing.where = lambda name, value="": "refusing"  # type: ignore[method-assign]
    manager = world.manager(refusing, other)
    for is_refused in (True, True, False, True):
        refusing.is_refused = is_refused
        manager.look()
        world.beats.close()
        world.at += BEAT_SECONDS
    said = [step["message"] for step in world.told if step.get("warning") == "heartbeat"]
    assert said == ["no heartbeat is kept: no space left on device"] * 2
    assert read_nodes(other)[0].at == BEGAN + 3 * BEAT_SECONDS


def test_the_end_of_one_manage_is_not_that_of_another_on_the_node(world: World) -> None:
    store = MemoryStore()
    first = world.manager(store)
    world.at += 1
    second = world.manager(store)
    for manager in (first, second):
        manager.look()
        world.beats.close()
    world.end(first)
    (node,) = read_nodes(store)
    assert (node.started, node.has_ended) == (BEGAN + 1, False)


def test_a_damaged_heartbeat_is_told_as_one(world: World) -> None:
    store = MemoryStore()
    for name, text in enumerate(["", "{", "[]", '{"at": 1e999}', '{"at": "x"}', "[" * 100_000]):
        store.sets[f"nodes/n{name}"] = {"node.json": text.encode()}
    store.sets["nodes/other"] = {"else": b""}
    assert {node.problem for node in read_nodes(store)} == {"its heartbeat is damaged"}


class Shared(MemoryStore):
    """A store that many machines use. Its clock is seven seconds ahead of theirs."""

    def __init__(self) -> None:
        super().__init__(is_shared=True)
        self.at = BEGAN + 7

    def time(self) -> float:
        return self.at


def beat(world: World, heartbeat: Heartbeat, store: Store) -> list[str]:
    """Has it beat once; returns what it has to say."""
    heartbeat.look([Upkeep("a.example", world.managed(store))])
    world.beats.close()
    return [error.message for error in heartbeat.problems()]


def on_machine(monkeypatch: pytest.MonkeyPatch, world: World, name: str, machine: str) -> Heartbeat:
    monkeypatch.setattr("tossl_acme.certificates.heartbeat.machine", lambda: machine)
    world.at += 1
    return Heartbeat(world.context, name, world.beats)


def test_two_machines_with_one_name_are_told_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process tells once. The successor of a dead process tells nothing, nor do two processes of one machine."""
    store = Shared()
    dead, first, second, beside = (on_machine(monkeypatch, world, "app", name) for name in ("0", "1", "2", "2"))
    assert [beat(world, one, store) for one in (dead, first, second, beside)] == [[]] * 4
    world.at += BEAT_SECONDS
    assert beat(world, second, store) == []
    [said] = beat(world, first, store)
    assert "another machine is called app as well" in said
    assert "TOSSL_NODE" in said
    world.at += BEAT_SECONDS
    assert [len(beat(world, one, store)) for one in (second, first, beside)] == [1, 0, 1]
    assert read_node(store, "app").has_twin  # type: ignore[union-attr]
    [node] = report_on_store(store, Thresholds()).nodes
    assert "another machine is called like this as well" in node.problems[0]


def test_a_node_that_took_the_place_of_one_that_was_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Shared()
    first, second = (on_machine(monkeypatch, world, "app", name) for name in "12")
    for one in (first, second):
        one.begin()
        assert beat(world, one, store) == []
    second.end(is_asked=True)
    world.at += BEAT_SECONDS
    assert beat(world, first, store) == []
    first.end(is_asked=False)


def test_the_machine_is_told_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine() == machine() != ""
    own = machine()
    monkeypatch.setattr(os, "readlink", lambda _: "pid:[1]")
    assert machine() != own

    def refuse(_path: str) -> str:
        raise OSError

    monkeypatch.setattr(os, "readlink", refuse)
    assert machine() == ""


def test_what_is_kept_of_a_node_that_has_left_is_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the store's clock, whatever those of the machines say; a damaged heartbeat is left to people."""
    store, days = Shared(), 86400.0
    for name, age in {"gone": 31 * days, "away": 29 * days, "app": 40 * days}.items():
        told = json.dumps(Node(name, at=store.at - age).as_json())
        store.sets |= {f"nodes/{name}": {"node.json": told.encode()}, f"deploy.{name}/a.example": {"told": b"1 2"}}
    store.sets["nodes/strange"] = {"node.json": b"{}"}
    kept = set(store.sets) - {"nodes/gone", "deploy.gone/a.example"}
    heartbeat = on_machine(monkeypatch, world, "app", "1")
    world.at += 90 * days
    beat(world, heartbeat, store)
    assert set(store.sets) == kept
    assert read_node(store, "app").at == store.at  # type: ignore[union-attr]
    store.at += 2 * days
    world.at += days
    beat(world, heartbeat, store)
    assert set(store.sets) == kept - {"nodes/away", "deploy.away/a.example"}
    own = MemoryStore()
    own.sets = {"nodes/gone": {"node.json": json.dumps(Node("gone", at=1.0).as_json()).encode()}}
    beat(world, on_machine(monkeypatch, world, "app", "1"), own)
    assert set(own.sets) == {"nodes/gone", "nodes/app"}


def test_what_is_kept_of_a_node_whose_timer_has_run_no_more_is_removed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node with a timer has no heartbeat. A node that went from manage to a timer, or has both, is not gone."""
    store, days = Shared(), 86400.0
    for name, ran in {"gone": 0.0, "timer": 31.0, "moved": 31.0, "both": 0.0}.items():
        monkeypatch.setenv("TOSSL_NODE", name)
        at, store.at = store.at, store.at + ran * days
        renew_all(Context(60).begin(), store)
        store.at = at
        store.sets[f"deploy.{name}/a.example"] = {"command": b"1 2"}
    store.at += 32 * days
    for name, age in {"moved": 31.0, "both": 1.0}.items():
        told = json.dumps(Node(name, at=store.at - age * days).as_json())
        store.sets[f"nodes/{name}"] = {"node.json": told.encode()}
    left = {f"deploy.{name}/a.example" for name in ("timer", "moved", "both")} | {"nodes/both", "nodes/app"}
    beat(world, on_machine(monkeypatch, world, "app", "1"), store)
    assert set(store.sets) == {*left, "runs/renew_certificates"}
    assert read_timers(store).keys() == {"timer", "moved"}
    forget_hooks(Context(60).begin(), store, "a.example")
    assert not [name for name in store.sets if name.startswith("deploy.")]
    for damaged in (b"[1", b'{"../away": 1, "": 1, "timer": "1"}'):
        store.sets["runs/renew_certificates"]["nodes.json"] = damaged
        assert read_timers(store) == {}
    renew_all(Context(60).begin(), store)
    assert read_timers(store) == {"both": store.at}
