"""A server program in a temporary folder, started and ended as a context manager."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from .process import Process, ServerError


class ServerProgram:
    """One external server: ``launch`` starts it, ``wait_ready`` waits, ``start`` does both."""

    def __init__(self, folder: Path | None) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="tossl-") if folder is None else None
        self.folder = folder or Path(self._temporary.name if self._temporary else "")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The running server process."""
        if self._process is None:
            raise ServerError(f"{type(self).__name__} is not started")
        return self._process

    def launch(self) -> None:
        """Start the process without waiting for it."""
        raise NotImplementedError

    def wait_ready(self) -> None:
        """Wait until the server answers."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start the server and wait until it answers."""
        self.launch()
        self.wait_ready()
        return self

    def stop(self) -> None:
        """End the server. It can be started again, on the same ports."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def restart(self) -> None:
        """End the server and start it afresh on the same ports; what it held is forgotten."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self if self._process else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()


def local_session() -> requests.Session:
    """An HTTP session for loopback, which no proxy or CA bundle of the environment concerns."""
    session = requests.Session()
    session.trust_env = False
    return session
