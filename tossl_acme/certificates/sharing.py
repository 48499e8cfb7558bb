"""The answers of one certificate, shared with the other nodes of its store while its names are proven."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence

from ..challenges.elsewhere import BY_TOKEN, ElsewhereAnswer, look_away, look_in
from ..challenges.registry import TYPES
from ..challenges.solver import Solver, is_serving
from ..context import Backoff, Context
from ..context.farewell import owe
from ..errors import TosslError
from ..store.protocol import ASIDE_SECONDS, Store
from . import due
from .answers import ANSWERS, FRESH_SECONDS, Batch, remove_values, stored_answers
from .lines import json_lines
from .record import folder_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..acme.authorization import Challenge
    from .served import Served

_WHAT = "the other nodes"
#: Seconds that the other nodes' web servers have to take an answer over.
_SERVED_SECONDS = 10.0


class SharedAnswers:
    """Leaves answers in a store that other machines use; does nothing with any other, or for types that need none.

    name: the certificate's, whose attempts take turns; empty for one that is not kept.
    """

    def __init__(self, store: Store | None, name: str = "") -> None:
        self._store = store if store is not None and store.is_shared else None
        self._name = f"{ANSWERS}/{folder_name(name) if name else os.urandom(16).hex()}"
        self._batch: Batch | None = None
        self._ready_at = 0.0

    @property
    def are_shown(self) -> bool:
        """Returns whether other nodes can answer what this one presents now."""
        return self._batch is not None

    @contextlib.contextmanager
    def shown(self, context: Context, challenges: Sequence[Challenge]) -> Iterator[None]:
        """Leaves the answers to these challenges in the store until the block ends. Raises ArgumentError "store"."""
        answers = [
            ElsewhereAnswer(TYPES[one.type].asked_by, one.identifier.value, one.token, one.key_authorization)
            for one in challenges
            if TYPES[one.type].asked_by
        ]
        if self._store is None or not answers:
            yield
            return
        from .served import process_name  # where a store is shared: it loads more slowly than all of this

        # This process may be asked for what others present as well, for as long as its own servers answer.
        elsewhere = stored_answers(self._store)
        look_in(elsewhere)
        debt = owe(self._forget_own)
        try:
            self._batch = Batch(self._name, os.urandom(16).hex(), process_name(), due.now_in(self._store), answers)
            self._store.put(context, self._name, {self._batch.value: json_lines(self._batch.as_json()).encode()})
            self._ready_at = time.monotonic() + FRESH_SECONDS
            yield
        finally:
            look_away(elsewhere)
            debt.settle(context.for_cleanup(ASIDE_SECONDS))
            self._batch = None

    def are_given_by(self, context: Context, solver: Solver, challenge: Challenge) -> bool:
        """Returns whether another process of this machine has the solver's port, and answers what is in the store.

        That is manage, whose servers stay open, beside whoever renews by hand.
        """
        see = TYPES[challenge.type].see
        if self._batch is None or see is None or not is_serving(solver):
            return False
        from ..challenges.seen import AskedAt  # it loads slowly

        host, port = solver.address
        context.sleep(max(0.0, self._ready_at - time.monotonic()), _WHAT)
        address = host or "127.0.0.1"
        return see(context, challenge, AskedAt(address, lambda _: address, port)).is_right

    def wait(self, context: Context) -> None:
        """Waits until every node that is alive can answer, for 10 s at most; tells of those that did not say so."""
        if self._batch is None or self._store is None:
            return
        context.sleep(max(0.0, self._ready_at - time.monotonic()), _WHAT)
        if any(answer.asked_by == BY_TOKEN for answer in self._batch.answers):
            for served in self._awaited(context, self._store, self._batch):
                cause = served.failed.get(self._batch.id)
                said = cause or "it has not said that its web server can answer"
                context.tell("not_served", node=served.node, message=said)
                if not cause:
                    _take_for_dead(context, self._store, served)

    def _awaited(self, context: Context, store: Store, batch: Batch) -> list[Served]:
        """Returns the nodes with web servers' folders that cannot answer, once all have said so or the time is over."""
        from .served import read_served

        began, at = time.monotonic(), due.now_in(store)
        ends = began + min(_SERVED_SECONDS, context.remaining() / 4)
        backoff = Backoff(0.05, 0.5)
        while True:
            passed = time.monotonic() - began
            served = [one for one in read_served(store) if one.is_alive(at + passed) and one.by != batch.by]
            silent = [one for one in served if batch.id not in one.seen and batch.id not in one.failed]
            if not silent or time.monotonic() >= ends:
                return [one for one in served if batch.id not in one.seen]
            context.sleep(min(backoff.next(), max(0.0, ends - time.monotonic())), _WHAT)

    def forget_dead(self, context: Context) -> None:
        """Removes what attempts left that died, or were stopped for too long."""
        self._remove(context, lambda _value: True)

    def _forget_own(self, context: Context) -> None:
        own = self._batch.value if self._batch is not None else ""
        self._remove(context, lambda value: value == own)

    def _remove(self, context: Context, is_over: Callable[[str], bool]) -> None:
        """Removes answers of this certificate. What cannot be removed is nobody's after a day."""
        if self._store is None:
            return
        try:
            if self._store.version(self._name):
                with self._store.locked(context.for_cleanup(ASIDE_SECONDS), self._name) as lock:
                    remove_values(self._store, lock, is_over)
        except TosslError as error:
            context.tell("not_kept", name=self._name, message=error.message)


def _take_for_dead(context: Context, store: Store, served: Served) -> None:
    """Has nobody wait for this node any more until it tells of itself: it has died, or hangs."""
    from .served import read_served, served_name, write_served

    try:
        with store.locked(context.for_cleanup(ASIDE_SECONDS), served_name(served.by)) as lock:
            if served in read_served(store):  # else it has told something meanwhile
                write_served(store, lock, served.as_dead)
    except TosslError as error:
        context.tell("not_kept", name=served_name(served.by), message=error.message)
