"""Server processes: started, awaited by an event, logged, and surely ended."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

READY_WITHIN = 15.0
STOP_WITHIN = 3.0
_POLL = 0.002
# Below the kernel's ephemeral range, so that no outgoing connection takes the port between our look and its use.
_PORTS = range(12000, 32000)


class ServerError(Exception):
    """A server did not start, or ended while it was needed."""


class Server:
    """Listens from its construction on; `with` stops it."""

    def stop(self) -> None:
        """Stop listening."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_port() -> int:
    """A loopback port which is free for TCP and for UDP now."""
    for port in random.sample(_PORTS, k=200):
        if all(_can_bind(kind, port) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            return port
    raise ServerError("no free loopback port")


def _can_bind(kind: socket.SocketKind, port: int) -> bool:
    # On every address, because some servers listen on all of them.
    with socket.socket(socket.AF_INET, kind) as probe, suppress(OSError):
        probe.bind(("", port))
        return True
    return False


def tcp_answers(port: int) -> bool:
    """Whether something accepts connections at this loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def find_program(name: str) -> str:
    """The path of a server program, looked for in the administrators' folders too."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise ServerError(f"{name} is not installed")
    return found


class Process:
    """One server process with its log file.

    Start it from a thread that lives as long as the server is needed: Linux counts the end of the
    *thread* that started a process as the death of its parent, and the process is ended by that.
    """

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = Path(argv[0]).name
        self.log = log
        # setpriv replaces itself by the server, so the process id and the exit status are the server's.
        guard = shutil.which("setpriv")
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [*([guard, "--pdeathsig", "KILL", "--"] if guard else []), *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                # A terminal's Ctrl-C goes to the command under test; the servers outlive it.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._popen.pid

    def is_running(self) -> bool:
        """Whether the process still runs."""
        return self._popen.poll() is None

    def wait_ready(self, ready: Callable[[], bool], within: float = READY_WITHIN) -> None:
        """Return as soon as ``ready`` says so; raise ServerError with the log if that never comes."""
        deadline = time.monotonic() + within
        while not ready():
            if not self.is_running():
                raise ServerError(f"{self.name} ended with status {self._popen.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise ServerError(f"{self.name} was not ready within {within:g} s:\n{self.tail()}")
            time.sleep(_POLL)

    def tail(self, lines: int = 20) -> str:
        """The last lines of the server's log."""
        with suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def stop(self, within: float = STOP_WITHIN) -> None:
        """End the process, by force if it takes too long, and wait until it is gone."""
        if self.is_running():
            self._popen.terminate()
            try:
                self._popen.wait(within)
            except subprocess.TimeoutExpired:
                self._popen.kill()
        self._popen.wait()
