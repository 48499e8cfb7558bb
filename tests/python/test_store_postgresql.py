"""What holds of a store in PostgreSQL alone: leases, and lost connections."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.databases import ALL, NAME, NEW, OTHER, SET, child, context, long, refused, write
from tests.forked import in_child
from tests.servers.postgresql import PgBouncer, PostgreSQL
from tests.servers.relay import Relay
from tossl_acme.context import Context
from tossl_acme.context.farewell import running
from tossl_acme.errors import ArgumentError, Cancelled, WaitTimeout
from tossl_acme.store.postgresql import database, leases, wire
from tossl_acme.store.postgresql.store import PostgreSQLStore
from tossl_acme.store.postgresql.url import DatabaseUrl


@pytest.fixture
def store(database_url: str) -> PostgreSQLStore:
    return PostgreSQLStore(database_url)


@pytest.fixture
def relay(postgresql: PostgreSQL) -> Iterator[Relay]:
    postgresql.empty()
    with Relay(postgresql.port) as relayed:
        yield relayed
        database.reset()


_HOLDER = """
import sys
from tossl_acme.context import Context
from tossl_acme.errors import TosslError
from tossl_acme.store.postgresql.store import PostgreSQLStore
store = PostgreSQLStore(sys.argv[1])
with store.locked(Context(60).begin(), "certificates/example.com") as lock:
    store.write(lock, {"cert.pem": b"first"})
    print("held", flush=True)
    sys.stdin.readline()
    late = {"cert.pem": b"late"}
    for change in (lambda: store.write(lock, late), lambda: store.write(lock, late, "a"), lambda: store.delete(lock)):
        try:
            change()
            print("wrote", flush=True)
        except TosslError as error:
            print(error.errorcode, error.message, flush=True)
"""


def _expired(url: str) -> None:
    """Returns once no lease counts any more, by the database's clock."""
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute("SELECT 1 FROM tossl.leases WHERE expires > clock_timestamp()").fetchone():
            connection.execute("SELECT pg_sleep(0.05)")


def test_whoever_takes_a_lock_that_is_released_meanwhile_reads_what_was_written(
    postgresql: PostgreSQL, store: PostgreSQLStore
) -> None:
    """The statement that takes it began before the holder's last change, and waits for that."""
    write(store, SET)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(postgresql.url) as holder:
        holder.execute("UPDATE tossl.leases SET writes = writes + 1 WHERE name = %s", [NAME])
        holder.execute("UPDATE tossl.set_values SET content = 'late' WHERE set_name = %s", [NAME])

        def read() -> dict[str, bytes] | None:
            with store.locked(context(), NAME):
                return store.read(NAME)

        reading = pool.submit(read)
        with psycopg.connect(postgresql.url, autocommit=True) as other:
            is_waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%tossl.leases%'"
            while not other.execute(is_waiting).fetchone():
                other.execute("SELECT pg_sleep(0.01)")
        holder.commit()
        assert reading.result() == dict.fromkeys(SET, b"late")


