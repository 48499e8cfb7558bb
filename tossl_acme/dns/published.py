"""What this process has published, so that cleaning up a name removes that and nothing else."""

from __future__ import annotations

import threading

from ..context import Context
from ..errors import ArgumentError, DnsError
from ..text import quoted
from .names import is_validation_name, normal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .provider import Provider


class PublishedRecords:
    """The values that this process published and did not remove yet, by name at each provider's endpoint.

    Safe for several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str, str], list[str]] = {}

    def add(self, provider: Provider, fqdn: str, value: str) -> bool:
        """Whether it is new."""
        with self._lock:
            values = self._values.setdefault(_place(provider, fqdn), [])
            if value in values:
                return False
            values.append(value)
            return True

    def values(self, provider: Provider, fqdn: str) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._values.get(_place(provider, fqdn), ()))

    def discard(self, provider: Provider, fqdn: str, value: str) -> None:
        key = _place(provider, fqdn)
        with self._lock:
            left = [v for v in self._values.pop(key, []) if v != value]
            if left:
                self._values[key] = left


#: What this process has published.
PUBLISHED = PublishedRecords()


def _place(provider: Provider, fqdn: str) -> tuple[str, str, str]:
    return provider.name, provider.endpoint, normal_name(fqdn)


def check_validation_name(fqdn: str) -> None:
    """Refuses a name that holds no ACME validation record."""
    if not is_validation_name(fqdn):
        raise ArgumentError("record_name", f"{quoted(fqdn)} is not the name of an ACME validation record")


def publish_value(context: Context, provider: Provider, fqdn: str, value: str, published: PublishedRecords) -> None:
    """Publishes one value, remembered before: a provider may have acted although its answer was lost.

    What it plainly refused is forgotten again.
    """
    is_new = published.add(provider, fqdn, value)
    try:
        provider.publish(context, fqdn, value)
    except DnsError as error:
        if is_new and error.errorcode[-1] != "answer":
            published.discard(provider, fqdn, value)
        raise


def clean_name(
    context: Context, provider: Provider, fqdn: str, value: str | None, published: PublishedRecords
) -> list[str]:
    """Removes one value at the name; without a value, those that this process published there; where it published
    none, every TXT value there. Returns what was removed; nothing there is a DnsError of kind "record".
    """
    check_validation_name(fqdn)
    chosen = [value] if value is not None else list(published.values(provider, fqdn))
    if not chosen:
        return provider.remove(context, fqdn, None)
    removed: list[str] = []
    missing: DnsError | None = None
    for one in chosen:
        try:
            removed += provider.remove(context, fqdn, one)
        except DnsError as error:
            if error.errorcode[-1] != "record":
                raise
            missing = error
        published.discard(provider, fqdn, one)
    if missing is not None and not removed:
        raise missing
    return removed
