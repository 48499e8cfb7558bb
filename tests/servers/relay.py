"""A relay in front of a TCP server: it can cut connections, swallow what they carry, or lose one answer."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from .process import Server

_PIECE_BYTES = 65536


class _Pair:
    """A connection of a client, and the one to the server that belongs to it."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near = near
        self.far = far
        self.is_silent = False

    def cut(self) -> None:
        for each in (self.near, self.far):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Relay(Server):
    """Listens on a free loopback port, and passes everything on to another one."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[_Pair] = []
        self._loses = False
        self._is_dark = False
        #: Set when an answer was lost.
        self.has_lost = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        """Swallow from now on what the connections carry that are open, as a network does that is cut."""
        with self._lock:
            for pair in self._pairs:
                pair.is_silent = True

    def darken(self) -> None:
        """Swallow all that is carried until light() is called, also by connections that are still to come."""
        self._is_dark = True

    def light(self) -> None:
        """Pass things on again; what was swallowed is lost, and its connections end."""
        self._is_dark = False
        self.cut()

    def cut(self) -> None:
        """End every connection."""
        with self._lock:
            while self._pairs:
                self._pairs.pop().cut()

    def lose_next_answer(self) -> None:
        """Cut the connection on which the server says something next, before that is passed on."""
        self.has_lost.clear()
        self._loses = True

    def stop(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                try:
                    pair = _Pair(near, socket.create_connection(("127.0.0.1", self._to)))
                except OSError:
                    near.close()
                    continue
                with self._lock:
                    self._pairs.append(pair)
                threading.Thread(target=self._ask, args=(pair,), daemon=True).start()
                threading.Thread(target=self._answer, args=(pair,), daemon=True).start()

    def _ask(self, pair: _Pair) -> None:
        with suppress(OSError):
            while piece := pair.near.recv(_PIECE_BYTES):
                if not (pair.is_silent or self._is_dark):
                    pair.far.sendall(piece)
            pair.far.shutdown(socket.SHUT_WR)

    def _answer(self, pair: _Pair) -> None:
        with suppress(OSError):
            while piece := pair.far.recv(_PIECE_BYTES):
                if self._loses:
                    self._loses = False
                    pair.cut()
                    self.has_lost.set()
                    return
                if not (pair.is_silent or self._is_dark):
                    pair.near.sendall(piece)
            pair.near.shutdown(socket.SHUT_WR)
