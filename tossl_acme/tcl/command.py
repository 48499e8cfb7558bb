"""Commands out of Python functions: one documented function is one Tcl command.

Positional parameters are the arguments, keyword-only parameters are `-name value` options. A keyword-only parameter

    context: Context = seconds(60)    marks a command that waits: it takes -timeout, -progress and -command
    interpreter: Interpreter    is the calling interpreter, and
    jobs: Jobs                  its background jobs: neither is an option
"""

from __future__ import annotations

from ..errors import ArgumentError
from ..files import PathDefault
from ..text import quoted
from .call import Call
from .callbacks import Callback
from .host import split
from .values import converter, default_path, to_tcl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import FunctionType, ModuleType

    from ..context import Context
    from .host import TclHost, TclValue
    from .values import Converter

_INJECTED = ("Interpreter", "Jobs")
_WAITING = {"timeout": "float", "progress": "Callback", "command": "Callback"}


class Parameter:
    """One argument or option: its name and type in Python."""

    __slots__ = ("annotation", "convert", "name")

    def __init__(self, name: str, annotation: str) -> None:
        self.name = name
        self.annotation = annotation
        self.convert: Converter = _callback if annotation == "Callback" else converter(annotation)


class Command:
    """One Tcl command: the function behind it, and how its words become that function's arguments."""

    def __init__(self, namespace: str, function: FunctionType) -> None:
        code = function.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        types = function.__annotations__
        keywords = names[code.co_argcount :]
        self.name = f"{namespace}::{function.__name__.rstrip('_')}".removeprefix("::")
        self.function: Callable[..., object] = function
        self.arguments = [Parameter(name, types[name]) for name in names[: code.co_argcount]]
        self.defaults: tuple[object, ...] = function.__defaults__ or ()
        self.required = len(self.arguments) - len(self.defaults)
        self.injected = {name: types[name] for name in keywords if types[name] in _INJECTED}
        self.context: Context | None = (function.__kwdefaults__ or {}).get("context")
        options = {name: types[name] for name in keywords if name != "context" and name not in self.injected}
        if self.context is not None:
            options |= _WAITING
        self.options = {f"-{name}": Parameter(name, kind) for name, kind in options.items()}
        defaults = (function.__kwdefaults__ or {}).items()
        self.path_defaults = {name: value for name, value in defaults if isinstance(value, PathDefault)}

    def bind(self, host: TclHost, words: Sequence[str]) -> Call:
        """Returns the call that these words ask for. Raises ArgumentError unless all of them are right."""
        count = self._count_arguments(words)
        arguments = [
            parameter.convert(host, parameter.name, word)
            for parameter, word in zip(self.arguments, words[:count], strict=False)
        ]
        options = self._read_options(host, words[count:]) if self.options or len(words) > count else {}
        for name, default in self.path_defaults.items():
            if name not in options:
                options[name] = default_path(host, name, default)
        return Call(self.function, arguments, options, self.context)

    def _count_arguments(self, words: Sequence[str]) -> int:
        """How many words are arguments: an optional one that looks like an option begins the options."""
        most = min(len(words), len(self.arguments))
        if self.options:
            for index in range(self.required, most):
                if words[index][:1] == "-" and words[index][1:2].isalpha():
                    return index
        return most

    def _read_options(self, host: TclHost, words: Sequence[str]) -> dict[str, object]:
        given = {}
        for index in range(0, len(words), 2):
            option = self.options.get(words[index])
            if option is None:
                raise self._unknown_option(words[index])
            if index + 1 == len(words):
                raise ArgumentError(option.name, f'value for "{words[index]}" missing')
            given[option.name] = option.convert(host, words[index], words[index + 1])
        return given

    def _unknown_option(self, word: str) -> ArgumentError:
        names = list(self.options)
        choice = " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
        if word[:1] == "-" and word[1:2].isalpha():
            return ArgumentError(word[1:] if len(word) < 40 else "", f"unknown option {quoted(word)}: must be {choice}")
        return ArgumentError("", f"expected an option but got another value: must be {choice}")

    def tcl_arguments(self) -> tuple[TclValue, ...]:
        """The proc's argument list, so that `info args`, `info default` and "wrong # args" are Tcl's own."""
        optional = zip(self.arguments[self.required :], self.defaults, strict=True)
        rest = ("args",) if self.options else ()
        return (
            *[parameter.name for parameter in self.arguments[: self.required]],
            *[(parameter.name, to_tcl(default)) for parameter, default in optional],
            *rest,
        )


def _callback(host: TclHost, name: str, word: str) -> Callback | None:
    prefix = split(host, name.lstrip("-"), word)
    return Callback(host, prefix) if prefix else None


def load_commands(modules: Iterable[str]) -> dict[str, Command]:
    """Returns the commands of these modules, by their names below the package's namespace.

    A module's commands are in the namespace named as the module, unless its NAMESPACE says otherwise.
    """
    table = {}
    for module in modules:
        loaded: ModuleType = __import__(module, fromlist=("COMMANDS",))
        for function in loaded.COMMANDS:
            command = Command(getattr(loaded, "NAMESPACE", module.rpartition(".")[2]), function)
            table[command.name] = command
    return table
