"""The one door between a Tcl interpreter and Python: ::tossl::call NAME ?ARG ...?, strings in, a value out."""

from __future__ import annotations

import os

from ..errors import ArgumentError, TosslError
from .command import load_commands
from .values import check_limit, to_tcl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from ..context import Context
    from .command import Command
    from .jobs import Jobs
    from .values import TclValue

    Listener = Callable[[dict[str, object]], None]

    class TclHost(Protocol):
        """A Tcl interpreter, for its own thread: the bridge's for a tclsh, tkinter's by way of TkHost."""

        TclError: type[Exception]

        def createcommand(self, name: str, function: Callable[..., TclValue], /) -> None: ...
        def call(self, *words: TclValue) -> str: ...
        def eval(self, script: str, /) -> str: ...
        def splitlist(self, text: str, /) -> tuple[str, ...]: ...


DOOR = "::tossl::call"


class WaitingCall:
    """A call of a command that waits, ready to be run in any thread."""

    def __init__(self, command: Command, arguments: list[object], options: dict[str, object], limit: object) -> None:
        if isinstance(limit, float):
            if limit <= 0:
                raise ArgumentError("timeout", "-timeout: must be a positive number of seconds")
            check_limit(limit)
        self._command = command
        self._arguments = arguments
        self._options = options
        self._limit = limit if isinstance(limit, float) else None

    def begin(self, listener: Listener | None) -> Context:
        """The command's own context, begun as the call says."""
        assert self._command.context is not None
        return self._command.context.begin(self._limit, listener)

    def run(self, context: Context) -> TclValue:
        """What the command returns, for Tcl."""
        return to_tcl(self._command.function(*self._arguments, **self._options, context=context))

    def outcome(self, context: Context) -> TclValue | TosslError:
        """What the command returns or raises."""
        try:
            return self.run(context)
        except TosslError as error:
            error.__cause__ = error.__context__ = None  # it is kept: without what led to it
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - a defect must not end the worker
            return TosslError(_describe(error), "INTERNAL")


class Door:
    """What the Tcl command holds: when Tcl drops the command, or its interpreter, the interpreter's jobs end."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter

    def __call__(self, name: str, *words: str) -> TclValue:
        return self._interpreter.answer(name, words)

    def __del__(self) -> None:
        self._interpreter.close()


class Interpreter:
    """One Tcl interpreter: its commands and its jobs."""

    def __init__(self, host: TclHost) -> None:
        self.host = host
        self.commands: dict[str, Command] = {}
        self._answers: dict[str, Callable[[Interpreter, Sequence[str]], object]] = {
            "Environment": set_environment,
            "Require": Interpreter.require,
        }
        self._jobs: Jobs | None = None

    def require(self, words: Sequence[str]) -> str:
        """Gives the Tcl interpreter the commands of a package, besides those that it has."""
        from ..commands import MODULES
        from ..version import __version__

        (package,) = words
        modules = MODULES if package == "tossl" else tuple(name for name in MODULES if name in ("acme", "job"))
        commands = load_commands("tossl_acme.commands", modules)
        self.commands |= commands
        self._answers |= commands
        table = tuple((command.name, command.tcl_arguments()) for command in commands.values())
        self.host.call("::tossl::Define", package, __version__, table)
        return ""

    def answer(self, name: str, words: Sequence[str]) -> TclValue:
        """One call through the door: (return options, value). Never raises: Tcl raises what the options say."""
        try:
            return (), self._answers[name](self, words)  # type: ignore[return-value]
        except TosslError as error:
            error.__traceback__ = None  # a job's error is kept: without the frames that it came through this time
            return _refused(name, error), error.message
        except Exception as error:  # noqa: BLE001 - a defect must not end the host
            return _defect(name, error)

    def run(self, command: Command, arguments: list[object], options: dict[str, object]) -> TclValue:
        """Runs a command that waits: at once, or with -command as a job, whose token is returned."""
        limit = options.pop("timeout", None)
        steps = self.split("progress", str(options.pop("progress", "")))
        done = options.pop("command", None)
        call = WaitingCall(command, arguments, options, limit)
        if done is not None:
            return self.jobs.start(call, steps, self.split("command", str(done)))
        return call.run(call.begin((lambda step: self.tell(steps, step)) if steps else None))

    @property
    def jobs(self) -> Jobs:
        """This interpreter's background jobs."""
        if self._jobs is None:
            from .jobs import Jobs

            self._jobs = jobs = Jobs(self)
            self._answers["job::Step"] = lambda _interpreter, _words: jobs.step()
        return self._jobs

    def close(self) -> None:
        """The Tcl interpreter is gone, or its door."""
        if self._jobs is not None:
            self._jobs.close()

    def tell(self, prefix: tuple[str, ...], *values: object) -> None:
        """Calls a script's callback at once; its error is a background error (`interp bgerror`)."""
        self.host.call("::tossl::Tell", *prefix, *map(to_tcl, values))

    def split(self, name: str, text: str) -> tuple[str, ...]:
        """The elements of the Tcl list that argument `name` holds."""
        try:
            return self.host.splitlist(text)
        except self.host.TclError as error:
            # What follows an element is quoted by Tcl, and may be a key.
            cause, follows, _ = str(error).partition(' followed by "')
            more = " followed by other characters instead of space" if follows else ""
            raise ArgumentError(name, f"Failed to parse {name}: {cause}{more}") from None


def set_environment(_interpreter: Interpreter, words: Sequence[str]) -> str:
    """Sets a variable of Python's environment as Tcl has it now, or removes it."""
    name, *value = words
    if not value:
        os.environ.pop(name, None)
    elif os.environ.get(name) != value[0]:
        os.environ[name] = value[0]
    return ""


def _raised(name: str, message: str, errorcode: tuple[str, ...], *more: TclValue) -> TclValue:
    """Return options of an error. The trace is given whole, or Tcl would add the words of the call: keys, tokens."""
    trace = f'{message}\n    while executing\n"tossl::{name}"'
    return ("-code", "error", "-errorcode", errorcode, *more, "-errorinfo", trace, "-errorstack", ())


def _refused(name: str, error: TosslError) -> TclValue:
    try:
        details = to_tcl({**error.details, "message": error.message})
    except TosslError:  # a problem document nested too deeply
        details = to_tcl({"message": error.message})
    return _raised(name, error.message, error.errorcode, "-tossl", details)


def _defect(name: str, error: Exception) -> TclValue:
    message = _describe(error)
    return _raised(name, message, ("TOSSL", "INTERNAL")), message


def _describe(error: Exception) -> str:
    """A defect in this package: where it is, without a value, for values may be secrets."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return f"internal error: {type(error).__name__}{place}"


def attach(host: TclHost, package: str) -> None:
    """Gives the host interpreter the commands of `package`, by the door that it has already or by a new one."""
    if not host.eval(f"info commands {DOOR}"):
        host.createcommand(DOOR, Door(Interpreter(host)))
        path = f"{__file__.rpartition('/')[0]}/prelude.tcl"
        with open(path, encoding="utf-8") as prelude:  # noqa: PTH123 - pathlib loads slowly
            host.eval(prelude.read())
    host.call("::tossl::Require", package)
