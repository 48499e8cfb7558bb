"""The TXT values that this process published, so that cleaning up a name removes these and nothing else.

A value is published at its record's name, or where CNAME records lead from there (`at`), and is removed from the same
place even if they lead elsewhere by then.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ..context import Context, in_forked_child
from ..errors import DnsError, TosslError
from ..log import DEBUG
from .api import DELETING
from .provider import Provider, canonical_name


class PublishedRecords:
    """Publishes values, removes them, and remembers the published values by endpoint, record name and place.

    Safe for several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[_Place, list[str]] = {}

    def publish(self, context: Context, provider: Provider, fqdn: str, value: str, at: str = "") -> None:
        """Publishes one value. Remembers it first: a provider may have acted although its answer was lost.

        Forgets the value again if the provider plainly refused it, or had changed nothing yet; not where what follows
        the change was refused, as a look whether its servers have it. Raises as Provider.publish() does.
        """
        place = _Place.of(provider, fqdn, at)
        is_new = self._add(place, value)
        try:
            provider.publish(context, place.at, value)
            context.event("tossl.dns", DEBUG, "published a TXT value", record=place.at, provider=provider.name)
        except TosslError as error:
            said = f"could not publish a TXT value: {error.message}"
            context.event("tossl.dns", DEBUG, said, record=place.at, provider=provider.name)
            if is_new and not _may_have_changed(error):
                self._discard(place, value)
            raise

    def remove(
        self, context: Context, provider: Provider, fqdn: str, value: str | None = None, at: str = ""
    ) -> list[str]:
        """Removes one value at the name; without `value`, the values published by this process; without any of these,
        every value at the name.

        Returns the removed values, an empty list if nothing was removed. Raises as Provider.remove() does, and still
        remembers the values that may be left.
        """
        place = _Place.of(provider, fqdn, at)
        chosen: list[str | None] = [value] if value is not None else list(self.values(provider, fqdn, at))
        removed: list[str] = []
        for one in chosen or [None]:
            removed += provider.remove(context, place.at, one)
            if one is not None:
                self._discard(place, one)
        facts = {"record": place.at, "provider": provider.name}
        context.event("tossl.dns", DEBUG, f"removed {len(removed)} TXT values", **facts)
        return removed

    def values(self, provider: Provider, fqdn: str, at: str = "") -> tuple[str, ...]:
        """Returns the values of the record that this process published at the place."""
        with self._lock:
            return tuple(self._values.get(_Place.of(provider, fqdn, at), ()))

    def places(self, fqdn: str) -> tuple[str, ...]:
        """Returns the names at which this process published values of the record, at whichever provider."""
        with self._lock:
            return tuple(dict.fromkeys(place.at for place in self._values if place.record == canonical_name(fqdn)))

    def reset(self) -> None:
        """Forgets every value. The records stay."""
        with self._lock:
            self._values.clear()

    def renew_lock(self) -> None:
        """Makes a new lock in a forked child, where no thread is left to release the old one."""
        self._lock = threading.Lock()

    def _add(self, place: _Place, value: str) -> bool:
        """Remembers a value; returns whether it is new."""
        with self._lock:
            values = self._values.setdefault(place, [])
            if value in values:
                return False
            values.append(value)
            return True

    def _discard(self, place: _Place, value: str) -> None:
        with self._lock:
            left = [v for v in self._values.pop(place, []) if v != value]
            if left:
                self._values[place] = left


def _may_have_changed(error: TosslError) -> bool:
    if error.has_changed is not None:
        return error.has_changed
    status = error.details.get("status")
    has_failed = isinstance(status, int) and status >= 500
    return not isinstance(error, DnsError) or error.errorcode[-1] == "answer" or has_failed


@dataclass(frozen=True)
class _Place:
    provider: str
    endpoint: str
    record: str
    at: str

    @classmethod
    def of(cls, provider: Provider, fqdn: str, at: str) -> _Place:
        return cls(provider.name, provider.endpoint, canonical_name(fqdn), canonical_name(at or fqdn))


#: The records of this process.
PUBLISHED = PublishedRecords()
# A child keeps the values: without them, its clean-up would remove every record at the name.
in_forked_child(PUBLISHED.renew_lock)


def check_removed(removed: list[str], provider: Provider, fqdn: str, value: str | None) -> None:
    """Raises DnsError "record" if nothing was removed."""
    if not removed:
        missing = "no TXT record" if value is None else "no TXT record with that value"
        raise DnsError(provider.name, "record", f"{DELETING}: there is {missing} at {canonical_name(fqdn)}")
