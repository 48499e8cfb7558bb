"""A child made by os.fork()."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable

#: Seconds after which a child is ended that hangs.
_LIMIT_SECONDS = 30


def in_child(work: Callable[[], object]) -> str:
    """Returns the repr of what `work` returns, or of what it raises, in a child of this process; empty if it hangs."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there may be threads, which is the point
        child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_LIMIT_SECONDS)
        try:
            result = repr(work())
        except BaseException as error:  # noqa: BLE001 - it is what is asked
            result = repr(error)
        os.write(writer, result.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as told:
        result = told.read()
    os.waitpid(child, 0)
    return result
