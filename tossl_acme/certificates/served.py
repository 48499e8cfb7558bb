"""Which answers of other nodes a node has put into its web servers' folders, told by its manage in the store.

served/<NODE>:<PID>/served.json    whoever presents an answer waits until all nodes that are alive have it
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ArgumentError
from ..store.protocol import Lock, Store
from .due import is_time
from .lines import json_lines
from .nodes import node_name

SERVED = "served"
_VALUE = "served.json"
#: A node tells of itself at least this often, in seconds, and is taken for dead after ...
BEAT_SECONDS = 30.0
#: ... so many.
_DEAD_SECONDS = 120.0
#: Characters of a node's name here: behind it stands the process.
_MOST_CHARS = 200


def process_name() -> str:
    """Returns this process's name among those with the same store. Raises ArgumentError "node"."""
    return f"{node_name()[:_MOST_CHARS]}:{os.getpid()}"


@dataclass(frozen=True)
class Served:
    """What a process serves. by: its process_name(). at: when it told that, epoch seconds by the store's clock.

    seen: the ids of the answers that it has put where its web servers find them. failed: of them, why it could not, by
    id. files: the challenges whose files are there, with their places, as plain data.
    """

    by: str
    at: float = 0.0
    seen: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Mapping[str, Any], ...] = ()

    @property
    def node(self) -> str:
        return self.by.rpartition(":")[0]

    @property
    def process(self) -> int:
        """Returns its process id on that node; 0 if its name tells none."""
        number = self.by.rpartition(":")[2]
        return int(number) if number.isascii() and number.isdigit() else 0

    def is_alive(self, at: float) -> bool:
        """Returns whether it can be expected to serve what is presented now. at: the time by the store's clock."""
        return abs(at - self.at) < _DEAD_SECONDS

    @property
    def as_dead(self) -> Served:
        """Returns what to keep of a process that was expected to serve, and said nothing: until it says anything."""
        return replace(self, at=self.at - _DEAD_SECONDS)


def read_served(store: Store) -> list[Served]:
    """Returns all that is told; of what is damaged, that nothing is served. Raises ArgumentError "store"."""
    found = []
    for name, values in store.read_all(SERVED, (_VALUE,)):
        by = name.removeprefix(f"{SERVED}/")
        try:
            if isinstance(values, ArgumentError):
                raise ValueError(values.message)
            data = json.loads(values[_VALUE])
            at = float(data["at"]) if is_time(data["at"]) else 0.0
            files = tuple(one for one in data["files"] if isinstance(one, dict))
            failed = {str(key): str(said) for key, said in dict(data["failed"]).items()}
            found.append(Served(by, at, tuple(map(str, data["seen"])), failed, files))
        except (KeyError, TypeError, ValueError, RecursionError):
            found.append(Served(by))
    return found


def served_name(by: str) -> str:
    """Returns under which name a process's is kept."""
    return f"{SERVED}/{by}"


def write_served(store: Store, lock: Lock, served: Served) -> None:
    """Keeps it, in the lock of its name."""
    told = {"at": served.at, "seen": list(served.seen), "failed": dict(served.failed), "files": list(served.files)}
    store.write(lock, {_VALUE: json_lines(told).encode()})
