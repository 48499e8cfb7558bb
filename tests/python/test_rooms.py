"""Imports run one way: the folder layout is the architecture, and this holds it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.bare_host import HOST, IMPORTED
from tossl_acme.challenges import registry

PACKAGE = Path(__file__).parents[2] / "tossl_acme"

#: The rooms and the files beside them, each with what stands below it: that it may import, and itself.
_BOTTOM = {"errors", "text", "version"}
_GROUND = _BOTTOM | {"identifiers", "context", "files", "log"}
ALLOWED = {
    **dict.fromkeys(_BOTTOM, _BOTTOM),
    **dict.fromkeys(_GROUND - _BOTTOM, _GROUND),
    "http": _GROUND,
    "pki": _GROUND - {"files"},
    "acme": _GROUND - {"files"} | {"http", "pki"},
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
OF_THE_INTERPRETER = {
    "commands/job.py", "commands/help.py", "commands/log.py", "commands/support.py", "commands/acme/manage.py",
    "commands/testing/__init__.py", "commands/testing/ca.py",
}  # fmt: skip
#: Libraries that have one home.
HOMES = {
    "requests": {"http"},
    "urllib3": {"http"},
    "cryptography": {"pki", "acme/jws.py", "challenges/tls_alpn01.py"},
    "psycopg": {"store"},
    "tkinter": {"__main__", "__init__"},
    "_tkinter": {"__main__"},  # tkinter.Tcl() would run the profile scripts of the user as well
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def imports(path: Path) -> tuple[tuple[int, str], ...]:
    """(line, absolute dotted name) of every import, also those inside functions and for type checkers only."""
    parts = ("tossl_acme", *path.relative_to(PACKAGE).with_suffix("").parts)
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parts[: -node.level]) + "." if node.level else ""
            stem = base + (node.module or "")
            found += [(node.lineno, f"{stem.rstrip('.')}.{alias.name}") for alias in node.names]
    return tuple(found)


SOURCES = sorted(PACKAGE.rglob("*.py"))


def each(paths: Sequence[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """Makes one test of a rule for files, which tells all that break it: 1,600 tests would take longer to set up."""

    def made(rule: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            broken = []
            for path in paths:
                try:
                    rule(path)
                except AssertionError as error:
                    error.add_note(str(path))
                    broken.append(error)
            assert paths
            if broken:
                raise ExceptionGroup(rule.__name__, broken)

        test.__doc__ = rule.__doc__
        return test

    return made


each_source = each(SOURCES)


@cache
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


@cache
def names_in(folder: str) -> set[str]:
    """The names of the functions that COMMANDS of the modules in this folder hold."""
    found = set()
    for path in (PACKAGE / folder).rglob("*.py"):
        for node in ast.walk(tree(path)):
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


def assigned(path: Path) -> set[str]:
    """The names that a module gives values to."""
    targets = (node.targets for node in tree(path).body if isinstance(node, ast.Assign))
    return {getattr(target, "id", "") for each in targets for target in each}


#: The files of the challenge types, and of the DNS providers.
TYPES = {path for path in (PACKAGE / "challenges").glob("*.py") if "TYPE" in assigned(path)}
PROVIDERS = {path for path in (PACKAGE / "dns" / "providers").glob("*.py") if "PROVIDER" in assigned(path)}


def test_every_challenge_type_is_in_the_registry() -> None:
    registered = {import_module(f"tossl_acme.challenges.{path.stem}").TYPE.name for path in TYPES}
    assert registered == set(registry.TYPES)
    assert len(registered) == len(TYPES) >= 5


@each_source
def test_who_imports_a_challenge_type(path: Path) -> None:
    """What all types share imports none of them, nor does anybody below the commands but the registry."""
    if room_of(path) == "commands" or path in TYPES or path.name == "registry.py":
        return
    assert not {module_of(name) for _, name in imports(path)} & TYPES


@each_source
def test_a_challenge_type_is_named_in_its_own_file(path: Path) -> None:
    """By its string, that is; and by the commands for it, and where a type is chosen for those who named none."""
    relative = str(path.relative_to(PACKAGE))
    if room_of(path) == "commands" or relative in ("challenges/choice.py", "challenges/webroot.py"):
        return
    strings = {node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant)}
    named = {name for name in strings if isinstance(name, str)} & set(registry.TYPES)
    assert not named or path in TYPES, f"{relative} names {named}"


def test_dns_looks_at_no_challenges_label() -> None:
    labels = {label for kind in registry.TYPES.values() for label in re.findall(r"_[a-z-]{6,}", kind.dns_label)}
    assert len(labels) >= 2
    for path in (PACKAGE / "dns").rglob("*.py"):
        assert not re.search("|".join(labels), path.read_text("utf-8")), path


@each_source
def test_nobody_imports_a_provider(path: Path) -> None:
    """It is found by its file's name."""
    assert PROVIDERS
    assert not {module_of(name) for _, name in imports(path)} & (PROVIDERS - {path})


@each(sorted((PACKAGE / "commands").rglob("*.py")))
def test_every_public_function_of_a_command_module_is_a_command(path: Path) -> None:
    if path.name == "groups.py":
        return
    public = {node.name for node in tree(path).body if isinstance(node, ast.FunctionDef)}
    assert {name for name in public if not name.startswith("_")} <= names_in("commands")


@each(sorted(PACKAGE.parent.joinpath("tests").rglob("*.py")))
def test_tests_reach_no_private_name(path: Path) -> None:
    """Of this package, or of each other; a method may call its own object's."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("tossl_acme", "tests")):
            assert not [alias.name for alias in node.names if alias.name.startswith("_")], path
        if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
            of = ast.unparse(node.value)
            assert of in ("self", "cls", "super()", "os", "ssl"), f"{path}:{node.lineno} reaches {of}.{node.attr}"


def test_package_require_imports_nothing_heavy() -> None:
    """What register() imports is loaded by every script."""
    heavy = {"dataclasses", "requests", "cryptography", "urllib3", "dns", "pathlib", "inspect", "typing", "re"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", HOST + IMPORTED, str(PACKAGE.parent)], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "tossl_acme.commands.index" in loaded
    assert not heavy & loaded
    assert not [name for name in loaded if re.match(r"tossl_acme\.commands\.(?!index$)", name)]
