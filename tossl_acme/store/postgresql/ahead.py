"""Sets that a thread has read ahead: a moment later it reads each of them without asking the database again."""

from __future__ import annotations

import contextlib
import time
from _thread import get_ident
from collections.abc import Collection, Iterator, Mapping

#: Seconds for which they count.
_MOMENT_SECONDS = 1.0

Sets = Mapping[str, Mapping[str, bytes]]


class Ahead:
    """What the threads of this process have read ahead of one database."""

    def __init__(self) -> None:
        #: By thread: until when it counts, the names that were looked for, and the sets among them that are there.
        self._by_thread: dict[int, tuple[float, set[str], Sets]] = {}

    @contextlib.contextmanager
    def kept(self, names: Collection[str], sets: Sets) -> Iterator[None]:
        """Keeps what this thread has read until the block ends; of a block in a block, the inner one's."""
        before = self._by_thread.get(get_ident())
        self._by_thread[get_ident()] = time.monotonic() + _MOMENT_SECONDS, set(names), sets
        try:
            yield
        finally:
            del self._by_thread[get_ident()]
            if before is not None:
                self._by_thread[get_ident()] = before

    def found(self, name: str) -> Sets | None:
        """Returns the sets that were read ahead where this is one of those looked for; None where it is to be read."""
        until, names, sets = self._by_thread.get(get_ident(), (0.0, (), {}))
        return sets if name in names and time.monotonic() < until else None

    def forget(self, name: str) -> None:
        """Forgets a set that this thread changes, or may change, and its parts."""
        _, names, _ = self._by_thread.get(get_ident(), (0.0, set(), {}))
        names -= {name, *(each for each in names if each.startswith(f"{name}/"))}
