"""What a store in PostgreSQL refuses, and says: rights, tables of others, full disks, wrong URLs; never a password."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import traceback
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.databases import NAME, NEW, SET, child, context, long, refused, write
from tests.servers.postgresql import PgBouncer, PostgreSQL
from tests.tclhost import Tcl
from tossl_acme.context import Context
from tossl_acme.context.farewell import running
from tossl_acme.errors import ArgumentError, TosslError, WaitTimeout
from tossl_acme.store.postgresql import database, schema, wire
from tossl_acme.store.postgresql.failures import RefusedError, explained_failure, failed_connection
from tossl_acme.store.postgresql.store import PostgreSQLStore
from tossl_acme.store.postgresql.url import DatabaseUrl
from tossl_acme.store.registry import open_store


@pytest.fixture
def store(database_url: str) -> PostgreSQLStore:
    return PostgreSQLStore(database_url)


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
def test_a_standby(own_postgresql: PostgreSQL) -> None:
    store = PostgreSQLStore(own_postgresql.url)
    write(store, SET)
    own_postgresql.run("ALTER DATABASE tossl SET default_transaction_read_only = on")
    database.reset()
    store = PostgreSQLStore(own_postgresql.url)
    assert store.read(NAME) == SET
    assert "is read-only, as a standby is: name the primary" in refused(lambda: write(store, NEW))
    # Of several servers the one that can be written to is taken, whichever is named first.
    with PostgreSQL() as other, socket.create_server(("127.0.0.1", 0)) as silent:
        other.run(f"ALTER ROLE tossl PASSWORD '{own_postgresql.password}'")
        hosts = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{own_postgresql.port},127.0.0.1:{other.port}"
        write(PostgreSQLStore(f"postgresql://tossl:{own_postgresql.password}@{hosts}/tossl"), NEW)
        assert PostgreSQLStore(other.url_of("tossl", password=own_postgresql.password)).read(NAME) == NEW
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
def small_disk(own_postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 6 MB, where the server has its values."""
    folder = own_postgresql.folder / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size=6m,uid={own_postgresql.folder.stat().st_uid}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield folder
    finally:
        own_postgresql.stop()
        subprocess.run(["umount", "-l", str(folder)], check=True)


@long
def test_a_disk_that_is_full(own_postgresql: PostgreSQL, small_disk: Path) -> None:
    """A clear error, nothing lost, and success once there is space."""
    store = PostgreSQLStore(own_postgresql.url)
    write(store, SET)
    own_postgresql.run(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    own_postgresql.run("ALTER TABLE tossl.set_values SET TABLESPACE small", "tossl")
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
