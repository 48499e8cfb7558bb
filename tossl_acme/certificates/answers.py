"""Answers to challenges in a store that other machines use: whichever node the CA asks can give them.

answers/<NAME>/<ID>.json    what is presented for one certificate, until its names are proven: when and by which process
                            it was written, and the key authorizations, which are no secret (RFC 8555 section 8.3)

There is one ID, but for a moment: a process that was stopped for so long that another has taken its attempt over adds
and removes its own.

What a node does not show itself it looks for in the store. Imports nothing that loads slowly: web servers read this.
"""

from __future__ import annotations

import time
from _thread import allocate_lock

from ..challenges.elsewhere import BY_NAME, BY_TOKEN, ElsewhereAnswer
from ..context import Context, in_forked_child
from ..errors import ArgumentError, TosslError, foreign_error
from ..log import WARNING
from ..log import event as log_event
from .due import is_time
from .record import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..store.protocol import Lock, Store

#: What the names of these sets begin with.
ANSWERS = "answers"
_ENDING = ".json"
#: Those of an ElsewhereAnswer.
_MEMBERS = ("asked_by", "domain", "token", "key_authorization")
#: Answers that are older are nobody's any more, in seconds: no proof takes a day.
STALE_SECONDS = 86400.0
#: What was read from a store is as good as new for so many seconds: a scanner's requests read it no more often. Whoever
#: presents an answer waits as long before a CA may ask for it.
FRESH_SECONDS = 0.1
#: Seconds that a request waits for the store, and until the next attempt after one that failed.
LOOK_UP_SECONDS = 2.0
_PAUSE_SECONDS = 5.0


class Batch:
    """The answers of one attempt. name: of their set. id: differs for each. by: the process; at: epoch seconds."""

    __slots__ = ("answers", "at", "by", "id", "name")

    def __init__(self, name: str, batch_id: str, by: str, at: float, answers: Iterable[ElsewhereAnswer]) -> None:
        self.name = name
        self.id = batch_id
        self.by = by
        self.at = at
        self.answers = tuple(answers)

    @classmethod
    def of_text(cls, name: str, value: str, text: bytes) -> Batch | None:
        """Returns what a value of a set holds; None for what is damaged."""
        try:
            data = read_json(text.decode())
            if not isinstance(data, dict) or not is_time(data["at"]):
                return None
            found = [
                ElsewhereAnswer(*(str(one[member]) for member in _MEMBERS))
                for one in data["answers"]
                if one["asked_by"] in (BY_TOKEN, BY_NAME)
            ]
            found = [one for one in found if one.is_sound]
            return cls(name, value.removesuffix(_ENDING), str(data["by"]), float(data["at"]), found)
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def value(self) -> str:
        """Returns the name of its value."""
        return f"{self.id}{_ENDING}"

    def as_json(self) -> dict[str, object]:
        answers = [{member: getattr(one, member) for member in _MEMBERS} for one in self.answers]
        return {"by": self.by, "at": self.at, "answers": answers}

    def is_stale(self, at: float) -> bool:
        return at - self.at > STALE_SECONDS


def read_batches(store: Store) -> list[Batch]:
    """Returns the answers of all certificates, also stale ones. Raises ArgumentError "store"."""
    return [batch for name, values in store.read_all(ANSWERS) for batch in _batches_of(name, values)]


def _batches_of(name: str, values: Mapping[str, bytes] | ArgumentError) -> list[Batch]:
    """Returns what a set of answers holds, without what is damaged."""
    if isinstance(values, ArgumentError):
        return []
    read = (Batch.of_text(name, value, text) for value, text in values.items())
    return [batch for batch in read if batch is not None]


def remove_values(store: Store, lock: Lock, is_over: Callable[[str], bool]) -> None:
    """Removes those values of a set of answers that are over, in its lock, which is released then."""
    values = store.read(lock.name) or {}
    left = {value: text for value, text in values.items() if not is_over(value)}
    if left and len(left) < len(values):
        store.write(lock, left, ends=True)
    elif not left:
        store.delete(lock, ends=True)


