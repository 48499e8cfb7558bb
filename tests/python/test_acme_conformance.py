"""The table of what the standards lay on a client names tests that exist."""

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
    """Three columns: a section, what the client has to do, and a test or a reason."""
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 3
    assert re.fullmatch(r"[\d.]+(, [\d.]+)*", cells[0])
    assert re.search(r"`(test_|\w+\.test )|Not followed|Not applicable", cells[2])
