"""What libpq and the server refuse, in this package's terms: one table."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import ArgumentError
from ...text import clean
from .url import DatabaseUrl


class RefusedError(Exception):
    """The server refused a statement. state: its SQLSTATE. statement: with which word it begins, for a few of them."""

    def __init__(self, state: str, message: str, role: str, database: str, *, statement: str = "") -> None:
        super().__init__(state)
        self.state = state
        self.message = message
        self.role = role
        self.database = database
        self.statement = statement

    @property
    def is_missing(self) -> bool:
        """Returns whether the tables, or their schema, are not there."""
        return self.state in ("42P01", "3F000")

    @property
    def is_transient(self) -> bool:
        """Returns whether the same statement may succeed in a moment: on another connection, or behind another's."""
        return (
            self.is_read_only
            or self.state.startswith(("08", "57P", "40"))
            or self.state in ("53300", "25P03", "25P04", "55P03")
        )

    @property
    def is_read_only(self) -> bool:
        """Returns whether this server is one that can be read alone, as the primary is behind its own failover."""
        return self.state == "25006"


class BrokenError(Exception):
    """There is no connection, or it broke: whether the server has done what it was sent is not known.

    is_final: whether another attempt would meet the same. is_there: whether a server has said so, which is only not
    ready for more.
    """

    def __init__(self, message: str, *, is_final: bool = False, is_there: bool = False) -> None:
        super().__init__("broken")
        self.message = message
        self.is_final = is_final
        self.is_there = is_there

    @property
    def is_transient(self) -> bool:
        return not self.is_final


class _Row(NamedTuple):
    """The beginning of a SQLSTATE, and the sentence about the database; empty: the server's own words."""

    state: str
    sentence: str


_MAY_CREATE = (
    "the role {role} may not make the schema tossl in {url}: run GRANT CREATE ON DATABASE {database} TO {role}, "
    "or CREATE SCHEMA tossl AUTHORIZATION {role}"
)
_MAY_USE = (
    "the role {role} lacks rights on the schema tossl in {url} ({reason}): its owner runs "
    "GRANT USAGE ON SCHEMA tossl TO {role}; "
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tossl TO {role}"
)
_NOT_OURS = "the tables in the schema tossl of {url} are not those of this version of tossl: {reason}"
#: The first row that fits counts.
_ROWS = (
    _Row("25006", "{url} is read-only, as a standby is: name the primary"),
    _Row("42501", _MAY_USE),
    _Row("42703", _NOT_OURS),
    _Row("42P", _NOT_OURS),
    _Row("42804", _NOT_OURS),
    _Row("42883", "{url} cannot do what tossl needs, PostgreSQL 13 or later can: {reason}"),
    _Row("53100", "{url} has no space left on its disk: {reason}; nothing was written"),
    _Row("53", "{url} is out of resources: {reason}"),
    _Row("57014", "{url} cut the statement short: {reason}; nothing was written"),
    _Row("", "{url} refused: {reason}"),
)
#: In libpq's words about a connection that failed: those of a server that is there, and may have one later.
_IS_THERE = (
    "starting up", "shutting down", "recovery", "too many", "remaining connection slots", "not yet accepting",
    "terminating", "pause", "login failed", "login has been failing", "cannot connect", "conn crashed",
    "no more connections", "query_wait_timeout",
)  # fmt: skip
#: Those that another attempt would meet, too. Whatever else is said, also in another language, may pass.
_IS_FINAL = (
    "password", "authentication", "does not exist", "pg_hba.conf", "permission", "certificate", "not support",
    "was required", "encryption required", "invalid", "unsupported", "unrecognized", "not found", "must be",
    "not permitted", "not allowed", "no such user", "no such database", "private key", "syntax error",
)  # fmt: skip


def failed_connection(words: str, *, needs_password: bool = False) -> BrokenError:
    """Returns the error for libpq's words about a connection that failed."""
    lower = words.lower()
    is_there = any(each in lower for each in _IS_THERE)
    is_final = needs_password or any(each in lower for each in _IS_FINAL)
    return BrokenError(words, is_final=is_final and not is_there, is_there=is_there)


def lost_connection(words: str) -> BrokenError:
    """Returns the error for libpq's words about a connection that was there.

    A pooler lends one that it does not have yet; what it says then comes before libpq's words about the end.
    """
    lines = words.removeprefix("consuming input failed: ").splitlines()
    ends = next((number for number, line in enumerate(lines) if number and line.startswith("server closed")), None)
    said = "; ".join(line.strip() for line in lines[:ends])
    is_there = any(each in said.lower() for each in _IS_THERE)
    return BrokenError(said, is_final="pooling mode" in said, is_there=is_there)


def explained_failure(error: RefusedError | BrokenError, url: DatabaseUrl) -> ArgumentError:
    """Returns this package's error in the place of one below it."""
    reason = url.without_secrets(error.message)
    if isinstance(error, BrokenError):
        return ArgumentError("store", f"no connection to {url.shown}: {reason}")
    sentence = next(row.sentence for row in _ROWS if error.state.startswith(row.state))
    if error.state == "42501" and error.statement == "CREATE":  # its words may be in another language
        sentence = _MAY_CREATE
    role, database = _sql_name(error.role), _sql_name(error.database)
    return ArgumentError("store", sentence.format(url=url.shown, role=role, database=database, reason=reason))


def _sql_name(name: str) -> str:
    """Returns a name as a statement has it: somebody may paste what a message says."""
    return '"' + clean(name).replace('"', '""') + '"'
