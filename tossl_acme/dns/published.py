"""The TXT values that this process published, so that cleaning up a name removes these and nothing else."""

from __future__ import annotations

import os
import threading

from ..context import Context
from ..errors import DnsError
from .api import DELETING
from .provider import Provider, canonical_name


class PublishedRecords:
    """Publishes values, removes them, and remembers the published values by endpoint and name.

    Safe for several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str, str], list[str]] = {}

    def publish(self, context: Context, provider: Provider, fqdn: str, value: str) -> None:
        """Publishes one value. Remembers it first: a provider may have acted although its answer was lost.

        Forgets the value again if the provider plainly refused it. Raises as Provider.publish() does.
        """
        is_new = self._add(provider, fqdn, value)
        try:
            provider.publish(context, canonical_name(fqdn), value)
        except DnsError as error:
            if is_new and error.errorcode[-1] != "answer":
                self._discard(provider, fqdn, value)
            raise

    def remove(self, context: Context, provider: Provider, fqdn: str, value: str | None = None) -> list[str]:
        """Removes one value at the name; without `value`, the values published by this process; without any of these,
        every value at the name.

        Returns the removed values, an empty list if nothing was removed. Raises as Provider.remove() does, and still
        remembers the values that may be left.
        """
        name = canonical_name(fqdn)
        chosen = [value] if value is not None else list(self.values(provider, fqdn))
        if not chosen:
            return provider.remove(context, name, None)
        removed: list[str] = []
        for one in chosen:
            removed += provider.remove(context, name, one)
            self._discard(provider, fqdn, one)
        return removed

    def values(self, provider: Provider, fqdn: str) -> tuple[str, ...]:
        """Returns the values at the name that this process published."""
        with self._lock:
            return tuple(self._values.get(_place(provider, fqdn), ()))

    def reset(self) -> None:
        """Forgets every value. The records stay."""
        with self._lock:
            self._values.clear()

    def renew_lock(self) -> None:
        """Makes a new lock in a forked child, where no thread is left to release the old one."""
        self._lock = threading.Lock()

    def _add(self, provider: Provider, fqdn: str, value: str) -> bool:
        """Remembers a value; returns whether it is new."""
        with self._lock:
            values = self._values.setdefault(_place(provider, fqdn), [])
            if value in values:
                return False
            values.append(value)
            return True

    def _discard(self, provider: Provider, fqdn: str, value: str) -> None:
        key = _place(provider, fqdn)
        with self._lock:
            left = [v for v in self._values.pop(key, []) if v != value]
            if left:
                self._values[key] = left


#: The records of this process.
PUBLISHED = PublishedRecords()
# A child keeps the values: without them, its clean-up would remove every record at the name.
os.register_at_fork(after_in_child=PUBLISHED.renew_lock)


def check_removed(removed: list[str], provider: Provider, fqdn: str, value: str | None) -> None:
    """Raises DnsError "record" if nothing was removed."""
    if not removed:
        missing = "no TXT record" if value is None else "no TXT record with that value"
        raise DnsError(provider.name, "record", f"{DELETING}: there is {missing} at {canonical_name(fqdn)}")


def _place(provider: Provider, fqdn: str) -> tuple[str, str, str]:
    return provider.name, provider.endpoint, canonical_name(fqdn)
