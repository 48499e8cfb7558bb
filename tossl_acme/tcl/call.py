"""One call of a command: its words are converted, and it runs once, in whatever thread."""

from __future__ import annotations

from ..errors import ArgumentError, TosslError
from .values import check_limit, to_tcl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..context import Context
    from .callbacks import Callback
    from .host import TclValue

    Listener = Callable[[dict[str, object]], None]


class Call:
    """A command's function with all that it is called with.

    `context` is the command's own where it waits. `progress` and `done` are the script's callbacks; with
    `in_background` the call is to be a job.
    """

    __slots__ = ("_arguments", "_function", "_limit", "context", "done", "in_background", "options", "progress")

    def __init__(
        self, function: Callable[..., object], arguments: list[object], options: dict[str, object],
        context: Context | None,
    ) -> None:  # fmt: skip
        self._function = function
        self._arguments = arguments
        self.options = options
        self.context = context
        self.progress: Callback | None = None
        self.done: Callback | None = None
        self.in_background = False
        self._limit: float | None = None
        if context is not None:
            self._take_waiting_options()

    def _take_waiting_options(self) -> None:
        limit = self.options.pop("timeout", None)
        if isinstance(limit, float):
            if limit <= 0:
                raise ArgumentError("timeout", "-timeout: must be a positive number of seconds")
            check_limit(limit)
            self._limit = limit
        self.progress = self.options.pop("progress", None)  # type: ignore[assignment]
        self.in_background = "command" in self.options
        self.done = self.options.pop("command", None)  # type: ignore[assignment]

    def begin(self, listener: Listener | None) -> Context:
        """Returns the command's own context, running as the call says."""
        assert self.context is not None
        return self.context.begin(self._limit, listener)

    def run(self, context: Context | None = None) -> TclValue:
        """Returns what the command returns, for Tcl. A command that waits takes the context that begin() made."""
        waiting = {} if context is None else {"context": context}
        return to_tcl(self._function(*self._arguments, **self.options, **waiting))

    def outcome(self, context: Context) -> TclValue | TosslError:
        """Returns what the command returns, or the error that it raises."""
        try:
            return self.run(context)
        except TosslError as error:
            error.__cause__ = error.__context__ = None  # it is kept: without what led to it
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - a defect must not end the worker
            return TosslError(describe(error), "INTERNAL")


def describe(error: Exception) -> str:
    """Returns what is to be known of a defect in this package: where it is, without a value, which may be a secret."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return f"internal error: {type(error).__name__}{place}"
