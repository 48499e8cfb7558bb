"""What a script declares: a dict of names, each of them with the words of one call of a group."""

from __future__ import annotations

from ..errors import ArgumentError, TosslError
from .call import Call
from .values import converter, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Protocol

    from ..context import Context
    from ..files import FilePath
    from .call import Recipe
    from .events import Events
    from .host import TclHost
    from .values import Converter

    #: Values and groups' objects, by the words of the options.
    _Same = dict[tuple[str, ...], tuple[dict[str, object], dict[Recipe, object]]]

    class _Parameter(Protocol):
        @property
        def name(self) -> str: ...
        @property
        def target(self) -> str: ...
        @property
        def convert(self) -> Converter: ...

    class _Parameters(Protocol):
        """What an element takes."""

        recipe: Recipe
        alternatives: tuple[tuple[str, ...], ...]

        @property
        def arguments(self) -> Collection[_Parameter]: ...
        def option(self, word: str) -> _Parameter: ...
        def read(self, host: TclHost, words: Sequence[str]) -> tuple[dict[str, object], list[Recipe]]: ...


class Declared:
    """Reads such dicts: `name {argument value ?-option value ...?}`.

    The options of the command are everyone's, and an element's own override them. It is made, and reads, in the
    interpreter's thread; read_from() is for any thread.
    """

    __slots__ = ("_everyones", "_host", "_known", "_parameters", "events")

    def __init__(self, host: TclHost, parameters: _Parameters, everyones: Sequence[str]) -> None:
        self._host = host
        self._parameters = parameters
        self._everyones = dict(zip(everyones[::2], everyones[1::2], strict=True))
        self._known: dict[str, tuple[str, object]] = {}
        #: Those of its interpreter: for read_from(), and for callbacks among the options.
        self.events: Events | None = None

    def read(self, argument: str, text: str) -> dict[str, object]:
        """Returns what the group makes of each element, by name: the same object as before of one that is unchanged.

        Raises TosslError for the first wrong element, with its name in front, and ArgumentError `argument` for what
        is no dict.
        """
        words = split(self._host, argument, text)
        if len(words) % 2:
            raise ArgumentError(argument, f"Failed to parse {argument}: missing value to go with key")
        found: dict[str, tuple[str, object]] = {}
        same: _Same = {}
        for name, element in zip(words[::2], words[1::2], strict=True):
            if name in found:
                raise ArgumentError(argument, f"{self._shown(name)} is declared twice")
            known = self._known.get(name)
            is_same = known is not None and known[0] == element
            try:
                found[name] = known if is_same and known else (element, self._made(name, element, same))
            except ArgumentError as error:
                if error.errorcode[-1]:
                    raise
                raise ArgumentError(argument, error.message) from None  # it is in no option's place
        self._known = found
        return {name: made for name, (_, made) in found.items()}

    def read_from(self, context: Context, argument: str, text: str) -> dict[str, object]:
        """Returns what read() returns, from any thread: the event loop runs it. Raises Cancelled."""
        from _thread import get_ident

        from .callbacks import run_in_events

        if self.events is None or self.events.thread == get_ident():
            return self.read(argument, text)
        return run_in_events(context, self.events, lambda: self.read(argument, text))

    def path(self, argument: str, word: str) -> FilePath | None:
        """Returns the path of the file that a word names; None for the words of a dict."""
        from os.path import exists  # pathlib loads slowly

        from ..files import FilePath

        try:
            path = converter("FilePath")(self._host, argument, word)
        except ArgumentError:
            return None
        assert isinstance(path, FilePath)
        is_file = exists(path) or len(split(self._host, argument, word)) == 1  # noqa: PTH110
        return path if is_file else None

    def _made(self, name: str, element: str, same: _Same) -> object:
        """Returns what the group makes of an element. same: what those before it with the same options have."""
        parameters = self._parameters
        try:
            arguments, options = self._words(element)
            if options not in same:
                values, left_out = parameters.read(self._host, [*arguments, *options])
                for callback in Call(parameters.recipe, values, left_out, None).callbacks():
                    callback.events = self.events
                same[options] = values, dict.fromkeys(left_out)
            values, made = same[options]
            for parameter, word in zip(parameters.arguments, arguments, strict=True):
                values[parameter.name] = parameter.convert(self._host, parameter.name, word)
            return parameters.recipe.make_another(values, made)
        except TosslError as error:
            raise error.within(self._shown(name)) from None

    def _words(self, element: str) -> tuple[list[str], tuple[str, ...]]:
        """Returns the words of the group's call: its arguments; everyone's options and the element's own."""
        words = split(self._host, "", element)
        if len(words) % 2:
            raise ArgumentError("", 'expected "argument value" and "-option value" pairs')
        given = dict(zip(words[::2], words[1::2], strict=True))
        arguments = []
        for parameter in self._parameters.arguments:
            if parameter.name not in given:
                raise ArgumentError(parameter.name, f"{parameter.name} is missing")
            arguments.append(given.pop(parameter.name))
        own = {self._group_of(word) for word in given}
        everyones = {word: value for word, value in self._everyones.items() if self._group_of(word) not in own}
        return arguments, (*_flat(everyones), *_flat(given))

    def _group_of(self, word: str) -> str:
        """Returns the name that an option shares with those that it overrides: its other forms and its alternatives."""
        target = self._parameters.option(word).target
        return next((names[0] for names in self._parameters.alternatives if target in names), target)

    @staticmethod
    def _shown(name: str) -> str:
        from ..text import quoted

        return quoted(name)


def _flat(options: Mapping[str, str]) -> list[str]:
    return [word for pair in options.items() for word in pair]
