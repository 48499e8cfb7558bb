"""A process that is killed (SIGKILL) at any request of an issuance: the same call takes up what there is.

`make kill-table` kills at each request and prints what was spent; `make test` kills at those that matter most.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.killing import ALL, Killer, Static, World, opened
from tests.servers import actions
from tests.servers.actions import Exchange, Response
from tests.servers.certs import Certificates
from tests.servers.faults import Rule
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.postgresql import PostgreSQL
from tests.servers.sinks import ChallTestSrvSink
from tests.tclhost import Tcl, new_key
from tossl_acme.acme import clients

_NUMBERS = itertools.count(1)
#: The store of the long form: folder, or postgresql.
STORE = os.environ.get("TOSSL_TEST_STORE") or ("folder" if ALL else "")
#: The requests at which the short form kills: what a second one of would be spent, and what comes before and after.
_SHORT = (
    ("newOrder", True),
    ("challenge", True),
    ("finalize", False),
    ("finalize", True),
    ("certificate", True),
)


@dataclass(frozen=True)
class Place:
    """Where the names of a test are proven."""

    pebble: Pebble
    certificates: Certificates
    sink: ChallTestSrvSink
    folder: Path
    webroot: Path
    #: Makes an empty database, and returns its URL; None where stores are folders.
    new_database: Callable[[], str] | None = None

    def new_webroot(self) -> Path:
        """A folder whose files the CA sees."""
        folder = self.webroot / f"more{next(_NUMBERS)}"
        folder.mkdir()
        return folder

    @property
    def nowhere(self) -> Path:
        """A folder whose files nobody sees."""
        folder = self.folder / "nowhere"
        folder.mkdir(exist_ok=True)
        return folder

    def open(self, name: str, killer: Killer, *, webroot: bool, **options: object) -> AbstractContextManager[World]:
        name = f"{name} in a database" if self.new_database else name
        if webroot:
            (self.webroot / name).mkdir()
        return opened(
            self.folder / name,
            self.pebble.directory,
            self.certificates,
            self.sink,
            killer,
            webroot=self.webroot / name if webroot else None,
            url=self.new_database() if self.new_database else "",
            **options,
        )


@pytest.fixture(scope="module")
def webroot(calm_pebble: Pebble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("webroot")
    server = Static(folder, calm_pebble.http_port)
    yield folder
    server.stop()


@pytest.fixture
def place(
    calm_pebble: Pebble, certificates: Certificates, challtestsrv: ChallTestSrv, tmp_path: Path, webroot: Path
) -> Place:
    return Place(calm_pebble, certificates, ChallTestSrvSink(challtestsrv), tmp_path, webroot)


@pytest.fixture(params=["folder", "postgresql"])
def place_of_any_store(request: pytest.FixtureRequest, place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """One where certificates are kept in a folder, or each world's in a database of its own."""
    if STORE and request.param != STORE:
        pytest.skip(f"make kill-table STORE={request.param}")
    if request.param == "folder":
        return place
    server: PostgreSQL = request.getfixturevalue("postgresql")
    monkeypatch.setenv("TOSSL_LEASE_SECONDS", "5" if ALL else "3")  # the killed one's has to end
    return replace(place, new_database=lambda: server.create_database(f"killed{next(_NUMBERS)}"))


@dataclass(frozen=True)
class Row:
    """What came of one kill."""

    nth: int
    when: str
    request: str
    orders: int
    finalized: int
    requests: int
    failed: str

    def __str__(self) -> str:
        counts = f"{self.orders:>8}  {self.finalized:>8}  {self.requests:>8}"
        return f"{self.nth:>3}  {self.when:<6}  {self.request:<18}  {counts}  {self.failed}"


_HEAD = f"{'#':>3}  {'kill':<6}  {'request':<18}  {'newOrder':>8}  {'finalize':>8}  {'requests':>8}"


def killed_at(place: Place, request: str, nth: int, *, after: bool, webroot: bool) -> Row:
    """Kills at this request, or at the nth of all, then makes the same call."""
    killer = Killer(nth, after=after)
    with place.open(f"{request}{nth}-{after}-{webroot}", killer, webroot=webroot) as world:
        if not nth:
            killer.kill_at(request, after=after)
        first = world.run()
        assert first.status == -9, first
        request, before = killer.asked[-1], len(killer.asked)
        killer.stop()
        again = world.again()
        failed = again.err.strip()
        if not failed:
            world.check_pair()
            failed = problems(world, again.out)
        counts = world.spent("newOrder"), world.spent("finalize"), len(killer.asked) - before
        return Row(before, "after" if after else "before", request, *counts, failed)


