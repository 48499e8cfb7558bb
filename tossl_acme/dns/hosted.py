"""The zones of a provider's account, and the place of a record in its zone."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import idna

from ..context import Context, in_forked_child
from ..errors import DnsError, before_change
from ..identifiers import MAX_NAME_CHARS
from ..text import quoted
from .provider import ProviderAccess, canonical_name
from .zones import zone_name

#: A name that may be part of a path: CNAME records may lead to names with any characters.
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
#: Seconds after which a look for a zone was one too many.
_SILENT_SECONDS = 2.0
_WHAT = "provider"


@dataclass(frozen=True)
class HostedZone:
    """A zone of the account. name: empty if only its id is known. least_ttl: seconds, 0 if the API does not tell."""

    name: str
    id: str
    least_ttl: int = 0


@dataclass(frozen=True)
class RecordPlace:
    """A record's name, and the zone that contains it."""

    fqdn: str
    zone: HostedZone

    def relative(self, apex: str = "@") -> str:
        """Returns the name without its zone's; `apex` if they are the same."""
        return self.fqdn.removesuffix(self.zone.name).removesuffix(".") or apex


class NameLocks:
    """Locks by name, so that one thread at a time reads and writes the records of a name."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[tuple[str, ...], tuple[threading.Lock, int]] = {}

    @contextmanager
    def held(self, context: Context, *name: str) -> Iterator[None]:
        """A `with` that holds the lock of this name. Raises WaitTimeout or Cancelled if the context is over first."""
        lock = self._shared(name, 1)
        try:
            while not lock.acquire(timeout=context.poll_seconds(_WHAT)):
                continue
            try:
                yield
            finally:
                lock.release()
        finally:
            self._shared(name, -1)

    def renew(self) -> None:
        """Forgets all locks in a forked child, where no thread is left to release them."""
        self._guard = threading.Lock()
        self._locks = {}

    def _shared(self, name: tuple[str, ...], change: int) -> threading.Lock:
        """Returns the lock of a name, which is kept while it has users."""
        with self._guard:
            lock, users = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = lock, users + change
            if users + change <= 0:
                del self._locks[name]
            return lock


#: The locks of this process: two jobs may change the records of one name.
NAME_LOCKS = NameLocks()
in_forked_child(NAME_LOCKS.renew)


class HostedZones:
    """An account's zones, each looked up once.

    find: returns the account's zone of exactly this name, None if it has none. A zone_id that the script gave is the
    only one looked up. forbids: the API answers 403 for a zone of somebody else, not only for a wrong token.
    """

    def __init__(
        self,
        provider: str,
        endpoint: str,
        find: Callable[[Context, str], HostedZone | None],
        access: ProviderAccess,
        *,
        forbids: bool = False,
    ) -> None:
        self._provider = provider
        self._endpoint = endpoint
        self._find = find
        self._given = access.zone_id
        self._forbids = forbids
        self._candidates = CandidateZones(access.resolvers)
        self._by_name: dict[str, HostedZone | None] = {}
        self._by_record: dict[str, HostedZone] = {}

    @contextmanager
    def locked(self, context: Context, fqdn: str) -> Iterator[RecordPlace]:
        """A `with` whose value is the place of a record; no other thread of this process changes that name meanwhile.

        Raises DnsError "zone" if the account has no zone for the name, "record" if no zone can contain it.
        """
        with ExitStack() as held:
            with before_change():
                check_record_name(self._provider, fqdn)
                zone = self._zone(context, fqdn)
                if zone.name and not is_within(fqdn, zone.name):
                    raise DnsError(self._provider, "zone", f"{fqdn} is not in the zone {quoted(zone.name)}")
                held.enter_context(NAME_LOCKS.held(context, self._provider, self._endpoint, fqdn))
            yield RecordPlace(fqdn, zone)

    def _zone(self, context: Context, fqdn: str) -> HostedZone:
        if fqdn in self._by_record:
            return self._by_record[fqdn]
        candidates = [self._given] if self._given else self._candidates.names(context, fqdn)
        with NAME_LOCKS.held(context, self._provider, self._endpoint, f"zones {id(self)}"):
            zone = self._first(context, candidates)
        if zone is None:
            asked = ", ".join(candidates)
            raise DnsError(self._provider, "zone", f"the API key sees no zone for {fqdn} (looked for {asked})")
        self._by_record[fqdn] = zone
        return zone

    def _first(self, context: Context, candidates: list[str]) -> HostedZone | None:
        """Returns the first of these zones that the account has. Raises what the API forbade if it has none."""
        forbidden: DnsError | None = None
        for name in candidates:
            if name not in self._by_name:
                try:
                    self._by_name[name] = self._find(context, name)
                except DnsError as error:
                    if not self._forbids or error.details.get("status") != 403:
                        raise
                    forbidden = forbidden or error
                    continue
            zone = self._by_name[name]
            if zone is not None:
                return zone
        if forbidden is not None:
            raise forbidden
        return None


class CandidateZones:
    """The zones that may contain a record: first the one that the DNS names by its SOA record.

    An account may have the name's zone only where the machine's resolver does not see it, so the others follow, the
    closest first. After a silent resolver the DNS is not asked again.
    """

    def __init__(self, resolvers: Sequence[str] = ()) -> None:
        self._resolvers = resolvers
        self._is_silent = False
        self._by_record: dict[str, list[str]] = {}

    def names(self, context: Context, fqdn: str) -> list[str]:
        """Returns the names of the zones, the likeliest first. Raises WaitTimeout or Cancelled."""
        if fqdn in self._by_record:
            return self._by_record[fqdn]
        labels = fqdn.split(".")
        found = [".".join(labels[at:]) for at in range(max(1, len(labels) - 1))]
        if self._is_silent:
            return found
        before = context.remaining()
        zone = zone_name(context, fqdn, self._resolvers)
        self._is_silent = zone is None and before - context.remaining() > _SILENT_SECONDS
        self._by_record[fqdn] = sorted(found, key=lambda name: name != zone)
        return self._by_record[fqdn]


def check_record_name(provider: str, fqdn: str) -> None:
    """Raises DnsError "record" for a name that no API takes."""
    if len(fqdn) > MAX_NAME_CHARS or not _NAME.fullmatch(fqdn):
        raise DnsError(provider, "record", f"{quoted(fqdn)} is not a name for a TXT record")


def is_within(fqdn: str, zone: str) -> bool:
    """Returns whether a name is the zone's or below it."""
    return fqdn == zone or fqdn.endswith(f".{zone}")


def ascii_name(name: object) -> str:
    """Returns a name of an API's answer as it is in the DNS: in lower case, A-labels, without a final dot."""
    text = canonical_name(name) if isinstance(name, str) and len(name) <= MAX_NAME_CHARS else ""
    try:
        labels = [label if label.isascii() else idna.encode(label, uts46=True).decode() for label in text.split(".")]
    except UnicodeError:
        return ""
    return ".".join(labels)
