"""Keeps Python's environment equal to the process's.

Python reads the process's environment once, when it starts. A script's later changes (`set env(X) ...`) reach every
child process, but not os.environ.
"""

from __future__ import annotations

import os
from _thread import allocate_lock

from ..context import in_forked_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .host import TclHost

_lock = allocate_lock()
_seen: bytes | None = None


def update_environment(host: TclHost) -> None:
    """Makes os.environ equal to the process's environment, for hosts that can return that.

    Does not write the process's environment, as os.environ's own methods would.
    """
    global _seen
    read: Callable[[], bytes] | None = getattr(host, "environment", None)
    if read is None:
        return
    with _lock:  # of two threads, the later has the later environment
        block = read()
        if block != _seen:
            _set(block)
            _seen = block


def _set(block: bytes) -> None:
    entries = [entry for entry in block.split(b"\0") if b"=" in entry]
    now = dict(entry.split(b"=", 1) for entry in reversed(entries))  # of two entries with one name, the first counts
    data: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
    data.update(now)
    for name in data.keys() - now.keys():
        del data[name]


def reset() -> None:
    """Forgets the last environment and the lock's holder."""
    global _lock, _seen
    _lock = allocate_lock()
    _seen = None


in_forked_child(reset)
