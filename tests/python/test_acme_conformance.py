"""The table of the standards' requirements names code and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    line
    for line in (ROOT / "docs" / "conformance.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| section")
]
NAMED = sorted({name for row in ROWS for name in re.findall(r"`((?:test_\w+)|(?:\w+\.test \S+))`", row)})


def python_tests() -> set[str]:
    """The names of all test functions."""
    files = (ROOT / "tests" / "python").glob("test_*.py")
    return {name for file in files for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)}


PYTHON = python_tests()


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_exists(name: str) -> None:
    """As a function in tests/python or a test in a file of tests/tcl."""
    if name.startswith("test_"):
        assert name in PYTHON
    else:
        file, _, test = name.partition(" ")
        assert re.search(rf"^test {re.escape(test)} ", (ROOT / "tests" / "tcl" / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_row_is_shown_or_says_why_not(row: str) -> None:
    """Four columns: a section, what the client has to do, the code that does it, and a test or a reason."""
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 4
    assert re.fullmatch(r"[\d.]+", cells[0])
    assert re.fullmatch(r"`[\w/]+\.py \w+`( `[\w/]+\.py \w+`)*", cells[2])
    assert re.search(r"`(test_|\w+\.test )|Not followed|Not applicable", cells[3])


@pytest.mark.parametrize("code", sorted({code for row in ROWS for code in re.findall(r"`([\w/]+\.py \w+)`", row)}))
def test_the_code_is_where_the_table_says(code: str) -> None:
    """A function, a class or a constant."""
    file, name = code.split()
    source = (ROOT / "tossl_acme" / file).read_text()
    assert re.search(rf"^ *(def|class) {name}\b|^{name}\b.* = ", source, re.MULTILINE)


@pytest.mark.parametrize("section", ["6.4", "6.6", "6.7.1", "7.3.3", "8.2", "10.2", "11.4"])
def test_a_section_is_cited_where_it_is_implemented(section: str) -> None:
    """In a file that the table names for it."""
    rows = [row for row in ROWS if row.startswith(f"| {section} |") and "RFC" not in row.split("|")[1]]
    files = {file for row in rows for file in re.findall(r"`([\w/]+\.py) ", row)}
    cited = rf"section {re.escape(section)}(?![\d.]*\d)"
    assert any(re.search(cited, " ".join((ROOT / "tossl_acme" / file).read_text().split())) for file in files)
