"""The table of the standards' requirements: its levels are those of the texts, its code and its tests exist."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "conformance.md").read_text("utf-8")
#: The words of RFC 2119 that can be a row's level; a longer one first.
WORDS = re.compile(r"\b(MUST NOT|SHOULD NOT|MUST|SHOULD|RECOMMENDED|REQUIRED|SHALL|MAY)\b")
LEVELS = ("MUST", "MUST NOT", "REQUIRED", "SHOULD", "SHOULD NOT", "RECOMMENDED", "none")
TEST = re.compile(r"`(test_\w+\.py::test_\w+|\w+\.test \S+)`")
CODE = re.compile(r"`([\w/]+\.py \w+)`")


@dataclass(frozen=True)
class Row:
    """A sentence of a standard."""

    section: str
    text: str
    level: str
    how: str
    tests: tuple[str, ...]


def row(line: str) -> Row:
    section, text, level, how, tests = (cell.strip() for cell in line.strip().strip("|").split(" | "))
    return Row(section, text, level, how, tuple(TEST.findall(tests)))


ROWS = [row(line) for line in PAGE.splitlines() if re.match(r"\| [\d.]", line)]


def exists(name: str) -> bool:
    """Whether there is such a function in that file of tests/python, or a test in that file of tests/tcl."""
    if "::" in name:
        file, _, test = name.partition("::")
        wanted, path = rf"^def {test}\(", ROOT / "tests" / "python" / file
    else:
        file, _, test = name.partition(" ")
        wanted, path = rf"^test {re.escape(test)} ", ROOT / "tests" / "tcl" / file
    return path.exists() and re.search(wanted, path.read_text("utf-8"), re.MULTILINE) is not None


def test_every_test_that_is_named_exists() -> None:
    assert [name for name in sorted(set(TEST.findall(PAGE))) if not exists(name)] == []


def has_its_level(each: Row) -> bool:
    """Whether the text is a quotation that has the level's word; none for a text without such a word."""
    words = WORDS.findall(each.text)
    is_quoted = re.fullmatch("\u201c[^\u201c\u201d]+\u201d", each.text) is not None
    return is_quoted and each.level in LEVELS and (each.level in words if each.level != "none" else not words)


def test_a_level_is_a_word_of_the_text() -> None:
    """A row says MUST only where the text does."""
    assert len(ROWS) > 100
    assert [each for each in ROWS if not has_its_level(each)] == []


def is_shown(each: Row) -> bool:
    """Whether it names code and a test; what is not followed has its reason, behind a colon."""
    has_section = re.fullmatch(r"(\d{4} )?\d+(\.\d+)*", each.section) is not None
    has_code = CODE.search(each.how) is not None and bool(each.tests)
    exceptions = re.finditer(r"[Nn]ot (followed|done|applicable)\b", each.how)
    has_reasons = all(":" in each.how[match.end() :] for match in exceptions)
    return has_section and has_reasons and (has_code or "Not applicable" in each.how)


def test_every_row_is_shown_or_says_why_not() -> None:
    assert [each for each in ROWS if not is_shown(each)] == []


def test_no_row_is_there_twice() -> None:
    assert len({each.text for each in ROWS}) >= len(ROWS) - 1  # what two drafts have in one wording


def test_the_levels_are_counted() -> None:
    """As the page's head says."""
    counts = Counter(each.level for each in ROWS)
    head = " ".join(PAGE.partition("\n## ")[0].split())
    assert ", ".join(f"{level} {counts[level]}" for level in LEVELS[:-1]) + "." in head
    assert f"for {counts['none']} sentences" in head


def is_defined(code: str) -> bool:
    """Whether the file has such a function, class or constant."""
    file, name = code.split()
    path = ROOT / "tossl_acme" / file
    wanted = rf"^ *(def|class) {name}\b|^{name}\b.* = "
    return path.exists() and re.search(wanted, path.read_text("utf-8"), re.MULTILINE) is not None


def test_the_code_is_where_the_table_says() -> None:
    assert [code for code in sorted(set(CODE.findall(PAGE))) if not is_defined(code)] == []


@pytest.mark.parametrize("section", ["6.2", "6.3", "6.4", "6.5", "7.3.1", "7.4", "11.1", "11.4"])
def test_a_section_is_cited_where_it_is_implemented(section: str) -> None:
    """In a file that the table names for it."""
    files = {code.split()[0] for each in ROWS if each.section == section for code in CODE.findall(each.how)}
    cited = rf"section {re.escape(section)}(?![\d.]*\d)"
    sources = [" ".join((ROOT / "tossl_acme" / file).read_text("utf-8").split()) for file in sorted(files)]
    assert any(re.search(cited, source) for source in sources)
