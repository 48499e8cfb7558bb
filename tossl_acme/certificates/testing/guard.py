"""A shell beside this process that ends a server and removes a folder, however this process ends: by SIGKILL, too."""

from __future__ import annotations

import contextlib
import os
import time

from ...context import in_forked_child
from ...errors import ResourceError
from ...files import beyond_standard
from ..command import DEFAULT_SIGNALS, SHELL

#: $1: the folder, empty for none; the file for the server's output, and the server's words, if there is a server. The
#: server has the other end of `standing` as descriptor 3.
_SCRIPT = """
PATH=$PATH:/usr/bin:/bin
trap '' HUP INT QUIT TERM
folder=$1 output=$2 server=
shift 2
if [ $# -gt 0 ]; then
    (trap - HUP INT QUIT TERM; exec "$@" 3>&1 >"$output" 2>&1 </dev/null) &
    server=$!
fi
exec >/dev/null
read -r end
if [ -n "$server" ]; then
    kill -KILL "$server"
    wait "$server"
fi
[ -z "$folder" ] || rm -rf -- "$folder"
"""
#: Seconds that the shell has to end the server and to remove the folder.
_END_SECONDS = 10.0
_POLL_SECONDS = 0.002

#: This process's ends of pipes: a forked child closes them, for it is not whose end the shells wait for.
_ends: set[int] = set()


def reset() -> None:
    """Closes the pipes to the shells: in a child process, which is not the one that they watch."""
    while _ends:
        os.close(_ends.pop())


class Guard:
    """One such shell, from its start to end(). Raises ResourceError if none can be started."""

    def __init__(self, folder: str = "", output: str = "", server: tuple[str, ...] = ()) -> None:
        if not hasattr(os, "posix_spawn"):
            raise ResourceError("processes", f"{SHELL} cannot be started: this system has none")
        self._is_over = False
        watched, self._end = _pipe()
        try:
            self._standing, held = _pipe()
        except OSError:
            os.close(watched)
            os.close(self._end)
            raise
        _ends.update((self._end, self._standing))
        try:
            self._process = os.posix_spawn(
                SHELL,
                (SHELL, "-c", _SCRIPT, "tossl-testing", folder, output, *server),
                os.environb,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, watched, 0),
                    (os.POSIX_SPAWN_DUP2, held, 1),
                    (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
                ],
                setsid=True,  # Ctrl-C in a terminal is for the program
                setsigmask=(),
                setsigdef=DEFAULT_SIGNALS,
            )
        except OSError as error:
            self._close()
            raise ResourceError("processes", f"{SHELL} cannot be started: {error.strerror}") from None
        finally:
            os.close(watched)
            os.close(held)
        os.set_blocking(self._standing, False)

    @property
    def is_standing(self) -> bool:
        """Returns whether the server runs."""
        try:
            return bool(os.read(self._standing, 1))
        except BlockingIOError:
            return True

    def end(self) -> None:
        """Ends the server, removes the folder, and waits until it is done. The second time nothing happens."""
        if self._is_over:  # its descriptors may be another's by now
            return
        with contextlib.suppress(OSError):  # somebody has killed the shell
            os.write(self._end, b"\n")
        self._close()
        until = time.monotonic() + _END_SECONDS
        with contextlib.suppress(ChildProcessError):  # the program ignores SIGCHLD, or waits for all children itself
            while not os.waitpid(self._process, os.WNOHANG)[0] and time.monotonic() < until:
                time.sleep(_POLL_SECONDS)

    def _close(self) -> None:
        self._is_over = True
        for end in (self._end, self._standing):
            if end in _ends:
                _ends.remove(end)
                os.close(end)


def _pipe() -> tuple[int, int]:
    """Returns both ends of a new pipe that no child process inherits."""
    reader, writer = (beyond_standard(end) for end in os.pipe())
    return reader, writer


in_forked_child(reset)
