"""What holds of a store in PostgreSQL alone: leases, lost connections, rights, and who may see its password."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.forked import in_child
from tests.servers.postgresql import PgBouncer, PostgreSQL
from tests.servers.relay import Relay
from tests.tclhost import Tcl
from tossl_acme.context import Context
from tossl_acme.context.farewell import running
from tossl_acme.errors import ArgumentError, Cancelled, TosslError, WaitTimeout
from tossl_acme.store.postgresql import database, leases, schema, wire
from tossl_acme.store.postgresql.failures import RefusedError, explained_failure, failed_connection
from tossl_acme.store.postgresql.store import PostgreSQLStore
from tossl_acme.store.postgresql.url import DatabaseUrl
from tossl_acme.store.registry import open_store

NAME, OTHER = "certificates/example.com", "certificates/example.org"
SET, NEW = {"cert.pem": b"1", "privkey.pem": b"2"}, {"cert.pem": b"3"}
_ROOT = Path(__file__).parents[2]
_ALL = os.environ.get("TOSSL_TEST_ALL") == "1"
long = pytest.mark.skipif(not _ALL, reason="make test-postgresql")


def context(seconds: float = 20) -> Context:
    return Context(seconds).begin()


@pytest.fixture
def store(database_url: str) -> PostgreSQLStore:
    return PostgreSQLStore(database_url)


@pytest.fixture
def own() -> Iterator[PostgreSQL]:
    """A server of the test's own, which it may end."""
    with PostgreSQL() as server:
        yield server
        database.reset()


@pytest.fixture
def relay(postgresql: PostgreSQL) -> Iterator[Relay]:
    postgresql.empty()
    with Relay(postgresql.port) as relayed:
        yield relayed
        database.reset()


def write(store: PostgreSQLStore, values: dict[str, bytes], seconds: float = 20, name: str = NAME) -> None:
    with store.locked(context(seconds), name) as lock:
        store.write(lock, values)


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(ArgumentError) as caught:
        action()
    assert caught.value.errorcode == ("TOSSL", "VALUE", "store")
    return caught.value.message


