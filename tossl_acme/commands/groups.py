"""Option groups, in the manner of a test's fixtures: what many commands take, said once.

A group is a documented function: its parameters are arguments and options like a command's, its docstring has their
texts and errors, and its return annotation asks for it. tcl/command.py says how groups nest and when they are left out.
Imports of the rooms below stand inside the functions, so that `package require` loads none of them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FunctionType

GROUPS: dict[str, FunctionType] = {}
