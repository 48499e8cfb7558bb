"""Servers shared by port: several orders and jobs of a process answer their challenges on the same port."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping

from ..context import Context
from .listener import Connection, Listener
from .ports import Port, address_of
from .shown import Shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..acme.authorization import Challenge


class Responder:
    """A server that shows values, each under a key (a token, a name), on a port.

    Raises ArgumentError("port") if it cannot listen. Port 0: the system chooses a port.
    """

    def __init__(self, port: Port, connect: Callable[[socket.socket], Connection]) -> None:
        self._shown = Shown()
        self._listener = Listener(port, connect)
        self.port = self._listener.port

    def show(self, key: str, value: str) -> None:
        """Answers requests for the key with the value from now on."""
        self._shown.put(key, value)

    def hide(self, key: str, value: str) -> None:
        """Undoes one show()."""
        self._shown.take(key, value)

    @property
    def is_idle(self) -> bool:
        """Returns whether it shows nothing."""
        return self._shown.is_empty

    def close(self) -> None:
        """Stops; the port is free when this returns."""
        self._listener.close()

    def leave_to_parent(self) -> None:
        """Closes its descriptors in a forked child."""
        self._listener.leave_to_parent()


_Place = tuple[Callable[[Port], Responder], Port]


class ResponderPool:
    """The responders of this process, each alive while it shows anything or is held. A process keeps one of these."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[_Place, Responder] = {}
        #: How often each is held.
        self._held: Counter[_Place] = Counter()

    def hold(self, start: Callable[[Port], Responder], port: Port) -> int:
        """Keeps a responder open until release(), for what other nodes present; returns its port.

        Raises ArgumentError("port") if the port cannot be used.
        """
        place = (start, port)
        with self._lock:
            if place not in self._open:
                self._open[place] = start(port)
            self._held[place] += 1
            return self._open[place].port

    def release(self, start: Callable[[Port], Responder], port: Port) -> None:
        """Undoes one hold()."""
        place = (start, port)
        with self._lock:
            self._held -= Counter([place])
            if place in self._open:
                self._close_idle(place)

    def show(self, start: Callable[[Port], Responder], port: Port, key: str, value: str) -> int:
        """Shows the value at start(port), which is started if it is not running; returns its port.

        Raises ArgumentError("port") if the port cannot be used.
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

    def hide(self, start: Callable[[Port], Responder], port: Port, key: str, value: str) -> None:
        """Undoes one show(). Closes a responder without values; its port is free then."""
        place = (start, port)
        with self._lock:
            responder = self._open.get(place)
            if responder is None:
                return
            responder.hide(key, value)
            self._close_idle(place)

    @property
    def is_idle(self) -> bool:
        """Returns whether no responder is running."""
        return not self._open

    def close(self) -> None:
        """Closes every responder."""
        with self._lock:
            self._held.clear()
            while self._open:
                self._open.popitem()[1].close()

    def leave_to_parent(self) -> None:
        """Closes the descriptors in a forked child; the parent's responders go on."""
        self._lock = threading.Lock()
        self._held.clear()
        while self._open:
            self._open.popitem()[1].leave_to_parent()

    def _close_idle(self, place: _Place) -> None:
        responder = self._open[place]
        if responder.is_idle and not self._held[place]:
            del self._open[place]
            responder.close()


class ResponderSolver:
    """A solver with a server on a port, which `responders` shares with every other order of the process.

    The first challenge presented takes the port, the last clean-up frees it. Raises ArgumentError("port").
    """

    def __init__(
        self,
        responders: ResponderPool,
        start: Callable[[Port], Responder],
        key: Callable[[Challenge], str],
        port: Port,
    ) -> None:
        self._responders = responders
        self._place = (start, port)
        self._key = key
        #: The port's number; for 0, the system's choice once a challenge is presented.
        self.port = address_of(port)[1]
        self._ended: set[Challenge] = set()

    def place_of(self, challenge: Challenge) -> Mapping[str, str]:
        """Returns nothing: the server ends with the process."""
        return {}

    def present(self, context: Context, challenge: Challenge) -> None:
        """Answers the CA's requests for the challenge from now on."""
        self._ended.discard(challenge)
        self.port = self._responders.show(*self._place, self._key(challenge), challenge.key_authorization)

    @property
    def place(self) -> tuple[object, ...]:
        """Returns what tells its server from another."""
        return self._place

    @property
    def address(self) -> tuple[str, int]:
        """Returns where its server listens: the address, empty for every one, and the port's number."""
        return address_of(self._place[1])

    def hold(self) -> int:
        """Keeps the server open until release(); returns its port. Raises ArgumentError("port")."""
        return self._responders.hold(*self._place)

    def release(self) -> None:
        """Undoes one hold()."""
        self._responders.release(*self._place)

    def describe(self, challenge: Challenge) -> dict[str, object]:
        """Returns the port."""
        return {"port": self.port}

    def wait(self, context: Context, challenge: Challenge) -> None:
        """Returns at once: the server answers as soon as present() returns."""

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        """Undoes one present()."""
        # Another order may show the same value under the same key: a second clean_up() must not remove that.
        if challenge not in self._ended:
            self._ended.add(challenge)
            self._responders.hide(*self._place, self._key(challenge), challenge.key_authorization)