def child(script: str, *words: str, **environment: str) -> subprocess.Popen[str]:
    """A process that runs Python over the package."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *words], cwd=_ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip


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
        for _ in range(4 if _ALL else 1):
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
def test_a_server_that_stays_away(own: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    store = PostgreSQLStore(own.url)
    write(store, SET)
    with store.locked(context(1), NAME) as lock:
        own.kill()
        with pytest.raises(WaitTimeout) as timed_out:
            store.write(lock, NEW)
        assert timed_out.value.errorcode == ("TOSSL", "TIMEOUT", "the database")
        assert "Connection refused" in timed_out.value.message
    monkeypatch.setattr(database, "READ_SECONDS", 0.5)
    assert "Connection refused" in refused(lambda: store.read(NAME))
    own.start()
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


# ---- what is refused ----


def test_a_wrong_password(postgresql: PostgreSQL) -> None:
    store = PostgreSQLStore(postgresql.url_of("tossl", password="sesame"))
    said = refused(lambda: store.list("certificates"))
    assert 'password authentication failed for user "tossl"' in said
    assert "sesame" not in said


def test_the_password_from_elsewhere(
    postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bare = f"postgresql://tossl@127.0.0.1:{postgresql.port}/tossl"
    assert "PGPASSWORD" in refused(lambda: PostgreSQLStore(bare).list("certificates"))
    monkeypatch.setenv("PGPASSWORD", postgresql.password)
    assert PostgreSQLStore(bare).list("nothing") == []
    monkeypatch.delenv("PGPASSWORD")
    service = tmp_path / "service.conf"
    service.write_text(f"[fleet]\nhost=127.0.0.1\nport={postgresql.port}\ndbname=tossl\nuser=tossl\n")
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"*:*:*:*:{postgresql.password}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    served = PostgreSQLStore("postgresql://?service=fleet")
    assert served.list("nothing") == []
    passwords.chmod(0o600)
    assert PostgreSQLStore(bare).list("nothing") == []
    passwords.chmod(0o644)
    database.reset()
    said = refused(lambda: PostgreSQLStore(bare).list("nothing"))
    assert f'"{passwords}" does not count' in said
    assert postgresql.password not in said
    assert capfd.readouterr().err == ""
    assert served.where(NAME) == f"{NAME} in postgresql://?service=fleet"


def test_a_role_without_rights(postgresql: PostgreSQL) -> None:
    own, name = postgresql, "rights"
    url = own.create_database(name)
    own.run("CREATE ROLE guest LOGIN PASSWORD 'x'")
    guest = PostgreSQLStore(own.url_of(name, role="guest", password="x"))
    assert 'GRANT CREATE ON DATABASE "rights" TO "guest"' in refused(lambda: write(guest, SET))
    write(PostgreSQLStore(url), SET)
    usage, tables = 'GRANT USAGE ON SCHEMA tossl TO "guest"', "ON ALL TABLES IN SCHEMA tossl"
    grants = f"{usage}; GRANT SELECT, INSERT, UPDATE, DELETE {tables}"
    for action in (lambda: guest.read(NAME), lambda: write(guest, NEW)):
        assert f'{grants} TO "guest"' in refused(action)
    own.run(f'{usage}; GRANT SELECT {tables} TO "guest"', name)
    assert guest.read(NAME) == SET
    assert f'{grants} TO "guest"' in refused(lambda: write(guest, NEW))
    own.run(f'{grants} TO "guest"', name)
    write(guest, NEW)
    assert guest.read(NAME) == NEW
    # Where the tables are, nobody needs the right to make any; where their schema is given, neither.
    own.create_database("given")
    own.run("CREATE SCHEMA tossl AUTHORIZATION guest", "given")
    write(PostgreSQLStore(own.url_of("given", role="guest", password="x")), SET)
    database.reset()


def test_a_later_version_is_not_touched(postgresql: PostgreSQL) -> None:
    url = postgresql.create_database("later")
    store = PostgreSQLStore(url)
    write(store, SET)
    database.reset()
    postgresql.run("UPDATE tossl.format SET version = 99", "later")
    store = PostgreSQLStore(url)
    actions = (lambda: store.read(NAME), lambda: list(store.read_all("certificates")), lambda: write(store, NEW))
    for action in actions:
        assert "is of a later version: its schema tossl has format 99" in refused(action)
    database.reset()


def test_an_earlier_version_is_brought_up_to_date(postgresql: PostgreSQL) -> None:
    """Its sets stay; steps of a version that is to come take the place of today's last."""
    url = DatabaseUrl(postgresql.create_database("earlier"))
    write(PostgreSQLStore(postgresql.url_of("earlier")), SET)
    later = (*schema.STEPS, ("ALTER TABLE tossl.sets ADD COLUMN note text",))

    def make(context: Context, wire: wire.Wire) -> int:
        schema.make_tables(context, wire, url, later)
        schema.make_tables(context, wire, url, later)
        return schema.version_of(context, wire, url, later)

    assert database.database_of(url).within(10, make) == len(later)
    assert postgresql.run("SELECT name, note FROM tossl.sets", "earlier") == f"{NAME}|"
    broken = (*later, ("ALTER TABLE tossl.sets ADD COLUMN other text", "SELECT nonsense"))
    with pytest.raises(ArgumentError):
        database.database_of(url).within(10, lambda context, wire: schema.make_tables(context, wire, url, broken))
    assert postgresql.run("SELECT version FROM tossl.format", "earlier") == str(len(later))
    columns = postgresql.run("SELECT column_name FROM information_schema.columns WHERE table_name = 'sets'", "earlier")
    assert "note" in columns.split()
    assert "other" not in columns.split()
    database.reset()


@pytest.mark.parametrize(
    ("words", "is_final", "is_there"),
    [
        ('FATAL:  password authentication failed for user "x"', True, False),
        ('FATAL:  database "x" does not exist', True, False),
        ("FATAL:  sorry, too many clients already", False, True),
        ("FATAL:  the database system is starting up", False, True),
        ("FATAL:  server login failed: FATAL password authentication failed", False, True),
        ("FATAL:  no more connections allowed (max_client_conn)", False, True),
        ("Connection refused", False, False),
        ("FATAL:  das Datenbanksystem startet", False, False),
        ("DATAL:  tut mir leid, schon zu viele Verbindungen", False, False),
    ],
)
def test_a_connection_that_may_be_had_later(words: str, is_final: bool, is_there: bool) -> None:
    """Words that nobody here knows, as a server's in another language, are no reason to give up."""
    failure = failed_connection(words)
    assert (failure.is_final, failure.is_there) == (is_final, is_there)


def test_a_right_that_is_missing_in_any_language() -> None:
    german = RefusedError("42501", "keine Berechtigung für Datenbank x", "guest", "x", statement="CREATE")
    assert "GRANT CREATE ON DATABASE" in explained_failure(german, DatabaseUrl("postgresql://h/x")).message


