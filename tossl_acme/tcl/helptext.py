"""tossl::help: the commands' docstrings as plain text, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from ..errors import ArgumentError
from ..text import quoted
from .command import Command
from .manual import Entry, Manual

_WIDTH = 80
_INDENT = "    "
#: The rightmost column for texts beside their terms; the text of a longer term is below it.
_DEEPEST = 32
#: Commands that the error for a wrong name lists.
_MOST_NEAR = 5


def help_text(commands: Mapping[str, Command], wanted: str) -> str:
    """Returns the description of the wanted command, or the overview of a namespace or, for "", of all commands.

    Raises ArgumentError command.
    """
    name = wanted.strip().removeprefix("::").removeprefix("tossl::")
    if not name or name == "tossl":
        return overview(commands.values())
    found = [command for key, command in commands.items() if name in (key, key.rpartition("::")[2])]
    if found:
        return "\n\n".join(command_text(Manual(command)) for command in found)
    found = [command for key, command in commands.items() if key.startswith(f"{name}::")]
    if not found:
        raise ArgumentError("command", _no_such(commands, name, wanted))
    return overview(found)


def overview(commands: Iterable[Command]) -> str:
    """Returns the commands by namespace, each with its summary."""
    lines: list[str] = []
    by_namespace: dict[str, dict[str, str]] = {}
    for manual in map(Manual, commands):
        summaries = by_namespace.setdefault(f"tossl::{manual.namespace}".removesuffix("::"), {})
        summaries[manual.name.rpartition("::")[2]] = manual.text.summary
    for namespace, summaries in by_namespace.items():
        lines += _terms(namespace, summaries)
    return "\n".join([*lines[1:], "", "tossl::help COMMAND describes one of them."])


def command_text(manual: Manual) -> str:
    """Returns the complete description of a command."""
    lines = _hung(f"{manual.name} ", " ".join(word.replace(" ", "\0") for word in manual.words), 8)
    for paragraph in (manual.text.summary, *manual.text.description.paragraphs):
        lines += ["", *_hung(_INDENT, paragraph)]
    lines += _terms("Arguments", {_heading(argument): argument.text for argument in manual.arguments})
    lines += _terms("Options", {_heading(option): option.text for option in manual.options})
    for paragraph in manual.text.returns.paragraphs:
        lines += ["", *_hung("", paragraph, 0)]
    lines += _terms("", manual.results)
    lines += _errors(manual)
    return "\n".join(lines).replace("\0", " ")


def page_text(heading: str, paragraphs: Iterable[str], title: str, terms: Mapping[str, str]) -> str:
    """Returns the description of something else: paragraphs, then terms below their title."""
    lines = [heading]
    for paragraph in paragraphs:
        for part in filter(None, paragraph.split("\n\n")):
            lines += ["", *_hung(_INDENT, part)]
    return "\n".join(lines + _terms(title, terms))


def _errors(manual: Manual) -> list[str]:
    said = manual.text.errors.paragraphs or ["Errors:"]
    terms = manual.errors(shared=False) | manual.errors(shared=True)
    if not terms and not manual.text.errors.paragraphs:
        return []
    lines = []
    for paragraph in said:
        lines += ["", *_hung("", paragraph, 0)]
    return lines + _terms("", terms)


def _heading(entry: Entry) -> str:
    heading = f"{entry.name} {entry.word}" if entry.is_option else entry.name
    return f"{heading} (default {entry.default})" if entry.default else heading


def _terms(title: str, terms: Mapping[str, str]) -> list[str]:
    if not terms:
        return []
    lines = ["", title] if title else []
    column = len(_INDENT) + max(map(len, terms)) + 2
    for term, text in terms.items():
        if column <= _DEEPEST:
            lines += _hung(f"{_INDENT}{term}".ljust(column), text)
        else:
            lines += [f"{_INDENT}{term}", *(_hung(_INDENT * 2, text) if text else [])]
    return lines


def _hung(lead: str, text: str, indent: int | None = None) -> list[str]:
    """Returns the text after `lead`, its further lines indented to `indent`, by default the length of `lead`."""
    later = " " * (len(lead) if indent is None else indent)
    whole = textwrap.wrap(text, _WIDTH, initial_indent=lead, subsequent_indent=later, break_on_hyphens=False)
    return whole or [lead.rstrip()]


def _no_such(commands: Mapping[str, Command], name: str, wanted: str) -> str:
    import difflib

    word, known = name.rpartition("::")[2], [key.rpartition("::")[2] for key in commands]
    within = [key for key in known if len(word) > 2 and word in key]
    near = [*within, *difflib.get_close_matches(word, known, 3)][:_MOST_NEAR]
    hint = f" (near: {', '.join(dict.fromkeys(near))})" if near else ""
    return f"no command is named {quoted(wanted)}{hint}: tossl::help without an argument lists them"
