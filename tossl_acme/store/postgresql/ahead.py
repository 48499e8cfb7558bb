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
        #: By thread, for each block it is in, the inner one last: until when it counts, the names that were looked for,
        #: and the sets among them that are there.
        self._by_thread: dict[int, list[tuple[float, set[str], Sets]]] = {}

    @contextlib.contextmanager
    def kept(self, names: Collection[str], sets: Sets) -> Iterator[None]:
        """Keeps what this thread has read until the block ends; of a block in a block, the inner one's."""
        blocks = self._by_thread.setdefault(get_ident(), [])
        blocks.append((time.monotonic() + _MOMENT_SECONDS, set(names), sets))
        try:
            yield
        finally:
            blocks.pop()
            if not blocks:
                del self._by_thread[get_ident()]

    def found(self, name: str) -> Sets | None:
        """Returns the sets that were read ahead where this is one of those looked for; None where it is to be read."""
        blocks = self._by_thread.get(get_ident())
        if not blocks:
            return None
        until, names, sets = blocks[-1]
        return sets if name in names and time.monotonic() < until else None

    def forget_all(self) -> None:
        """Forgets what this thread has read: of what it reads under a lock, nothing is older than the lock."""
        for _, names, _ in self._by_thread.get(get_ident(), ()):
            names.clear()

    def forget(self, name: str) -> None:
        """Forgets a set that this thread changes, or may change, and its parts."""
        for _, names, _ in self._by_thread.get(get_ident(), ()):
            names -= {name, *(each for each in names if each.startswith(f"{name}/"))}