def test_what_a_message_has_to_be_run_names_a_role_as_sql_does() -> None:
    odd = RefusedError("42501", "no", 'x"; DROP TABLE y; --', 'a "b"', statement="CREATE")
    said = explained_failure(odd, DatabaseUrl("postgresql://h/x")).message
    assert 'GRANT CREATE ON DATABASE "a ""b""" TO "x""; DROP TABLE y; --", or' in said


def test_connections_that_are_used_up(postgresql: PostgreSQL) -> None:
    """A process waits for those it has, and for those of others."""
    url = postgresql.create_database("limited")
    write(PostgreSQLStore(url), SET)
    database.reset()
    with psycopg.connect(url):
        postgresql.run("ALTER DATABASE limited CONNECTION LIMIT 1")
        store = PostgreSQLStore(url)
        with pytest.raises(WaitTimeout) as timed_out:
            write(store, NEW, 0.5)
        assert "too many connections" in timed_out.value.message
    write(store, NEW)
    database.reset()


@pytest.mark.parametrize(
    ("options", "holds", "said"),
    [
        pytest.param({"max_client_conn": 1}, "", "no more connections allowed", marks=long),
        pytest.param({"default_pool_size": 1, "query_wait_timeout": 1}, "SELECT 1", "query_wait_timeout", marks=long),
    ],
    ids=["clients", "pool"],
)
def test_a_pooler_that_has_no_connection_left(
    postgresql: PostgreSQL, options: dict[str, object], holds: str, said: str
) -> None:
    """A process that begins then waits for it, as for one of the server's."""
    postgresql.empty()
    with PgBouncer(postgresql, **options) as pooler, contextlib.ExitStack() as held:
        other = held.enter_context(psycopg.connect(pooler.url_of("tossl")))
        if holds:
            other.execute(holds)
        store = PostgreSQLStore(pooler.url_of("tossl"))
        with pytest.raises(WaitTimeout, match=said) as timed_out:
            write(store, NEW, 3.5)
        assert "server closed the connection" not in timed_out.value.message
        held.close()
        write(store, NEW)
        database.reset()


@long
def test_a_pooler_that_lends_by_statements(postgresql: PostgreSQL) -> None:
    url = postgresql.create_database("by_statements")
    with PgBouncer(postgresql, pool_mode="statement") as pooler:
        store = PostgreSQLStore(pooler.url_of("by_statements"))
        assert "transaction blocks not allowed in statement pooling mode" in refused(lambda: write(store, NEW))
        write(PostgreSQLStore(url), NEW)
        assert store.read(NAME) == NEW
        database.reset()


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


def test_tables_that_are_not_ours(postgresql: PostgreSQL) -> None:
    url = postgresql.create_database("foreign")
    postgresql.run("CREATE SCHEMA tossl AUTHORIZATION tossl", "foreign")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE tossl.format (version integer)")
        connection.execute("INSERT INTO tossl.format VALUES (1)")
        connection.execute("CREATE TABLE tossl.sets (name text)")
    store = PostgreSQLStore(url)
    assert "are not those of this version of tossl" in refused(lambda: store.list("certificates"))
    database.reset()


@pytest.fixture(scope="module")
def changed_url(postgresql: PostgreSQL) -> str:
    return postgresql.create_database("changed")


@pytest.mark.parametrize(
    ("change", "read", "written"),
    [
        ("DROP TABLE tossl.set_values", "of this version", "of this version"),
        ("DROP TABLE tossl.leases", "", "of this version"),
        ("DROP TABLE tossl.sets CASCADE", "of this version", "of this version"),
        ("DROP TABLE tossl.format", "", "of this version"),
        ("UPDATE tossl.format SET version = -5", 'has format "-5"', 'has format "-5"'),
        ("ALTER TABLE tossl.format ALTER version TYPE text USING 'abc'", 'has format "abc"', 'has format "abc"'),
        ("DROP SCHEMA tossl CASCADE", "", ""),
    ],
    ids=range(7),
)
def test_tables_that_somebody_changed(
    postgresql: PostgreSQL, changed_url: str, change: str, read: str, written: str
) -> None:
    """A missing table is an error: a caller who took it for an empty store would obtain everything anew."""
    url = changed_url
    postgresql.run("DROP SCHEMA IF EXISTS tossl CASCADE", "changed")
    database.reset()
    write(PostgreSQLStore(url), SET)
    postgresql.run(change, "changed")
    for is_new in (False, True):
        if is_new:
            database.reset()
        store = PostgreSQLStore(url)
        if read and (is_new or "format" not in read):
            assert read in refused(lambda: store.read(NAME))
        else:
            store.read(NAME)
    database.reset()
    if written:
        assert written in refused(lambda: write(PostgreSQLStore(url), NEW))
    else:
        write(PostgreSQLStore(url), NEW)
    database.reset()


