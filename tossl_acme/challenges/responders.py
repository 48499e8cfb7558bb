"""Sharing a port: several orders and jobs of one process answer their challenges on the same one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from ..acme.authorization import Challenge
from ..context import Context
from .listener import check_port


class Responder(Protocol):
    """A server that shows values, each under a key (a token, a name), on one port."""

    port: int

    def show(self, key: str, value: str) -> None: ...

    def hide(self, key: str, value: str) -> None: ...

    @property
    def is_idle(self) -> bool: ...

    def close(self) -> None: ...

    def leave_to_parent(self) -> None: ...


class Shown:
    """Values by key, each as often as it was put there. Under one key the last one put counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, tuple[str, ...]] = {}

    def put(self, key: str, value: str) -> None:
        with self._lock:
            self._values[key] = (*self._values.get(key, ()), value)

    def take(self, key: str, value: str) -> None:
        """Removes one of these values, if it is there."""
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


_Place = tuple[Callable[[int], Responder], int]


class ResponderPool:
    """The responders of this process, each alive while it shows anything. A process keeps one of these."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[_Place, Responder] = {}

    def show(self, start: Callable[[int], Responder], port: int, key: str, value: str) -> int:
        """Shows the value at start(port), started if it is not running; returns its port.

        Raises ArgumentError("port") where the port cannot be had.
        """
        place = (start, port)
        with self._lock:
            responder = self._open.get(place)
            if responder is None:
                responder = self._open[place] = start(port)
            try:
                responder.show(key, value)
            finally:
                self._close_idle(place)
            return responder.port

    def hide(self, start: Callable[[int], Responder], port: int, key: str, value: str) -> None:
        """Undoes one show(); a responder that shows nothing any more is closed and its port is free."""
        place = (start, port)
        with self._lock:
            responder = self._open.get(place)
            if responder is None:
                return
            responder.hide(key, value)
            self._close_idle(place)

    def close(self) -> None:
        """Closes every responder, whatever it shows."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def leave_to_parent(self) -> None:
        """In a forked child: closes this process's descriptors; the parent's responders go on."""
        self._lock = threading.Lock()
        while self._open:
            self._open.popitem()[1].leave_to_parent()

    def _close_idle(self, place: _Place) -> None:
        responder = self._open[place]
        if responder.is_idle:
            del self._open[place]
            responder.close()


class ResponderSolver:
    """A solver with a server on a port, which `responders` shares with every other order of the process.

    The first challenge presented takes the port, the last one cleaned up frees it. Raises ArgumentError("port").
    """

    def __init__(
        self,
        responders: ResponderPool,
        start: Callable[[int], Responder],
        key: Callable[[Challenge], str],
        port: int,
    ) -> None:
        self._responders = responders
        check_port(port)
        self._place = (start, port)
        self._key = key
        #: The port, chosen by the system once a challenge is presented if 0 was asked for.
        self.port = port
        self._ended: set[Challenge] = set()

    @property
    def place(self) -> Mapping[str, str]:
        """None: the server ends with the process."""
        return {}

    def present(self, context: Context, challenge: Challenge) -> None:
        """Answers for the challenge from now on."""
        self._ended.discard(challenge)
        self.port = self._responders.show(*self._place, self._key(challenge), challenge.key_authorization)

    def describe(self, challenge: Challenge) -> dict[str, object]:
        """Returns where the challenge is presented."""
        return {"port": self.port}

    def wait(self, context: Context, challenge: Challenge) -> None:
        """Nothing to wait for: the server answers as soon as present() returns."""

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        """Undoes one present()."""
        # Another order may show the same under the same key: a second clean_up() must not take that one away.
        if challenge not in self._ended:
            self._ended.add(challenge)
            self._responders.hide(*self._place, self._key(challenge), challenge.key_authorization)
