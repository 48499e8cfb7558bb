"""One page for each namespace: docs/source/<namespace>.md, its markers filled in from the commands."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tossl_acme.commands import PACKAGES
from tossl_acme.commands.groups import GROUPS
from tossl_acme.tcl.command import load_commands
from tossl_acme.tcl.manual import Entry, Manual, read

DOCS = Path(__file__).parents[1]
SOURCES = DOCS / "source"
#: Where the pages are put.
MADE = DOCS / "commands"

_MARKER = re.compile(r"<!-- (SYNOPSIS|COMMANDS|OPTIONS|ERRORS) -->\n")
_MADE = "<!-- Made by `make docs` from docs/source/{} and the docstrings of the commands: change those. -->\n"
#: In a docstring's prose: code, an option, a name with an underscore, a character of markup.
_PROSE = re.compile(
    r"(?P<code>`[^`]*`)|(?<![\w-])(?P<option>-[a-z][a-z_0-9]+(?:\.\d)?)(?![\w-])"
    r"|(?<![\w/.-])(?P<name>[a-z0-9]+(?:_[a-z0-9]+)+)(?![\w/.-])|(?P<markup>[*<|\[\]\\])"
)
_AS = {"code": "{}", "option": "**{}**", "name": "`{}`", "markup": "\\{}"}


def manuals() -> dict[str, list[Manual]]:
    """Returns the commands by the name of their page, in the order of their tables."""
    found: dict[str, list[Manual]] = {}
    modules = dict.fromkeys(module for package in PACKAGES.values() for module in package)
    for command in load_commands(modules, GROUPS).values():
        manual = Manual(command)
        found.setdefault(page_of(manual), []).append(manual)
    return found


def page_of(manual: Manual) -> str:
    """Returns the name of the page that has a command: its namespace's, whose ensembles are on it, too."""
    return manual.namespace.partition("::")[0] or "tossl"


def _package_of(manual: Manual) -> str:
    """Returns the first package that has a command."""
    module = manual.command.function.__module__
    return next(
        package for package, modules in PACKAGES.items() if any(f"{module}.".startswith(f"{one}.") for one in modules)
    )


def pages() -> dict[str, str]:
    """Returns the pages in Markdown, by their names."""
    return {name: page(name, commands) for name, commands in manuals().items()}


def page(name: str, commands: Sequence[Manual]) -> str:
    """Returns the page of a namespace."""
    source = (SOURCES / f"{name}.md").read_text("utf-8")
    alone = len(commands) == 1
    parts = {
        "SYNOPSIS": lambda: _synopsis(commands),
        "COMMANDS": lambda: "\n".join(_group(commands, alone)),
        "OPTIONS": lambda: _parameters(commands[0].options if alone else _shared(commands)),
        "ERRORS": lambda: _errors(commands, alone),
    }
    return _MADE.format(f"{name}.md") + _MARKER.sub(lambda found: parts[found[1]](), source)


def _synopsis(commands: Sequence[Manual]) -> str:
    lines = [f"    package require {_package_of(commands[0])}", ""]
    for manual in commands:
        # A space within a word is no place to break.
        words = " ".join([manual.name, *(word.replace(" ", "\0") for word in manual.words)])
        lines += textwrap.wrap(words, 76, initial_indent=" " * 4, subsequent_indent=" " * 12, break_on_hyphens=False)
    return "\n".join([*lines, ""]).replace("\0", " ")


def _group(commands: Sequence[Manual], alone: bool) -> Iterable[str]:
    """Yields the commands, below the summaries of their modules if they come from several.

    A module stands where its last command does.
    """
    modules = dict.fromkeys(manual.command.function.__module__ for manual in reversed(commands))
    for module in reversed(modules):
        if len(modules) > 1:
            yield f"### {read(sys.modules[module].__doc__).summary.rstrip('.')}\n"
        for manual in commands:
            if manual.command.function.__module__ == module:
                yield _command(manual, alone)


def _command(manual: Manual, alone: bool) -> str:
    text = manual.text
    heading = f"**{manual.name}**" + (f" *{' '.join(manual.words)}*" if manual.words else "")
    blocks = [f"#### {manual.name}\n", _filled(heading)]
    blocks += [_filled(_prose(paragraph)) for paragraph in (text.summary, *text.description.paragraphs)]
    own = [each for each in (*manual.arguments, *(() if alone else manual.options)) if not each.shared]
    blocks += [_parameters(own)] if own else []
    blocks += [_filled(_also(manual))] if not alone and _also(manual) else []
    blocks += [_filled(_prose(paragraph)) for paragraph in text.returns.paragraphs]
    blocks += [_terms(manual.results)] if manual.results else []
    if not alone:
        errors = manual.errors(shared=False)
        blocks += [_filled(_prose(paragraph)) for paragraph in text.errors.paragraphs]
        blocks += [_terms(errors)] if errors else []
    return "\n".join(blocks)


def _also(manual: Manual) -> str:
    """Returns the sentence that refers to a command's arguments and options below OPTIONS."""
    arguments = [f"*{argument.name}*" for argument in manual.arguments if argument.shared]
    options = [
        f"**{option.name}**" + (f" (default {option.default})" if option.default else "")
        for option in manual.options
        if option.shared
    ]
    named = [*arguments, *options]
    if not named:
        return ""
    return f"See [OPTIONS](#options) for {', '.join(named[:-1])}{' and ' if named[:-1] else ''}{named[-1]}."


def _shared(commands: Iterable[Manual]) -> list[Entry]:
    """Returns the shared arguments and options, arguments first. Each command has its own default."""
    found: dict[str, Entry] = {}
    for manual in commands:
        for each in (*manual.arguments, *manual.options):
            if each.shared:
                found.setdefault(each.name, Entry(each.name, each.word, "", each.text, True))
    return sorted(found.values(), key=lambda parameter: parameter.is_option)


def _errors(commands: Sequence[Manual], alone: bool) -> str:
    terms: dict[str, str] = dict(commands[0].errors(shared=False)) if alone else {}
    for manual in commands:
        terms |= {code: when for code, when in manual.errors(shared=True).items() if code not in terms}
    # General errors come before those of one argument.
    return _terms(terms if alone else dict(sorted(terms.items(), key=lambda term: "TOSSL VALUE" in term[0])))


def _parameters(parameters: Iterable[Entry]) -> str:
    return "".join(map(_parameter, parameters))


def _parameter(parameter: Entry) -> str:
    heading = f"**{parameter.name}** *{parameter.word}*" if parameter.is_option else f"*{parameter.name}*"
    default = f" (default {parameter.default})" if parameter.default else ""
    return _item(f"{heading}{default}: {_prose(parameter.text)}")


def _terms(terms: Mapping[str, str]) -> str:
    return "".join(_item(f"`{term}`: {_prose(text)}") for term, text in terms.items())


def _item(text: str) -> str:
    return _filled(f"- {text}", "  ")


def _filled(text: str, indent: str = "") -> str:
    lines = textwrap.wrap(text, 120, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
    return "\n".join([*lines, ""])


def _prose(text: str) -> str:
    """Returns a docstring in Markdown: options and names with an underscore stand out, nothing else is markup."""
    return _PROSE.sub(lambda found: _AS[str(found.lastgroup)].format(found[0]), text)
