"""A command of the shell, bounded in time and in what it says."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Mapping

from ..context import Context
from ..errors import TosslError
from ..files import beyond_standard
from ..text import clean

SHELL = "/bin/sh"
#: Of what the command says, so many bytes are remembered, from the end; the last line of them goes into a message.
_REMEMBERED_BYTES = 4096
#: How long a command has between the request to end and its end, in seconds.
_END_SECONDS = 2.0
#: How soon its end is noticed where the system cannot wake this process for it, in seconds.
_POLL_SECONDS = 0.05
#: What the host may ignore, and a command expects to end by.
_SIGNALS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGPIPE", "SIGTERM", "SIGCHLD", "SIGXFSZ")
DEFAULT_SIGNALS = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]


class CommandError(TosslError):
    """A command that failed, or did not end in time."""


def run_command(context: Context, command: str, environment: Mapping[str, str], limit: float) -> None:
    """Runs `sh -c command`, with these variables besides those of this process, without standard input.

    It is ended, with all that it started, after `limit` seconds or when the context is over. What it says goes nowhere
    but for the last line, which stands in the error's message. Raises CommandError, and what the context raises.
    """
    if not hasattr(os, "posix_spawn"):
        raise CommandError(f"the command cannot be run: this system has no {SHELL}")
    ends = time.monotonic() + limit
    reader, writer = (beyond_standard(handle) for handle in os.pipe())
    try:
        os.set_blocking(reader, False)
        try:
            process = _spawned(command, environment, writer)
        finally:
            os.close(writer)
        said = _Said(reader)
        try:
            status = _awaited(context, process, said, ends)
        except BaseException:
            _end(process)
            raise
        said.read()
    finally:
        os.close(reader)
    if status is None:
        _end(process)
        raise CommandError(f"the command did not end within {limit:g} s{said.last_line}")
    if status:
        how = f"exit status {status}" if status > 0 else f"signal {-status}"
        raise CommandError(f"the command ended with {how}{said.last_line}")


def _spawned(command: str, environment: Mapping[str, str], output: int) -> int:
    """Starts the command in a new session, with no signal blocked. Returns its process id."""
    variables = dict(os.environb)
    variables |= {os.fsencode(name): value.encode("utf-8", "surrogateescape") for name, value in environment.items()}
    try:
        return os.posix_spawn(
            SHELL,
            (SHELL, "-c", os.fsencode(command)),
            variables,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=DEFAULT_SIGNALS,
        )
    except OSError as error:
        raise CommandError(f"the command cannot be run: {error.strerror}") from None


def _awaited(context: Context, process: int, said: _Said, ends: float) -> int | None:
    """Returns the process's exit status, negative for a signal; None if it did not end in time."""
    with contextlib.ExitStack() as opened:
        poll = select.poll()
        poll.register(said.reader, select.POLLIN)
        longest = 1.0
        try:
            handle = beyond_standard(os.pidfd_open(process))
            opened.callback(os.close, handle)
            poll.register(handle, select.POLLIN)
        except (AttributeError, OSError):  # not on this system
            longest = _POLL_SECONDS
        while (status := _status(process)) is None:
            left = ends - time.monotonic()
            if left <= 0:
                return None
            pause = context.poll_seconds("deploy", min(left, longest))
            if any(handle == said.reader for handle, _ in poll.poll(pause * 1000)) and not said.read():
                poll.unregister(said.reader)
        return status


def _status(process: int) -> int | None:
    try:
        found, status = os.waitpid(process, os.WNOHANG)
    except ChildProcessError:
        raise CommandError("how the command ended is not known: the program ignores SIGCHLD or waits itself") from None
    return os.waitstatus_to_exitcode(status) if found else None


def _end(process: int) -> None:
    """Ends the process and what it started."""
    until = time.monotonic() + _END_SECONDS
    number = signal.SIGTERM
    with contextlib.suppress(ProcessLookupError, CommandError):
        while True:
            os.killpg(process, number)
            if number == signal.SIGKILL:
                os.waitpid(process, 0)
                return
            while time.monotonic() < until:
                if _status(process) is not None:
                    os.killpg(process, signal.SIGKILL)  # what is left of its session
                    return
                time.sleep(_POLL_SECONDS)
            number = signal.SIGKILL


class _Said:
    """The last part of a command's output."""

    def __init__(self, reader: int) -> None:
        self.reader = reader
        self._bytes = b""
        self._is_open = True

    def read(self) -> bool:
        """Reads what is there; whether more may come."""
        with contextlib.suppress(BlockingIOError):
            while self._is_open:
                more = os.read(self.reader, _REMEMBERED_BYTES)
                self._is_open = bool(more)
                self._bytes = (self._bytes + more)[-_REMEMBERED_BYTES:]
                if len(more) < _REMEMBERED_BYTES:
                    break
        return self._is_open

    @property
    def last_line(self) -> str:
        """Returns the last line for a message, after a colon; empty without output."""
        lines = [line for line in self._bytes.decode("utf-8", "replace").splitlines() if line.strip()]
        return f": {clean(lines[-1].strip())}" if lines else ""
