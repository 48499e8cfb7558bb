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
    fields: MoreOptions = ask         is a dict of options that are known only when asked for: ask() returns
                                      {name: (annotation, text)}
"""

from __future__ import annotations

from ..errors import ArgumentError
from ..text import EnvironmentText, PathDefault, quoted
from .call import Call, Recipe, waiting
from .callbacks import Callback
from .host import split
from .values import converter, default_path, to_tcl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import FunctionType, ModuleType

    from ..context import Context
    from .host import TclHost, TclValue
    from .values import Converter

    #: The option groups: functions, by the annotation that asks for them.
    Groups = Mapping[str, FunctionType]

_INJECTED = ("Interpreter", "Jobs", "Context")
_NO_DEFAULT = object()
_MAX_OPTION_CHARS = 40
_SECRET_FROM = {"file": "FileSecret", "env": "EnvironmentSecret"}
_FORM_TEXTS = {
    "file": "a file that holds the value of -{}, in its place; a newline at its end is no part of it",
    "env": "a variable of the environment that holds the value of -{}, in its place",
}


class Parameter:
    """One argument or option.

    functions: those whose docstrings may tell what it means, the command's first, that with the parameter last.
    optional: the groups around it that may be left out, the outermost first.
    target: the name of the value, which -key_file and -key_env share with -key.
    text: what it means, where no docstring tells.
    """

    __slots__ = (
        "annotation", "convert", "default", "functions", "is_option", "may_be_none", "name", "optional", "target",
        "text",
    )  # fmt: skip

    def __init__(
        self, name: str, annotation: str, default: object, functions: tuple[FunctionType, ...], *, is_option: bool,
        optional: tuple[Recipe, ...] = (), target: str = "", text: str = "",
    ) -> None:  # fmt: skip
        self.name = name
        self.annotation = annotation
        self.may_be_none = default is _NO_DEFAULT and is_option and annotation.endswith(" | None")
        self.default = None if self.may_be_none else default
        self.functions = functions
        self.is_option = is_option
        self.optional = optional
        self.target = target or name
        self.text = text
        self.convert: Converter = _CALLBACKS.get(annotation) or converter(annotation)

    @property
    def shown(self) -> str:
        """The name as a script writes it."""
        return f"-{self.name}" if self.is_option else self.name

    @property
    def is_required(self) -> bool:
        return self.default is _NO_DEFAULT

    def forms(self) -> Iterator[Parameter]:
        """Yields this parameter, and what goes beside it where it is a secret option."""
        yield self
        if self.is_option and self.annotation.startswith("Secret"):
            for origin, annotation in _SECRET_FROM.items():
                yield Parameter(
                    f"{self.name}_{origin}", annotation, None, self.functions, is_option=True, optional=self.optional,
                    target=self.name, text=_FORM_TEXTS[origin].format(self.name),
                )  # fmt: skip


class _MoreOptions:
    """Options that are known only when asked for."""

    __slots__ = ("_ask", "_functions", "_optional")

    def __init__(
        self, ask: Callable[[], Mapping[str, tuple[str, str]]], functions: tuple[FunctionType, ...],
        optional: tuple[Recipe, ...],
    ) -> None:  # fmt: skip
        self._ask = ask
        self._functions = functions
        self._optional = optional

    def parameters(self) -> Iterator[Parameter]:
        for name, (annotation, text) in self._ask().items():
            parameter = Parameter(
                name, annotation, None, self._functions, is_option=True, optional=self._optional, text=text
            )
            yield from parameter.forms()


class _Assembly:
    """The parameters of a function and of its groups, in the order in which they are listed."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._recipes: dict[FunctionType, Recipe] = {}
        self.arguments: list[Parameter] = []
        self.options: list[Parameter] = []
        self.options_of_arguments: list[Parameter] = []
        self.injected: dict[str, str] = {}
        self.more: dict[str, _MoreOptions] = {}

    def add(
        self, function: FunctionType, around: tuple[FunctionType, ...] = (), optional: tuple[Recipe, ...] = (), *,
        all_options: bool = False, is_late: bool = False,
    ) -> Recipe:  # fmt: skip
        """Adds what a function takes. `is_late`: its options stand behind those of the function around it."""
        names, nested = [], {}
        functions = (*around, function)
        for name, annotation, default, is_keyword in _signature(function):
            group = self._groups.get(annotation.removesuffix(" | None"))
            is_option = all_options or is_keyword
            if group is not None:
                inner = optional
                if default is None and not is_option:
                    raise TypeError(f"{function.__name__}: {name} can be left out only behind *")
                if default is None:
                    inner = (*optional, self._recipes.setdefault(group, Recipe(group)))
                nested[name] = self.add(
                    group, functions, inner, all_options=is_option, is_late=is_late or not is_option
                )
                continue
            names.append(name)
            if annotation in _INJECTED:
                self.injected[name] = annotation
            elif annotation == "MoreOptions":
                self.more.setdefault(name, _MoreOptions(default, functions, optional))  # type: ignore[arg-type]
            else:
                found = Parameter(name, annotation, default, functions, is_option=is_option, optional=optional)
                options = self.options_of_arguments if is_late else self.options
                (options if is_option else self.arguments).append(found)
        recipe = self._recipes.setdefault(function, Recipe(function))
        recipe.names, recipe.groups = names, dict(sorted(nested.items(), key=lambda item: item[1].depth))
        return recipe

    def parameters(self) -> Iterator[Parameter]:
        """Yields each parameter once: what is met twice, where it is met last.

        It does not belong to an optional group if it is met outside of that too.
        """
        found: dict[str, Parameter] = {}
        for parameter in (*self.arguments, *self.options, *self.options_of_arguments):
            found[parameter.name] = known = found.pop(parameter.name, parameter)
            if known.functions[-1] is not parameter.functions[-1]:
                raise TypeError(f"{parameter.functions[0].__name__}: {parameter.name} is two things")
            known.optional = tuple(group for group in known.optional if group in parameter.optional)
        return (form for parameter in found.values() for form in parameter.forms())


