"""Some of the certificates of a declared set at a time, one after the other, again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from .upkeep import Upkeep


class Turns:
    """Those that belong to it; for one thread. belongs: returns whether a certificate does."""

    def __init__(self, belongs: Callable[[Upkeep], bool]) -> None:
        self._belongs = belongs
        self._count = 0
        self._left: Iterator[Upkeep] = iter(())

    def begin_anew(self, entries: Mapping[str, Upkeep]) -> None:
        """Counts them: the set is another."""
        self._count = sum(map(self._belongs, entries.values()))

    def next(self, most: int, entries: Mapping[str, Upkeep]) -> Iterator[Upkeep]:
        """Yields the next ones, each once, but those that have left the set. entries: the whole set."""
        for _ in range(min(most, self._count)):
            entry = next(self._left, None)
            if entry is None:
                self._left = iter(list(filter(self._belongs, entries.values())))
                entry = next(self._left)
            if not entry.is_gone:
                yield entry