def problems(world: World, result: str) -> str:
    found = [f"left: {world.left}"] if world.left else []
    if world.kept.read(f"certificates/{world.name}/pending") is not None:
        found.append("something is pending")
    if "clean_up_failed {}" not in result:
        found.append(result[result.find("clean_up_failed") :])
    return "; ".join(found)


def requests_of(place: Place, *, webroot: bool) -> list[str]:
    killer = Killer()
    with place.open(f"whole-{webroot}", killer, webroot=webroot) as world:
        outcome = world.run()
        assert outcome.status == 0, outcome
        assert world.left == []
    return killer.asked


@pytest.mark.parametrize("how", ["webroot", "dns"])
def test_killed_at_every_request_then_the_same_call(place_of_any_store: Place, how: str) -> None:
    place, webroot = place_of_any_store, how == "webroot"
    if ALL:
        asked = requests_of(place, webroot=webroot)
        points = [(request, nth, after) for nth, request in enumerate(asked, 1) for after in (False, True)]
    else:
        wanted = _SHORT if webroot else (("provider /present", True), ("provider /cleanup", False))
        if place.new_database:
            wanted = [("finalize", True)] if webroot else pytest.skip("make kill-table STORE=postgresql")
        points = [(request, 0, after) for request, after in wanted]
    with ThreadPoolExecutor(2 if ALL else 1) as pool:  # the short form has one process for all that is called again
        rows = list(pool.map(lambda one: killed_at(place, one[0], one[1], after=one[2], webroot=webroot), points))
    print("", how, _HEAD, *rows, sep="\n")
    wrong = [row for row in rows if row.failed or row.orders != 1 or row.finalized != 1]
    print(f"{len(wrong)} of {len(rows)} spent more, or left something")
    assert not wrong, "\n".join(map(str, wrong))


# ---- the account's key ----

NEXT = ("get_account_key", "change_account_key", "obtain_certificate")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("command", NEXT)
def test_a_change_of_the_accounts_key_that_died_is_finished(place: Place, tcl: Tcl, command: str, after: bool) -> None:
    """By whoever comes next: the CA knows which key it has."""
    killer, successor = Killer(), new_key()
    with place.open(f"key-{command}-{after}", killer, webroot=True) as world:
        assert world.again().status == 0
        directory, options = world.proxy.directory, {"store": world.store}
        first = tcl.acme("get_account_key", directory, **options)
        change = ["change_account_key", directory, first, successor]
        change += ["-store", str(world.store), "-ca_bundle", str(world.ca_bundle)]
        killer.kill_at("keyChange", after=after)
        assert world.run(words=change).status == -9
        killer.stop()
        clients.reset()
        asked = len(killer.asked)
        if command == "get_account_key":
            assert tcl.acme(command, directory, **options) == (successor if after else first)
            assert killer.asked[asked:].count("newAccount") == 1
        elif command == "change_account_key":
            assert tcl.dict(command, directory, first, successor, **options)["status"] == "valid"
        else:
            tcl.acme(command, ["other.example"], directory=directory, webroot=world.webroot, **options)
        known = successor if after or command == "change_account_key" else first
        assert tcl.acme("get_account_key", directory, **options) == known
        assert tcl.dict("get_account", directory, known)["status"] == "valid"
        assert not list(world.store.glob("accounts/*/next.*"))
        asked = len(killer.asked)
        tcl.acme("get_account_key", directory, **options)
        assert killer.asked[asked:] == []


# ---- what a dead process left ----


def killed_when(world: World, what: str, *, after: bool) -> None:
    world.killer.kill_at(what, after=after)
    assert world.run().status == -9
    world.killer.stop()


def test_without_the_providers_credentials_the_result_names_the_record(place: Place, tcl: Tcl) -> None:
    with place.open("bare", Killer(), webroot=False) as world:
        killed_when(world, "challenge", after=False)
        (record,) = world.provider.records
        bare = replace(world, webroot=place.new_webroot())
        again = bare.again()
        assert again.status == 0, again.err
        bare.check_pair()
        assert world.provider.records == [record]
        (failed,) = tcl.dicts(tcl.as_dict(again.out)["clean_up_failed"])
        assert failed["domain"] == world.name
        assert failed["record"] == f"_acme-challenge.{world.name}"
        assert world.provider.url in failed["message"]
        assert world.spent("newOrder") == 1


