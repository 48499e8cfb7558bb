"""A store in memory, for tests that write to it thousands of times. tossl_acme.store.protocol says what it does."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from tossl_acme.certificates import clock
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError
from tossl_acme.files import FilePath
from tossl_acme.store.protocol import Lock, put_locked


class MemoryStore:
    """Sets by name."""

    def __init__(self, *, is_shared: bool = False) -> None:
        self.is_shared = is_shared
        #: Several threads use it: whoever goes through it goes through a copy.
        self.sets: dict[str, dict[str, bytes]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._epochs = itertools.count(1)
        #: The names of what was changed, in order.
        self._changed: list[str] = []

    def read(self, name: str, only: Collection[str] | None = None) -> dict[str, bytes] | None:
        found = self.sets.get(name)
        return None if found is None else {key: found[key] for key in found if only is None or key in only}

    def read_all(
        self, prefix: str, only: Collection[str] | None = None
    ) -> Iterator[tuple[str, dict[str, bytes] | ArgumentError]]:
        for name in self.list(prefix):
            yield name, self.read(name, only) or {}

    def read_many(
        self, names: Collection[str], only: Collection[str] | None = None
    ) -> dict[str, dict[str, bytes] | ArgumentError]:
        return {name: values for name in names if (values := self.read(name, only)) is not None}

    def reading_ahead(self, names: Collection[str]) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def identity(self) -> str:
        return f"memory {id(self)}"

    def time(self) -> float:
        return clock.wall()

    def names(self) -> list[str]:
        return sorted(self.sets)

    def list(self, prefix: str) -> list[str]:
        return sorted(name for name in [*self.sets] if name.rpartition("/")[0] == prefix)

    def version(self, name: str) -> str:
        return str(hash(frozenset(self.sets.get(name, {}).items())))

    def changes(self, since: str) -> tuple[str, frozenset[str]] | None:
        told = self._changed[int(since or len(self._changed)) :]
        return str(len(self._changed)), frozenset(told)

    @contextlib.contextmanager
    def locked(self, context: Context, name: str, within: float | None = None) -> Iterator[Lock]:
        context.check("the lock")
        with self._locks[name]:
            yield Lock(name, "this test", next(self._epochs))

    def write(self, lock: Lock, values: Mapping[str, bytes], part: str = "", *, ends: bool = False) -> None:
        name = f"{lock.name}/{part}" if part else lock.name
        self.sets[name] = dict(values)
        self._changed.append(name)

    def put(self, context: Context, name: str, values: Mapping[str, bytes]) -> None:
        put_locked(self, context, name, values)

    def delete(self, lock: Lock, part: str = "", *, ends: bool = False) -> None:
        whole = f"{lock.name}/{part}" if part else lock.name
        for name in [each for each in [*self.sets] if each == whole or each.startswith(f"{whole}/")]:
            self.sets.pop(name, None)
            self._changed.append(name)

    def where(self, name: str, value: str = "") -> str:
        return f"{name}/{value}"

    def path_of(self, name: str, value: str = "") -> FilePath | None:
        return None
