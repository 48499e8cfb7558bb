"""constraints.txt names the version of all that is needed here, which pyproject.toml allows."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

TREE = Path(__file__).parents[2]
PINNED = dict(
    line.split("==") for line in (TREE / "constraints.txt").read_text().splitlines() if not line.startswith("#")
)
PINS = {canonicalize_name(name): version for name, version in PINNED.items()}
PROJECT = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]


def needed() -> set[str]:
    """All that the package and its tests need here, directly or not."""
    found: set[str] = set()
    queue = [Requirement(text) for text in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"])]
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # which its own test tells
            queue += map(Requirement, importlib.metadata.requires(name) or ())
    return found


NEEDED = sorted(needed())
#: `make test-lowest` runs the tests with the lowest versions that pyproject.toml allows.
IS_LOWEST = bool(os.environ.get("TOSSL_TEST_LOWEST"))


@pytest.mark.skipif(IS_LOWEST, reason="with the lowest versions")
@pytest.mark.parametrize("name", NEEDED)
def test_what_is_needed_is_pinned_to_what_is_here(name: str) -> None:
    """Whoever takes another version knows it by this."""
    assert PINS.get(name) == importlib.metadata.version(name)


@pytest.mark.parametrize("text", PROJECT["dependencies"])
def test_the_lowest_versions_are_named_and_lower(text: str) -> None:
    """Each dependency has a lower bound, which the pinned version meets."""
    requirement = Requirement(text)
    assert any(part.operator == ">=" for part in requirement.specifier)
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


@pytest.mark.skipif(not IS_LOWEST, reason="see make test-lowest")
@pytest.mark.parametrize("text", PROJECT["dependencies"])
def test_the_lowest_versions_are_those_that_are_tested(text: str) -> None:
    requirement = Requirement(text)
    (lowest,) = (Version(part.version) for part in requirement.specifier if part.operator == ">=")
    here = Version(importlib.metadata.version(requirement.name))
    if requirement.marker is None:
        others = [Requirement(other) for other in PROJECT["dependencies"] if other != text]
        if not any(other.name == requirement.name and other.marker and other.marker.evaluate() for other in others):
            assert here == lowest
    elif requirement.marker.evaluate():
        assert here == lowest
