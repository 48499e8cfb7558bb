"""Commands out of Python functions: one documented function is one Tcl command.

Positional parameters are the arguments, keyword-only parameters are `-name value` options. A parameter whose annotation
is that of an option group asks for the group: for what this function returns.

    def client(server: Server, account_key: AccountKey) -> Client            a group, of two others
    def place_order(client: Client, domains: list[str], *, options: OrderOptions)

A group's parameters are arguments and options of the command; behind `*` all of them are options, and those without a
default are required, unless their annotation ends with "| None". `group: Group | None = None` is left out where none of
its options is given. Words are converted when the command is called, objects are made where it runs.

    context: Context = seconds(60)    marks a command that waits: it takes what call.waiting takes
    interpreter: Interpreter          is the calling interpreter, and
    jobs: Jobs                        its background jobs: neither is an option
    key: Secret                       as an option has -key_file and -key_env beside it
    email: str = find                 has a default that find() returns at the time of the call; of a FilePath with the
                                      name of the variable that says it
    fields: MoreOptions = ask         is a dict of options that are known only when asked for: ask() returns
                                      {name: (annotation, text)}
"""

from __future__ import annotations

from ..errors import ArgumentError
from .values import default_path, to_tcl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import FunctionType, ModuleType

    from ..context import Context
    from .call import Call
    from .host import TclHost, TclValue
    from .parameters import Parameter, Parameters

    #: The option groups: functions, by the annotation that asks for them.
    Groups = Mapping[str, FunctionType]

_MAX_OPTION_CHARS = 40


class Command:
    """One Tcl command: the function behind it, and how its words become that function's arguments."""

    def __init__(self, namespace: str, function: FunctionType, groups: Groups | None = None) -> None:
        self.name = f"{namespace}::{function.__name__.rstrip('_')}".removeprefix("::")
        self.function = function
        self.context: Context | None = (function.__kwdefaults__ or {}).get("context")
        self._groups = groups or {}
        self._parameters: Parameters | None = None

    @property
    def parameters(self) -> Parameters:
        """All that it takes; found out when it is first asked for."""
        if self._parameters is None:
            from .parameters import Parameters

            self._parameters = Parameters(self.function, self._groups, waits=self.context is not None)
        return self._parameters

    def tcl_arguments(self) -> tuple[TclValue, ...]:
        """The proc's argument list, so that `info args`, `info default` and "wrong # args" are Tcl's own."""
        arguments, takes_options = _arguments(self.function, self._groups)
        return (*arguments, "args") if takes_options else tuple(arguments)

    def bind(self, host: TclHost, words: Sequence[str]) -> Call:
        """Returns the call that these words ask for. Raises ArgumentError unless all of them are right."""
        from .call import Call  # here, for what is called first is `package require`

        parameters = self.parameters
        count = self._count_arguments(words)
        values = {
            parameter.name: parameter.convert(host, parameter.name, word)
            for parameter, word in zip(parameters.arguments, words[:count], strict=False)
        }
        options = self._read_options(host, words[count:], values)
        given = {group for option in options.values() for group in option.optional}
        left_out = [group for group in parameters.optional if group not in given]
        for parameter in parameters.options.values():
            if parameter.target in options or any(group in left_out for group in parameter.optional):
                continue
            if parameter.is_required:
                raise ArgumentError(parameter.name, f"{parameter.shown} is required")
            if parameter.may_be_none:
                values[parameter.target] = None
            elif callable(parameter.default):
                is_path = parameter.annotation.startswith("FilePath")
                find = parameter.default
                values[parameter.name] = default_path(host, parameter.shown, find) if is_path else find()
        for name in parameters.more:
            others = [target for target, option in options.items() if option.shown not in parameters.options]
            values[name] = {target: values.pop(target) for target in others}
        return Call(parameters.recipe, values, left_out, self.context)

    def _count_arguments(self, words: Sequence[str]) -> int:
        """How many words are arguments: an optional one that looks like an option begins the options."""
        most = min(len(words), len(self.parameters.arguments))
        if self.parameters.options:
            for index in range(self.parameters.required, most):
                if words[index][:1] == "-" and words[index][1:2].isalpha():
                    return index
        return most

    def _read_options(
        self, host: TclHost, words: Sequence[str], values: dict[str, object]
    ) -> dict[str, Parameter]:
        """Adds the values of options; returns those given, by their targets. Of one given twice the last counts."""
        given: dict[str, Parameter] = {}
        for index in range(0, len(words), 2):
            option = self.parameters.options.get(words[index]) or self._more_option(words[index])
            if index + 1 == len(words):
                raise ArgumentError(option.name, f'value for "{words[index]}" missing')
            other = given.setdefault(option.target, option)
            if other.name != option.name:
                raise ArgumentError(option.name, f"{other.shown} and {option.shown} cannot be given together")
            values[option.target] = option.convert(host, option.shown, words[index + 1])
        return given

    def _more_option(self, word: str) -> Parameter:
        """Returns the option of that name among those that are known only when asked for. Raises ArgumentError."""
        more = {parameter.shown: parameter for parameter in self.more_options()}
        if word in more:
            return more[word]
        names = [*self.parameters.options, *more]
        choice = " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
        if word[:1] == "-" and word[1:2].isalpha():
            from ..text import quoted

            argument = word[1:] if len(word) < _MAX_OPTION_CHARS else ""
            raise ArgumentError(argument, f"unknown option {quoted(word)}: must be {choice}")
        raise ArgumentError("", f"expected an option but got another value: must be {choice}")

    def more_options(self) -> list[Parameter]:
        """Returns the options that are known only when asked for."""
        found = (parameter for more in self.parameters.more.values() for parameter in more.parameters())
        return [parameter for parameter in found if parameter.shown not in self.parameters.options]


def _arguments(function: FunctionType, groups: Groups) -> tuple[list[TclValue], bool]:
    """The arguments that a function takes, and those that are in its groups; and whether there are options."""
    code, kinds = function.__code__, function.__annotations__
    count, defaults = code.co_argcount, function.__defaults__ or ()
    found: list[TclValue] = []
    keywords = code.co_varnames[count : count + code.co_kwonlyargcount]
    takes_options = any(kinds[name] not in ("Interpreter", "Jobs") for name in keywords)
    for index, name in enumerate(code.co_varnames[:count], len(defaults) - count):
        group = groups.get(kinds[name])
        if group is not None:
            arguments, has_options = _arguments(group, groups)
            found += arguments
            takes_options = takes_options or has_options
        else:
            found.append(name if index < 0 else (name, to_tcl(defaults[index])))
    return found, takes_options


def load_commands(modules: Iterable[str], groups: Groups | None = None) -> dict[str, Command]:
    """Returns the commands of these modules, by their names below the package's namespace.

    A module's commands are in the namespace named as the module, unless its NAMESPACE says otherwise.
    """
    table = {}
    for module in modules:
        loaded: ModuleType = __import__(module, fromlist=("COMMANDS",))
        for function in loaded.COMMANDS:
            command = Command(getattr(loaded, "NAMESPACE", module.rpartition(".")[2]), function, groups)
            table[command.name] = command
    return table
