"""Values that servers of this process show, each under a key. Imports nothing of this package."""

from __future__ import annotations

import threading


class Shown:
    """Values by key; a value may be there several times. The last value of a key counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, tuple[str, ...]] = {}

    def put(self, key: str, value: str) -> None:
        with self._lock:
            self._values[key] = (*self._values.get(key, ()), value)

    def take(self, key: str, value: str) -> None:
        """Removes one such value, if it is there."""
        with self._lock:
            values = list(self._values.pop(key, ()))
            if value in values:
                values.remove(value)
            if values:
                self._values[key] = tuple(values)

    def get(self, key: str) -> str | None:
        values = self._values.get(key)
        return values[-1] if values else None

    def holds(self, key: str, value: str) -> bool:
        return value in self._values.get(key, ())

    @property
    def is_empty(self) -> bool:
        return not self._values
