"""A page in Markdown, as these pages are written, to a man page in the plain man macros."""

from __future__ import annotations

import re
from collections.abc import Iterator

_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>.+?)\*\*|(?<!\\)\*(?P<italic>(?:[^*\\]|\\.)+)\*"
    r"|\[(?P<page>tossl[^\]]*)\]\(\w+\.md\)|\[(?P<link>[^\]]+)\]\([^)]*\)|\\(?P<literal>.)"
)
_BULLET = re.compile(r"(?:[-*]|\d+\.) +")
_TAG = re.compile(r"((?:`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*|\([^)]*\)| |, )+): +(.*)", re.DOTALL)


def man_page(title: str, version: str, markdown: str, section: str = "n") -> str:
    """The man page of that title."""
    head = [f'.TH {title} {section} "{version}" tossl "Certificates for Tcl"', ".ad l", ".nh"]
    return "\n".join([*head, *_body(re.sub(r"<!--.*?-->\n?", "", markdown, flags=re.DOTALL))]) + "\n"


def _body(markdown: str) -> Iterator[str]:
    indented = begun = False
    for block in _blocks(markdown):
        if heading := re.match(r"(#+) +(.*)", block):
            if indented:
                yield ".RE"
            level = len(heading[1])
            # The name of the page is in its NAME section, a command's in its synopsis, which is to stand out.
            indented, begun = False, level == 4
            if level in (2, 3):
                yield f".{'SH' if level == 2 else 'SS'} {_escaped(heading[2])}"
            continue
        yield from _block(block)
        if begun:
            yield ".RS 4"
            indented, begun = True, False
    if indented:
        yield ".RE"


def _blocks(markdown: str) -> Iterator[str]:
    """Headings, paragraphs, lists, tables, and code, the last with its fence or indentation."""
    lines = iter(markdown.splitlines())
    block: list[str] = []
    for line in lines:
        if line.startswith("```"):
            yield from _flushed(block)
            code = []
            for inner in lines:
                if inner.startswith("```"):
                    break
                code.append(inner)
            yield "\n".join(["```", *code])
        elif line or (block and block[0].startswith("    ")):
            if block and block[0].startswith("    ") and line and not line.startswith("    "):
                yield from _flushed(block)
            block.append(line)
        else:
            yield from _flushed(block)
    yield from _flushed(block)


def _flushed(block: list[str]) -> Iterator[str]:
    if block:
        yield "\n".join(block).rstrip()
        block.clear()


def _block(block: str) -> Iterator[str]:
    if block.startswith("```"):
        yield from _code(block.splitlines()[1:])
    elif block.startswith("    "):
        yield from _code([line[4:] for line in block.splitlines()])
    elif block.startswith("|"):
        yield from _table(block)
    elif _BULLET.match(block):
        yield from _list(block)
    else:
        yield ".PP"
        yield _inline(block)


def _code(lines: list[str]) -> Iterator[str]:
    yield from (".PP", ".RS 4", ".nf")
    yield from (_guarded(_escaped(line)) for line in lines)
    yield from (".fi", ".RE")


def _table(block: str) -> Iterator[str]:
    rows = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in block.splitlines()]
    for first, *others in rows[2:]:
        yield ".TP"
        yield _inline(first.strip())
        yield "; ".join(_inline(other.strip()) for other in others)


def _list(block: str) -> Iterator[str]:
    items: list[str] = []
    for line in block.splitlines():
        if found := _BULLET.match(line):
            items.append(line[found.end() :])
        else:
            items[-1] += f"\n{line.strip()}"
    for number, item in enumerate(items, 1):
        if tagged := _TAG.fullmatch(item):
            yield from (".TP", _inline(tagged[1]), _inline(tagged[2]))
        else:
            sign = f"{number}." if block[0].isdigit() else "\\(bu"
            yield from (f".IP {sign} 4", _inline(item))


def _inline(text: str) -> str:
    """Returns text with its emphasis, line by line."""
    pieces = []
    end = 0
    for found in _INLINE.finditer(text):
        pieces.append(_escaped(text[end : found.start()]))
        kind, inner = str(found.lastgroup), found[str(found.lastgroup)]
        if kind == "page":
            inner = f"{inner.replace('::', '_')}(n)"
        font = {"code": "B", "bold": "B", "italic": "I"}.get(kind)
        shown = _escaped(inner) if kind in ("code", "literal") else _escaped(re.sub(r"\\(.)", r"\1", inner.strip("`")))
        pieces.append(f"\\f{font}{shown}\\fR" if font else shown)
        end = found.end()
    pieces.append(_escaped(text[end:]))
    return "\n".join(_guarded(line.strip()) for line in "".join(pieces).splitlines())


def _escaped(text: str) -> str:
    marks: dict[str, str | int | None] = {"\\": "\\e", "-": "\\-", "^": "\\(ha", "~": "\\(ti", "`": "\\(ga"}
    return text.translate(str.maketrans(marks))


def _guarded(line: str) -> str:
    """Returns a line that troff does not take for a request."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
