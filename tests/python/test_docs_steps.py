"""The page of jobs names every progress step that the code reports, with its keys, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Steps whose name is handed to Retries, which reports them with these keys.
RETRY_KEYS = {"seconds", "message"}


@cache
def documented_steps() -> dict[str, set[str]]:
    """Returns the keys of each step in the table of docs/source/job.md."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / "docs/source/job.md").read_text().splitlines():
        if (match := re.match(r"\| (`[^|]+) \| ([^|]+) \| ", line)) and "`step`" not in match[1]:
            for step in re.findall(r"`(\w+)`", match[1]):
                assert step not in found
                found[step] = set(re.findall(r"`(\w+)`", match[2]))
    return found


def _told(tree: ast.Module) -> Iterator[tuple[str, set[str], bool]]:
    """Yields step, literal keys, and whether there may be more, of each call of tell() and warn() with a literal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("tell", "warn"):
            first = node.args[0] if node.args else None
            if len(node.args) == 1 and isinstance(first, ast.Constant) and isinstance(first.value, str):
                keys = {keyword.arg for keyword in node.keywords if keyword.arg}
                yield first.value, keys, any(keyword.arg is None for keyword in node.keywords)


def _retry_steps(tree: ast.Module) -> Iterator[str]:
    """Yields the steps that a module names for Retries."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_RETRY_WORDS":
            yield ast.literal_eval(node.value)[1]


def reported_steps() -> dict[str, tuple[set[str], bool]]:
    """Returns the keys of each step in the code, and whether it may have more."""
    found: dict[str, tuple[set[str], bool]] = {}
    for path in sorted((ROOT / "tossl_acme").rglob("*.py")):
        tree = ast.parse(path.read_text())
        told = [*_told(tree), *((step, RETRY_KEYS, False) for step in _retry_steps(tree))]
        for step, keys, has_more in told:
            known, had_more = found.get(step, (set(), False))
            found[step] = known | keys, had_more or has_more
    return found


def test_each_step_is_documented_and_no_other() -> None:
    assert set(reported_steps()) == set(documented_steps())


def test_each_key_of_a_step_is_documented() -> None:
    for step, (keys, _) in reported_steps().items():
        assert keys <= documented_steps()[step], step


def test_no_other_key_is_documented() -> None:
    for step, (keys, has_more) in reported_steps().items():
        assert has_more or documented_steps()[step] == keys, step
