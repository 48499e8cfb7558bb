"""What is said where a library that the package needs is missing, broken or too old."""

from __future__ import annotations

import importlib.metadata
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tossl_acme.errors import foreign_error
from tossl_acme.errors.libraries import lack_of_library

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
NEEDED = [
    needed for needed in map(Requirement, PROJECT["dependencies"]) if needed.marker is None or needed.marker.evaluate()
]


@pytest.mark.parametrize("package", sorted({needed.name for needed in NEEDED}))
def test_one_that_is_too_old_is_named_whatever_it_led_to(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = [part.version for needed in NEEDED if needed.name == package for part in needed.specifier]
    lowest = max((bound for bound in bounds if bound != "3"), key=lambda bound: [int(n) for n in bound.split(".")])
    versions = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.25.9" if name == "urllib3" else versions(name))
    if package != "urllib3":
        monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.9" if name == package else versions(name))
    error = foreign_error(AttributeError("it has no such part"))
    assert error.errorcode == ("TOSSL", "PYTHON")
    assert f"the Python package {package} is too old: " in error.message
    assert f">={lowest}" in error.message
    assert f"{sys.executable} -m pip install '{package}" in error.message


def test_one_that_is_broken_is_named_with_its_own_reason() -> None:
    error = foreign_error(
        ImportError("libssl.so.3: cannot open shared object file", name="cryptography.hazmat.bindings")
    )
    assert error.errorcode == ("TOSSL", "PYTHON")
    assert "cryptography cannot be imported (libssl.so.3: cannot open shared object file)" in error.message


def test_the_first_reason_counts() -> None:
    try:
        try:
            raise ModuleNotFoundError("No module named 'dns'", name="dns.resolver")
        except ModuleNotFoundError as cause:
            raise RuntimeError from cause
    except RuntimeError as error:
        assert "pip install 'dnspython>=" in (lack_of_library(error) or "")


def test_a_python_that_cannot_read_what_is_installed_names_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "importlib.metadata", None)
    error = foreign_error(ModuleNotFoundError("No module named 'requests'", name="requests"))
    assert "the Python package requests cannot be imported" in error.message
    assert foreign_error(ValueError()).errorcode == ("TOSSL", "INTERNAL")


def test_an_archive_without_a_program_is_installed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/gone/bin/python3")
    fault = lack_of_library(ModuleNotFoundError("No module named 'requests'", name="requests")) or ""
    assert "; install tossl again, or put requests>=" in fault


def test_a_module_of_the_standard_library_is_no_package_of_pip() -> None:
    fault = lack_of_library(ModuleNotFoundError("No module named '_ssl'", name="_ssl")) or ""
    assert "_ssl of the standard library" in fault
    assert "pip" not in fault


@pytest.mark.parametrize(
    "error",
    [ImportError("cannot import name 'x'", name="tossl_acme.text"), ImportError(), ValueError(), AttributeError()],
    ids=repr,
)
def test_a_defect_of_this_package_stays_one(error: Exception) -> None:
    assert lack_of_library(error) is None
    assert foreign_error(error).errorcode == ("TOSSL", "INTERNAL")