def test_a_file_in_another_webroot_is_removed(place: Place) -> None:
    with place.open("moved", Killer(), webroot=True) as world:
        killed_when(world, "challenge", after=False)
        (path,) = [Path(str(path)) for path in world.left]
        again = replace(world, webroot=place.new_webroot()).again()
        assert "clean_up_failed {}" in again.out, again
        assert not path.exists()


def test_a_file_that_somebody_else_put_there_stays(place: Place) -> None:
    with place.open("foreign", Killer(), webroot=True) as world:
        killed_when(world, "challenge", after=False)
        (path,) = [Path(str(path)) for path in world.left]
        path.write_text("somebody else's")
        again = replace(world, webroot=place.new_webroot()).again()
        assert "clean_up_failed {}" in again.out, again
        assert path.read_text() == "somebody else's"


def test_a_webroot_that_is_gone_has_nothing_to_remove(place: Place) -> None:
    with place.open("gone", Killer(), webroot=True) as world:
        killed_when(world, "challenge", after=False)
        assert world.webroot
        shutil.rmtree(world.webroot)
        again = replace(world, webroot=place.new_webroot()).again()
        assert "clean_up_failed {}" in again.out, again


# ---- an order that cannot be taken up ----


def test_an_order_that_became_invalid_starts_afresh(place: Place) -> None:
    """The challenge was answered, and nobody was left for the CA to ask."""
    with place.open("invalid", Killer(), webroot=True) as world:
        killed_when(world, "challenge", after=False)
        (path,) = [Path(str(path)) for path in world.left]
        path.write_text("wrong")
        killed_when(replace(world, webroot=place.nowhere), "challenge", after=True)
        again = world.again()
        assert again.status == 0, again.err
        world.check_pair()
        assert (world.spent("newOrder"), world.spent("finalize")) == (2, 1)
        assert "warnings {}" in again.out


def test_a_ca_without_a_list_of_orders_is_asked_for_one_more(place: Place) -> None:
    """No client can know the order whose answer was lost."""

    def without_orders(response: Response) -> Response:
        document = json.loads(response.body)
        document.pop("orders", None)
        return replace(response, body=json.dumps(document).encode())

    with place.open("listless", Killer(), webroot=True) as world:
        killed_when(world, "newOrder", after=True)
        world.proxy.rules.insert(0, Rule(actions.change(without_orders), path="account", times=None))
        again = world.again()
        assert again.status == 0, again.err
        assert (world.spent("newOrder"), world.spent("finalize")) == (2, 1)


def test_a_list_of_orders_that_does_not_come_leaves_time_for_another(place: Place) -> None:
    """A third of the call's time is for it, 10 seconds at most."""
    with place.open("slow", Killer(), webroot=True) as world:
        killed_when(world, "newOrder", after=True)
        world.proxy.rules.insert(0, Rule(actions.deliver_then_hang(), path="orders", times=None))
        again = world.again(world.command(**{"-timeout": 9}))
        assert again.status == 0, again.err
        assert (world.spent("newOrder"), world.spent("finalize")) == (2, 1)


def test_other_names_take_nothing_up(place: Place) -> None:
    """But what was presented for the first is removed."""
    with place.open("other", Killer(), webroot=True) as world:
        killed_when(world, "challenge", after=False)
        words = world.command()
        again = world.again([words[0], f"{world.name} www.{world.name}", *words[2:]])
        assert again.status == 0, again.err
        assert world.left == []
        assert (world.spent("newOrder"), world.spent("finalize")) == (2, 1)


# ---- several at once ----


@pytest.mark.parametrize("count", [2, 10] if ALL else [2])
def test_processes_at_once_on_one_name_place_one_order(place_of_any_store: Place, tcl: Tcl, count: int) -> None:
    place = place_of_any_store
    if place.new_database and not ALL:
        pytest.skip("make kill-table STORE=postgresql")
    with place.open(f"{count} at once", Killer(), webroot=True) as world:
        children = [world.start() for _ in range(count)]
        ended = [(child.communicate(timeout=60), child.returncode) for child in children]
        assert [status for _, status in ended] == [0] * count, ended
        assert sorted(tcl.as_dict(out)["issued"] for (out, _), _ in ended) == ["0"] * (count - 1) + ["1"]
        assert (world.spent("newAccount"), world.spent("newOrder"), world.spent("finalize")) == (1, 1, 1)
        world.check_pair()


# ---- a database that ends in the midst ----