def _signature(function: FunctionType) -> Iterator[tuple[str, str, object, bool]]:
    """Yields each parameter: its name, annotation and default, and whether it is keyword-only."""
    code, count = function.__code__, function.__code__.co_argcount
    names = code.co_varnames[: count + code.co_kwonlyargcount]
    positional = function.__defaults__ or ()
    defaults = {
        **dict(zip(names[count - len(positional) : count], positional, strict=True)),
        **(function.__kwdefaults__ or {}),
    }
    for index, name in enumerate(names):
        yield name, function.__annotations__[name], defaults.get(name, _NO_DEFAULT), index >= count


class Command:
    """One Tcl command: the function behind it, and how its words become that function's arguments."""

    def __init__(self, namespace: str, function: FunctionType, groups: Groups | None = None) -> None:
        assembly = _Assembly(groups or {})
        self.name = f"{namespace}::{function.__name__.rstrip('_')}".removeprefix("::")
        self.function = function
        self.context: Context | None = (function.__kwdefaults__ or {}).get("context")
        self._recipe = assembly.add(function)
        if self.context is not None:
            assembly.add(waiting, (function,), is_late=True)  # type: ignore[arg-type]
        parameters = list(assembly.parameters())
        self.arguments = [parameter for parameter in parameters if not parameter.is_option]
        self.options = {parameter.shown: parameter for parameter in parameters if parameter.is_option}
        self.required = sum(parameter.is_required for parameter in self.arguments)
        self.injected = {name: kind for name, kind in assembly.injected.items() if kind != "Context"}
        self._more = assembly.more
        self._optional = dict.fromkeys(group for parameter in parameters for group in parameter.optional)

    def bind(self, host: TclHost, words: Sequence[str]) -> Call:
        """Returns the call that these words ask for. Raises ArgumentError unless all of them are right."""
        count = self._count_arguments(words)
        values = {
            parameter.name: parameter.convert(host, parameter.name, word)
            for parameter, word in zip(self.arguments, words[:count], strict=False)
        }
        options = self._read_options(host, words[count:], values) if self.options or len(words) > count else {}
        given = {group for option in options.values() for group in option.optional}
        left_out = [group for group in self._optional if group not in given]
        for parameter in self.options.values():
            if parameter.target in options or any(group in left_out for group in parameter.optional):
                continue
            if parameter.is_required:
                raise ArgumentError(parameter.name, f"{parameter.shown} is required")
            if parameter.may_be_none:
                values[parameter.target] = None
            elif isinstance(parameter.default, PathDefault):
                values[parameter.name] = default_path(host, parameter.shown, parameter.default)
            elif isinstance(parameter.default, EnvironmentText):
                values[parameter.name] = parameter.default.value()
        for name in self._more:
            others = [target for target, option in options.items() if option.shown not in self.options]
            values[name] = {target: values.pop(target) for target in others}
        return Call(self._recipe, values, left_out, self.context)

    def _count_arguments(self, words: Sequence[str]) -> int:
        """How many words are arguments: an optional one that looks like an option begins the options."""
        most = min(len(words), len(self.arguments))
        if self.options:
            for index in range(self.required, most):
                if words[index][:1] == "-" and words[index][1:2].isalpha():
                    return index
        return most

    def _read_options(
        self, host: TclHost, words: Sequence[str], values: dict[str, object]
    ) -> dict[str, Parameter]:
        """Adds the values of options; returns those given, by their targets. Of one given twice the last counts."""
        given: dict[str, Parameter] = {}
        for index in range(0, len(words), 2):
            option = self.options.get(words[index]) or self._more_option(words[index])
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
        names = [*self.options, *more]
        choice = " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
        if word[:1] == "-" and word[1:2].isalpha():
            argument = word[1:] if len(word) < _MAX_OPTION_CHARS else ""
            raise ArgumentError(argument, f"unknown option {quoted(word)}: must be {choice}")
        raise ArgumentError("", f"expected an option but got another value: must be {choice}")

    def more_options(self) -> list[Parameter]:
        """Returns the options that are known only when asked for."""
        found = (parameter for more in self._more.values() for parameter in more.parameters())
        return [parameter for parameter in found if parameter.shown not in self.options]

    def tcl_arguments(self) -> tuple[TclValue, ...]:
        """The proc's argument list, so that `info args`, `info default` and "wrong # args" are Tcl's own."""
        rest = ("args",) if self.options else ()
        return (
            *[each.name if each.is_required else (each.name, to_tcl(each.default)) for each in self.arguments],
            *rest,
        )


def _callback(host: TclHost, name: str, word: str) -> Callback | None:
    prefix = split(host, name.lstrip("-"), word)
    return Callback(host, prefix) if prefix else None


def _required_callback(host: TclHost, name: str, word: str) -> Callback:
    callback = _callback(host, name, word)
    if callback is None:
        raise ArgumentError(name.lstrip("-"), f"{name}: a command is expected")
    return callback


_CALLBACKS: dict[str, Converter] = {"Callback": _required_callback, "Callback | None": _callback}


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
