"""The sets in a database. schema.py says in which tables, leases.py how they are locked."""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager

from ...context import Context
from ...errors import ArgumentError
from ...files import FilePath
from ...log import DEBUG
from ...log import event as log_event
from ..protocol import Lock, check_name, check_values, put_locked
from .database import database_of
from .leases import (
    FREE,
    HELD,
    HELD_AT_LAST,
    WAS_FREE,
    Lease,
    array_of,
    change_at_once,
    context_of_lease,
    lease_here,
    leased,
    sets_in,
)
from .schema import read_rows
from .url import DatabaseUrl
from .wire import Rows, Wire

#: Sets that are read at once, where all of each is wanted, and where some of its values are.
_PAGE_SETS, _PAGE_VALUES = 50, 500
#: Days after which nobody is told any more of a deletion, and hours within which a cursor of changes() is to be used.
_PRUNE = "interval '1 day'"
_CURSOR_HOURS = 12
_MOST_DIGITS = 18

_READ = """
SELECT v.name, v.content FROM tossl.sets s LEFT JOIN tossl.set_values v ON v.set_name = s.name
WHERE s.name = $1::text AND NOT s.is_deleted"""
_READ_SOME = """
SELECT v.name, v.content FROM tossl.sets s
LEFT JOIN tossl.set_values v ON v.set_name = s.name AND v.name = ANY ($2::text[])
WHERE s.name = $1::text AND NOT s.is_deleted"""
#: A page of sets, those behind a name: a statement sees each of them whole.
_READ_PAGE = """
SELECT s.name, v.name, v.content
FROM (SELECT name FROM tossl.sets WHERE above = $1::text AND name > $2::text AND NOT is_deleted
      ORDER BY name LIMIT $3::text::integer) s
LEFT JOIN tossl.set_values v ON v.set_name = s.name AND ($4::text = 'all' OR v.name = ANY ($5::text[]))
ORDER BY s.name"""
#: Some sets, whole, or some values of each.
_READ_MANY = """
SELECT s.name, v.name, v.content FROM tossl.sets s
LEFT JOIN tossl.set_values v ON v.set_name = s.name AND ($2::text = 'all' OR v.name = ANY ($3::text[]))
WHERE s.name = ANY ($1::text[]) AND NOT s.is_deleted"""
_LIST = "SELECT name FROM tossl.sets WHERE above = $1::text AND NOT is_deleted ORDER BY name"
_NAMES = "SELECT name FROM tossl.sets WHERE NOT is_deleted ORDER BY name"
_IDENTITY = """
SELECT extract(epoch FROM pg_postmaster_start_time())::text, oid::text
FROM pg_catalog.pg_database WHERE datname = current_database()"""
_TIME = "SELECT extract(epoch FROM clock_timestamp())::text"
_VERSION = "SELECT epoch || '.' || writes FROM tossl.sets WHERE name = $1::text AND NOT is_deleted"
#: Transactions commit in another order than they begin: changed since a snapshot is what none that had ended then did.
_CHANGES = f"""
WITH now AS (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS least,
                    pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS most,
                    extract(epoch FROM clock_timestamp())::bigint AS seconds)
SELECT least || '.' || seconds,
       ($1::text = '' OR (nullif($1::text, '')::bigint <= most
                          AND $2::text::bigint > seconds - {_CURSOR_HOURS} * 3600))::text
FROM now
UNION ALL
SELECT s.name, '' FROM now, tossl.sets s
WHERE $1::text <> '' AND s.changed_in >= nullif($1::text, '')::bigint AND s.changed_in < most"""
#: What a change puts where `held` has a row.
_PUT = """
kept AS (
    INSERT INTO tossl.sets AS s (name, above, epoch, writes, changed_in, changed_at, is_deleted)
    SELECT $5::text, $6::text, epoch, writes, pg_current_xact_id()::text::bigint, clock_timestamp(), false FROM held
    ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, writes = excluded.writes,
        changed_in = excluded.changed_in, changed_at = excluded.changed_at, is_deleted = false
), written AS (
    INSERT INTO tossl.set_values (set_name, name, content)
    SELECT $5::text, new.name, new.content FROM held, unnest($7::text[], $8::text::bytea[]) AS new (name, content)
    ON CONFLICT (set_name, name) DO UPDATE SET content = excluded.content
)"""
_REST = f"""
{_PUT}, dropped AS (
    DELETE FROM tossl.set_values v USING held WHERE v.set_name = $5::text AND v.name <> ALL ($7::text[])
)
SELECT count(*)::text FROM held"""
_WRITE, _WRITE_AT_LAST = f"WITH {HELD}, {_REST}", f"WITH {HELD_AT_LAST}, {_REST}"
_PUT_AT_ONCE = f"""
WITH {FREE}, {_PUT}
SELECT {WAS_FREE}"""
_GONE = f"""
gone AS (
    UPDATE tossl.sets s SET is_deleted = true, epoch = held.epoch, writes = held.writes,
        changed_in = pg_current_xact_id()::text::bigint, changed_at = clock_timestamp()
    FROM held WHERE (s.name = $5::text OR ($6::text = 'parts' AND s.above = $5::text)) AND NOT s.is_deleted
    RETURNING s.name
), dropped AS (
    DELETE FROM tossl.set_values v USING gone WHERE v.set_name = gone.name
), forgotten AS (
    DELETE FROM tossl.sets WHERE name IN (
        SELECT name FROM tossl.sets WHERE is_deleted AND changed_at < (SELECT clock_timestamp() - {_PRUNE})
        ORDER BY changed_at LIMIT 100 FOR UPDATE SKIP LOCKED)
), expired AS (
    DELETE FROM tossl.leases WHERE name IN (
        SELECT name FROM tossl.leases WHERE expires < (SELECT clock_timestamp() - {_PRUNE})
        ORDER BY expires LIMIT 100 FOR UPDATE SKIP LOCKED)
)
SELECT count(*)::text FROM held"""
_DELETE, _DELETE_AT_LAST = f"WITH {HELD}, {_GONE}", f"WITH {HELD_AT_LAST}, {_GONE}"


