"""Makes commands of Python functions: one documented function is one Tcl command.

Positional parameters are the arguments, keyword-only parameters are `-name value` options. A parameter with the
annotation of an option group asks for the group: it gets the group function's result.

    def client(server: Server, account_key: AccountKey) -> Client            a group, of two others
    def place_order(client: Client, domains: list[str], *, options: OrderOptions)

A group's parameters are arguments and options of the command. Behind `*` all of them are options; those without a
default are required, unless their annotation ends with "| None". `group: Group | None = None` is None if none of its
options is given. Words are converted when the command is called; objects are made in the thread in which it runs.

    context: Context = seconds(60)    marks a command that waits: it takes what call.waiting takes
    group: Lazy[Group]                gets a function that makes the group's object, for what is not always needed
    interpreter: Interpreter          is the calling interpreter,
    jobs: Jobs                        its background jobs,
    tcl: TclFacts                     a dict patchlevel executable of its Tcl, and
    words: Words                      {name: word} for what was given, as it was given: none of them is an option
    key: Secret                       as an option has -key_file and -key_env beside it
    email: str = find                 has a default that find() returns at the time of the call; of a FilePath with the
                                      name of the variable that says it
    cas: list[Group]                  is a list: each of its elements is a list of the words that the group takes
    cloud: Named[Group]               is a word, or a dict of such lists of words by name
    fields: MoreOptions = ask         is a dict of options that are known only when asked for: ask() returns
                                      {name: annotation}; help lists none of them
"""

from __future__ import annotations

import sys

from .values import to_tcl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import FunctionType, ModuleType

    from ..context import Context
    from .call import Call
    from .host import TclHost, TclValue
    from .parameters import Parameters

    #: The option groups: functions, by the annotation that asks for them.
    Groups = Mapping[str, FunctionType]


class Command:
    """One Tcl command: its function, and the conversion of words to the function's arguments."""

    def __init__(
        self, namespace: str, function: FunctionType, groups: Groups | None = None, script: str = ""
    ) -> None:
        self.name = f"{namespace}::{function.__name__.rstrip('_')}".removeprefix("::")
        self.function = function
        #: The path of the Tcl file that does its work; empty where the function does.
        self.script = script
        self.context: Context | None = (function.__kwdefaults__ or {}).get("context")
        self._groups = groups or {}
        self._parameters: Parameters | None = None

    @property
    def parameters(self) -> Parameters:
        """Returns the command's arguments and options; reads them at the first call."""
        if self._parameters is None:
            from .parameters import Parameters

            self._parameters = Parameters(self.function, self._groups, waits=self.context is not None)
        return self._parameters

    def tcl_arguments(self) -> tuple[TclValue, ...]:
        """Returns the proc's argument list, so that `info args`, `info default` and "wrong # args" are Tcl's own."""
        arguments, takes_options = _arguments(self.function, self._groups)
        return (*arguments, "args") if takes_options else tuple(arguments)

    def bind(self, host: TclHost, words: Sequence[str]) -> Call:
        """Returns the call with these words. Raises ArgumentError unless all of them are right."""
        from .call import Call, Reading  # not at the top: `package require` does not need it

        with Reading(words) as reading:
            values, left_out = self.parameters.read(host, words)
        return Call(self.parameters.recipe, values, left_out, self.context, reading.seconds)


def _arguments(function: FunctionType, groups: Groups) -> tuple[list[TclValue], bool]:
    """Returns the arguments of a function and of its groups, and whether there are options."""
    code, kinds = function.__code__, function.__annotations__
    count, defaults = code.co_argcount, function.__defaults__ or ()
    found: list[TclValue] = []
    keywords = code.co_varnames[count : count + code.co_kwonlyargcount]
    takes_options = any(kinds[name] not in ("Interpreter", "Jobs", "TclFacts", "Words") for name in keywords)
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

    The module's name is the namespace of its commands, unless it or its package has a NAMESPACE. Of a module with a
    SCRIPT, the name of a file beside it, the functions only describe the commands, which are written in Tcl there.
    """
    table = {}
    for module in modules:
        loaded: ModuleType = __import__(module, fromlist=("COMMANDS",))
        script = getattr(loaded, "SCRIPT", "")
        if script:
            script = f"{str(loaded.__file__).rpartition('/')[0]}/{script}"
        for function in loaded.COMMANDS:
            command = Command(_namespace(loaded), function, groups, script)
            table[command.name] = command
    return table


def _namespace(module: ModuleType) -> str:
    around = sys.modules[str(module.__package__)]
    found: str = getattr(module, "NAMESPACE", getattr(around, "NAMESPACE", module.__name__.rpartition(".")[2]))
    return found


def describe_commands(module: str, groups: Groups | None = None) -> tuple[tuple[str, TclValue, str], ...]:
    """Returns what Tcl has to know of each command of a module: its name, the proc's arguments, and its script."""
    commands = load_commands((module,), groups).values()
    return tuple((command.name, command.tcl_arguments(), command.script) for command in commands)
