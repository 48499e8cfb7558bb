"""The TXT values that stand because of this process, so that cleaning up a name removes those and nothing else."""

from __future__ import annotations

import os
import threading

from ..context import Context
from ..errors import DnsError
from .api import DELETING
from .provider import Provider, canonical_name


class PublishedRecords:
    """Publishes values and removes them, and knows those that stand, by name at each provider's endpoint.

    Safe for several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str, str], list[str]] = {}

    def publish(self, context: Context, provider: Provider, fqdn: str, value: str) -> None:
        """Publishes one value, remembered before: a provider may have acted although its answer was lost.

        What it plainly refused is forgotten again. Raises as Provider.publish() does.
        """
        is_new = self._add(provider, fqdn, value)
        try:
            provider.publish(context, canonical_name(fqdn), value)
        except DnsError as error:
            if is_new and error.errorcode[-1] != "answer":
                self._discard(provider, fqdn, value)
            raise

    def remove(self, context: Context, provider: Provider, fqdn: str, value: str | None = None) -> list[str]:
        """Removes one value at the name; without one, those that stand because of us; where none does, every one there.

        Returns the values removed: none where nothing was there, which is as well. Raises as Provider.remove() does;
        what it may have left behind is still known.
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
        """What stands at the name because of us."""
        with self._lock:
            return tuple(self._values.get(_place(provider, fqdn), ()))

    def reset(self) -> None:
        """Forgets everything; the records stay where they are."""
        with self._lock:
            self._values.clear()

    def renew_lock(self) -> None:
        """In a forked child, where no thread is left that could hold the lock."""
        self._lock = threading.Lock()

    def _add(self, provider: Provider, fqdn: str, value: str) -> bool:
        """Whether it is new."""
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


#: What stands because of this process.
PUBLISHED = PublishedRecords()
# A child knows them too: without that, it would clean up by removing whatever stands at the name.
os.register_at_fork(after_in_child=PUBLISHED.renew_lock)


def check_removed(removed: list[str], provider: Provider, fqdn: str, value: str | None) -> None:
    """Raises DnsError "record" where there was nothing to remove."""
    if not removed:
        what = "no TXT record" if value is None else "no TXT record with that value"
        raise DnsError(provider.name, "record", f"{DELETING}: there is {what} at {canonical_name(fqdn)}")


def _place(provider: Provider, fqdn: str) -> tuple[str, str, str]:
    return provider.name, provider.endpoint, canonical_name(fqdn)
