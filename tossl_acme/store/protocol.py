"""What a store does, whatever keeps it. Knows no certificate and no account.

A set is a few small values by name (`cert.pem`, `privkey.pem`), under a name of its own: `certificates/example.com`,
`accounts/ca.example-1242d0bc`. A reader sees a set whole, as one writer left it, or none. Writers take turns by a lock
for each name. Beside a set there may be parts, sets that share its lock: `certificates/example.com/pending`.

Whatever is refused or damaged is an ArgumentError "store", which names where.
"""

from __future__ import annotations

from ..errors import ArgumentError
from ..text import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import Protocol

    from ..context import Context
    from ..files import FilePath
else:
    Protocol = object  # typing loads slowly, and a store is read by whoever finds a certificate held

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
_PART_CHARS = frozenset(_LETTERS + ".:")
_VALUE_CHARS = frozenset(_LETTERS + ".")
#: Characters of one part of a name, as file systems take it.
MAX_PART_CHARS = 255
#: Seconds that a store has for what is kept beside a call's own work, or behind its end.
ASIDE_SECONDS = 10.0


class Lock:
    """Who may write a set and its parts, until the block of locked() ends.

    holder: who that is, for messages. epoch: a number that grows with every holder of the name.
    """

    __slots__ = ("epoch", "holder", "name")

    def __init__(self, name: str, holder: str, epoch: int) -> None:
        self.name = name
        self.holder = holder
        self.epoch = epoch


class Readable(Protocol):
    """Sets that can be read by name, from any thread."""

    @property
    def is_shared(self) -> bool:
        """Returns whether other machines may use it: what only this one can do for a CA is of no use to them."""

    def read(self, name: str, only: Collection[str] | None = None) -> dict[str, bytes] | None:
        """Returns the set with this name, whole; None if it is missing. `only`: of these values, those it has."""

    def where(self, name: str, value: str = "") -> str:
        """Returns where a set or one of its values is, for a message."""


class Store(Readable, Protocol):
    """Sets by name. Its methods may be called from any thread."""

    def read_all(
        self, prefix: str, only: Collection[str] | None = None
    ) -> Iterator[tuple[str, dict[str, bytes] | ArgumentError]]:
        """Yields each name of list(), and its set as read() returns it, or why it cannot be read; quicker than both."""

    def read_many(
        self, names: Collection[str], only: Collection[str] | None = None
    ) -> dict[str, dict[str, bytes] | ArgumentError]:
        """Returns those of these sets that are there, each as read() returns it, or why it cannot be read.

        In one round trip: it is for as many as are wanted at once, not for all of a store.
        """

    def reading_ahead(self, names: Collection[str]) -> AbstractContextManager[None]:
        """Has what this thread reads of these sets in the block come in one round trip, when that begins.

        It counts for a second, until this thread changes it, and until it takes a lock: what is read under a lock is
        not older than that. read_many() asks anew in any case.
        """

    def names(self) -> list[str]:
        """Returns the names of all sets and of all parts, sorted; two words at most name a set, a third its part."""

    def list(self, prefix: str) -> list[str]:
        """Returns the names of the sets right below a prefix, sorted: list("certificates")."""

    def version(self, name: str) -> str:
        """Returns a text that changes when the set is written or deleted: a hint, cheaper than reading it."""

    def changes(self, since: str) -> tuple[str, frozenset[str]] | None:
        """Returns a cursor for the next call, and the names of the sets and parts that changed since the one given.

        since: the cursor of an earlier call; empty in the first, which names none. A hint: a name may be told twice.
        None where the store cannot say: whoever asks looks at all sets, and begins anew with an empty cursor.
        """

    def locked(self, context: Context, name: str, within: float | None = None) -> AbstractContextManager[Lock]:
        """Lets this caller alone write the set and its parts until the block ends; others wait, in other processes too.

        within: seconds to wait for them, if less than the context has. What a holder left that died is cleared away.
        Raises WaitTimeout and Cancelled, and ArgumentError "store" at once where this thread has the lock already.
        """

    def write(self, lock: Lock, values: Mapping[str, bytes], part: str = "", *, ends: bool = False) -> None:
        """Puts a set in the place of the one before, or a part of it; it is kept when this returns.

        ends: whether this is the last change in the block: others may have the lock from then on.

        The end of the process before it returns leaves the one before or the new one, and so does an error: the one
        before, unless what keeps the set fails in the moment of the change.
        Raises ArgumentError "store" where the lock is lost: its block has ended, or another holder has come since.
        """

    def put(self, context: Context, name: str, values: Mapping[str, bytes]) -> None:
        """Puts some values into a set, beside the others that it has, as with its lock and write(); quicker than both.

        Waits for whoever has the lock. Values whose writing was not answered may be written once more.
        Raises as locked() and write() do.
        """

    def delete(self, lock: Lock, part: str = "", *, ends: bool = False) -> None:
        """Removes a set with all its parts, or a part of it, if it is there. ends: as in write(). Raises as write()."""

    def identity(self) -> str:
        """Returns a text that is the same for each word that names this store: a real path, or begins with no slash."""

    def time(self) -> float:
        """Returns what the store's own clock says, epoch seconds: the same for all who use it, unlike their own."""

    def path_of(self, name: str, value: str = "") -> FilePath | None:
        """Returns the path of a set or one of its values for other programs; None in a store that has no files."""


def check_name(name: str) -> None:
    """Raises ArgumentError for what can name no set."""
    if not all(is_part(part) for part in name.split("/")):
        raise ArgumentError("store", f"{quoted(name)} cannot be a name in a store")


def is_part(text: str) -> bool:
    """Returns whether this can stand between the slashes of a set's name."""
    return _is_made_of(text, _PART_CHARS, ".:")


def check_values(values: Mapping[str, bytes]) -> None:
    """Raises ArgumentError for names that no value of a set can have, and for a set without any."""
    if not values:
        raise ArgumentError("store", "a set in a store has at least one value")
    for name in values:
        if not _is_made_of(name, _VALUE_CHARS, ".-"):
            raise ArgumentError("store", f"{quoted(name)} cannot name a value in a store")


def _is_made_of(name: str, chars: frozenset[str], not_first: str) -> bool:
    return 0 < len(name) <= MAX_PART_CHARS and chars.issuperset(name) and name[0] not in not_first


def put_locked(store: Store, context: Context, name: str, values: Mapping[str, bytes]) -> None:
    """Does what put() does by the store's other operations."""
    with store.locked(context, name) as lock:
        store.write(lock, {**(store.read(name) or {}), **values})


def read_texts(store: Store, name: str, only: Collection[str] | None = None) -> dict[str, str]:
    """Returns the set as texts, empty if it is missing. Raises ArgumentError for a value that is no text."""
    texts = {}
    for value, content in (store.read(name, only) or {}).items():
        try:
            texts[value] = content.decode()
        except UnicodeDecodeError:
            raise ArgumentError("store", f"{store.where(name, value)} is not a text file") from None
    return texts


def write_texts(store: Store, lock: Lock, texts: Mapping[str, str], part: str = "", *, ends: bool = False) -> None:
    """Writes a set of texts; deletes it where there are none. ends: as in Store.write()."""
    if texts:
        store.write(lock, {value: text.encode() for value, text in texts.items()}, part, ends=ends)
    else:
        store.delete(lock, part, ends=ends)
