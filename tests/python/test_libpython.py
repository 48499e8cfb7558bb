"""build-aux/libpython.py: the shared library of Pythons as they are built elsewhere."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "build-aux" / "libpython.py"


@pytest.fixture
def find_library(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], Path | None]:
    monkeypatch.setattr(sys, "argv", [str(FILE), "check"])
    spec = importlib.util.spec_from_file_location("libpython", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.sys, "base_prefix", "/no/such/place")
    return module.find_library


@pytest.mark.parametrize(
    ("library", "variables"),
    [
        (
            "Frameworks/Python.framework/Versions/3.12/Python",
            {
                "INSTSONAME": "Python.framework/Versions/3.12/Python",
                "PYTHONFRAMEWORK": "Python",
                "PYTHONFRAMEWORKPREFIX": "PLACE/Frameworks",
                "LIBDIR": "PLACE/Frameworks/Python.framework/Versions/3.12/lib",
            },
        ),
        ("lib/libpython3.12.dylib", {"INSTSONAME": "libpython3.12.dylib", "LIBDIR": "PLACE/lib", "LDVERSION": "3.12"}),
        ("lib/libpython3.12.dylib", {"INSTSONAME": "libpython3.12.a", "LIBDIR": "PLACE/lib", "LDVERSION": "3.12"}),
        ("lib/libpython3.12.so.1.0", {"INSTSONAME": "libpython3.12.a", "LIBDIR": "PLACE/lib", "LDVERSION": "3.12"}),
    ],
    ids=["framework", "dylib", "static with dylib", "static with so"],
)
def test_a_library_is_found(
    library: str, variables: dict[str, str], tmp_path: Path, find_library: Callable[[Mapping[str, str]], Path | None]
) -> None:
    given = {name: value.replace("PLACE", str(tmp_path)) for name, value in variables.items()}
    assert find_library(given) is None
    path = tmp_path / library
    path.parent.mkdir(parents=True)
    path.touch()
    assert find_library(given) == path
