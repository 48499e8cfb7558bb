"""An issuance into a database that fails it at a statement, at each in turn: nothing is lost, or spent twice."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.killing import Killer, Outcome, World, opened
from tests.servers.certs import Certificates
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.postgresql import PostgreSQL
from tests.servers.relay import Relay
from tests.servers.sinks import ChallTestSrvSink
from tossl_acme.context import Context
from tossl_acme.context.farewell import context_here
from tossl_acme.store.postgresql import database, wire

pytestmark = pytest.mark.skipif(os.environ.get("TOSSL_TEST_ALL") != "1", reason="make test-postgresql")

_NUMBERS = itertools.count(1)
#: More than any issuance takes.
_MOST = 100


@pytest.fixture
def open_world(
    calm_pebble: Pebble, certificates: Certificates, challtestsrv: ChallTestSrv, tmp_path: Path
) -> Callable[[PostgreSQL, int], AbstractContextManager[World]]:
    """Opens a world whose store is a database of the server without tables, at this port."""

    def make(server: PostgreSQL, port: int) -> AbstractContextManager[World]:
        server.run("DROP SCHEMA IF EXISTS tossl CASCADE", "tossl")
        folder, sink, url = (
            tmp_path / f"{next(_NUMBERS)}",
            ChallTestSrvSink(challtestsrv),
            server.url_of("tossl", port=port),
        )
        return opened(folder, calm_pebble.directory, certificates, sink, Killer(), url=url)

    return make


@pytest.fixture
def relay(postgresql: PostgreSQL) -> Iterator[Relay]:
    with Relay(postgresql.port) as relayed:
        yield relayed
        database.reset()


def issued(world: World, nth: int, happen: Callable[[], object], **options: object) -> tuple[Outcome, bool]:
    """What came of an issuance in which something happens before the nth statement, and whether there was that one."""
    plain, own_thread, seen = wire.Wire.execute, threading.current_thread(), 0

    def execute(own: wire.Wire, context: Context, statement: str, *values: str | bytes) -> wire.Rows:
        nonlocal seen
        if threading.current_thread() is own_thread:  # not the one that renews
            seen += 1
            if seen == nth:
                happen()
        return plain(own, context, statement, *values)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(wire.Wire, "execute", execute)
        patched.setattr("tests.killing.ALL", False)  # in this process
        outcome = world.again(world.command(**{f"-{name}": value for name, value in options.items()}))
    database.reset()
    return outcome, seen >= nth


@pytest.mark.parametrize(("way", "step"), [("answer lost", 2), ("cut", 5), ("terminated", 5), ("silent", 5)])
def test_a_connection_lost_at_any_statement(
    open_world: Callable[[PostgreSQL, int], AbstractContextManager[World]],
    postgresql: PostgreSQL, relay: Relay, way: str, step: int, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(wire, "_ANSWER_SECONDS", 0.5)
    happen = {
        "answer lost": relay.lose_next_answer,
        "cut": relay.cut,
        "terminated": postgresql.cut_connections,
        "silent": relay.silence,
    }[way]
    for nth in range(1, _MOST, step):
        with open_world(postgresql, relay.port) as world:
            outcome, was_there = issued(world, nth, happen)
            assert outcome.status == 0, (nth, outcome.err)
            assert [world.spent(each) for each in ("newAccount", "newOrder", "finalize")] == [1, 1, 1]
            world.check_pair()
            if not was_there:
                break
    assert nth > 5 * step


@pytest.mark.parametrize("way", ["timeout", "cancelled"])
def test_a_database_that_falls_silent_for_good(
    open_world: Callable[[PostgreSQL, int], AbstractContextManager[World]],
    postgresql: PostgreSQL, relay: Relay, way: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The call ends by its time limit or its cancellation, soon; once the database is back, another ends its work."""
    monkeypatch.setenv("TOSSL_LEASE_SECONDS", "3")

    def darken() -> None:
        relay.darken()
        if way == "cancelled":
            call = context_here()
            assert call is not None
            threading.Timer(0.2, call.cancel).start()

    for nth in range(5, _MOST, 6):
        with open_world(postgresql, relay.port) as world:
            ended = threading.Timer(12, os.kill, (os.getpid(), signal.SIGABRT))
            ended.start()
            outcome, was_there = issued(world, nth, darken, timeout=2 if way == "timeout" else 60)
            ended.cancel()
            relay.light()
            assert (outcome.status == 0) != was_there, nth
            expected = "waiting for the database: postgresql://tossl@127.0.0.1" if way == "timeout" else "cancelled"
            assert not was_there or expected in outcome.err
            orders = world.spent("newOrder")
            again, _ = issued(world, 0, relay.cut)
            assert again.status == 0, (nth, again.err)
            # One more where the order itself could not be kept.
            assert world.spent("newOrder") <= max(orders, 1) + 1
            assert world.spent("finalize") == 1
            assert world.left == []
            world.check_pair()
            if not was_there:
                break
    assert nth > 40


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_server_that_is_restarted_at_any_statement(
    open_world: Callable[[PostgreSQL, int], AbstractContextManager[World]], how: signal.Signals
) -> None:
    with PostgreSQL() as own, ThreadPoolExecutor(1) as pool:  # its thread lives as long as the server
        started: list[Future[PostgreSQL]] = []

        def restart() -> None:
            own.stop(how)
            started.append(pool.submit(own.start))

        for nth in range(3, _MOST, 8):
            with open_world(own, own.port) as world:
                outcome, was_there = issued(world, nth, restart)
                assert outcome.status == 0, (nth, outcome.err)
                assert [world.spent(each) for each in ("newAccount", "newOrder", "finalize")] == [1, 1, 1]
                world.check_pair()
                if not was_there:
                    break
                started[-1].result()
        assert nth > 40
