"""The index of the commands that `package require` reads in place of their modules."""

from __future__ import annotations

from tossl_acme import commands
from tossl_acme.commands import groups
from tossl_acme.tcl.command import describe_commands

PATH = commands.__file__.rpartition("/")[0] + "/index.py"
_HEAD = '''"""What Tcl has to know of each command, by its module: `package require` loads this alone.

Made by `make docs` from the commands: their names below ::tossl, their arguments, and the Tcl files of some.
"""

# ruff: noqa: E501
from __future__ import annotations

_HERE = __file__.rpartition("/")[0]
INDEX = {
'''


def index() -> str:
    """Returns the text of that module."""
    here = commands.__file__.rpartition("/")[0]
    lines = []
    for module in dict.fromkeys(module for modules in commands.PACKAGES.values() for module in modules):
        lines.append(f"    {_quoted(module)}: (")
        for name, arguments, script in describe_commands(module, groups.GROUPS):
            at = f'f"{{_HERE}}{script.removeprefix(here)}"' if script else '""'
            lines.append(f"        ({_quoted(name)}, {_quoted(arguments)}, {at}),")
        lines.append("    ),")
    return _HEAD + "\n".join([*lines, "}", ""])


def _quoted(value: object) -> str:
    """Returns a value as Python reads it: strings, and tuples of these."""
    if isinstance(value, str):
        return f'"{value}"' if value.isprintable() and not set(value) & set("\"\\") else repr(value)
    assert isinstance(value, tuple)
    return f"({', '.join(map(_quoted, value))}{',' * (len(value) == 1)})"
