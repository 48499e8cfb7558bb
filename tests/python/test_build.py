"""What make builds anew: build-aux/choose.sh, in a folder like the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
NAMES = ("for-python", "for-library")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with the sources of the libraries, and libraries that were built."""
    for name in ("bridge", "build-aux"):
        shutil.copytree(TREE / name, tmp_path / name)
    (tmp_path / "build").mkdir()
    (tmp_path / "build/libraries").write_text("libtossl.so\n")
    (tmp_path / "libtossl.so").write_bytes(b"a library")
    return tmp_path


def choose(tree: Path, python: str | Path = sys.executable, **settings: str) -> None:
    """Run it as make does."""
    outer = {name: value for name, value in os.environ.items() if name not in ("EXTRAS", "CC", "CFLAGS", "LDFLAGS")}
    environment = {"TCLSH": "tclsh"} | outer | {"PYTHON": str(python)} | settings
    subprocess.run(["sh", "build-aux/choose.sh"], cwd=tree, env=environment, check=True)


def changed(tree: Path, python: str | Path = sys.executable, **settings: str) -> list[str]:
    """Return which notes a second run writes anew: make builds what depends on them."""
    for name in NAMES:
        os.utime(tree / "build" / name, (0, 0))
    choose(tree, python, **settings)
    return [name for name in NAMES if (tree / "build" / name).stat().st_mtime > 0]


def test_nothing_is_built_anew_without_a_reason(tree: Path) -> None:
    choose(tree)
    assert changed(tree) == []


def test_other_sources_of_an_older_date_are_built(tree: Path) -> None:
    choose(tree)
    source = tree / "bridge/loader.c"
    source.write_text(source.read_text() + "\n")
    os.utime(source, (1, 1))
    assert changed(tree) == ["for-library"]
    assert changed(tree) == []


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["removed", "emptied"])
def test_a_library_that_is_not_there_any_more_is_built(tree: Path, change: Callable[[Path], object]) -> None:
    choose(tree)
    change(tree / "libtossl.so")
    assert changed(tree) == ["for-library"]


def test_other_flags_are_for_the_libraries_alone(tree: Path) -> None:
    choose(tree)
    assert changed(tree, CFLAGS="-O3") == ["for-library"]


def test_a_script_that_runs_another_python_than_before(tree: Path, tmp_path: Path) -> None:
    """As pyenv's, after `pyenv global`: its own path stays the same."""
    real = Path(os.path.realpath(sys.executable))
    other = tmp_path / "other" / real.name
    other.parent.mkdir()
    shutil.copy(real, other)
    shim = tmp_path / "python3"
    for python, expected in ((real, []), (other, list(NAMES))):
        shim.write_text(f'#!/bin/sh\nexec {python} "$@"\n')
        shim.chmod(0o755)
        if python == real:
            choose(tree, shim)
        assert changed(tree, shim) == expected
    assert (tree / "build/for-python").read_text() == f"{other} {tree}\n"


def test_a_moved_tree_has_another_environment(tree: Path, tmp_path: Path) -> None:
    choose(tree)
    moved = tree.rename(tmp_path.parent / f"{tmp_path.name} moved")
    assert changed(moved) == ["for-python"]


def test_names_of_what_is_built_are_noted() -> None:
    names = (TREE / "build/libraries").read_text().split()
    assert "python.cfg" in names
    assert any(name.startswith("tossl-tcl") for name in names)
    assert all((TREE / name).exists() for name in names)