class _Known:
    """All answers in a store at one moment. cursor: as Store.changes() has it. sets: by the names of their sets."""

    __slots__ = ("cursor", "sets")

    def __init__(self, cursor: str, sets: dict[str, list[Batch]]) -> None:
        self.cursor, self.sets = cursor, sets

    @classmethod
    def read(cls, store: Store, before: _Known | None) -> _Known:
        """Returns them as they are now: of what is known already, that is read which has changed since."""
        found = store.changes(before.cursor) if before is not None and before.cursor else None
        if before is None or found is None:
            begun = store.changes("")
            sets: dict[str, list[Batch]] = {}
            for batch in read_batches(store):
                sets.setdefault(batch.name, []).append(batch)
            return cls(begun[0] if begun is not None else "", sets)
        cursor, names = found
        changed = [name for name in names if name.startswith(f"{ANSWERS}/")]
        kept = {name: batches for name, batches in before.sets.items() if name not in changed}
        news = store.read_many(changed) if changed else {}
        return cls(cursor, {**kept, **{name: _batches_of(name, values) for name, values in news.items()}})


class StoredAnswers:
    """Looks for answers in a store: asks it ten times a second at most, whatever is asked for, what has changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = allocate_lock()
        self._read_at = self._pause_until = float("-inf")
        self._known: _Known | None = None
        self._answers: dict[tuple[str, str], ElsewhereAnswer] = {}

    def find(self, asked_by: str, key: str) -> ElsewhereAnswer | None:
        """Returns the answer to what a CA asks for; None without one, or where the store says nothing in 2 seconds."""
        if not self._lock.acquire(timeout=LOOK_UP_SECONDS):
            return None
        try:
            began = time.monotonic()
            if began - self._read_at >= FRESH_SECONDS and began >= self._pause_until:
                self._read(began)
            return self._answers.get((asked_by, key))
        finally:
            self._lock.release()

    def _read(self, began: float) -> None:
        """Reads the store in a thread, which is left to itself where that takes too long."""
        before, self._known, self._answers = self._known, None, {}
        try:
            context = Context(LOOK_UP_SECONDS).begin()
            known = context.run(lambda: _Known.read(self._store, before), "the store")
        except Exception as caught:  # noqa: BLE001 - a web server's request is no place for it
            error = caught if isinstance(caught, TosslError) else foreign_error(caught)
            self._pause_until = time.monotonic() + _PAUSE_SECONDS
            where = self._store.where(ANSWERS)
            log_event("tossl.store", WARNING, f"{where} cannot be read, to answer a CA: {error.message}")
            return
        # Also those that seem stale: the clock of this machine, or of whoever wrote them, may be wrong.
        batches = sorted((batch for each in known.sets.values() for batch in each), key=lambda batch: batch.at)
        self._answers = {answer.key: answer for batch in batches for answer in batch.answers}
        self._known, self._read_at = known, began


#: The stores that this process looks in, by where they are, and by -store's words; None for one of this machine alone.
_known: dict[str, StoredAnswers] = {}
_of_words: dict[str, StoredAnswers | None] = {}


def stored_answers(store: Store) -> StoredAnswers:
    """Returns the one that looks in this store, for the whole process."""
    return _known.setdefault(store.where(ANSWERS), StoredAnswers(store))


def answers_of(word: str) -> StoredAnswers | None:
    """Returns the one that looks in the store of -store's word; None for a store of this machine alone.

    Raises ArgumentError "store" for a word that names no store.
    """
    if word not in _of_words:
        from ..store.registry import open_store

        store = open_store(word)
        _of_words[word] = stored_answers(store) if store.is_shared else None
    return _of_words[word]


def reset() -> None:
    """Forgets all stores; a child process opens them anew."""
    _known.clear()
    _of_words.clear()


in_forked_child(reset)
