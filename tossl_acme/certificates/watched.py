"""What others change in a store that several machines use: asked in one round trip; and what it says of many, at once.

Each manage looks by itself. Nothing that it needs depends on being told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ..errors import ArgumentError, Cancelled, ForkedError, TosslError
from ..store.protocol import Store
from .deploy import MARKS, own_room
from .questions import ASKED
from .record import ABOVE, RECORD, certificate_name, set_name
from .suggested import RENEWAL_VALUE, RENEWALS, renewal_name
from .upkeep import Upkeep

#: Seconds between two looks.
WATCH_SECONDS = 30.0
#: Certificates that are read whole at once.
_AT_ONCE = 50


class Watch:
    """One store. Its methods are for one thread, but for ask(): that of a worker."""

    def __init__(self, store: Store) -> None:
        self.store = store
        #: Why it could not be asked; empty once it could.
        self.problem = ""
        self._cursor = ""
        self._is_asked = False

    def has(self, store: Store) -> bool:
        """Returns whether this is the store, or another way to it."""
        return store is self.store or store.where(ABOVE) == self.store.where(ABOVE)

    def begin(self) -> None:
        """Has what changes from now on told. Raises ArgumentError "store"."""
        found = self.store.changes("")
        self._cursor = found[0] if found is not None else ""

    def lose(self, problem: str) -> None:
        """Takes what was read for lost: the next answer says that everything may have changed."""
        self.problem, self._cursor = problem, ""

    def may_ask(self) -> bool:
        """Returns whether it is to be asked now: it was not, or has answered since; and takes it for asked."""
        is_free, self._is_asked = not self._is_asked, True
        return is_free

    def ask(self) -> frozenset[str] | None:
        """Returns the names of the sets that changed since the last question; None where the store cannot say."""
        try:
            found = self.store.changes(self._cursor) if self._cursor else None
            if found is None:
                self.begin()
            self.problem = ""
        except (Cancelled, ForkedError):
            raise
        except TosslError as error:
            self.problem = error.message
            return frozenset()
        finally:
            self._is_asked = False
        if found is None:
            return None
        self._cursor = found[0]
        return found[1]


def changed_names(changed: Collection[str]) -> tuple[set[str], set[str], set[str]]:
    """Returns, of these sets, the names of certificates, those of changed renewals, and the buckets of questions."""
    found: dict[str, set[str]] = {ABOVE: set(), RENEWALS: set(), ASKED: set()}
    for name in changed:
        room, _, rest = name.partition("/")
        if room in found and "/" not in rest:
            found[room].add(rest if room == ASKED else certificate_name(rest))
    return found[ABOVE], found[RENEWALS], found[ASKED]


def load_many(store: Store, entries: Iterable[Upkeep], count: int, loaded: Callable[[Upkeep], None]) -> None:
    """Reads what is kept of many certificates in a few round trips. count: as in Upkeep.load().

    loaded: called with each. Raises ArgumentError "store" where the store cannot be read.
    """
    left = {set_name(entry.name): entry for entry in entries}
    rooms = {RENEWALS: (RENEWAL_VALUE,), own_room(store): MARKS}
    read = _ReadAhead(
        store, {name: values for room, only in rooms.items() for name, values in store.read_all(room, only)}
    )
    for where, values in store.read_all(ABOVE, (RECORD,)):
        entry = left.pop(where, None)
        if entry is not None:
            read.record = where, values
            entry.load(count, read)
            loaded(entry)
    read.record = "", {}
    for entry in left.values():
        entry.load(count, read)
        loaded(entry)


def load_some(store: Store, entries: Sequence[Upkeep], count: int, loaded: Callable[[Upkeep], None]) -> None:
    """Reads what is kept of a few certificates, each in a round trip with others. As load_many().

    They are read whole: whoever delivers one now need not read it again.
    """
    for begin in range(0, len(entries), _AT_ONCE):
        some = entries[begin : begin + _AT_ONCE]
        read = _ReadAhead(store, store.read_many([name for one in some for name in one.read_names()]))
        for entry in some:
            entry.load(count, read, is_whole=True)
            loaded(entry)


def load_windows(store: Store, entries: Sequence[Upkeep], loaded: Callable[[Upkeep], None]) -> None:
    """Reads in which windows the CA wants these to be renewed, as others have kept it, in one round trip."""
    if entries:
        read = _ReadAhead(store, store.read_many([renewal_name(one.name) for one in entries]))
        for entry in entries:
            entry.read_suggestion(read)
            if not entry.is_busy:
                loaded(entry)


class _ReadAhead:
    """Reads from sets that were read before, and one record. See store.protocol.Readable."""

    def __init__(self, store: Store, sets: Mapping[str, Mapping[str, bytes] | ArgumentError]) -> None:
        self._store = store
        self._sets = sets
        #: The name of a certificate's set, and its values.
        self.record: tuple[str, Mapping[str, bytes] | ArgumentError] = "", {}

    @property
    def is_shared(self) -> bool:
        return self._store.is_shared

    def read(self, name: str, only: Collection[str] | None = None) -> dict[str, bytes] | None:
        found = self.record[1] if name == self.record[0] else self._sets.get(name)
        if isinstance(found, ArgumentError):
            raise found
        return None if found is None else {key: value for key, value in found.items() if only is None or key in only}

    def where(self, name: str, value: str = "") -> str:
        return self._store.where(name, value)
