"""Reads the commands' docstrings, for tossl::help and the pages in docs/.

    Does something: the summary, one line.

    Paragraphs about it.

    domains          the meaning of an argument
    -webroot folder  the meaning of an option, and the word for its value; a further line
                     is indented
    -propagation_timeout seconds
                     a long term has its own line

    Returns a dict:
    url              the meaning of a key of the result

    Errors:
    TOSSL VALUE url  the cause of the error

Two spaces end the term of such a line. An argument or option that is missing in the docstring is looked up in the
docstrings of its option groups, the outermost first; then in those of the command's module, of the package around
that, and so on: so shared texts are written once. A group's errors belong to all commands that take the group. Of a
module's errors, TOSSL VALUE url belongs to the commands that take url (or -url). In both, those below

    Errors with -url:

belong to these commands too.

In the text of an argument or option, {word} is the words that the function TEXTS["word"] of the docstring's module
returns. CHOICES["name"] of such a module returns the words that an argument or option with this name may have.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from types import FunctionType

from .command import Command
from .parameters import Parameter
from .values import to_tcl

_TERM = re.compile(r"(\S+(?: \S+)*)  +(\S.*)")
_BRACES = re.compile(r"\{(\w+)\}")
#: The text of an argument of another command, by which this one is described.
_ELSEWHERE = re.compile(r"as (\w+) of (\w+)")
_WORDS = {
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list[str]": "list",
    "dict[str, str]": "dict",
    "SecretDict": "dict",
    "FilePath": "path",
    "list[FilePath]": "list",
    "FileSecret": "path",
    "EnvironmentSecret": "variable",
    "Callback": "prefix",
}

_FORM_ERRORS = {
    "FileSecret": "the file cannot be read or is empty, or another form of the option is given too",
    "EnvironmentSecret": "the variable is not set or is empty, or another form of the option is given too",
}


@dataclass
class Part:
    """Paragraphs, then terms with their texts."""

    paragraphs: list[str] = field(default_factory=list)
    terms: dict[str, str] = field(default_factory=dict)


@dataclass
class Text:
    """The parts of a docstring."""

    summary: str = ""
    description: Part = field(default_factory=Part)
    returns: Part = field(default_factory=Part)
    errors: Part = field(default_factory=Part)
    #: The name of an argument or option, by its errorcode.
    cause: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """An argument or an option: its name, the word for an option's value, its default in Tcl, its meaning.

    choices: the words that it may have, where they are few.
    """

    name: str
    word: str
    default: str
    text: str
    shared: bool
    choices: tuple[str, ...] = ()

    @property
    def is_option(self) -> bool:
        return self.name.startswith("-")


def read(docstring: str | None) -> Text:
    """Returns the parts of a docstring in the form above; prose alone is a summary and paragraphs."""
    summary, _, rest = inspect.cleandoc(docstring or "").partition("\n")
    text = Text(summary)
    part, cause = text.description, ""
    for term, words, is_new in _entries(rest.splitlines()):
        begins = not term and words.startswith(("Returns", "Errors"))
        if begins:
            part = text.returns if words[0] == "R" else text.errors
            cause = words[len("Errors with ") : -1] if words.startswith("Errors with ") else ""
        if term:
            part.terms[term], text.cause[term] = words, cause
        elif begins and cause:
            continue
        elif begins or is_new or not part.paragraphs:
            part.paragraphs.append(words)
        else:
            part.paragraphs[-1] += f" {words}"
    return text


def _entries(lines: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    """Yields terms with their texts, lines without a term, and whether an empty line or a term is above."""
    is_new, index = True, 0
    while index < len(lines):
        line, index, below = lines[index], index + 1, index + 1
        while index < len(lines) and lines[index].startswith(" "):
            index += 1
        more = " ".join(each.strip() for each in lines[below:index])
        found = _TERM.fullmatch(line)
        if found:
            yield found[1], f"{found[2]} {more}".rstrip(), is_new
        elif line:
            yield (line, more, is_new) if more else ("", line, is_new)
        is_new = not line or bool(found or more)


class Manual:
    """The complete description of one command."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.name = f"tossl::{command.name}"
        self.text = read(command.function.__doc__)
        self._own = _terms(self.text)
        self._around = list(_texts_around(command.function.__module__))
        taken = command.parameters
        parameters = (*taken.arguments, *taken.all_options().values())
        self._groups = dict.fromkeys(group for each in parameters for group in each.functions[1:])

    @cached_property
    def arguments(self) -> list[Entry]:
        return [self._entry(parameter) for parameter in self.command.parameters.arguments]

    @cached_property
    def options(self) -> list[Entry]:
        return [self._entry(parameter) for parameter in self.command.parameters.all_options().values()]

    @property
    def namespace(self) -> str:
        return self.command.name.rpartition("::")[0]

    @property
    def words(self) -> list[str]:
        """Returns the command's arguments as Tcl writes them: a ?b? ?-option value ...?

        Those of a command that is written in Tcl may stand in another order: WORDS of its module says it.
        """
        module = sys.modules[self.command.function.__module__]
        if special := getattr(module, "WORDS", {}).get(self.command.function.__name__):
            return list(special)
        required = self.command.parameters.required
        words = [argument.name for argument in self.arguments[:required]]
        words += [f"?{argument.name}?" for argument in self.arguments[required:]]
        return [*words, "?-option value ...?"] if self.options else words

    @property
    def results(self) -> dict[str, str]:
        return self.text.returns.terms

    def errors(self, *, shared: bool) -> dict[str, str]:
        """Returns the errorcodes with their causes: the command's own, or those that it shares with others."""
        own = self.text.errors.terms
        if not shared:
            return own
        said = [(text, code, text.cause[code] or code.rpartition(" ")[2])
                for text in reversed(self._around) for code in text.errors.terms]  # fmt: skip
        said += [(text, code, text.cause[code]) for text in map(_text_of, self._groups) for code in text.errors.terms]
        found = {
            code: text.errors.terms[code]
            for text, code, cause in said
            if code not in own and (not cause or self._takes(cause))
        }
        return found | {
            f"TOSSL VALUE {option.name.lstrip('-')}": _FORM_ERRORS[option.annotation]
            for option in self.command.parameters.all_options().values()
            if option.annotation in _FORM_ERRORS
        }

    def as_dict(self, commands: Callable[[], Mapping[str, Command]]) -> dict[str, object]:
        """Returns the summary, and a dict for each argument and each option by name.

        commands: returns all that there are. A text that leads to another command begins with that one's text here.
        """
        outline = self.outline()
        return {
            "summary": self.text.summary,
            "arguments": {
                entry.name: {"text": entry.text, "choices": list(entry.choices)} for entry in self.arguments
            },
            "options": {
                entry.name: {
                    **outline[entry.name],
                    "text": _led_to(entry.text, commands),
                    "choices": list(entry.choices),
                }
                for entry in self.options
            },
        }

    def outline(self) -> dict[str, dict[str, object]]:
        """Returns what it takes to read options, by name: word, default, is_secret. It asks no DNS provider."""
        return {
            name: {
                "word": self._word(option, self._found(option)[0]),
                "default": self._default(option),
                "is_secret": option.annotation.startswith("Secret"),
            }
            for name, option in self.command.parameters.all_options().items()
        }

    def _takes(self, name: str) -> bool:
        return any(each.name.lstrip("-") == name.lstrip("-") for each in (*self.arguments, *self.options))

    def _entry(self, parameter: Parameter) -> Entry:
        term, text, shared = self._found(parameter)
        texts, choices = _named_in("TEXTS", parameter), _named_in("CHOICES", parameter)
        text = _BRACES.sub(lambda found: ", ".join(texts[found[1]]()) if found[1] in texts else found[0], text)
        words = tuple(choices[parameter.name]()) if parameter.name in choices else ()
        return Entry(parameter.shown, self._word(parameter, term), self._default(parameter), text, shared, words)

    @staticmethod
    def _word(parameter: Parameter, term: str) -> str:
        """Returns the word for an option's value."""
        usual = "list" if parameter.annotation.startswith("list[") else "value"
        return term.partition(" ")[2] or _WORDS.get(parameter.annotation.removesuffix(" | None"), usual)

    def _found(self, parameter: Parameter) -> tuple[str, str, bool]:
        """Returns a parameter's term and text, and whether other commands share them."""
        if parameter.shown in self._own:
            return *self._own[parameter.shown], False
        for group in parameter.functions[1:]:
            terms = _terms(_text_of(group))
            found = terms.get(parameter.shown) or terms.get(parameter.name)
            if found:
                return *found, True
        if parameter.text:
            return "", parameter.text, parameter.target == parameter.name or f"-{parameter.target}" not in self._own
        for around in self._around:
            if found := _terms(around).get(parameter.shown):
                return *found, True
        return "", "", False

    def _default(self, parameter: Parameter) -> str:
        default = parameter.default
        if parameter.name == "timeout" and self.command.context is not None:
            default = f"{self.command.context.limit:g}"
        if parameter.is_required or default is None or callable(default):
            return ""
        value = to_tcl(default)
        return value if isinstance(value, str) else ""


