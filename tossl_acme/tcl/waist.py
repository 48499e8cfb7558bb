"""The one door between a Tcl interpreter and Python: ::tossl::call NAME ?ARG ...?, strings in, a value out."""

from __future__ import annotations

import sys

from ..errors import ArgumentError, TosslError
from .table import load_commands
from .values import to_tcl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ..scope import Scope
    from .table import Command
    from .values import TclValue

    class TclHost(Protocol):
        """What tkinter's interpreter and the bridge's have in common."""

        def createcommand(self, name: str, func: Callable[..., object], /) -> None: ...
        def deletecommand(self, name: str, /) -> None: ...
        def call(self, *words: object) -> object: ...
        def eval(self, script: str, /) -> str: ...
        def splitlist(self, text: str, /) -> tuple[str, ...]: ...


DOOR = "::tossl::call"


class Interpreter:
    """One Tcl interpreter: its commands, and the object that its door holds. When the door goes, so does this."""

    def __init__(self, host: TclHost, commands: dict[str, Command]) -> None:
        self.host = host
        self.commands = commands
        self._tcl_error: type[Exception] = getattr(type(host), "TclError", None) or sys.modules["_tkinter"].TclError

    def __call__(self, name: str, *words: str) -> TclValue:
        """One call through the door: (return options, value). Never raises: Tcl raises what the options say."""
        try:
            return (), self.commands[name](self, words)  # type: ignore[return-value]
        except TosslError as error:
            return _refused(name, error), error.message
        except Exception as error:  # noqa: BLE001 - a defect must not end the host
            return _defect(name, error)

    def run(self, command: Command, arguments: list[object], options: dict[str, object]) -> TclValue:
        """Runs a command that waits, with a scope begun as the call's -timeout and -progress say."""
        limit = options.pop("timeout", None)
        progress = str(options.pop("progress", ""))
        listener = self._listener(progress) if progress else None
        return to_tcl(command.function(*arguments, **options, scope=begun(command, limit, listener)))

    def _listener(self, progress: str) -> Callable[[dict[str, object]], None]:
        prefix = self.split("progress", progress)
        return lambda step: self.tell(prefix, step)

    def tell(self, prefix: tuple[str, ...], *values: object) -> None:
        """Calls a script's callback at once; its error is a background error (`interp bgerror`)."""
        self.host.call("::tossl::Tell", *prefix, *map(to_tcl, values))

    def split(self, name: str, text: str) -> tuple[str, ...]:
        """The elements of the Tcl list that argument `name` holds."""
        try:
            return self.host.splitlist(text)
        except ValueError:  # tkinter's cannot take NUL and lone surrogates
            return self._split_oddly(name, text)
        except self._tcl_error as error:
            raise ArgumentError(name, f"Failed to parse {name}: {error}") from None

    def _split_oddly(self, name: str, text: str) -> tuple[str, ...]:
        try:
            words = self.host.call("lrange", text, 0, "end")
        except self._tcl_error as error:
            raise ArgumentError(name, f"Failed to parse {name}: {error}") from None
        return tuple(map(str, words)) if isinstance(words, tuple) else (str(words),)


def begun(command: Command, limit: object, listener: Callable[[dict[str, object]], None] | None) -> Scope:
    """The command's own scope, begun."""
    assert command.scope is not None
    if isinstance(limit, float) and limit <= 0:
        raise ArgumentError("timeout", "-timeout: must be a positive number of seconds")
    return command.scope.begin(limit if isinstance(limit, float) else None, listener)


def _raised(name: str, message: str, errorcode: tuple[str, ...], *more: TclValue) -> TclValue:
    """Return options of an error. The trace is given whole, or Tcl would add the words of the call: keys, tokens."""
    trace = f'{message}\n    while executing\n"tossl::{name}"'
    return ("-code", "error", "-errorcode", errorcode, *more, "-errorinfo", trace, "-errorstack", ())


def _refused(name: str, error: TosslError) -> TclValue:
    details = to_tcl({**error.details, "message": error.message})
    return _raised(name, error.message, error.errorcode, "-tossl", details)


def _defect(name: str, error: Exception) -> TclValue:
    """A defect in this package: where it is, without a value, for values may be secrets."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    message = f"internal error: {type(error).__name__}{place}"
    return _raised(name, message, ("TOSSL", "INTERNAL")), message


def attach(host: TclHost, package: str, version: str) -> None:
    """Gives the host interpreter the commands of `package`, and tells Tcl that it is there."""
    from ..commands import MODULES

    modules = MODULES if package == "tossl" else tuple(name for name in MODULES if name in ("acme", "job"))
    commands = load_commands("tossl_acme.commands", modules)
    host.createcommand(DOOR, Interpreter(host, commands))
    with open(f"{__file__.rpartition('/')[0]}/prelude.tcl", encoding="utf-8") as prelude:  # noqa: PTH123 - loads slowly
        host.eval(prelude.read())
    table = tuple((command.name, command.tcl_arguments()) for command in commands.values())
    host.call("::tossl::Define", package, version, table)
