"""The tables, in a schema of their own, made and brought up to date by whoever first writes.

tossl.format      the version of the rest: a database of a later one is not touched
tossl.sets        a row for each set or part, also for one that was deleted lately
tossl.set_values  their values
tossl.leases      a row for each lock: who holds it, and until when by the database's clock
"""

from __future__ import annotations

from ...context import Context
from ...errors import ArgumentError
from ...text import quoted
from .failures import RefusedError, explained_failure
from .url import DatabaseUrl
from .wire import Rows, Wire

#: Of the lock under which one process alone makes tables: "tossl" in hexadecimal.
_LOCK = str(0x746F73736C)
#: The statements that lead from each version to the next.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE tossl.format (version integer NOT NULL)",
        """CREATE TABLE tossl.sets (
            name text COLLATE "C" PRIMARY KEY,
            above text COLLATE "C" NOT NULL,
            epoch bigint NOT NULL,
            writes bigint NOT NULL,
            changed_in bigint NOT NULL,
            changed_at timestamptz NOT NULL,
            is_deleted boolean NOT NULL)""",
        "CREATE INDEX sets_above ON tossl.sets (above, name)",
        "CREATE INDEX sets_changed_in ON tossl.sets (changed_in)",
        "CREATE INDEX sets_deleted ON tossl.sets (changed_at) WHERE is_deleted",
        """CREATE TABLE tossl.set_values (
            set_name text COLLATE "C" NOT NULL REFERENCES tossl.sets ON DELETE CASCADE,
            name text COLLATE "C" NOT NULL,
            content bytea NOT NULL,
            PRIMARY KEY (set_name, name))""",
        """CREATE TABLE tossl.leases (
            name text COLLATE "C" PRIMARY KEY,
            epoch bigint NOT NULL,
            claim text NOT NULL,
            holder text NOT NULL,
            writes bigint NOT NULL,
            expires timestamptz NOT NULL)""",
        "CREATE INDEX leases_expires ON tossl.leases (expires)",
        "INSERT INTO tossl.format VALUES (1)",
    ),
)
_VERSION = "SELECT max(version)::text, extract(epoch FROM clock_timestamp())::text FROM tossl.format"


def version_of(context: Context, wire: Wire, url: DatabaseUrl, steps: tuple[tuple[str, ...], ...] = STEPS) -> int:
    """Returns the version of the tables, 0 without any; the wire knows the server's time then.

    Raises ArgumentError "store" for a later one.
    """
    try:
        rows = wire.execute(context, _VERSION)
    except RefusedError as error:
        if error.is_missing:
            return 0
        raise
    wire.take_time(float(rows[0][1]))
    text = rows[0][0].decode("ascii", "replace") or "0"
    if not text.isdigit():
        raise ArgumentError("store", f"the store in {url.shown} is damaged: its schema tossl has format {quoted(text)}")
    version = int(text)
    if version > len(steps):
        cause = f"its schema tossl has format {version}, this tossl knows format {len(steps)} and those before"
        raise ArgumentError("store", f"the store in {url.shown} is of a later version: {cause}")
    return version


def read_rows(context: Context, wire: Wire, url: DatabaseUrl, statement: str, *values: str) -> Rows:
    """Returns a statement's rows, none without tables. Raises ArgumentError "store" where one of these is gone."""
    try:
        return wire.execute(context, statement, *values)
    except RefusedError as error:
        if not error.is_missing:
            raise
    if not version_of(context, wire, url):
        return []
    try:
        return wire.execute(context, statement, *values)  # somebody may have made them in this moment
    except RefusedError as error:
        raise explained_failure(error, url) from None


def make_tables(context: Context, wire: Wire, url: DatabaseUrl, steps: tuple[tuple[str, ...], ...] = STEPS) -> None:
    """Makes the tables, or brings them up to date, in one transaction; others wait for it."""
    if version_of(context, wire, url, steps) == len(steps):
        return
    # Else it would not see what another process made while it waited.
    wire.execute(context, "BEGIN ISOLATION LEVEL READ COMMITTED")
    try:
        wire.execute(context, f"SELECT pg_advisory_xact_lock({_LOCK})")
        version = 0
        if wire.execute(
            context, "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = 'tossl' AND tablename = 'format'"
        ):
            version = version_of(context, wire, url, steps)
        elif not wire.execute(context, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'tossl'"):
            wire.execute(context, "CREATE SCHEMA tossl")
        for step in steps[version:]:
            for statement in step:
                wire.execute(context, statement)
        if 0 < version < len(steps):
            wire.execute(context, f"UPDATE tossl.format SET version = {len(steps)}")
        wire.execute(context, "COMMIT")
    except (RefusedError, ArgumentError):
        wire.execute(context, "ROLLBACK")
        raise
    version_of(context, wire, url, steps)
