"""The commands, one module for each Tcl namespace; a module's COMMANDS are its public functions."""

from __future__ import annotations

#: The namespaces, each a module here.
MODULES: tuple[str, ...] = ("acme", "http", "key")
