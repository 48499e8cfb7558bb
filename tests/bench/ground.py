"""Where the clients run: one CA, at hand and far away, and nginx for their challenges."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.certs import make_certificates
from tests.servers.far import ROUND_TRIP_SECONDS
from tests.servers.nginx import Nginx
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.process import Process, free_port, tcp_answers
from tests.servers.program import ServerProgram

TREE = Path(__file__).parents[2]
#: How Pebble's log names a request.
_REQUEST = b" -> calling handler()"


@dataclass(frozen=True)
class Place:
    """A CA as a client sees it. `folder` is the client's own, and empty when it comes first."""

    directory: str
    ca_bundle: str
    webroot: Path
    behind: int
    folder: Path


class Far(ServerProgram):
    """The relay that delays."""

    def __init__(self, folder: Path, server: str, round_trip: float) -> None:
        super().__init__(folder)
        self.port = free_port()
        self._argv = [sys.executable, "-m", "tests.servers.far", server, "--port", str(self.port)]
        self._argv += ["--round-trip", str(round_trip)]

    def launch(self) -> None:
        self._process = Process(self._argv, self.folder / "far.log", cwd=TREE)

    def wait_ready(self) -> None:
        self.process.wait_ready(lambda: tcp_answers(self.port))


class Ground:
    """Pebble, which takes every nonce and has each name proven (`reuse`: percent of those that it takes as proven)."""

    def __init__(
        self,
        folder: Path,
        *,
        reuse: int = 0,
        binary: str | Path = "pebble",
        round_trip: float = ROUND_TRIP_SECONDS,
    ) -> None:
        self.folder, self.round_trip = folder, round_trip
        self._exits = ExitStack()
        self._generation = 0
        self._registered: set[Path] = set()
        self._dns = ChallTestSrv(folder=folder / "dns")
        self.pebble = Pebble(
            dns=self._dns.dns,
            certificates=make_certificates(folder / "tls"),
            folder=folder / "pebble",
            binary=binary,
            nonce_reject=0,
            authz_reuse=reuse,
        )
        self._nginx = Nginx(folder / "nginx", self.pebble.http_port)
        (self._nginx.webroot / ".well-known" / "acme-challenge").mkdir(parents=True)
        self._far = Far(folder / "far", f"127.0.0.1:{self.pebble.port}", round_trip)

    def __enter__(self) -> Self:
        programs: list[ServerProgram] = [self._dns, self.pebble, self._nginx, self._far]
        with ExitStack() as exits:
            for program in programs:
                exits.enter_context(program)
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def restart(self) -> None:
        """Starts a CA that fell silent anew: it knows no account any more, so that all places are new ones."""
        self.pebble.restart()
        self._generation += 1

    def place(self, client: str, *, far: bool = False) -> Place:
        """Returns the place of a client: the same one until the CA is started anew."""
        where = "far" if far else "near"
        folder = self.folder / "places" / str(self._generation) / where / client.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        port = self._far.port if far else self.pebble.port
        directory = f"https://127.0.0.1:{port}/dir"
        return Place(directory, self.pebble.ca_bundle, self._nginx.webroot, self._nginx.behind, folder)

    def is_new(self, place: Place) -> bool:
        """Returns whether this is asked of a place for the first time: its client has to make an account there."""
        known = place.folder in self._registered
        self._registered.add(place.folder)
        return not known

    def requests(self) -> int:
        """Returns how many requests the CA has had, by its log."""
        return (self.pebble.folder / "pebble.log").read_bytes().count(_REQUEST)