@pytest.mark.parametrize(
    ("way", "is_taken"),
    [
        ("postgresql", True),
        pytest.param("postgresql", False, marks=long),
        pytest.param("pgbouncer", True, marks=long),
        pytest.param("pgbouncer", False, marks=long),
    ],
)
def test_a_holder_that_was_stopped_writes_nothing(
    request: pytest.FixtureRequest, postgresql: PostgreSQL, way: str, is_taken: bool
) -> None:
    """Whether a successor has it by then, which is in the midst of its work, or nobody."""
    postgresql.empty()
    server: PostgreSQL | PgBouncer = request.getfixturevalue(way)
    url = server.url_of("tossl")
    store = PostgreSQLStore(postgresql.url)
    with child(_HOLDER, url, TOSSL_LEASE_SECONDS="1") as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGSTOP)
        try:
            with store.locked(context(), NAME) if is_taken else contextlib.nullcontext() as lock:
                if lock:
                    store.write(lock, NEW)
                else:
                    _expired(postgresql.url)
                os.kill(holder.pid, signal.SIGCONT)
                told, _ = holder.communicate("\n")
        finally:
            holder.kill()
    assert len(told.splitlines()) == 3
    for line in told.splitlines():
        assert line.startswith("('TOSSL', 'VALUE', 'store') the lock of certificates/example.com in postgresql://")
        assert "nothing was written" in line
    assert store.read(NAME) == (NEW if is_taken else {"cert.pem": b"first"})


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ("expires = clock_timestamp()", "it was not renewed for 60 s"),
        ("claim = 'x', holder = 'another'", "another has had it since"),
        ("epoch = epoch + 1", "it was not renewed"),
        ("claim = 'x', expires = clock_timestamp()", "another process has had it since"),
    ],
)
def test_every_change_looks_at_its_lease(store: PostgreSQLStore, database_url: str, change: str, cause: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection, store.locked(context(), NAME) as lock:
        store.write(lock, SET)
        store.write(lock, SET, "pending")
        connection.execute(f"UPDATE tossl.leases SET writes = 0, {change}")  # type: ignore[arg-type]
        for late in (
            lambda: store.write(lock, NEW),
            lambda: store.write(lock, NEW, "pending"),
            lambda: store.delete(lock),
        ):
            assert f"is lost: {cause}" in refused(late)
        assert (store.read(NAME), store.read(f"{NAME}/pending")) == (SET, SET)


def test_a_thread_renews_what_counts_and_nothing_else(
    store: PostgreSQLStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOSSL_LEASE_SECONDS", "1")
    with psycopg.connect(database_url, autocommit=True) as connection, store.locked(context(), NAME) as lock:
        expires = "SELECT expires FROM tossl.leases"
        first = connection.execute(expires).fetchone()
        while connection.execute(expires).fetchone() == first:
            connection.execute("SELECT pg_sleep(0.01)")
        connection.execute("UPDATE tossl.leases SET expires = clock_timestamp()")
        leases.renew_leases()
        assert "is lost: it was not renewed" in refused(lambda: store.write(lock, SET))


@long
def test_a_lease_is_renewed_while_it_is_held(store: PostgreSQLStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """For more than twice its time; another process that wants it waits until it is released."""
    monkeypatch.setenv("TOSSL_LEASE_SECONDS", "3")
    waiting = threading.Event()

    def listen(step: dict[str, object]) -> None:
        if step["step"] == "lock":
            assert str(step["holder"]).startswith(f"process {os.getpid()} on ")
            waiting.set()

    def take() -> dict[str, bytes] | None:
        with store.locked(Context(20).begin(listener=listen), NAME):
            return store.read(NAME)

    with ThreadPoolExecutor(1) as pool, store.locked(context(), NAME) as lock:
        pending = pool.submit(take)
        assert waiting.wait(10)
        with pytest.raises(TimeoutError):
            pending.result(6.5)
        store.write(lock, NEW)
    assert pending.result() == NEW


@long
def test_a_holder_that_died_is_followed(postgresql: PostgreSQL, store: PostgreSQLStore) -> None:
    with child(_HOLDER, postgresql.url, TOSSL_LEASE_SECONDS="1") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
    with store.locked(context(), NAME) as lock:
        assert store.read(NAME) == {"cert.pem": b"first"}
        store.write(lock, NEW)


@pytest.mark.parametrize("word", ["x", "0", "-1", "nan", "1e9"])
def test_what_is_no_time_of_a_lease(store: PostgreSQLStore, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("TOSSL_LEASE_SECONDS", word)
    assert "TOSSL_LEASE_SECONDS must be" in refused(lambda: write(store, SET))


def test_no_statement_is_done_twice_whose_answer_is_lost(relay: Relay, postgresql: PostgreSQL) -> None:
    """The answers of lock, write, deletion and release get lost in turn: what was done is seen, and not done again."""
    store = PostgreSQLStore(postgresql.url_of("tossl", port=relay.port))
    write(store, SET)
    seen = [store.version(NAME)]

    @contextlib.contextmanager
    def lost_answer() -> Iterator[None]:
        relay.lose_next_answer()
        yield
        assert relay.has_lost.wait(10)

    for number in range(3):
        entered = store.locked(context(), NAME)
        with lost_answer():
            lock = entered.__enter__()
        with lost_answer():
            store.write(lock, {"n": b"%d" % number})
        assert store.read(NAME) == {"n": b"%d" % number}
        seen.append(store.version(NAME))
        with lost_answer():
            store.write(lock, SET, "pending")
        with lost_answer():
            store.delete(lock, "pending")
        assert store.read(f"{NAME}/pending") is None
        with lost_answer():
            entered.__exit__(None, None, None)
    assert seen == sorted(set(seen), key=lambda version: [*map(int, version.split("."))])
    assert [version.partition(".")[2] for version in seen] == ["1"] * 4


def test_what_the_end_of_a_call_cuts_off_is_kept_all_the_same(store: PostgreSQLStore) -> None:
    """A key, or an order's URL: the call is cancelled while its statement is on the way."""
    over, plain = context(60), wire.Wire.execute

    def cancelled(self: wire.Wire, context: Context, statement: str, *values: str | bytes) -> wire.Rows:
        over.cancel()
        return plain(self, context, statement, *values)

    with store.locked(over, NAME) as lock, pytest.MonkeyPatch.context() as patched:
        patched.setattr(wire.Wire, "execute", cancelled)
        store.write(lock, SET)
        store.write(lock, NEW)
    assert store.read(NAME) == NEW


def test_a_call_that_is_over_is_kept_once_by_a_database_that_is_silent(
    relay: Relay, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by each thing that it still does: a write, what it keeps of its failure, and the release of its locks."""
    grace = 1.0
    monkeypatch.setattr(database, "_GRACE_SECONDS", grace)
    store = PostgreSQLStore(postgresql.url_of("tossl", port=relay.port))
    call = context(60)
    with store.locked(call, NAME) as lock, store.locked(call, OTHER) as other:
        relay.darken()
        call.cancel()
        begun_at = time.monotonic()
        for held in (lock, other):
            with pytest.raises(Cancelled):
                store.write(held, SET)
        for _ in range(3):
            with (
                pytest.raises(WaitTimeout, match=r"the database: .* does not answer"),
                store.locked(call.for_cleanup(10), "limits/x"),
            ):
                raise AssertionError
    assert time.monotonic() - begun_at < 4 * grace
    relay.light()
    # Cleaning up for a call that goes on waits as long as it may.
    postgresql.cut_connections()
    with store.locked(context(60).for_cleanup(10), "limits/x") as cleaning:
        store.write(cleaning, SET)


def test_a_change_that_comes_late_changes_nothing(store: PostgreSQLStore, database_url: str) -> None:
    """A statement that was on its way when its connection was cut arrives behind the next one of the same holder."""
    sent: list[tuple[str, tuple[str | bytes, ...]]] = []
    with store.locked(context(), NAME) as lock:
        plain = wire.Wire.execute

        def noting(self: wire.Wire, context: Context, statement: str, *values: str | bytes) -> wire.Rows:
            sent.append((statement, values))
            return plain(self, context, statement, *values)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(wire.Wire, "execute", noting)
            store.write(lock, SET)
            store.write(lock, NEW)
        statement, values = sent[0]
        same = database.database_of(DatabaseUrl(database_url))
        assert same.within(5, lambda context, wire: wire.execute(context, statement, *values)) == [(b"0",)]
        assert store.read(NAME) == NEW


@pytest.mark.parametrize("way", ["cut", pytest.param("silent", marks=long), pytest.param("terminated", marks=long)])
def test_a_lost_connection_is_taken_up_again(
    relay: Relay, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(wire, "_ANSWER_SECONDS", 0.5)
    store = PostgreSQLStore(postgresql.url_of("tossl", port=relay.port))
    write(store, SET)

    def lose() -> None:
        if way == "cut":
            relay.cut()
        elif way == "silent":
            relay.silence()
        else:
            postgresql.cut_connections()

    for _ in range(3):
        lose()
        assert store.read(NAME) == SET
    lose()
    with store.locked(context(), NAME) as lock:
        lose()
        store.write(lock, NEW)
        lose()
        assert store.read(NAME) == NEW
        lose()
        store.delete(lock)
        lose()
    lose()
    assert store.list("certificates") == []


def test_a_server_that_is_killed_and_comes_back(postgresql: PostgreSQL, store: PostgreSQLStore) -> None:
    """In the midst of writes; each that returned is there."""
    number = 0
    with store.locked(context(60), NAME) as lock:
        for _ in range(4 if ALL else 1):
            killed = threading.Event()

            def crash() -> None:
                postgresql.kill()
                killed.set()
                postgresql.start()

            with ThreadPoolExecutor(1) as pool:
                restarted = pool.submit(crash)
                while not killed.is_set():
                    number += 1
                    store.write(lock, {"n": b"%d" % number})
                    assert store.read(NAME) == {"n": b"%d" % number}
                store.write(lock, {"n": b"%d" % number})
                restarted.result()
            assert store.read(NAME) == {"n": b"%d" % number}


@long
def test_a_server_that_stays_away(own_postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    store = PostgreSQLStore(own_postgresql.url)
    write(store, SET)
    with store.locked(context(1), NAME) as lock:
        own_postgresql.kill()
        with pytest.raises(WaitTimeout) as timed_out:
            store.write(lock, NEW)
        assert timed_out.value.errorcode == ("TOSSL", "TIMEOUT", "the database")
        assert "Connection refused" in timed_out.value.message
    monkeypatch.setattr(database, "READ_SECONDS", 0.5)
    assert "Connection refused" in refused(lambda: store.read(NAME))
    own_postgresql.start()
    assert store.read(NAME) == SET
    # What could not be released is released now, long before its time is over.
    write(store, NEW)


def test_a_silent_server_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes connections and says nothing: a call ends by its time limit and by its cancellation."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = PostgreSQLStore(f"postgresql://u:sesame@127.0.0.1:{silent.getsockname()[1]}/x")
        with pytest.raises(WaitTimeout) as timed_out:
            write(store, SET, 0.1)
        assert "sesame" not in timed_out.value.message
        whole = context(60)
        cancelling = threading.Timer(0.1, whole.cancel)
        cancelling.start()
        with running(whole), pytest.raises(Cancelled):
            store.read(NAME)
        cancelling.join()
        monkeypatch.setattr(database, "READ_SECONDS", 0.1)
        assert "does not answer" in refused(lambda: store.read(NAME))


@long
def test_many_begin_with_an_empty_database(postgresql: PostgreSQL) -> None:
    """Ten processes make the tables, and count together, however careful the database is with its transactions."""
    url = postgresql.create_database("begun")
    postgresql.run("ALTER DATABASE begun SET default_transaction_isolation = 'serializable'")
    script = """
import sys
from tossl_acme.context import Context
from tossl_acme.store.postgresql.store import PostgreSQLStore
store = PostgreSQLStore(sys.argv[1])
sys.stdin.readline()
with store.locked(Context(30).begin(), "certificates/count") as lock:
    found = int((store.read("certificates/count") or {"n": b"0"})["n"])
    store.write(lock, {"n": b"%d" % (found + 1)})
"""
    children = [child(script, url) for _ in range(10)]
    for each in children:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    for each in children:
        each.communicate()
        assert each.returncode == 0
    assert PostgreSQLStore(url).read("certificates/count") == {"n": b"10"}
    database.reset()


def test_a_forked_child_leaves_the_connections_to_its_parent(store: PostgreSQLStore) -> None:
    with store.locked(context(), NAME) as lock:
        store.write(lock, SET)

        def in_its_child() -> bool:
            reads = store.read(NAME) == SET
            with pytest.raises(ArgumentError, match="is lost"):
                store.write(lock, NEW)
            with store.locked(context(), OTHER) as own_lock:
                store.write(own_lock, NEW)
            return reads

        assert in_child(in_its_child) == "True"
        store.write(lock, NEW)
    assert (store.read(NAME), store.read(OTHER)) == (NEW, NEW)


@long
def test_connections_are_few_and_closed_when_idle(
    store: PostgreSQLStore, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_IDLE_SECONDS", 0.2)
    store = PostgreSQLStore(f"{postgresql.url}?application_name=few")

    def open_now() -> int:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'few'"
        return int(postgresql.run(asked))

    with ThreadPoolExecutor(16) as pool:
        done = [pool.submit(write, store, SET, 20, f"certificates/{number}") for number in range(24)]
        most = open_now()
        for each in done:
            each.result()
    assert 0 < most <= 4
    ends = time.monotonic() + 20
    while open_now():
        assert time.monotonic() < ends
    assert len(store.list("certificates")) == 24


def test_another_connection_where_one_leads_to_a_standby(store: PostgreSQLStore, postgresql: PostgreSQL) -> None:
    """As after a failover, when connections stay where they were, or the name does for a moment."""
    write(store, SET)
    made = database.database_of(DatabaseUrl(postgresql.url))
    made.within(5, lambda context, wire: wire.execute(context, "SET default_transaction_read_only = on"))
    write(store, NEW)
    assert store.read(NAME) == NEW


def set_clock_back(database_url: str, by: str) -> None:
    """As far as leases tell."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"UPDATE tossl.leases SET expires = expires + interval '{by}'")


@pytest.mark.parametrize("back", ["50 minutes", "14 hours", "3 days"])
def test_what_is_released_stays_so_where_the_clock_is_set_back(
    store: PostgreSQLStore, database_url: str, back: str
) -> None:
    write(store, SET)
    set_clock_back(database_url, back)
    write(store, NEW, 5)
    set_clock_back(database_url, back)
    store.put(context(5), NAME, {"cert.pem": b"4"})
    assert store.read(NAME) == {"cert.pem": b"4"}


def test_whoever_died_holds_nothing_for_as_long_as_the_clock_was_ahead(
    store: PostgreSQLStore, database_url: str
) -> None:
    with store.locked(context(), NAME) as lock:
        set_clock_back(database_url, "2 hours")
        with ThreadPoolExecutor(1) as others:
            others.submit(write, store, SET, 5).result()
        assert "another process has had it since; nothing was written" in refused(lambda: store.write(lock, NEW))
    assert store.read(NAME) == SET


@pytest.mark.parametrize("is_cancelled", [False, True], ids=["in time", "cancelled"])
def test_a_statement_that_was_given_up_undoes_nothing_that_came_since(
    is_cancelled: bool, store: PostgreSQLStore, database_url: str
) -> None:
    """The server's process stands still, or the network; the value is put by another connection, and a newer one.

    Where the call was cancelled, its time is not over when the statement is done.
    """
    store.put(context(), NAME, {"cert.pem": b"0"})
    made = database.database_of(DatabaseUrl(database_url))
    ((pid,),) = made.within(5, lambda context, wire: wire.execute(context, "SELECT pg_backend_pid()::text"))
    os.kill(int(pid), signal.SIGSTOP)
    try:
        first = context(60 if is_cancelled else 0.5)
        threading.Timer(1.0, first.cancel if is_cancelled else lambda: None).start()
        store.put(first, NAME, {"cert.pem": b"1"})
        assert store.read(NAME) == {"cert.pem": b"1"}
        store.put(context(), NAME, {"cert.pem": b"2"})
    finally:
        os.kill(int(pid), signal.SIGCONT)
    with psycopg.connect(database_url, autocommit=True) as connection:
        while connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (int(pid),)).fetchone():
            connection.execute("SELECT pg_sleep(0.02)")
    assert store.read(NAME) == {"cert.pem": b"2"}


def test_a_holder_whose_machine_has_an_odd_name(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    postgresql.run("CREATE DATABASE latin OWNER tossl ENCODING LATIN1 TEMPLATE template0")
    monkeypatch.setattr(socket, "gethostname", lambda: "h\u2603\udce9")
    store = PostgreSQLStore(postgresql.url_of("latin"))
    with store.locked(context(), NAME) as lock:
        assert lock.holder == f"process {os.getpid()} on h??"
        store.write(lock, SET)
    database.reset()


def test_a_lost_answer_and_then_a_lost_lease(relay: Relay, postgresql: PostgreSQL) -> None:
    """The change was done, and somebody else has come: nobody is told that nothing was written."""
    store = PostgreSQLStore(postgresql.url_of("tossl", port=relay.port))
    plain, seen = wire.Wire.execute, 0

    def disturbed(self: wire.Wire, context: Context, statement: str, *values: str | bytes) -> wire.Rows:
        nonlocal seen
        if "set_values" not in statement or values[0] != NAME:
            return plain(self, context, statement, *values)
        seen += 1
        if seen == 2:
            postgresql.run("UPDATE tossl.leases SET claim = 'x', holder = 'another', epoch = epoch + 1", "tossl")
        return plain(self, context, statement, *values)

    with store.locked(context(), NAME) as lock, pytest.MonkeyPatch.context() as patched:
        patched.setattr(wire.Wire, "execute", disturbed)
        relay.lose_next_answer()
        said = refused(lambda: store.write(lock, NEW))
    assert "is lost: another has had it since; whether this was written before that is not known" in said
    assert store.read(NAME) == NEW


def test_a_long_array_of_odd_names(store: PostgreSQLStore) -> None:
    with store.locked(context(), NAME) as lock:
        store.write(lock, SET)
    odd = ['"', "\\", "{}", "NULL", "a,b", "\0", "\xe9", "", "cert.pem"]
    assert store.read(NAME, odd) == {"cert.pem": b"1"}
    assert list(store.read_all("certificates", odd)) == [(NAME, {"cert.pem": b"1"})]


def test_more_sets_than_a_page(store: PostgreSQLStore, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO tossl.sets SELECT 'certificates/' || n, 'certificates', 1, 1, 1, now(), n % 7 = 0"
            " FROM generate_series(1, 1203) n"
        )
        connection.execute("INSERT INTO tossl.set_values SELECT name, 'n', convert_to(name, 'UTF8') FROM tossl.sets")
    expected = sorted(f"certificates/{n}" for n in range(1, 1204) if n % 7)
    for only in (None, ("n",)):
        assert list(store.read_all("certificates", only)) == [(name, {"n": name.encode()}) for name in expected]
    assert store.list("certificates") == store.names() == expected


def test_cursors_of_changes(store: PostgreSQLStore, database_url: str) -> None:
    first = store.changes("")
    assert first is not None
    cursor, _ = first
    for foreign in ("x", "1", "1.x", "-1.2", f"{'9' * 40}.1", f"{10**17}.{cursor.partition('.')[2]}", "1.1"):
        assert store.changes(foreign) is None
    # One that began first and ends last is not missed.
    with psycopg.connect(database_url) as slow:
        slow.execute("INSERT INTO tossl.sets VALUES ('certificates/slow', 'certificates', 1, 1,"
                     " pg_current_xact_id()::text::bigint, now(), false)")  # fmt: skip
        write(store, SET)
        between = store.changes(cursor)
        assert between is not None
        assert between[1] == {NAME}
        slow.commit()
    after = store.changes(between[0])
    assert after is not None
    assert "certificates/slow" in after[1]
    for _ in range(3):
        again = store.changes(after[0])
        assert again is not None
    assert again[1] == frozenset()


def test_what_is_long_gone_leaves_no_row(store: PostgreSQLStore, database_url: str) -> None:
    for name in (NAME, OTHER):
        write(store, SET, name=name)
        with store.locked(context(), name) as lock:
            store.delete(lock)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE tossl.sets SET changed_at = now() - interval '2 days'")
        connection.execute("UPDATE tossl.leases SET expires = now() - interval '2 days'")
        with store.locked(context(), "certificates/third") as lock:
            store.write(lock, SET)
            store.delete(lock)
        left = [connection.execute(f"SELECT name FROM tossl.{table}").fetchall() for table in ("sets", "leases")]
    assert left == [[("certificates/third",)], [("certificates/third",)]]
    write(store, NEW)
    assert store.read(NAME) == NEW


def test_leases_end_with_their_blocks(store: PostgreSQLStore, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        held = "SELECT name FROM tossl.leases WHERE expires > clock_timestamp()"
        with pytest.raises(ZeroDivisionError), store.locked(context(), NAME):
            assert connection.execute(held).fetchall() == [(NAME,)]
            raise ZeroDivisionError
        assert connection.execute(held).fetchall() == []
        over = context(60)
        with store.locked(over, NAME):
            over.cancel()
        assert connection.execute(held).fetchall() == []
    assert leases.renew_leases() is None


@long
def test_the_end_of_a_process_releases_its_leases(store: PostgreSQLStore, database_url: str) -> None:
    script = """
import sys
from tossl_acme.context import Context
from tossl_acme.store.postgresql.store import PostgreSQLStore
entered = PostgreSQLStore(sys.argv[1]).locked(Context(60).begin(), "certificates/example.com")
entered.__enter__()
sys.exit()
"""
    child(script, database_url).communicate()
    write(store, NEW, 5)
