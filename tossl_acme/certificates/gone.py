"""Nodes that have left a store for good: what is kept of them is removed by whoever is there."""

from __future__ import annotations

from ..context import Context
from ..store.protocol import ASIDE_SECONDS, Store
from .deploy import room_of_node
from .due import now_in
from .nodes import NODES, Node, read_node, read_nodes

#: A node that has told nothing for so many seconds is gone. If it comes back, it calls its hooks once more.
GONE_SECONDS = 30 * 86400.0


def forget_gone_nodes(context: Context, store: Store, own: str) -> None:
    """Removes what is kept of nodes that are gone: their heartbeat, and which certificates they have deployed.

    own: this node's name. Does nothing in a store of this machine alone, whose clock may have been set. Raises
    ArgumentError "store", and what the locks raise.
    """
    if not store.is_shared:
        return
    at = now_in(store)
    for node in read_nodes(store):
        if node.name != own and _is_gone(node, at):
            part = context.for_cleanup(ASIDE_SECONDS)
            with store.locked(part, f"{NODES}/{node.name}") as lock:
                found = read_node(store, node.name)
                if found is not None and _is_gone(found, at):
                    with store.locked(part, room_of_node(node.name)) as room:
                        store.delete(room)  # its sets, as parts of it: at once
                    store.delete(lock)


def _is_gone(node: Node, at: float) -> bool:
    return not node.problem and at - node.at > GONE_SECONDS
