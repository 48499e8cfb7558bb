"""Where the look-alikes of DNS providers put TXT records so that the world can query them."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

from .pebble import ChallTestSrv
from .web import LookAlike, Reply, Request, json_reply


class TxtSink(Protocol):
    """A DNS server that takes and loses single TXT values (``Bind`` is one)."""

    def add_txt(self, name: str, value: str) -> None:
        """Publish one value at the name."""

    def remove_txt(self, name: str, value: str) -> None:
        """Take one value at the name back."""


class ChallTestSrvSink:
    """Publishes in the mock DNS server, which itself can only clear a whole name."""

    def __init__(self, server: ChallTestSrv) -> None:
        self._server = server
        self._values: defaultdict[str, list[str]] = defaultdict(list)
        self._lock = threading.Lock()

    def add_txt(self, name: str, value: str) -> None:
        """Publish one value at the name."""
        with self._lock:
            self._values[name].append(value)
            self._server.set_txt(name, value)

    def remove_txt(self, name: str, value: str) -> None:
        """Take one value at the name back; the others are set again."""
        with self._lock:
            if value in self._values[name]:
                self._values[name].remove(value)
            self._server.clear_txt(name)
            for kept in self._values[name]:
                self._server.set_txt(name, kept)


class DelayedSink:
    """Passes each change on after ``seconds``, as a provider's slow name servers would."""

    def __init__(self, sink: TxtSink, seconds: float) -> None:
        self.seconds = seconds
        self._sink = sink

    def add_txt(self, name: str, value: str) -> None:
        """Publish one value at the name, later."""
        self._later(self._sink.add_txt, name, value)

    def remove_txt(self, name: str, value: str) -> None:
        """Take one value at the name back, later."""
        self._later(self._sink.remove_txt, name, value)

    def _later(self, change: Callable[[str, str], None], name: str, value: str) -> None:
        timer = threading.Timer(self.seconds, change, (name, value))
        timer.daemon = True
        timer.start()


class TxtReceiver(LookAlike):
    """The mock DNS server's two requests for TXT values, for a server that is another process."""

    def __init__(self, sink: TxtSink | None = None) -> None:
        self.sink = sink
        self.values: defaultdict[str, set[str]] = defaultdict(set)
        super().__init__(None)
        self.url = self.origin

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        record = request.json()
        name = str(record["host"]).rstrip(".")
        if request.path == "/set-txt":
            self.values[name].add(record["value"])
            if self.sink is not None:
                self.sink.add_txt(name, record["value"])
        elif request.path == "/clear-txt":
            for value in self.values.pop(name, set()):
                if self.sink is not None:
                    self.sink.remove_txt(name, value)
        return json_reply({})
