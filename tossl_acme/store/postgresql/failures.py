"""What libpq and the server refuse, in this package's terms: one table."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import ArgumentError
from .url import DatabaseUrl


class RefusedError(Exception):
    """The server refused a statement. state: its SQLSTATE."""

    def __init__(self, state: str, message: str, role: str, database: str) -> None:
        super().__init__(state)
        self.state = state
        self.message = message
        self.role = role
        self.database = database

    @property
    def is_missing(self) -> bool:
        """Returns whether the tables, or their schema, are not there."""
        return self.state in ("42P01", "3F000")

    @property
    def is_transient(self) -> bool:
        """Returns whether the same statement may succeed in a moment: on another connection, or behind another's."""
        return self.state.startswith(("08", "57P", "40")) or self.state in ("53300", "25P03", "25P04", "55P03")


class BrokenError(Exception):
    """There is no connection, or it broke: whether the server has done what it was sent is not known.

    is_final: whether another attempt would meet the same.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__("broken")
        self.message = message
        self.is_final = is_final

    @property
    def is_transient(self) -> bool:
        return not self.is_final


class _Row(NamedTuple):
    """The beginning of a SQLSTATE, and the sentence about the database; empty: the server's own words."""

    state: str
    sentence: str


_MAY_CREATE = (
    'the role "{role}" may not make the schema tossl in {url}: run GRANT CREATE ON DATABASE "{database}" TO "{role}", '
    'or CREATE SCHEMA tossl AUTHORIZATION "{role}"'
)
_MAY_USE = (
    'the role "{role}" lacks rights on the schema tossl in {url} ({reason}): its owner runs '
    'GRANT USAGE ON SCHEMA tossl TO "{role}"; '
    'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tossl TO "{role}"'
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
#: In libpq's words about a connection that failed: those that say that the server may come, or come back.
_MAY_COME = (
    "refused", "timeout", "timed out", "closed the connection", "starting up", "shutting down", "recovery", "too many",
    "remaining connection slots", "reset by peer", "unreachable", "no route", "could not receive", "could not send",
    "cannot connect", "conn crashed", "not yet accepting", "terminating", "no such file", "broken pipe", "read-only",
    "not read-write", "hot standby", "pause", "temporary failure", "login failed",
)  # fmt: skip


def may_come(words: str) -> bool:
    """Returns whether a connection may be had later, by libpq's words about the one that failed."""
    lower = words.lower()
    return any(each in lower for each in _MAY_COME)


def explained_failure(error: RefusedError | BrokenError, url: DatabaseUrl) -> ArgumentError:
    """Returns this package's error in the place of one below it."""
    reason = url.without_secrets(error.message)
    if isinstance(error, BrokenError):
        return ArgumentError("store", f"no connection to {url.shown}: {reason}")
    sentence = next(row.sentence for row in _ROWS if error.state.startswith(row.state))
    if error.state == "42501" and "for database" in error.message:
        sentence = _MAY_CREATE
    return ArgumentError(
        "store", sentence.format(url=url.shown, role=error.role, database=error.database, reason=reason)
    )
