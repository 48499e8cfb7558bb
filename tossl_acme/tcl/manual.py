"""What the commands' docstrings say, read for tossl::help and for the pages in docs/.

    Does this and that: the summary, one line.

    Paragraphs about it.

    domains          what an argument means
    -webroot folder  what an option means, and the word for its value; a further line
                     is indented
    -propagation_timeout seconds
                     a long one has a line for itself

    Returns a dict:
    url              what a key of the result means

    Errors:
    TOSSL VALUE url  when that is raised

Two spaces end the term of such a line. An argument or option that the docstring leaves out is looked for in the
docstring of its module, of the package around that, and so outwards: so what many commands share is said once. Of the
errors said there, TOSSL VALUE url is one of the commands that take url (or -url), and those below

    Errors with -url:

are too.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..files import PathDefault
from .command import Command
from .values import to_tcl

_TERM = re.compile(r"(\S+(?: \S+)*)  +(\S.*)")
_WORDS = {
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list[str]": "list",
    "dict[str, str]": "dict",
    "FilePath": "path",
}


@dataclass
class Part:
    """Paragraphs, then terms with their texts."""

    paragraphs: list[str] = field(default_factory=list)
    terms: dict[str, str] = field(default_factory=dict)


@dataclass
class Text:
    """A docstring in its parts."""

    summary: str = ""
    description: Part = field(default_factory=Part)
    returns: Part = field(default_factory=Part)
    errors: Part = field(default_factory=Part)
    #: The name of an argument or option, by the errorcode that goes with it.
    cause: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """An argument or an option: its name, the word for an option's value, its default as Tcl has it, its meaning."""

    name: str
    word: str
    default: str
    text: str
    shared: bool

    @property
    def is_option(self) -> bool:
        return self.name.startswith("-")


def read(docstring: str | None) -> Text:
    """The parts of a docstring in the form above; one that is prose alone is a summary and paragraphs."""
    summary, _, rest = inspect.cleandoc(docstring or "").partition("\n")
    text = Text(summary)
    part, begun, cause = text.description, False, ""
    lines = rest.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        if line.startswith(("Returns", "Errors")):
            part, begun = (text.returns if line[0] == "R" else text.errors), False
            cause = line.removeprefix("Errors with ").rstrip(":") if line.startswith("Errors with ") else ""
        if cause and line.endswith(f"{cause}:"):
            continue
        if not line:
            begun = False
        elif line[0] == " ":
            _continue(part, line.strip())
        elif found := _TERM.fullmatch(line):
            part.terms[found[1]] = found[2]
            text.cause[found[1]] = cause
        elif following.startswith(" "):
            part.terms[line], text.cause[line] = "", cause
        elif begun:
            part.paragraphs[-1] += f" {line}"
        else:
            part.paragraphs.append(line)
            begun = True
    return text


def _continue(part: Part, more: str) -> None:
    if part.terms:
        term = next(reversed(part.terms))
        part.terms[term] = f"{part.terms[term]} {more}".lstrip()


class Manual:
    """All that is known of one command."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.name = f"tossl::{command.name}"
        self.text = read(command.function.__doc__)
        self._own = {_name(term): (term, text) for term, text in self.text.description.terms.items()}
        self._around = list(_texts_around(command.function.__module__))
        self.arguments = [self._argument(index) for index in range(len(command.arguments))]
        self.options = [self._option(name) for name in command.options]

    @property
    def namespace(self) -> str:
        return self.command.name.rpartition("::")[0]

    @property
    def words(self) -> list[str]:
        """The command's arguments as Tcl writes them: a ?b? ?-option value ...?"""
        required = self.command.required
        words = [argument.name for argument in self.arguments[:required]]
        words += [f"?{argument.name}?" for argument in self.arguments[required:]]
        return [*words, "?-option value ...?"] if self.options else words

    @property
    def results(self) -> dict[str, str]:
        return self.text.returns.terms

    def errors(self, *, shared: bool) -> dict[str, str]:
        """The errorcodes, each with when it is raised: the command's own, or those that it shares with others."""
        own = self.text.errors.terms
        if not shared:
            return own
        return {
            code: when
            for text in reversed(self._around)
            for code, when in text.errors.terms.items()
            if code not in own and self._takes(text.cause[code] or code.rpartition(" ")[2])
        }

    def _takes(self, name: str) -> bool:
        return any(each.name.lstrip("-") == name.lstrip("-") for each in (*self.arguments, *self.options))

    def _argument(self, index: int) -> Entry:
        parameter = self.command.arguments[index]
        optional = index - self.command.required
        default = self.command.defaults[optional] if optional >= 0 else None
        return self._parameter(parameter.name, parameter.annotation, default)

    def _option(self, name: str) -> Entry:
        parameter = self.command.options[name]
        defaults = getattr(self.command.function, "__kwdefaults__", None) or {}
        default = defaults.get(parameter.name)
        if parameter.name == "timeout" and self.command.context is not None:
            default = f"{self.command.context.limit:g}"
        return self._parameter(name, parameter.annotation, default)

    def _parameter(self, name: str, annotation: str, default: object) -> Entry:
        term, text = self._own.get(name, ("", ""))
        shared = not text
        for around in self._around if shared else ():
            found = next((each for each in around.description.terms if _name(each) == name), "")
            if found:
                term, text = found, around.description.terms[found]
                break
        word = term.partition(" ")[2] or _WORDS.get(annotation.removesuffix(" | None"), "value")
        value = to_tcl(default) if default not in ("", None) and not isinstance(default, PathDefault) else ""
        return Entry(name, word, value if isinstance(value, str) else "", text, shared and bool(text))


def _name(term: str) -> str:
    return term.partition(" ")[0]


def _texts_around(module: str) -> Iterator[Text]:
    while module in sys.modules:
        yield read(sys.modules[module].__doc__)
        module = module.rpartition(".")[0]
