"""The nodes that keep the certificates of a store: their names, and what manage on each has told of itself last.

nodes/<NODE>/node.json    written by heartbeat.py

Imports nothing that loads slowly: check reads it.
"""

from __future__ import annotations

import os

from ..errors import ArgumentError
from ..store.protocol import MAX_PART_CHARS, is_part
from .due import is_time
from .record import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..context import Context
    from ..store.protocol import Store

#: What the names of these sets begin with.
NODES = "nodes"
_VALUE = "node.json"
_VARIABLE = "TOSSL_NODE"
#: Characters that are read of a version, and of the id that the system gives itself at its start.
_MOST_CHARS = 100
_TIMES = ("started", "at", "certificates", "failing", "process")


def is_named() -> bool:
    """Returns whether this node was told its name, by TOSSL_NODE."""
    return bool(os.environ.get(_VARIABLE))


def node_name() -> str:
    """Returns this machine's name among the nodes of a store: TOSSL_NODE, else the host's name.

    Raises ArgumentError "node" for a TOSSL_NODE that cannot be a name in a store.
    """
    given = os.environ.get(_VARIABLE, "")
    if given:
        if not is_part(given):
            cause = "must be of letters, digits, _ - . and : alone, and must not begin with . or :"
            raise ArgumentError("node", f"{_VARIABLE} {cause}")
        return given
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    name = "".join(char if is_part(f"x{char}") else "-" for char in host).lstrip(".:")[:MAX_PART_CHARS]
    return name or "localhost"


def machine() -> str:
    """Returns a text that is the same for all processes of this machine until it starts anew, or of this container.

    Empty where the system does not say. Two machines may have one name.
    """
    from .record import sha256

    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            boot = file.read(_MOST_CHARS)
        return sha256(f"{boot} {os.readlink('/proc/self/ns/pid')}".encode())[:16]  # noqa: PTH115 - it leads nowhere
    except OSError:
        return ""


class Node:
    """A node as its manage told of itself. Times are epoch seconds.

    process: its process id. started: when this manage began, by that machine's clock. at: when it told this, by the
    store's clock where several machines use it. has_ended: it was ended, by a signal or its program, and did not die.
    certificates: those that it keeps in this store; failing: of them, those whose last attempt or deployment failed.
    machine: as machine() has it; has_twin: another one has told of itself under this name. problem: why the rest could
    not be read; empty otherwise.
    """

    __slots__ = (
        "at", "certificates", "failing", "has_ended", "has_twin", "machine", "name", "problem", "process", "started",
        "version",
    )  # fmt: skip

    def __init__(
        self, name: str, *, process: int = 0, started: float = 0.0, at: float = 0.0, has_ended: bool = False,
        certificates: int = 0, failing: int = 0, version: str = "", machine: str = "", has_twin: bool = False,
        problem: str = "",
    ) -> None:  # fmt: skip
        self.name, self.process, self.version, self.problem = name, process, version, problem
        self.machine, self.has_twin = machine, has_twin
        self.started, self.at, self.has_ended = started, at, has_ended
        self.certificates, self.failing = certificates, failing

    @classmethod
    def of_values(cls, name: str, values: Mapping[str, bytes]) -> Node:
        """Returns what a set tells of a node."""
        try:
            data = read_json(values[_VALUE].decode())
            if not isinstance(data, dict) or not all(is_time(data.get(member)) for member in _TIMES):
                raise ValueError("not a heartbeat")
        except (KeyError, ValueError):
            return cls(name, problem="its heartbeat is damaged")
        return cls(
            name, process=int(data["process"]), started=float(data["started"]), at=float(data["at"]),
            has_ended=data.get("ended") is True, certificates=int(data["certificates"]), failing=int(data["failing"]),
            version=str(data.get("version") or "")[:_MOST_CHARS], machine=str(data.get("machine") or ""),
            has_twin=data.get("twin") is True,
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        return {
            "node": self.name,
            "process": self.process,
            "started": int(self.started),
            "at": int(self.at),
            "ended": self.has_ended,
            "certificates": self.certificates,
            "failing": self.failing,
            "version": self.version,
            "machine": self.machine,
            "twin": self.has_twin,
        }


def read_node(store: Store, name: str) -> Node | None:
    """Returns the node with this name; None where the store knows of none. Raises ArgumentError "store"."""
    values = store.read(f"{NODES}/{name}", (_VALUE,))
    return Node.of_values(name, values) if values else None


def is_same_run(one: Node, other: Node) -> bool:
    """Returns whether the same manage told both."""
    def run(node: Node) -> tuple[str, int, int]:
        return node.machine, node.process, int(node.started)

    return run(one) == run(other)


def write_node(store: Store, context: Context, node: Node) -> None:
    """Keeps what a node tells of itself. Raises ArgumentError "store", and what the lock and the context raise."""
    from .lines import json_lines  # json loads slowly

    store.put(context, f"{NODES}/{node.name}", {_VALUE: json_lines(node.as_json()).encode()})


def read_nodes(store: Store) -> list[Node]:
    """Returns the nodes that a store knows of, by name."""
    found = []
    for where, values in store.read_all(NODES, (_VALUE,)):
        name = where.removeprefix(f"{NODES}/")
        if isinstance(values, ArgumentError):
            found.append(Node(name, problem=values.message))
        elif values:
            found.append(Node.of_values(name, values))
    return found
