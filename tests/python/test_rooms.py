"""Imports run one way: the folder layout is the architecture, and this holds it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "tossl_acme"

#: The rooms and the files beside them, each with what stands below it: that it may import, and itself.
_BOTTOM = {"errors", "text", "version"}
_GROUND = _BOTTOM | {"identifiers", "context", "files", "log"}
ALLOWED = {
    **dict.fromkeys(_BOTTOM, _BOTTOM),
    **dict.fromkeys(_GROUND - _BOTTOM, _GROUND),
    "http": _GROUND,
    "pki": _GROUND,
    "acme": _GROUND | {"http", "pki"},
    "dns": _GROUND | {"http", "pki"},
    "store": _GROUND | {"pki"},
    "challenges": _GROUND | {"http", "pki", "acme", "dns"},
    "certificates": _GROUND | {"http", "pki", "acme", "dns", "challenges", "store"},
    "tcl": _GROUND,
    "commands": _GROUND | {"http", "pki", "acme", "dns", "challenges", "certificates", "store"},
    "__init__": _GROUND | {"commands", "tcl"},
    "__main__": _GROUND | {"__init__", "tcl"},
}
#: The commands that act on the interpreter itself.
OF_THE_INTERPRETER = {"commands/job.py", "commands/help.py"}
#: Libraries that have one home.
HOMES = {
    "requests": {"http"},
    "urllib3": {"http"},
    "cryptography": {"pki", "acme/jws.py", "challenges/tls_alpn01.py"},
    "tkinter": {"__main__", "__init__"},
    "_tkinter": {"__main__"},  # tkinter.Tcl() would run the profile scripts of the user as well
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of every import, also those inside functions and for type checkers only."""
    parts = ("tossl_acme", *path.relative_to(PACKAGE).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parts[: -node.level]) + "." if node.level else ""
            stem = base + (node.module or "")
            yield from ((node.lineno, f"{stem.rstrip('.')}.{alias.name}") for alias in node.names)


SOURCES = sorted(PACKAGE.rglob("*.py"))


each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))


def module_of(name: str) -> Path | None:
    """The file that a dotted name of this package leads to; None where the name is of another package."""
    top, *parts = name.split(".")
    if top != "tossl_acme":
        return None
    for length in range(len(parts), -1, -1):
        stem = PACKAGE.joinpath(*parts[:length])
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file() and path != PACKAGE.with_suffix(".py"):
                return path
    return None


@each_source
def test_imports_run_one_way(path: Path) -> None:
    room = room_of(path)
    allowed = ALLOWED[room] | {room}
    if str(path.relative_to(PACKAGE)) in OF_THE_INTERPRETER:
        allowed |= {"tcl"}
    for line, name in imports(path):
        target = module_of(name)
        assert target is None or room_of(target) in allowed, f"{path}:{line} imports {name}"


def test_no_circle_of_modules_closes() -> None:
    """Also not inside functions or for type checkers."""
    below = {path: {module_of(name) for _, name in imports(path)} - {None, path} for path in SOURCES}
    while below:
        leaves = {path for path, targets in below.items() if not targets & below.keys()}
        assert leaves, f"a circle in {', '.join(sorted(str(path.relative_to(PACKAGE)) for path in below))}"
        below = {path: targets for path, targets in below.items() if path not in leaves}


@each_source
def test_libraries_stay_at_home(path: Path) -> None:
    relative = str(path.relative_to(PACKAGE))
    for line, name in imports(path):
        homes = HOMES.get(name.partition(".")[0])
        assert homes is None or room_of(path) in homes or relative in homes, f"{relative}:{line} imports {name}"


def test_urllib3_is_opened_in_one_file() -> None:
    """Its private names may change with any version."""
    private = re.compile(r"_new_conn|_dns_host|pool_classes_by_scheme|response_class")
    assert [path.name for path in SOURCES if private.search(path.read_text("utf-8"))] == ["sockets.py"]


@pytest.mark.parametrize("folder", ["dns/providers"])
def test_siblings_do_not_import_each_other(folder: str) -> None:
    siblings = {path for path in (PACKAGE / folder).glob("*.py") if path.name != "__init__.py"}
    assert siblings
    for path in siblings:
        assert not {module_of(name) for _, name in imports(path)} & (siblings - {path})


def names_in(folder: str) -> set[str]:
    """The names of the functions that COMMANDS of the modules in this folder hold."""
    found = set()
    for path in (PACKAGE / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Assign) and any(getattr(to, "id", "") == "COMMANDS" for to in node.targets):
                found |= {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)}
    return found


def test_the_tcl_room_knows_no_command_by_name() -> None:
    """Names of one word are words of other things too."""
    commands = {name for name in names_in("commands") if "_" in name.strip("_")}
    assert "create_order" in commands
    for path in (PACKAGE / "tcl").iterdir():
        if path.suffix in (".py", ".tcl"):
            assert not commands & set(re.findall(r"\w+", path.read_text("utf-8"))), path


def test_dns_looks_at_no_challenges_label() -> None:
    for path in (PACKAGE / "dns").rglob("*.py"):
        assert not re.search(r"_acme-challenge|_validation-persist", path.read_text("utf-8")), path


def test_what_is_read_at_first_imports_nothing_heavy() -> None:
    """`package require` reads these; what they import is loaded by every script."""
    heavy = {"dataclasses", "requests", "cryptography", "urllib3", "dns", "pathlib", "inspect", "typing", "re"}
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules); import tossl_acme.tcl.dispatcher, "
        "tossl_acme.commands.acme, tossl_acme.commands.http, tossl_acme.commands.job, tossl_acme.commands.key, "
        "tossl_acme.commands.help; print(*(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, str(PACKAGE.parent)], capture_output=True, text=True, check=True
    )
    assert not heavy & set(done.stdout.split())
