"""Python's environment, kept as the process's.

Python reads the process's environment once, when it starts. What a script sets later (`set env(X) ...`) is there for
every child process, but not in os.environ.
"""

from __future__ import annotations

import os
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .host import TclHost

_lock = allocate_lock()
_seen: bytes | None = None


def update_environment(host: TclHost) -> None:
    """Makes os.environ what the process's environment is, for hosts that can tell it.

    The process's environment is not written: os.environ's own methods would do that.
    """
    global _seen
    read: Callable[[], bytes] | None = getattr(host, "environment", None)
    if read is None:
        return
    with _lock:  # of two threads, the later one has the later environment
        block = read()
        if block != _seen:
            _set(block)
            _seen = block


def _set(block: bytes) -> None:
    entries = [entry for entry in block.split(b"\0") if b"=" in entry]
    now = dict(entry.split(b"=", 1) for entry in reversed(entries))  # of two with one name, the first counts
    data: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
    data.update(now)
    for name in data.keys() - now.keys():
        del data[name]


def reset() -> None:
    """Forgets which environment was seen last, and who was reading it."""
    global _lock, _seen
    _lock = allocate_lock()
    _seen = None


os.register_at_fork(after_in_child=reset)