def _named_in(table: str, parameter: Parameter) -> dict[str, Callable[[], Sequence[str]]]:
    """Returns what the modules of the functions that may describe a parameter have in this table."""
    modules = (sys.modules[function.__module__] for function in parameter.functions)
    return {name: ask for module in modules for name, ask in getattr(module, table, {}).items()}


def _led_to(text: str, commands: Callable[[], Mapping[str, Command]]) -> str:
    """Returns the text with the one that it leads to in its place."""
    found = _ELSEWHERE.match(text)
    if not found:
        return text
    others = [each for name, each in commands().items() if name.rpartition("::")[2] == found[2]]
    entries = [each for other in others[:1] for each in Manual(other).arguments if each.name == found[1]]
    return entries[0].text + text[found.end() :] if entries else text


@cache
def _text_of(function: FunctionType) -> Text:
    return read(function.__doc__)


def _terms(text: Text) -> dict[str, tuple[str, str]]:
    """Returns the terms with their texts, by the name at their beginning."""
    return {_name(term): (term, meaning) for term, meaning in text.description.terms.items()}


def _name(term: str) -> str:
    return term.partition(" ")[0]


def _texts_around(module: str) -> Iterator[Text]:
    while module in sys.modules:
        yield read(sys.modules[module].__doc__)
        module = module.rpartition(".")[0]
