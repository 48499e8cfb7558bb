"""TXT values added to a name and removed from it, by value, whatever the API calls a record.

What others put at the name is left alone, and a value that stands already is not added again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..context import Backoff, Context
from ..errors import DnsError, HttpError, TosslError, after_change, before_change
from .api import may_pass
from .hosted import RecordPlace
from .txt import quoted_txt, txt_value

#: Writes of one set, if other programs write it at the same time.
_MOST_WRITES = 4
#: Seconds between two attempts: the first and the longest pause.
_PAUSES_SECONDS = (0.05, 2.0)


class SingleRecords(Protocol):
    """An API in which each TXT value is a record."""

    def listed(self, context: Context, place: RecordPlace) -> Sequence[tuple[str, str]]:
        """Returns (id, content) of each TXT record at the place."""

    def create(self, context: Context, place: RecordPlace, value: str) -> None:
        """Creates a record, by one request: it may have been done although its answer was lost."""

    def delete(self, context: Context, place: RecordPlace, record_id: str) -> None:
        """Deletes a record. Succeeds if it is gone already."""


@dataclass(frozen=True)
class RecordSet:
    """The TXT contents at a name, and their TTL in seconds, 0 if there are none."""

    contents: tuple[str, ...] = ()
    ttl: int = 0


class RecordSets(Protocol):
    """An API that reads and writes all TXT values of a name at once."""

    name: str

    def read(self, context: Context, place: RecordPlace) -> RecordSet: ...

    def write(self, context: Context, place: RecordPlace, held: RecordSet, contents: tuple[str, ...]) -> None:
        """Replaces the set that was read; without contents, deletes it.

        May do nothing if the set is not as it was read: it is read again.
        """


def add_record(context: Context, api: SingleRecords, place: RecordPlace, value: str) -> None:
    """Creates a record with this value, unless there is one. Looks again before each attempt."""
    backoff = Backoff(*_PAUSES_SECONDS)
    failure: TosslError | None = None
    for left in reversed(range(_MOST_WRITES)):
        with before_change() if failure is None else after_change():
            listed = api.listed(context, place)
        if any(txt_value(content) == value for _record_id, content in listed):
            return
        if failure is not None and not _may_be_done(failure):
            raise failure
        try:
            api.create(context, place, value)
            return
        except (DnsError, HttpError) as error:
            if not left or error.errorcode[-1] == "credentials":
                raise
            failure = error
        context.sleep(backoff.next(), "provider")


def remove_records(context: Context, api: SingleRecords, place: RecordPlace, value: str | None) -> list[str]:
    """Deletes the records with this value, or with None all TXT records. Returns the values."""
    found = [(one, txt_value(content)) for one, content in api.listed(context, place)]
    chosen = [(one, text) for one, text in found if value is None or text == value]
    for record_id, _text in chosen:
        api.delete(context, place, record_id)
    return [text for _record_id, text in chosen]


def add_to_set(context: Context, api: RecordSets, place: RecordPlace, value: str) -> None:
    """Writes the set with this value added, until it is read back.

    Raises DnsError "refused" if it does not stay.
    """
    backoff = Backoff(*_PAUSES_SECONDS)
    for written in range(_MOST_WRITES + 1):
        with after_change() if written else before_change():
            held = api.read(context, place)
        if value in map(txt_value, held.contents):
            return
        if written:
            context.sleep(backoff.next(), "provider")
        if written < _MOST_WRITES:
            api.write(context, place, held, (*held.contents, quoted_txt(value)))
    raise _contended(api, place)


def remove_from_set(context: Context, api: RecordSets, place: RecordPlace, value: str | None) -> list[str]:
    """Writes the set without this value, or with None deletes it, until it is read back so. Returns the values.

    Raises DnsError "refused" if the value does not go.
    """
    removed: dict[str, None] = {}
    backoff = Backoff(*_PAUSES_SECONDS)
    for written in range(_MOST_WRITES + 1):
        held = api.read(context, place)
        left = tuple(content for content in held.contents if value is not None and txt_value(content) != value)
        if left == held.contents:
            return list(removed)
        removed.update(dict.fromkeys(txt_value(content) for content in held.contents if content not in left))
        if written:
            context.sleep(backoff.next(), "provider")
        if written < _MOST_WRITES:
            api.write(context, place, held, left)
    raise _contended(api, place)


def _may_be_done(failure: TosslError) -> bool:
    """Returns whether another attempt makes sense: 409 is a change at the same time."""
    return may_pass(failure) or failure.details.get("status") == 409


def _contended(api: RecordSets, place: RecordPlace) -> DnsError:
    cause = f"the TXT records of {place.fqdn} were written {_MOST_WRITES} times and did not stay"
    return DnsError(api.name, "refused", f"{cause}: another program writes them too")