@long
def test_a_standby(own: PostgreSQL) -> None:
    store = PostgreSQLStore(own.url)
    write(store, SET)
    own.run("ALTER DATABASE tossl SET default_transaction_read_only = on")
    database.reset()
    store = PostgreSQLStore(own.url)
    assert store.read(NAME) == SET
    assert "is read-only, as a standby is: name the primary" in refused(lambda: write(store, NEW))
    # Of several servers the one that can be written to is taken, whichever is named first.
    with PostgreSQL() as other, socket.create_server(("127.0.0.1", 0)) as silent:
        other.run(f"ALTER ROLE tossl PASSWORD '{own.password}'")
        hosts = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{own.port},127.0.0.1:{other.port}"
        write(PostgreSQLStore(f"postgresql://tossl:{own.password}@{hosts}/tossl"), NEW)
        assert PostgreSQLStore(other.url_of("tossl", password=own.password)).read(NAME) == NEW
        database.reset()


def test_what_the_server_says_of_a_full_disk(store: PostgreSQLStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store, SET)
    with store.locked(context(), NAME) as lock:
        with pytest.MonkeyPatch.context() as patched:

            def full(*_: object) -> wire.Rows:
                raise RefusedError("53100", 'could not extend file "base/1": No space left on device', "tossl", "tossl")

            patched.setattr(wire.Wire, "execute", full)
            said = refused(lambda: store.write(lock, NEW))
        assert "has no space left on its disk" in said
        assert store.read(NAME) == SET
        store.write(lock, NEW)
    assert store.read(NAME) == NEW


