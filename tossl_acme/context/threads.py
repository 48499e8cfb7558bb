"""The threads that this package starts."""

from __future__ import annotations

import threading

from ..errors import ResourceError
from .thread_body import await_ended_threads, in_own_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _queue import SimpleQueue
    from collections.abc import Callable
    from typing import TypeVar

    _S = TypeVar("_S")
    _T = TypeVar("_T")


def start_thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """Starts a daemon thread. It receives none of the process's signals: they are for the program's own threads.

    What `work` raises ends the thread, and is shown in Python's development mode alone: standard error is the
    program's, and so is threading.excepthook.
    Raises RuntimeError if the system has no thread left.
    """
    thread = threading.Thread(target=in_own_thread(work), name=name, daemon=True)
    thread.start()
    return thread


def join_thread(thread: threading.Thread) -> None:
    """Waits until a thread that start_thread() returned has ended."""
    thread.join()
    await_ended_threads()


def start_work(
    work: Callable[[_S], _T], item: _S, done: SimpleQueue[tuple[threading.Thread, _S, _T | None, Exception | None]]
) -> threading.Thread:
    """Starts a thread that puts itself, `item`, and the result or error of work(item) into `done`.

    Raises ResourceError "threads" if no thread can be started.
    """

    def run() -> None:
        thread = threading.current_thread()
        try:
            done.put((thread, item, work(item), None))
        except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
            done.put((thread, item, None, error))
        except BaseException as error:
            # A library that ends the program (SystemExit) does not end the host.
            done.put((thread, item, None, RuntimeError(type(error).__name__)))
            raise

    try:
        return start_thread("tossl work", run)
    except RuntimeError:
        raise ResourceError("threads", "no more threads can be started in this process") from None
