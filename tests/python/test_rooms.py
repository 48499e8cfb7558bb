"""Imports run one way: the folder layout is the architecture, and this holds it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "tossl_acme"

#: What each room may import of this package, besides itself: what stands below it.
GROUND = {"version", "errors", "text", "log", "context", "identifiers", "files"}
ALLOWED = {
    **dict.fromkeys(GROUND, GROUND | {"__init__"}),
    "http": GROUND | {"__init__"},
    "pki": GROUND,
    "acme": GROUND | {"http", "pki"},
    "dns": GROUND | {"http", "pki"},
    "store": GROUND | {"pki"},
    "challenges": GROUND | {"http", "pki", "acme", "dns"},
    "certificates": GROUND | {"http", "pki", "acme", "dns", "challenges", "store"},
    "tcl": GROUND,
    "commands": GROUND | {"http", "pki", "acme", "dns", "challenges", "certificates", "store", "tcl"},
    "__init__": {"version", "commands", "tcl"},
    "__main__": GROUND | {"tcl", "__init__"},
}
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


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    room = room_of(path)
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] != "tossl_acme":
            continue
        target = parts[1] if (PACKAGE / parts[1]).exists() or (PACKAGE / f"{parts[1]}.py").exists() else "__init__"
        assert target == room or target in ALLOWED[room], f"{path}:{line} imports {name}"


def module_of(dotted: str) -> str | None:
    """The module of this package that an imported name is in, or is."""
    parts = dotted.split(".")
    for end in (len(parts), len(parts) - 1):
        path = PACKAGE.joinpath(*parts[1:end])
        if parts[0] == "tossl_acme" and (path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()):
            return ".".join(parts[:end])
    return None


def test_no_circle_closes() -> None:
    edges = {}
    for path in SOURCES:
        own = ".".join(("tossl_acme", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        edges[own] = {target for _, name in imports(path) if (target := module_of(name)) not in (None, own)}
    left = dict(edges)
    while ends := {module for module, targets in left.items() if not targets & left.keys()}:
        left = {module: targets for module, targets in left.items() if module not in ends}
    assert not left, f"these import each other, or what does: {', '.join(sorted(left))}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_stay_at_home(path: Path) -> None:
    relative = str(path.relative_to(PACKAGE))
    for line, name in imports(path):
        homes = HOMES.get(name.partition(".")[0])
        assert homes is None or room_of(path) in homes or relative in homes, f"{relative}:{line} imports {name}"


def test_providers_do_not_import_each_other() -> None:
    providers = {"cloudflare", "generic", "rfc2136", "route53"}
    for name in providers:
        path = PACKAGE / "dns" / "providers" / f"{name}.py"
        if path.exists():
            imported = {part for _, dotted in imports(path) for part in dotted.split(".")}
            assert not imported & (providers - {name})


def test_the_tcl_room_knows_no_command_by_name() -> None:
    for path in (PACKAGE / "tcl").iterdir():
        if path.suffix in (".py", ".tcl"):
            assert "create_order" not in path.read_text("utf-8")
