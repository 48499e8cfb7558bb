"""Which certificates of a declared set manage looks at next, and when."""

from __future__ import annotations

import heapq
import itertools

from .rounds import Rounds
from .upkeep import NEVER, Upkeep


class Agenda:
    """The times at which entries are looked at: by themselves; rounds: with others. Its methods are for one thread."""

    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds
        self._planned: list[tuple[float, int, Upkeep]] = []
        self._numbers = itertools.count()

    def plan(self, entry: Upkeep) -> None:
        """Plans it for when something is to be done for it, in place of when it was planned before."""
        self._rounds.take(entry)
        entry.at = entry.next
        if entry.at < NEVER:
            heapq.heappush(self._planned, (entry.at, next(self._numbers), entry))

    def ready(self, at: float) -> list[Upkeep]:
        """Returns those for which something is to be done by now, each once."""
        ready: dict[str, Upkeep] = {}
        while self._planned and self._planned[0][0] <= at:
            planned, _, entry = heapq.heappop(self._planned)
            if planned == entry.at and not entry.is_gone and not entry.is_busy:
                ready[entry.name] = entry
        return list(ready.values())

    def next_at(self) -> float:
        """Returns when ready() is to be asked, epoch seconds; infinite where nothing is planned."""
        return self._planned[0][0] if self._planned else NEVER
