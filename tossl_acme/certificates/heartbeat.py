"""The heartbeat of manage: tells, in each store in which it keeps certificates, that it is at work.

It notices another machine with the same name, and forgets those that have left. It holds up nobody: a worker writes,
and a store that refuses it is a warning, once until it takes one again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..context import Context
from ..context.farewell import Debt, owe
from ..context.workers import Workers, Works
from ..errors import ArgumentError, Cancelled, ForkedError, TosslError
from ..store.protocol import Store
from ..version import __version__
from . import clock
from .due import now_in
from .gone import forget_gone_nodes
from .nodes import NODES, Node, is_same_run, machine, read_node, write_node
from .upkeep import Upkeep

#: Seconds between two heartbeats, at least, and those that the writing of one may take.
BEAT_SECONDS = 180.0
_STORE_SECONDS = 5.0
#: Seconds between two looks for nodes that have left.
_GONE_LOOK_SECONDS = 86400.0


class Heartbeat:
    """The heartbeat of one manage on the node with this name. Its methods are for one thread."""

    def __init__(self, context: Context, name: str, works: Works | None = None) -> None:
        self._context = context
        self._name = name
        self._works = works or Workers("tossl beats", 1)
        self._started = clock.wall()
        self._beaten = -BEAT_SECONDS
        self._is_busy = False
        #: The stores by where they are; those that have no certificate of its set any more, too.
        self._stores: dict[str, Store] = {}
        self._refused: set[str] = set()
        self._last: dict[str, Node] = {}
        self._machine = machine()
        #: The stores in which this manage has told of itself, and those in which another machine has its name.
        self._written: set[str] = set()
        self._twins: set[str] = set()
        self._problems: list[TosslError] = []
        self._gone_look_at = -_GONE_LOOK_SECONDS
        self._debt: Debt | None = None

    def begin(self) -> None:
        """Has the end of the process, too, write that manage was ended. Raises Cancelled in that end."""
        self._debt = owe(lambda _: self._write_end(), of_thread=False)

    def look(self, entries: Iterable[Upkeep]) -> None:
        """Has the next heartbeat written if it is time for that. Waits for nothing."""
        at = clock.counted()
        if self._is_busy or at < self._beaten + BEAT_SECONDS:
            return
        self._beaten, self._is_busy = at, True
        self._last = self._told(entries)
        self._works.put(self._beat)

    def problems(self) -> list[TosslError]:
        """Returns what somebody has to know, each once."""
        found, self._problems = self._problems, []
        return found

    def end(self, *, is_asked: bool) -> None:
        """Waits for what is being written. Writes that manage was ended, if somebody asked for that.

        It has 5 s for each store.
        """
        self._works.close()
        if self._debt is not None:
            if is_asked:
                self._debt.settle(self._context)
            else:
                self._debt.drop()

    def _write_end(self) -> None:
        for place, node in self._last.items():
            node.at, node.has_ended = clock.wall(), True
            if self._is_own(place):
                self._write(place, node)

    def _told(self, entries: Iterable[Upkeep]) -> dict[str, Node]:
        """Returns what to tell in each store, by where it is."""
        places: dict[int, str] = {}
        told = {place: self._node() for place in self._stores}
        for entry in entries:
            store = entry.managed.store
            place = places.get(id(store), "")
            if not place:
                place = places[id(store)] = store.where(NODES)
                self._stores.setdefault(place, store)
                told.setdefault(place, self._node())
            told[place].certificates += 1
            told[place].failing += bool(entry.failures or entry.deploy_failures)
        return told

    def _node(self) -> Node:
        return Node(
            self._name, process=os.getpid(), started=self._started, at=clock.wall(), version=__version__,
            machine=self._machine,
        )  # fmt: skip

    def _is_own(self, place: str) -> bool:
        """Returns whether no other manage of this node has told of itself since."""
        try:
            found = read_node(self._stores[place], self._name)
        except TosslError:
            return True
        return found is None or bool(found.problem) or is_same_run(found, self._node())

    def _beat(self) -> None:
        try:
            for place, node in self._last.items():
                self._write(place, node)
            if clock.counted() >= self._gone_look_at + _GONE_LOOK_SECONDS:
                self._gone_look_at = clock.counted()
                self._forget_gone()
        finally:
            self._is_busy = False

    def _forget_gone(self) -> None:
        for store in list(self._stores.values()):
            try:
                forget_gone_nodes(self._context, store, self._name)
            except (Cancelled, ForkedError):
                return
            except TosslError as error:  # the next look does it
                self._context.tell("not_cleared", name=NODES, message=error.message)

    def _write(self, place: str, node: Node) -> None:
        store = self._stores[place]
        try:
            if store.is_shared:
                node.at = now_in(store)
                self._look_for_twin(place, read_node(store, self._name))
            node.has_twin = place in self._twins
            write_node(store, self._context.for_cleanup(_STORE_SECONDS), node)
            self._written.add(place)
        except (Cancelled, ForkedError):
            return
        except TosslError as error:
            if place not in self._refused:
                self._refused.add(place)
                self._context.warn("warning", warning="heartbeat", message=f"no heartbeat is kept: {error.message}")
        else:
            self._refused.discard(place)

    def _look_for_twin(self, place: str, found: Node | None) -> None:
        """Notices that another machine has told of itself under this name, since this one has."""
        if found is None or found.has_ended or place not in self._written or place in self._twins:
            return
        if found.machine and self._machine and found.machine != self._machine:
            self._twins.add(place)
            cause = f"another machine is called {self._name} as well, and has the same store"
            harm = "each takes for done what the other has deployed"
            advice = "give each a name of its own by TOSSL_NODE"
            self._problems.append(ArgumentError("node", f"{cause}: {harm}; {advice}"))
