"""Nodes that have left a store for good: what is kept of them is removed by whoever is there."""

from __future__ import annotations

from ..context import Context
from ..store.protocol import ASIDE_SECONDS, Store
from .deploy import room_of_node
from .due import now_in
from .nodes import NODES, Node, read_node, read_nodes
from .timers import RUNS, read_timers, with_timers

#: A node that has told nothing for so many seconds is gone. If it comes back, it calls its hooks once more.
GONE_SECONDS = 30 * 86400.0


def forget_gone_nodes(context: Context, store: Store, own: str) -> None:
    """Removes what is kept of nodes that are gone: their heartbeat, and which certificates they have deployed.

    Also of those that renewed by a timer. own: this node's name. Does nothing in a store of this machine alone, whose
    clock may have been set. Raises ArgumentError "store", and what the locks raise.
    """
    if not store.is_shared:
        return
    at, timers = now_in(store), read_timers(store)
    for node in read_nodes(store):
        if node.name != own and _is_gone(node, at):
            part = context.for_cleanup(ASIDE_SECONDS)
            with store.locked(part, f"{NODES}/{node.name}") as lock:
                found = read_node(store, node.name)
                if found is not None and _is_gone(found, at):
                    if node.name not in timers:
                        _forget_room(part, store, node.name)
                    store.delete(lock)
    if any(at - told > GONE_SECONDS for told in timers.values()):
        _forget_gone_timers(context.for_cleanup(ASIDE_SECONDS), store, at)


def _forget_gone_timers(context: Context, store: Store, at: float) -> None:
    """Forgets the nodes whose timer has not run for so long; those with manage too stay."""
    with store.locked(context, RUNS) as lock:
        timers = read_timers(store)
        left = {name: told for name, told in timers.items() if at - told <= GONE_SECONDS}
        for name in timers.keys() - left.keys():
            if read_node(store, name) is None:
                _forget_room(context, store, name)
        store.write(lock, with_timers(store.read(RUNS) or {}, left))


def _forget_room(context: Context, store: Store, node: str) -> None:
    with store.locked(context, room_of_node(node)) as room:
        store.delete(room)  # its sets, as parts of it: at once


def _is_gone(node: Node, at: float) -> bool:
    return not node.problem and at - node.at > GONE_SECONDS
