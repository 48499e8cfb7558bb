"""One call of a command, with converted words: it runs once, in any thread."""

from __future__ import annotations

import time

from ..context import LIMITLESS_SECONDS, seconds
from ..context.farewell import running
from ..errors import ArgumentError, TosslError, foreign_error
from .callbacks import Callback
from .values import check_limit, to_tcl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from ..context import Context
    from .host import TclHost, TclValue

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
        """Returns how deep its groups are nested: 0 without groups."""
        return 1 + max((group.depth for group in self.groups.values()), default=-1)

    def make(self, values: Mapping[str, object], left_out: Collection[Recipe]) -> object:
        """Calls the function with values and objects; returns its result.

        Makes each group once, even if several parameters need it. Makes groups of plain values, which only check these,
        first.
        """
        return self._make(values, dict.fromkeys(left_out))

    def make_another(self, values: Mapping[str, object], made: dict[Recipe, object]) -> object:
        """Returns what make() returns, with the objects of groups in `made`, to which it adds those that are missing.

        For calls that differ in the function's own parameters alone.
        """
        found = self._make(values, made)
        del made[self]
        return found

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


class NamedCalls(dict[str, "Call"]):
    """The value of a parameter that is a dict of a group's objects by name: made as those of Calls."""

    __slots__ = ()


class Reading:
    """A `with` in which words are converted: what their files have to be waited for counts for the call's -timeout.

    seconds: how long it took; 0 where no file was read.
    """

    __slots__ = ("_begun", "_running", "seconds")

    def __init__(self, words: Collection[str]) -> None:
        self.seconds = self._begun = 0.0
        self._running: running | None = None
        limit = _limit_in(list(words)) if any("_file" in word for word in words) else None
        if limit is not None:
            self._running = running(seconds(limit).begin())

    def __enter__(self) -> Reading:
        if self._running is not None:
            self._running.__enter__()
            self._begun = time.monotonic()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._running is not None:
            self.seconds = time.monotonic() - self._begun
            self._running.__exit__(kind, error, trace)


def _limit_in(words: list[str]) -> float | None:
    """Returns the -timeout among these words, in seconds; None where it says none."""
    for at in range(len(words) - 2, -1, -1):
        if words[at] == "-timeout":
            try:
                return min(LIMITLESS_SECONDS, max(0.0, float(words[at + 1])))
            except ValueError:
                return None  # whoever converts it tells
    return None


def _finished(value: object) -> object:
    if isinstance(value, NamedCalls):
        return {name: call.make() for name, call in value.items()}
    return [call.make() for call in value] if isinstance(value, Calls) else value


class Call:
    """A command with its arguments and options.

    `context` is the command's own if it waits. `progress` and `done` are the script's callbacks. `in_background`: the
    call becomes a job.
    """

    __slots__ = ("_limit", "_spent", "context", "done", "in_background", "left_out", "progress", "recipe", "values")

    def __init__(
        self, recipe: Recipe, values: dict[str, object], left_out: Collection[Recipe], context: Context | None,
        spent: float = 0.0,
    ) -> None:  # fmt: skip
        """spent: seconds that it took to read what its words name."""
        self._spent = spent
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

    def begin(self, listener: Listener | None, attend: Callable[[], None] | None = None) -> Context:
        """Returns the command's context, running, with the call's timeout."""
        assert self.context is not None
        return self.context.begin(self._limit, listener, self._spent, attend)

    def callbacks(self) -> Iterator[Callback]:
        """Yields the script's callbacks among the arguments and options."""
        for value in self.values.values():
            if isinstance(value, Callback):
                yield value

    def make(self) -> object:
        """Returns what the function itself returns; it does not wait."""
        return self.recipe.make(self.values, self.left_out)

    def run(self, context: Context | None = None) -> TclValue:
        """Returns the command's result for Tcl. A command that waits needs the context from begin()."""
        if context is None:
            return to_tcl(self.recipe.make(self.values, self.left_out))
        with running(context):
            return to_tcl(self.recipe.make({**self.values, "context": context}, self.left_out))

    def run_here(self, host: TclHost) -> TclValue:
        """Runs a command that waits, in the interpreter's thread. Deleting the interpreter cancels it.

        What interrupts scripts interrupts it, and so does an error of the script's callback for progress: the command
        ends as if cancelled, and raises that error. Where it was done already, the error's details have the result.
        """
        from .interruptions import Interruptions

        program = Interruptions(host, self.progress)
        context = program.context = self.begin(program.tell if self.progress is not None else None, program.look)
        result: TclValue = ""
        found: dict[str, object] = {}
        try:
            result = self.run(context)
            found["result"] = result
        except TosslError as error:
            if context.reason is None:
                raise
            found = error.details
        program.look_now()
        if context.reason is not None:
            context.reason.details = {**found, **context.reason.details}
            raise context.reason from None
        return result

    def outcome(self, context: Context) -> TclValue | TosslError:
        """Returns the command's result, or its error."""
        return _outcome(lambda: self.run(context))


class Service:
    """Work that goes on until it is cancelled, as a Call of a job: `work` gets a context without a time limit.

    `progress` and `done` are the script's callbacks.
    """

    __slots__ = ("_work", "done", "progress")

    def __init__(
        self, work: Callable[[Context], object], progress: Callback | None = None, done: Callback | None = None
    ) -> None:
        self._work = work
        self.progress = progress
        self.done = done

    def begin(self, listener: Listener | None) -> Context:
        return seconds(LIMITLESS_SECONDS).begin(listener=listener)

    def outcome(self, context: Context) -> TclValue | TosslError:
        """Returns the result of the work, or its error."""

        def work() -> TclValue:
            with running(context):
                return to_tcl(self._work(context))

        return _outcome(work)


def _outcome(work: Callable[[], TclValue]) -> TclValue | TosslError:
    try:
        return work()
    except TosslError as error:
        error.__cause__ = error.__context__ = None  # it is kept, without its causes
        return error.with_traceback(None)
    except Exception as error:  # noqa: BLE001 - a defect must not end the worker
        return foreign_error(error)


def waiting(*, timeout: float | None = None, progress: Callback | None = None, command: Callback | None = None) -> None:
    """What every command takes that waits.

    -timeout seconds  limit of the whole call; may have a fraction
    -command prefix   returns a job token at once; the event loop later calls the prefix with the token added, and
                      tossl::job::result returns the result or raises the error
    -progress prefix  called with a dict for each step, whose key step names the step; its error ends the command,
                      which cleans up and raises it; with -command it is a background error, and the job goes on

    Errors:
    TOSSL VALUE timeout    not a positive number of seconds
    TCL CANCEL             without -command: the interpreter was cancelled (interp cancel, thread::cancel); what was
                           presented is removed first
    TCL LIMIT              without -command: the interpreter has reached a limit (interp limit); as TCL CANCEL

    Errors with -command:
    TOSSL CANCELLED        the job was cancelled
    TOSSL RESOURCE kind    no job was started: the process has no descriptors, or the system no threads left
    """