def test_a_database_that_restarts_in_the_midst_of_an_issuance(place: Place, postgresql: PostgreSQL) -> None:
    """Its connections are cut at one request, and it is killed at another: the call goes on."""
    in_database = replace(place, new_database=lambda: postgresql.create_database(f"killed{next(_NUMBERS)}"))
    with in_database.open("restarted", Killer(), webroot=True) as world:
        done = []
        for path, act in (("challenge", postgresql.cut_connections), ("finalize", postgresql.crash)):

            def first(exchange: Exchange, path: str = path, act: Callable[[], None] = act) -> None:
                act()
                done.append(path)
                exchange.send(exchange.deliver())

            world.proxy.rules.insert(0, Rule(first, path=path, times=1))
        outcome = world.again()
        assert outcome.status == 0, outcome.err
        assert done == ["challenge", "finalize"]
        world.check_pair()
        assert problems(world, outcome.out) == ""
        assert "issued 0" in world.again().out


@pytest.mark.skipif(not ALL, reason="make kill-table STORE=postgresql")
@pytest.mark.parametrize("request_path", ["newOrder", "challenge", "finalize", "certificate"])
def test_a_database_that_stays_away_loses_nothing(
    place: Place, postgresql: PostgreSQL, request_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call fails; when the database is back, the same call takes the order up, or the certificate."""
    monkeypatch.setenv("TOSSL_LEASE_SECONDS", "5")
    in_database = replace(place, new_database=lambda: postgresql.create_database(f"killed{next(_NUMBERS)}"))
    with in_database.open(f"away-{request_path}", Killer(), webroot=True, **{"-timeout": 8}) as world:

        def first(exchange: Exchange) -> None:
            answer = exchange.deliver()
            postgresql.kill()
            exchange.send(answer)

        world.proxy.rules.insert(0, Rule(first, path=request_path, times=1))
        try:
            failed = world.run()
        finally:
            postgresql.start()
        assert failed.status == 1, failed
        outcome = world.run(words=world.command(**{"-timeout": 60}))
        assert outcome.status == 0, outcome.err
        world.check_pair()
        assert world.killer.served.count("newOrder") <= 1


# ---- two stores with one account ----


def twin_of(place: Place, world: World) -> World:
    """Another store with the account of this one, for the same names."""
    folder = place.folder / "twin"
    shutil.copytree(world.store / "accounts", folder / "store" / "accounts", symlinks=True)
    return replace(world, store=folder / "store", webroot=place.new_webroot())


@pytest.mark.parametrize("after", [False, True], ids=["unseen", "placed"])
def test_another_stores_order_is_not_the_lost_one(place: Place, after: bool) -> None:
    """Nobody can tell them apart, but none of the two fails, and each gets a certificate for its own key."""
    with place.open(f"first-{after}", Killer(), webroot=True) as world:
        killed_when(world, "newOrder", after=after)
        twin = twin_of(place, world)
        killed_when(twin, "challenge", after=False)
        for one in (world, twin):
            again = one.again()
            assert again.status == 0, again.err
            one.check_pair()
            assert "issued 1" in again.out
            assert "issued 0" in one.again().out
            assert not list(one.store.glob("certificates/*/unusable-*"))


def test_an_order_that_another_store_takes_meanwhile_is_given_up(place: Place) -> None:
    """The CA issues for the other's key: this one asks anew, in the same call."""
    with place.open("meanwhile", Killer(), webroot=True) as world:
        killed_when(world, "newOrder", after=False)
        twin = twin_of(place, world)
        outcomes = []

        def first_the_other(exchange: Exchange) -> None:
            outcomes.append(world.run())
            exchange.send(exchange.deliver())

        world.proxy.rules.insert(0, Rule(first_the_other, path="challenge", times=1))
        outcomes.append(twin.run())
        for outcome, one in zip(outcomes, (world, twin), strict=True):
            assert outcome.status == 0, outcome.err
            one.check_pair()


def test_an_order_is_kept_before_its_authorization_is_asked_for(place: Place) -> None:
    """Whoever is killed from then on knows the order."""
    with place.open("known", Killer(), webroot=True) as world:
        records: list[str] = []

        def read(exchange: Exchange) -> None:
            pending = world.kept.read(f"certificates/{world.name}/pending") or {}
            records.append(str(json.loads(pending["attempt.json"])["order"]))
            exchange.send(exchange.deliver())

        world.proxy.rules.insert(0, Rule(read, path="authorization", times=1))
        assert world.again().status == 0
        assert "/my-order/" in records[0]
