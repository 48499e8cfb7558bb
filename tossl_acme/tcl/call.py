"""One call of a command: its words are converted, and it runs once, in whatever thread."""

from __future__ import annotations

from ..context.farewell import running
from ..errors import ArgumentError, TosslError, foreign_error
from .callbacks import Callback
from .values import check_limit, to_tcl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from ..context import Context
    from .host import TclValue

    Listener = Callable[[dict[str, object]], None]


class Recipe:
    """How a function is called: which of its parameters are values by name, and which are objects that groups make.

    lazy: the parameters that get a function in place of a group's object, which makes it when it is called.
    """

    __slots__ = ("_function", "groups", "lazy", "names")

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self.names: Collection[str] = ()
        self.groups: Mapping[str, Recipe] = {}
        self.lazy: Collection[str] = ()

    @property
    def depth(self) -> int:
        """How deep its groups are nested: 0 without any."""
        return 1 + max((group.depth for group in self.groups.values()), default=-1)

    def make(self, values: Mapping[str, object], left_out: Collection[Recipe]) -> object:
        """Returns what the function returns, called with values and objects.

        A group met twice is made once; groups of values alone, which only check these, are made first.
        """
        return self._make(values, dict.fromkeys(left_out))

    def _make(self, values: Mapping[str, object], made: dict[Recipe, object]) -> object:
        if self in made:
            return made[self]
        arguments = {name: self._argument(name, values[name]) for name in self.names if name in values}
        for name, group in self.groups.items():
            arguments[name] = group._later(values, made) if name in self.lazy else group._make(values, made)
        made[self] = self._function(**arguments)
        return made[self]

    def _argument(self, name: str, value: object) -> object:
        return (lambda: _finished(value)) if name in self.lazy else _finished(value)

    def _later(self, values: Mapping[str, object], made: dict[Recipe, object]) -> Callable[[], object]:
        return lambda: self._make(values, made)


class Calls(tuple["Call", ...]):
    """The value of a parameter that is a list of a group's objects: they are made where the command runs."""

    __slots__ = ()


def _finished(value: object) -> object:
    return [call.make() for call in value] if isinstance(value, Calls) else value


class Call:
    """A command with all that it is called with.

    `context` is the command's own where it waits. `progress` and `done` are the script's callbacks; with
    `in_background` the call is to be a job.
    """

    __slots__ = ("_limit", "context", "done", "in_background", "left_out", "progress", "recipe", "values")

    def __init__(
        self, recipe: Recipe, values: dict[str, object], left_out: Collection[Recipe], context: Context | None
    ) -> None:
        self.recipe = recipe
        self.left_out = left_out
        self.values = values
        self.context = context
        self.progress: Callback | None = None
        self.done: Callback | None = None
        self.in_background = False
        self._limit: float | None = None
        if context is not None:
            given = {name: values.pop(name) for name in ("timeout", "progress", "command") if name in values}
            self._take(**given)  # type: ignore[arg-type]

    def _take(self, timeout: float | None = None, **callbacks: Callback | None) -> None:
        if timeout is not None:
            if timeout <= 0:
                raise ArgumentError("timeout", "-timeout: must be a positive number of seconds")
            check_limit(timeout)
        self._limit = timeout
        self.progress = callbacks.get("progress")
        self.in_background = "command" in callbacks
        self.done = callbacks.get("command")

    def begin(self, listener: Listener | None) -> Context:
        """Returns the command's own context, running as the call says."""
        assert self.context is not None
        return self.context.begin(self._limit, listener)

    def callbacks(self) -> Iterator[Callback]:
        """Yields the script's callbacks among the arguments and options."""
        for value in self.values.values():
            if isinstance(value, Callback):
                yield value

    def make(self) -> object:
        """Returns what the function itself returns; it does not wait."""
        return self.recipe.make(self.values, self.left_out)

    def run(self, context: Context | None = None) -> TclValue:
        """Returns what the command returns, for Tcl. A command that waits takes the context that begin() made."""
        if context is None:
            return to_tcl(self.recipe.make(self.values, self.left_out))
        with running(context):
            return to_tcl(self.recipe.make({**self.values, "context": context}, self.left_out))

    def run_here(self) -> TclValue:
        """Runs a command that waits, in the interpreter's thread; it is cancelled where that one is deleted."""
        progress = self.progress
        context: Context

        def tell(step: dict[str, object]) -> None:
            if progress is not None and not progress(step):
                context.cancel()

        context = self.begin(tell if progress is not None else None)
        return self.run(context)

    def outcome(self, context: Context) -> TclValue | TosslError:
        """Returns what the command returns, or the error that it raises."""
        try:
            return self.run(context)
        except TosslError as error:
            error.__cause__ = error.__context__ = None  # it is kept: without what led to it
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - a defect must not end the worker
            return foreign_error(error)


def waiting(*, timeout: float | None = None, progress: Callback | None = None, command: Callback | None = None) -> None:
    """What every command takes that waits.

    -timeout seconds  the longest that the call may take; fractions count
    -command prefix   returns a job token at once; the event loop later calls the prefix with that token added, and
                      tossl::job::result has the result or the error
    -progress prefix  called with a dict for each step, its key step names it; an error in it is a background error

    Errors:
    TOSSL VALUE timeout    not a positive number of seconds

    Errors with -command:
    TOSSL CANCELLED        the job was cancelled
    TOSSL RESOURCE kind    no job was started: no descriptors or no threads are left
    """