@pytest.fixture
def small_disk(own: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 6 MB, where the server has its values."""
    folder = own.folder / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size=6m,uid={own.folder.stat().st_uid}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield folder
    finally:
        own.stop()
        subprocess.run(["umount", "-l", str(folder)], check=True)


@long
def test_a_disk_that_is_full(own: PostgreSQL, small_disk: Path) -> None:
    """A clear error, nothing lost, and success once there is space."""
    store = PostgreSQLStore(own.url)
    write(store, SET)
    own.run(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    own.run("ALTER TABLE tossl.set_values SET TABLESPACE small", "tossl")
    filler = small_disk / "filler"
    filler.write_bytes(bytes(4 * 1024 * 1024))
    large = {"privkey.pem": os.urandom(3 * 1024 * 1024)}
    with store.locked(context(), NAME) as lock:
        for change in (lambda: store.write(lock, large), lambda: store.write(lock, large, "pending")):
            said = refused(change)
            assert "has no space left on its disk" in said
            assert "nothing was written" in said
        assert (store.read(NAME), store.read(f"{NAME}/pending")) == (SET, None)
        filler.unlink()
        store.write(lock, large)
    assert store.read(NAME) == large


@pytest.mark.parametrize(
    "word",
    [
        "postgresql://u:se/same@h/x", "postgresql://u:sesame%zz@h/x", "postgresql://u:sesame@h:x/x",
        "postgresql://u:sesame@h/x?nix=1", "postgresql://u:sesame\0@h/x", "postgresql://u:sesame\ud800@h/x",
        "postgresql://u:sesame@h:99999/x", "postgresql://u:sesame",
        "postgresql://u:sesame@a:1,b:2,c:3/x?hostaddr=127.0.0.1", "postgresql://u:se@same@h/x",
        "postgresql:/u:sesame@h/x", "postgres:u:sesame@h/x", " postgresql://u:se@same@h/x",
    ],
    ids=range(13),
)  # fmt: skip
def test_a_url_that_cannot_be_read_is_not_shown(word: str) -> None:
    said = refused(lambda: open_store(word).list("certificates"))
    assert "is no usable URL of a database" in said or "a database is named by postgresql://" in said
    assert "sesame" not in said
    assert "same" not in said


@pytest.mark.parametrize(
    "word", ["mysql://u:sesame@h/x", "https://sesame@h", "postgresqlx://u:sesame@h", "a+b.c-1://sesame"]
)
def test_an_unknown_scheme_is_named(word: str) -> None:
    said = refused(lambda: open_store(word))
    assert said.startswith(f"unknown scheme {word.partition(':')[0]}:// of a store")
    assert "postgresql://" in said
    assert "sesame" not in said


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("postgresql://u:sesame@h:1,[::1]:5432/x", "postgresql://u@h:1,[::1]/x"),
        (" POSTGRES://u:sesame@h/x\n", "postgresql://u@h/x"),
        ("postgresql://u:se%40same@%2Frun%2Fx:7/x", "postgresql://u@%2Frun%2Fx:7/x"),
        ("postgresql://u@/x?host=%40abstract&password=sesame", "postgresql://u@%40abstract/x"),
        ("postgresql://u@h,i/x?port=7", "postgresql://u@h:7,i:7/x"),
        ("postgresql://a%2Fb%40c:sesame@h/%3Fd%23e%25%20\xfc", "postgresql://a%2Fb%40c@h/%3Fd%23e%25%20\xfc"),
        ("postgresql://?service=a%26b", "postgresql://?service=a%26b"),
    ],
)
def test_a_url_is_shown_as_it_can_be_given(word: str, shown: str) -> None:
    assert open_store(word).where(NAME) == f"{NAME} in {shown}"
    assert open_store(shown).where(NAME) == f"{NAME} in {shown}"


@pytest.mark.parametrize(
    "word",
    [
        " postgresql:///u:se@same@h/x", "postgresql:/u:sesame@h/x", "Postgres:u:sesame@h", "postgresql//u:sesame@h/x",
        "host=h dbname=x password=sesame", "password = sesame", " PASSWORD='a sesame' host=/run/x", "service=sesame",
        "jdbc:postgresql://u:sesame@h/x", "u:sesame@h/x", "//u:sesame@h/x", "u:se/same@h/x", "'postgresql://u:sesame@h/x'",
    ],
    ids=range(13),
)  # fmt: skip
def test_a_path_that_is_meant_to_be_a_database(
    tcl: Tcl, word: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would make a folder with a password in its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOSSL_STORE", word)
    failures = [tcl.failure("list_certificates", store=word), tcl.failure("list_certificates")]
    for failure in failures:
        assert failure.code == ("TOSSL", "VALUE", "store")
        assert "same" not in failure.message
    assert "same" not in refused(lambda: open_store(word))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_such_a_name(tcl: Tcl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for word in ("./host=h", f"{tmp_path}/password=x", "./a:b@c", "postgresql", "postgres/x", "host", "a@b", "x=y"):
        assert tcl.acme("list_certificates", store=word) == ""


def test_without_psycopg() -> None:
    script = """
import sys
sys.modules["psycopg"] = None
from tossl_acme.errors import TosslError
from tossl_acme.store.registry import open_store
open_store("/nowhere")
try:
    open_store("postgresql://u:sesame@h/x")
except TosslError as error:
    print(error.errorcode, error.message)
"""
    told, _ = child(script).communicate()
    assert told.startswith("('TOSSL', 'VALUE', 'store') a store in PostgreSQL needs the extra tossl-acme[postgresql]")
    assert "make EXTRAS=postgresql" in told
    assert "sesame" not in told


def test_a_folder_loads_nothing_of_a_database() -> None:
    script = """
import sys
from tossl_acme.files import absolute
from tossl_acme.store.registry import open_store
open_store(absolute("/nowhere-at-all")).list("certificates")
print([name for name in sys.modules if "psycopg" in name or "postgresql" in name])
"""
    assert child(script).communicate()[0] == "[]\n"


def test_no_message_has_the_password(
    postgresql: PostgreSQL, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor has a step, a traceback or the log; not even where the server's own words have it."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(database, "_FIRST_PATIENCE_SECONDS", 0.1)
    secret = "Sesame-0pen"
    postgresql.run(f"CREATE ROLE named LOGIN PASSWORD '{secret}'")
    said: list[object] = []
    for url in (
        postgresql.url_of("tossl", role="named", password=secret),
        postgresql.url_of("tossl", password=secret),
        f"postgresql://tossl:{secret}@127.0.0.1:1/x",
        f"postgresql://127.0.0.1:1/x?password={secret}",
    ):
        store = open_store(url)
        steps = Context(5).begin(listener=said.append)
        with pytest.raises(TosslError) as caught, running(steps), store.locked(steps, NAME):
            raise AssertionError
        said += ["".join(traceback.format_exception(caught.value)), repr(caught.value), repr(store), repr(vars(store))]
        said.append(store.where(NAME, "x"))
    assert secret not in f"{said} {caplog.text}"
    known = DatabaseUrl(f"postgresql://u:{secret}@h/x?sslpassword=other")
    assert known.without_secrets(f'near "{secret}" and other') == 'near "(hidden)" and (hidden)'


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