class PostgreSQLStore:
    """A Store in a PostgreSQL database; nothing is made there before it is first written to.

    Raises ArgumentError "store" for a URL that cannot be read.
    """

    #: Whether other machines may use it too.
    is_shared = True

    def __init__(self, url: str) -> None:
        self._url = DatabaseUrl(url)
        self._database = database_of(self._url)

    # ---- reading ----

    def read(self, name: str, only: Collection[str] | None = None) -> dict[str, bytes] | None:
        check_name(name)
        lease = lease_here(self._database, name)
        if lease is not None:
            return _some(lease.found(name), only)
        if (ahead := self._database.ahead.found(name)) is not None:
            return _some(ahead.get(name), only)
        words = (name,) if only is None else (name, array_of(_sendable(only)))
        rows = self._rows(_READ if only is None else _READ_SOME, *words)
        log_event("tossl.store", DEBUG, f"read {name}" if rows else f"there is no {name} to read")
        return {value.decode(): content for value, content in rows if value} if rows else None

    def read_all(
        self, prefix: str, only: Collection[str] | None = None
    ) -> Iterator[tuple[str, dict[str, bytes] | ArgumentError]]:
        check_name(prefix)
        log_event("tossl.store", DEBUG, f"read {prefix}")
        count = _PAGE_SETS if only is None else _PAGE_VALUES
        which = ("all", "{}") if only is None else ("some", array_of(_sendable(only)))
        last = ""
        while True:
            rows = self._rows(_READ_PAGE, prefix, last, str(count), *which)
            found = sets_in(rows)
            yield from found.items()
            if len(found) < count:
                return
            last = max(found)

    def read_many(
        self, names: Collection[str], only: Collection[str] | None = None
    ) -> dict[str, dict[str, bytes] | ArgumentError]:
        return {**self._sets(names, only)}

    @contextlib.contextmanager
    def reading_ahead(self, names: Collection[str]) -> Iterator[None]:
        with self._database.ahead.kept(names, self._sets(names)):
            yield

    def _sets(self, names: Collection[str], only: Collection[str] | None = None) -> dict[str, dict[str, bytes]]:
        for name in names:
            check_name(name)
        which = ("all", "{}") if only is None else ("some", array_of(_sendable(only)))
        rows = self._rows(_READ_MANY, array_of([*names]), *which) if names else []
        log_event("tossl.store", DEBUG, f"read {' '.join(names)}")
        return sets_in(rows)

    def list(self, prefix: str) -> list[str]:
        check_name(prefix)
        found = [name.decode() for (name,) in self._rows(_LIST, prefix)]
        log_event("tossl.store", DEBUG, f"listed {prefix}", sets=len(found))
        return found

    def names(self) -> builtins.list[str]:
        """Returns the names of all sets and parts, sorted."""
        return [name.decode() for (name,) in self._rows(_NAMES)]

    def version(self, name: str) -> str:
        check_name(name)
        rows = self._rows(_VERSION, name)
        return rows[0][0].decode() if rows else ""

    def changes(self, since: str) -> tuple[str, frozenset[str]] | None:
        least, _, seconds = since.partition(".")
        if since and not all(_is_number(part) for part in (least, seconds)):
            return None
        rows = self._rows(_CHANGES, least, seconds or "0")
        if not rows:
            return ("0.0", frozenset()) if not since else None
        (cursor, counts), *changed = rows
        if counts != b"true":
            return None
        return cursor.decode(), frozenset(name.decode() for name, _ in changed)

    def where(self, name: str, value: str = "") -> str:
        return f"{name}/{value} in {self._url.shown}" if value else f"{name} in {self._url.shown}"

    def identity(self) -> str:
        """Returns what distinguishes the database: of all servers this one alone began in that microsecond."""
        return ".".join(each.decode() for each in self._rows(_IDENTITY)[0])

    def time(self) -> float:
        """Returns what the database's clock says, by which leases go too."""
        return float(self._rows(_TIME)[0][0])

    def path_of(self, name: str, value: str = "") -> FilePath | None:
        """Returns None: it has no files."""
        return None

    def _rows(self, statement: str, *values: str) -> Rows:
        """Returns a statement's rows; none where no table is made yet."""

        def work(context: Context, wire: Wire) -> Rows:
            return read_rows(context, wire, self._url, statement, *values)

        return self._database.call(work, context_of_lease(self._database))

    # ---- writing ----

    def locked(self, context: Context, name: str, within: float | None = None) -> AbstractContextManager[Lock]:
        check_name(name)
        self._database.ahead.forget_all()
        return leased(self._database, context, name, within)

    def write(self, lock: Lock, values: Mapping[str, bytes], part: str = "", *, ends: bool = False) -> None:
        check_values(values)
        lease = self._held(lock, part)
        name = f"{lease.name}/{part}" if part else lease.name
        with _Logged(lease.context, f"wrote {' '.join(values)} of", name):
            self._database.ahead.forget(name)
            lease.change(_WRITE_AT_LAST if ends else _WRITE, *_words_of(name, values), ends=ends)
            lease.keep(name, values)

    def put(self, context: Context, name: str, values: Mapping[str, bytes]) -> None:
        check_name(name)
        check_values(values)
        self._database.ahead.forget(name)
        with _Logged(context, f"put {' '.join(values)} into", name):
            is_put = change_at_once(self._database, context, name, _PUT_AT_ONCE, *_words_of(name, values))
        if not is_put:
            put_locked(self, context, name, values)

    def delete(self, lock: Lock, part: str = "", *, ends: bool = False) -> None:
        lease = self._held(lock, part)
        name = f"{lease.name}/{part}" if part else lease.name
        with _Logged(lease.context, "deleted", name):
            self._database.ahead.forget(name)
            lease.change(_DELETE_AT_LAST if ends else _DELETE, name, "" if part else "parts", ends=ends)
            lease.keep(name, None)

    def _held(self, lock: Lock, part: str) -> Lease:
        if part:
            check_name(part)
        if not isinstance(lock, Lease) or lock.database is not self._database:
            raise ArgumentError("store", f"{lock.name} is not locked in {self._url.shown}")
        return lock


class _Logged:
    """A `with` for a change of a set or a part of it: its line in the log."""

    def __init__(self, context: Context, done: str, name: str) -> None:
        self._context = context
        self._done = done
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None:
            self._context.event("tossl.store", DEBUG, f"{self._done} {self._name}")
        elif isinstance(error, ArgumentError):
            self._context.event("tossl.store", DEBUG, f"could not change {self._name}: {error.message}")


def _some(values: Mapping[str, bytes] | None, only: Collection[str] | None) -> dict[str, bytes] | None:
    return None if values is None else {key: values[key] for key in values if only is None or key in only}


def _words_of(name: str, values: Mapping[str, bytes]) -> tuple[str, ...]:
    """Returns what a statement that writes takes: the set, what is above it, and its values."""
    contents = "{" + ",".join(f'"\\\\x{content.hex()}"' for content in values.values()) + "}"
    return name, name.rpartition("/")[0], array_of([*values]), contents


def _is_number(text: str) -> bool:
    """Returns whether the database takes it for a number."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _sendable(names: Collection[str]) -> list[str]:
    """Returns those of the names that a value can have; the database takes no others."""
    return [name for name in names if name.isascii() and name.isprintable()]
