"""The connections of this process to one database: few, opened when needed, closed when idle, replaced when lost."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from ...context import Backoff, Context, in_forked_child
from ...context.farewell import context_here
from ...errors import ArgumentError, Cancelled, TosslError, WaitTimeout
from ...log import WARNING
from ...log import event as log_event
from .ahead import Ahead
from .failures import BrokenError, RefusedError, explained_failure
from .keeper import keeper
from .schema import make_tables, version_of
from .url import DatabaseUrl
from .wire import AWAITED, Wire, open_wire

#: Connections of this process to one database at the same time.
_MOST_WIRES = 4
#: Seconds until a connection that nobody uses is closed: far less than between two looks of manage, so that many nodes
#: share a server's few connections.
_IDLE_SECONDS = 5.0
#: Seconds that a call waits for a database to come back, and for one that this process has never reached.
_PATIENCE_SECONDS = 60.0
_FIRST_PATIENCE_SECONDS = 2.0
#: Seconds for what is read outside of a call that has a time limit.
READ_SECONDS = 10.0
#: Seconds for what a call still reads or writes when its time is over or it is cancelled; and if that failed just now.
_GRACE_SECONDS = 2.0
_SHORT_GRACE_SECONDS = 0.1
_JUST_NOW_SECONDS = 10.0

_T = TypeVar("_T")


class Database:
    """A database, for any number of stores and threads of this process."""

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url
        self._changed = threading.Condition()
        self._idle: list[Wire] = []
        self._wires: set[Wire] = set()
        self._opening = 0
        self._was_reached = False
        #: When a last moment's work was of no avail, by the monotonic clock.
        self._failed_at = float("-inf")
        #: Why the last attempt failed that is made again; empty once a connection is there.
        self._failure = ""
        self._has_tables = False
        self.ahead = Ahead()

    def call(self, work: Callable[[Context, Wire], _T], of: Context | None = None, *, lasts: bool = False) -> _T:
        """Returns the outcome of work on a connection, which is done again where the connection is lost.

        So it must be as good twice as once. of: the call that it is part of, else that of this thread. What begins when
        that is over gets a last moment: what is to be kept is kept. lasts: so does what its end cuts off.

        Raises ArgumentError "store", RefusedError for missing tables, and WaitTimeout or Cancelled.
        """
        whole = of or context_here()
        if whole is None:
            return self.within(READ_SECONDS, work)
        if whole.is_over or whole.is_behind_its_call:
            over = WaitTimeout(AWAITED, f"timed out after {whole.limit:g} s waiting for {AWAITED}")
            return self.at_last(work, Cancelled() if whole.is_cancelled else over)
        is_part = whole.remaining() > _PATIENCE_SECONDS
        try:
            return self._tried(whole.narrowed(_PATIENCE_SECONDS) if is_part else whole, work)
        except (WaitTimeout, Cancelled) as error:
            if lasts and whole.is_over:
                return self.at_last(work, error)
            if is_part and isinstance(error, WaitTimeout):
                raise ArgumentError("store", error.message) from None
            raise

    def within(self, seconds: float, work: Callable[[Context, Wire], _T]) -> _T:
        """Returns the outcome of work as call() does, but in so many seconds, whatever the call."""
        try:
            return self._tried(Context(seconds).begin(), work)
        except WaitTimeout as error:
            raise ArgumentError("store", error.message) from None

    def at_last(self, work: Callable[[Context, Wire], _T], over: TosslError) -> _T:
        """Returns the outcome of work in a last moment, which is short where one was of no avail just now.

        Raises `over` where that does not do.
        """
        just_now = time.monotonic() - self._failed_at < _JUST_NOW_SECONDS
        try:
            return self._tried(Context(_SHORT_GRACE_SECONDS if just_now else _GRACE_SECONDS).begin(), work)
        except (WaitTimeout, ArgumentError):
            self._failed_at = time.monotonic()
            if isinstance(over, WaitTimeout) and self._said not in over.message:
                over.message += f": {self._said}"
            raise over from None

    def _tried(self, context: Context, work: Callable[[Context, Wire], _T]) -> _T:
        backoff = Backoff(most=2.0)
        begun_at = time.monotonic()
        try:
            while True:
                try:
                    with self._taken(context) as wire:
                        return work(context, wire)
                except (BrokenError, RefusedError) as error:
                    if isinstance(error, RefusedError) and error.is_missing:
                        raise
                    failure = explained_failure(error, self.url)
                    if not error.is_transient or time.monotonic() >= begun_at + self._patience(error):
                        raise failure from None
                    self._failure = failure.message
                    log_event("tossl.store", WARNING, f"trying again: {self._said}")
                context.sleep(backoff.next(), AWAITED)
        except WaitTimeout as error:
            error.message += f": {self._said}"
            raise

    @property
    def _said(self) -> str:
        """Returns why the database cannot be used, as far as it says so."""
        return self._failure or f"{self.url.shown} does not answer"

    def _patience(self, error: BrokenError | RefusedError) -> float:
        """Returns for how many seconds a call tries again: a server that never answered may be the wrong one."""
        if isinstance(error, BrokenError):
            self._was_reached |= error.is_there
        elif error.is_read_only:
            return _FIRST_PATIENCE_SECONDS
        return _PATIENCE_SECONDS if self._was_reached else _FIRST_PATIENCE_SECONDS

    # ---- tables ----

    def prepare(self, of: Context) -> None:
        """Makes the tables unless this process has seen them. Raises as call()."""
        if not self._has_tables:
            self.call(lambda context, wire: make_tables(context, wire, self.url), of)
            self._has_tables = True

    def forget_tables(self) -> None:
        """Has prepare() look again."""
        self._has_tables = False

    # ---- connections ----

    @contextlib.contextmanager
    def _taken(self, context: Context) -> Iterator[Wire]:
        wire = self._take(context)
        try:
            yield wire
        except RefusedError as error:
            if error.is_read_only:
                wire.close()  # another connection may lead to the primary
            raise
        finally:
            self._give_back(wire)

    def _take(self, context: Context) -> Wire:
        with self._changed:
            while not self._idle and len(self._wires) + self._opening >= _MOST_WIRES:
                self._changed.wait(context.poll_seconds(AWAITED))
            context.check(AWAITED)
            if self._idle:
                return self._idle.pop()
            self._opening += 1
        try:
            wire = self._opened(context)
            with self._changed:
                self._wires.add(wire)
        finally:
            with self._changed:
                self._opening -= 1
                self._changed.notify()
        return wire

    def _opened(self, context: Context) -> Wire:
        wire = open_wire(context, self.url)
        try:
            version_of(context, wire, self.url)
        except BaseException:
            wire.close()
            raise
        self._was_reached = True
        self._failure, self._failed_at = "", float("-inf")
        return wire

    def _give_back(self, wire: Wire) -> None:
        is_free = wire.is_free
        with self._changed:
            if is_free:
                self._idle.append(wire)
            else:
                self._wires.discard(wire)
            self._changed.notify()
        if is_free:
            keeper().ask(self._close_idle, _IDLE_SECONDS)
        else:
            wire.close()

    def _close_idle(self) -> float | None:
        """Closes what was not used for long; returns the seconds until it is to look again, None if nothing is open."""
        oldest = time.monotonic() - _IDLE_SECONDS
        with self._changed:
            closed = [wire for wire in self._idle if wire.used_at <= oldest]
            self._idle = [wire for wire in self._idle if wire.used_at > oldest]
            self._wires.difference_update(closed)
            next_at = min((wire.used_at for wire in self._idle), default=None)
        for wire in closed:
            wire.close()
        return None if next_at is None else next_at - oldest

    def close(self, *, is_parents: bool = False) -> None:
        """Closes all connections; is_parents: this process's ends of them alone, in a forked child."""
        for wire in self._wires:
            if is_parents:
                wire.leave()
            else:
                wire.close()
        self._wires.clear()
        self._idle.clear()


#: The databases of this process, by the connections to them.
_databases: dict[str, Database] = {}
_making = threading.Lock()
#: Connections of the parent, in a forked child: libpq must not say farewell to the server in its name.
_parents: list[Database] = []


def database_of(url: DatabaseUrl) -> Database:
    """Returns this process's database for a URL."""
    with _making:
        return _databases.setdefault(url.key, Database(url))


def reset() -> None:
    """Closes all connections."""
    while _databases:
        _databases.popitem()[1].close()


def _leave_to_parent() -> None:
    global _making
    _making = threading.Lock()
    while _databases:
        database = _databases.popitem()[1]
        _parents.append(database)
        database.close(is_parents=True)


in_forked_child(_leave_to_parent)
