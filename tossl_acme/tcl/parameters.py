"""The parameters of a command: those of its function and of its option groups, and how to call these."""

from __future__ import annotations

from ..errors import ArgumentError, error_context
from .call import Call, Calls, NamedCalls, Recipe, waiting
from .callbacks import Callback
from .values import converter, default_path, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FunctionType

    from .host import TclHost
    from .values import Converter

    #: The option groups: functions, by the annotation that asks for them.
    Groups = Mapping[str, FunctionType]

#: Annotations of parameters that are neither argument nor option.
_INJECTED = ("Interpreter", "Jobs", "TclFacts")
_LAZY = "Lazy["
_DECLARED = "Declared["
_NAMED = "Named["
_NO_DEFAULT = object()
_MAX_OPTION_CHARS = 40
_SECRET_FROM = {"file": "FileSecret", "env": "EnvironmentSecret"}
_FORM_TEXTS = {
    "file": "a file with the value of -{}, instead of it; a newline at its end does not count",
    "env": "an environment variable with the value of -{}, instead of it",
}


class Parameter:
    """One argument or option.

    functions: the functions whose docstrings may describe it, the command's first, the parameter's own last.
    optional: the optional groups around it, the outermost first.
    target: the name of the value, which -key_file and -key_env share with -key.
    text: its meaning, if no docstring describes it.
    """

    __slots__ = (
        "annotation", "convert", "default", "functions", "is_option", "may_be_none", "name", "optional", "target",
        "text",
    )  # fmt: skip

    def __init__(
        self, name: str, annotation: str, default: object, functions: tuple[FunctionType, ...], *, is_option: bool,
        optional: tuple[Recipe, ...] = (), target: str = "", text: str = "", convert: Converter | None = None,
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
        self.convert: Converter = convert or _CALLBACKS.get(annotation) or converter(annotation)

    @property
    def shown(self) -> str:
        """Returns the name as a script writes it."""
        return f"-{self.name}" if self.is_option else self.name

    @property
    def is_required(self) -> bool:
        return self.default is _NO_DEFAULT

    def is_default(self, word: str) -> bool:
        """Returns whether the option with this word counts as left out: no path, where the environment says one."""
        return not word and self.annotation == "FilePath" and callable(self.default)

    def forms(self) -> Iterator[Parameter]:
        """Yields this parameter, and the other forms of a secret option."""
        yield self
        if self.is_option and self.annotation.startswith("Secret"):
            for origin, annotation in _SECRET_FROM.items():
                yield Parameter(
                    f"{self.name}_{origin}", annotation, None, self.functions, is_option=True, optional=self.optional,
                    target=self.name, text=_FORM_TEXTS[origin].format(self.name),
                )  # fmt: skip


class MoreOptions:
    """Options that are looked up only when needed, which may take long: no help lists them."""

    __slots__ = ("_ask", "_functions", "_optional")

    def __init__(
        self, ask: Callable[[], Mapping[str, str]], functions: tuple[FunctionType, ...], optional: tuple[Recipe, ...]
    ) -> None:
        self._ask = ask
        self._functions = functions
        self._optional = optional

    def parameters(self) -> Iterator[Parameter]:
        for name, annotation in self._ask().items():
            found = Parameter(name, annotation, None, self._functions, is_option=True, optional=self._optional)
            yield from found.forms()


class Parameters:
    """The parameters of a function and its groups, in the order of the documentation.

    more: options that are known only when asked for, by the parameter that gets them. injected: parameters that are
    neither argument nor option. words: parameters that get the words themselves. optional: the groups that may be left
    out. declared: what the elements of a declaration take, by the parameter that reads them. alternatives: targets of
    which one replaces the others.
    """

    def __init__(
        self, function: FunctionType, groups: Groups, *, waits: bool, around: tuple[FunctionType, ...] = ()
    ) -> None:
        self._groups = groups
        self.alternatives: tuple[tuple[str, ...], ...] = getattr(function, "alternatives", ())
        self._recipes: dict[FunctionType, Recipe] = {}
        self._arguments: list[Parameter] = []
        self._options: list[Parameter] = []
        self._options_of_arguments: list[Parameter] = []
        self.injected: dict[str, str] = {}
        self.words: list[str] = []
        self.more: dict[str, MoreOptions] = {}
        self.declared: dict[str, Parameters] = {}
        self.recipe = self._add(function, around)
        if waits:
            self._add(waiting, (function,), is_late=True)  # type: ignore[arg-type]
        found = list(self._once())
        self.arguments = [parameter for parameter in found if not parameter.is_option]
        self.options = {parameter.shown: parameter for parameter in found if parameter.is_option}
        self.required = sum(parameter.is_required for parameter in self.arguments)
        self.optional = dict.fromkeys(group for parameter in found for group in parameter.optional)

    def _add(
        self, function: FunctionType, around: tuple[FunctionType, ...] = (), optional: tuple[Recipe, ...] = (), *,
        all_options: bool = False, is_late: bool = False,
    ) -> Recipe:  # fmt: skip
        """Adds what a function takes. `is_late`: its options stand behind those of the function around it."""
        names, nested, lazy = [], {}, []
        functions = (*around, function)
        for name, annotation, default, is_keyword in _signature(function):
            if annotation.startswith(_LAZY):
                lazy.append(name)
                annotation = annotation.removeprefix(_LAZY).removesuffix("]")
            if annotation.startswith(_DECLARED):
                names.append(name)
                of = self._groups[annotation.removeprefix(_DECLARED).removesuffix("]")]
                self.declared[name] = Parameters(of, self._groups, waits=False, around=functions)
                continue
            group = self._groups.get(annotation.removesuffix(" | None"))
            is_option = all_options or is_keyword
            if group is not None:
                inner = optional
                if default is None and not is_option:
                    raise TypeError(f"{function.__name__}: {name} can be left out only behind *")
                if default is None:
                    inner = (*optional, self._recipes.setdefault(group, Recipe(group)))
                nested[name] = self._add(
                    group, functions, inner, all_options=is_option, is_late=is_late or not is_option
                )
                continue
            names.append(name)
            self._add_own(name, annotation, default, functions, optional, is_option=is_option, is_late=is_late)
        recipe = self._recipes.setdefault(function, Recipe(function))
        recipe.names, recipe.lazy = names, lazy
        recipe.groups = dict(sorted(nested.items(), key=lambda item: item[1].depth))
        return recipe

    def _add_own(
        self, name: str, annotation: str, default: object, functions: tuple[FunctionType, ...],
        optional: tuple[Recipe, ...], *, is_option: bool, is_late: bool,
    ) -> None:  # fmt: skip
        """Adds a parameter that no group makes."""
        if annotation in _INJECTED:
            self.injected[name] = annotation
        elif annotation == "Words":
            self.words.append(name)
        elif annotation == "MoreOptions":
            self.more.setdefault(name, MoreOptions(default, functions, optional))  # type: ignore[arg-type]
        elif annotation != "Context":
            found = Parameter(
                name, annotation, default, functions, is_option=is_option, optional=optional,
                convert=self._several(annotation),
            )  # fmt: skip
            options = self._options_of_arguments if is_late else self._options
            (options if is_option else self._arguments).append(found)

    def _several(self, annotation: str) -> Converter | None:
        """Returns the converter of a list or dict of what a group makes, None for anything else."""
        form = next((form for form in ("list[", _NAMED) if annotation.startswith(form)), "none")
        group = self._groups.get(annotation.removeprefix(form).removesuffix("]"))
        if group is None or not annotation.startswith(form):
            return None

        def calls(host: TclHost, name: str, elements: Sequence[str]) -> Iterator[Call]:
            found = [split(host, name.lstrip("-"), element) for element in elements]
            if not all(found):
                raise ArgumentError(name.lstrip("-"), f"{name}: one of its elements is empty")
            taken = Parameters(group, self._groups, waits=False)
            with error_context(name, ArgumentError):
                for words in found:
                    try:
                        yield Call(taken.recipe, *taken.read(host, words), None)
                    except ArgumentError as error:
                        if not error.errorcode[-1]:  # it is in no option's place
                            raise ArgumentError(name.lstrip("-"), error.message) from None
                        raise

        def several(host: TclHost, name: str, word: str) -> Calls:
            return Calls(calls(host, name, split(host, name.lstrip("-"), word)))

        def named(host: TclHost, name: str, word: str) -> NamedCalls | str:
            try:
                words = host.splitlist(word)
            except host.TclError:
                return word
            # A word in the wrong place may have spaces.
            if len(words) < 2 or not any("." in each or each == "default" for each in words[::2]):
                return word
            if len(words) % 2:
                raise ArgumentError(name.lstrip("-"), f"{name}: the last name of the dict has no value")
            return NamedCalls(zip(words[::2], calls(host, name, words[1::2]), strict=True))

        return named if form == _NAMED else several

    def _once(self) -> Iterator[Parameter]:
        """Yields each parameter once: a repeated parameter at its last place.

        It does not belong to an optional group if it is also found outside of it.
        """
        found: dict[str, Parameter] = {}
        for parameter in (*self._arguments, *self._options, *self._options_of_arguments):
            found[parameter.name] = known = found.pop(parameter.name, parameter)
            if known.functions[-1] is not parameter.functions[-1]:
                raise TypeError(f"{parameter.functions[0].__name__}: {parameter.name} is two things")
            known.optional = tuple(group for group in known.optional if group in parameter.optional)
        return (form for parameter in found.values() for form in parameter.forms())

    def read(self, host: TclHost, words: Sequence[str]) -> tuple[dict[str, object], list[Recipe]]:
        """Returns the values of these words, and the groups that are left out.

        Raises ArgumentError unless all of the words are right.
        """
        count = self._count_arguments(words)
        values = {
            parameter.name: parameter.convert(host, parameter.name, word)
            for parameter, word in zip(self.arguments, words[:count], strict=False)
        }
        own = words[count:]
        if count and own and self.arguments[-1].annotation == "list[str]":
            self._check_list(words[count - 1], own[0])
        for name, each in self.declared.items():
            from .declared import Declared  # few commands declare

            own, everyones = self._divided(own, each)
            values[name] = Declared(host, each, everyones)
        options = self._read_options(host, own, values)
        given = {group for option in options.values() for group in option.optional}
        left_out = [group for group in self.optional if group not in given]
        for parameter in self.options.values():
            if parameter.target in options or any(group in left_out for group in parameter.optional):
                continue
            if parameter.is_required:
                raise ArgumentError(parameter.name, f"{parameter.shown} is required")
            if parameter.may_be_none:
                values[parameter.target] = None
            elif callable(parameter.default):
                is_path = parameter.annotation.startswith("FilePath")
                may_be_url = parameter.annotation.startswith("FilePathOrUrl")
                find = parameter.default
                values[parameter.name] = (
                    default_path(host, parameter.shown, find, may_be_url=may_be_url) if is_path
                    else parameter.convert(host, parameter.shown, find())
                )  # fmt: skip
        for name in self.more:
            others = [target for target, option in options.items() if option.shown not in self.options]
            values[name] = {target: values.pop(target) for target in others}
        for name in self.words:
            values[name] = self._said(words, count)
        return values, left_out

    def _check_list(self, given: str, next_word: str) -> None:
        """Raises ArgumentError if the word behind the last argument, a list, begins no option."""
        if next_word.startswith("-"):
            return
        name = self.arguments[-1].name
        if given in self.options:
            raise ArgumentError(name, f"{name} is missing: it stands before {given}")
        raise ArgumentError("", f"expected an option but got another value: {name} is one list, as {{first second}}")

    def _divided(self, words: Sequence[str], each: Parameters) -> tuple[list[str], list[str]]:
        """Returns the command's own options, and those that the elements of a declaration take."""
        own: list[str] = []
        everyones: list[str] = []
        for index in range(0, len(words), 2):
            is_own = words[index] in self.options or index + 1 == len(words) or not each.takes(words[index])
            (own if is_own else everyones).extend(words[index : index + 2])
        return own, everyones

    def _said(self, words: Sequence[str], count: int) -> dict[str, str]:
        """Returns the words by argument and option, and the texts that the environment says in place of some."""
        texts = [o for o in self.options.values() if callable(o.default) and not o.annotation.startswith("FilePath")]
        said = {option.name: str(option.default()) for option in texts if callable(option.default)}
        said |= dict(zip((parameter.name for parameter in self.arguments), words[:count], strict=False))
        return said | {words[at].removeprefix("-"): words[at + 1] for at in range(count, len(words), 2)}

    def _count_arguments(self, words: Sequence[str]) -> int:
        """Returns how many words are arguments: an optional argument that looks like an option begins the options."""
        most = min(len(words), len(self.arguments))
        if self.options:
            for index in range(self.required, most):
                if _may_be_option(words[index]):
                    return index
        return most

    def _read_options(self, host: TclHost, words: Sequence[str], values: dict[str, object]) -> dict[str, Parameter]:
        """Adds the values of options; returns those given, by their targets. Of one given twice the last counts."""
        given: dict[str, Parameter] = {}
        for index in range(0, len(words), 2):
            option = self.option(words[index])
            if index + 1 == len(words):
                raise ArgumentError(option.name, f'value for "{words[index]}" missing')
            if option.is_default(words[index + 1]):
                given.pop(option.target, None)
                continue
            other = given.setdefault(option.target, option)
            if other.name != option.name:
                raise ArgumentError(option.name, f"give only one of {other.shown} and {option.shown}")
            values[option.target] = option.convert(host, option.shown, words[index + 1])
        return given

    def takes(self, word: str) -> bool:
        """Returns whether there is an option of that name."""
        return word in self.options or any(parameter.shown == word for parameter in self.more_options())

    def option(self, word: str) -> Parameter:
        """Returns the option of that name. Raises ArgumentError."""
        if word in self.options:
            return self.options[word]
        more = {parameter.shown: parameter for parameter in self.more_options()}
        if word in more:
            return more[word]
        names = list(self.all_options())
        choice = " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
        if _may_be_option(word):
            from ..text import quoted

            argument = word[1:] if len(word) < _MAX_OPTION_CHARS else ""
            raise ArgumentError(argument, f"unknown option {quoted(word)}: must be {choice}")
        raise ArgumentError("", f"expected an option but got another value: must be {choice}")

    def more_options(self) -> list[Parameter]:
        """Returns the options that are looked up only when needed."""
        found = (parameter for more in self.more.values() for parameter in more.parameters())
        return [parameter for parameter in found if parameter.shown not in self.options]

    def all_options(self) -> dict[str, Parameter]:
        """Returns every option by its name, also those of declarations, but for those looked up when needed."""
        found = dict(self.options)
        for each in self.declared.values():
            found |= each.all_options()
        return found


def _may_be_option(word: str) -> bool:
    return word[:1] == "-" and word[1:2].isalpha()


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


def _callback(host: TclHost, name: str, word: str) -> Callback | None:
    prefix = split(host, name.lstrip("-"), word)
    return Callback(host, prefix) if prefix else None


def _required_callback(host: TclHost, name: str, word: str) -> Callback:
    callback = _callback(host, name, word)
    if callback is None:
        raise ArgumentError(name.lstrip("-"), f"{name} must be a command prefix")
    return callback


_CALLBACKS: dict[str, Converter] = {"Callback": _required_callback, "Callback | None": _callback}
