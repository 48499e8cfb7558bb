"""Locks as leases: a row says who holds a name, with which epoch, and until when by the database's own clock.

A thread of this process renews its leases. A holder that was stopped, or cut off, for longer than its lease has lost
it: each of its writes looks at the row in the same transaction. The claim, which nobody else knows, makes it safe to
send a statement again whose answer was lost.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from _thread import get_ident
from collections.abc import Callable, Iterable, Iterator, Mapping

from ...context import Backoff, Context, in_forked_child
from ...context.farewell import owe, waiting_threads
from ...errors import ArgumentError, TosslError, WaitTimeout
from ...log import DEBUG, WARNING
from ...log import event as log_event
from ...text import clean, quoted
from ..protocol import Lock
from .database import Database
from .failures import RefusedError, explained_failure
from .keeper import keeper
from .wire import Rows, Wire

#: How long a lease lasts that is not renewed, in seconds, unless TOSSL_LEASE_SECONDS says otherwise.
_LEASE_SECONDS = 60.0
_LEASE_RANGE_SECONDS = 1.0, 3600.0
_VARIABLE = "TOSSL_LEASE_SECONDS"
#: So often a lease is renewed in its time.
_RENEWALS = 4
#: Seconds until a release that failed is tried again, and that it may take then; what is not released expires.
_RELEASE_SECONDS = 2.0
#: What no lease that holds can have: it is over, or from before the database's clock was set back. Else what a process
#: has left that died would stay for as long as the clock was ahead.
_IS_FREE = f"""(lease.expires <= clock_timestamp()
    OR lease.expires > clock_timestamp() + interval '{_LEASE_RANGE_SECONDS[1] + 60:g} seconds')"""
_AWAITED = "another process that holds the store"
_MAX_HOLDER_CHARS = 200

#: Takes it, and returns with it the values of the set and its parts. A statement sees what was so when it began, but
#: waits here for whoever changes the row: what it sees counts where the row is as it saw it.
_TAKE = f"""
WITH taken AS (
    INSERT INTO tossl.leases AS lease (name, epoch, claim, holder, writes, expires)
    VALUES ($1::text, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, $2::text, $3::text, 0,
            clock_timestamp() + $4::text::interval)
    ON CONFLICT (name) DO UPDATE SET
        epoch = CASE WHEN lease.claim = excluded.claim THEN lease.epoch
                     ELSE greatest(lease.epoch + 1, excluded.epoch) END,
        claim = excluded.claim, holder = excluded.holder, writes = 0, expires = excluded.expires
    WHERE ({_IS_FREE} OR (lease.claim = excluded.claim AND lease.writes = 0))
      AND EXISTS (SELECT FROM tossl.leases seen WHERE seen.name = $1::text
                  AND seen.epoch = lease.epoch AND seen.claim = lease.claim AND seen.writes = lease.writes)
    RETURNING epoch),
about AS (
    SELECT (SELECT epoch::text FROM taken) AS epoch,
           (SELECT holder FROM tossl.leases WHERE name = $1::text) AS holder,
           (SELECT extract(epoch FROM expires - clock_timestamp())::text
            FROM tossl.leases WHERE name = $1::text) AS seconds)
SELECT about.epoch, about.holder, about.seconds, found.set_name, found.name, found.content
FROM about LEFT JOIN (
    SELECT v.set_name, v.name, v.content FROM tossl.sets s JOIN tossl.set_values v ON v.set_name = s.name
    WHERE (s.name = $1::text OR (s.above = $1::text AND strpos($1::text, '/') > 0)) AND NOT s.is_deleted) found
ON about.epoch IS NOT NULL"""
_RENEW = """
UPDATE tossl.leases AS lease SET expires = clock_timestamp() + $3::text::interval
FROM unnest($1::text[], $2::text[]) AS own (name, claim)
WHERE lease.name = own.name AND lease.claim = own.claim AND lease.expires > clock_timestamp()
RETURNING lease.claim"""
#: Long before now: what is released stays so where the database's clock is set back, or another server takes over.
_RELEASED = "clock_timestamp() - interval '23 hours'"
_RELEASED_AT = "extract(epoch FROM lease.expires + interval '23 hours')"
_RELEASE = f"""
UPDATE tossl.leases SET expires = {_RELEASED}
WHERE name = $1::text AND claim = $2::text"""
_LOOK = """
SELECT claim, holder, writes::text, (expires > clock_timestamp())::text FROM tossl.leases WHERE name = $1::text"""


def _held(assigned: str) -> str:
    """Returns the beginning of a change under a lease: `assigned` says which columns of the lease change, and how."""
    return f"""
held AS (
    UPDATE tossl.leases SET {assigned}
    WHERE name = $1::text AND epoch = $2::text::bigint AND claim = $3::text AND writes < $4::text::bigint
      AND expires > clock_timestamp()
    RETURNING epoch, writes)"""


#: What each change of a set begins with, behind "WITH": `held` has one row if this lease counts and this is news.
HELD = _held("writes = $4::text::bigint")
#: The same for the last change of a block, which releases the lease.
HELD_AT_LAST = _held(f"writes = $4::text::bigint, expires = {_RELEASED}")
_IN_TIME = "extract(epoch FROM clock_timestamp()) < ($4::text::float8[])[1]"
#: Whether nobody has changed the set since a statement was sent, or holds it: it was released before.
_IS_AS_SENT = f"lease.expires <= clock_timestamp() AND {_RELEASED_AT} <= ($4::text::float8[])[2]"
#: The same for a change in one statement, by whoever has no lease: `held` has one row if nobody else has it. One that
#: was given up, and is done all the same once its connection moves again, must not undo what came since. $4: until when
#: it counts, and when it was sent.
FREE = f"""
held AS (
    INSERT INTO tossl.leases AS lease (name, epoch, claim, holder, writes, expires)
    SELECT $1::text, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, $2::text, $3::text, 1, {_RELEASED}
    WHERE {_IN_TIME}
    ON CONFLICT (name) DO UPDATE SET epoch = greatest(lease.epoch + 1, excluded.epoch), claim = excluded.claim,
        holder = excluded.holder, writes = excluded.writes, expires = excluded.expires
    WHERE {_IS_AS_SENT} AND lease.claim <> excluded.claim AND {_IN_TIME}
    RETURNING epoch, writes)"""
#: Whether that was done, by this statement or, where it is sent again, by the first one.
WAS_FREE = """(EXISTS (SELECT FROM held)
    OR EXISTS (SELECT FROM tossl.leases WHERE name = $1::text AND claim = $2::text))::text"""

#: The leases that this process holds or waits for, by claim.
_leases: dict[str, Lease] = {}


def lease_seconds() -> float:
    """Returns how long a lease lasts that is not renewed. Raises ArgumentError "store" for what is no such number."""
    word = os.environ.get(_VARIABLE, "")
    with contextlib.suppress(ValueError):
        least, most = _LEASE_RANGE_SECONDS
        if not word or least <= float(word) <= most:
            return float(word or _LEASE_SECONDS)
    raise ArgumentError("store", f"{_VARIABLE} must be a number of seconds from 1 to 3600, not {quoted(word)}")


def array_of(texts: list[str]) -> str:
    """Returns PostgreSQL's literal for an array of these texts."""
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in escaped) + "}"


def _holder() -> str:
    """Returns what a lease's row says of this process."""
    host = socket.gethostname().encode("ascii", "replace").decode()  # not every database has all characters
    return clean(f"process {os.getpid()} on {host}", _MAX_HOLDER_CHARS)


def sets_in(rows: Iterable[tuple[bytes, ...]]) -> dict[str, dict[str, bytes]]:
    """Returns the sets of rows that are a set's name, a value's, and its content."""
    found: dict[str, dict[str, bytes]] = {}
    for name, value, content in rows:
        values = found.setdefault(name.decode(), {})
        if value:
            values[value.decode()] = content
    return found


class Lease(Lock):
    """The lock of a name in a database."""

    __slots__ = (
        "_found",
        "_guard",
        "_has_made_tables",
        "_may_be_held",
        "_process",
        "claim",
        "context",
        "database",
        "is_held",
        "is_over",
        "seconds",
        "thread",
        "writes",
    )

    def __init__(self, database: Database, context: Context, name: str) -> None:
        super().__init__(name, _holder(), 0)
        self.database = database
        self.context = context
        self.claim = secrets.token_hex(16)
        self.thread = get_ident()
        self.seconds = lease_seconds()
        self._process = os.getpid()
        self._guard = threading.Lock()
        #: How many changes were sent under it.
        self.writes = 0
        self.is_held = self.is_over = False
        self._may_be_held = self._has_made_tables = False
        #: The set and its parts by name, which nobody else changes; None where that is not known.
        self._found: dict[str, dict[str, bytes]] | None = None

    @property
    def where(self) -> str:
        return f"{self.name} in {self.database.url.shown}"

    # ---- taking ----

    def take(self, context: Context) -> None:
        """Waits in this context until the name is free. Raises WaitTimeout and Cancelled, and ArgumentError "store"."""
        backoff = Backoff(0.01, 0.5)
        context.check(_AWAITED)
        holder = ""
        try:
            while True:
                found, seconds = self._try(context)
                if self.is_held:
                    return
                context.waits_for = self._holding_thread
                if found and seconds > 0 and not holder:
                    context.tell("lock", folder=self.where, holder=found)
                holder = found or holder
                context.sleep(max(0.01, min(backoff.next(), seconds)), _AWAITED)
        except WaitTimeout:
            if not holder:
                raise
            cause = f"timed out after {context.limit:g} s waiting for {_AWAITED}: {self.where} is held by {holder}"
            raise WaitTimeout(_AWAITED, cause) from None

    def _try(self, of: Context) -> tuple[str, float]:
        """Takes the lease if it is free; else returns who has it, and in how many seconds it ends if not renewed."""
        words = (self.name, self.claim, self.holder, f"{self.seconds} seconds")

        def work(context: Context, wire: Wire) -> Rows:
            self._may_be_held = True  # also if the answer is lost
            rows = wire.execute(context, _TAKE, *words)
            self._may_be_held = bool(rows[0][0])
            return rows

        try:
            rows = self.database.call(work, of)
        except RefusedError as error:
            if self._has_made_tables:
                raise explained_failure(error, self.database.url) from None
            self._has_made_tables = True  # somebody removed them
            self.database.forget_tables()
            self.database.prepare(of)
            return "", 0.0
        epoch, holder, left = rows[0][:3]
        if epoch:
            self.epoch = int(epoch)
            self._found = sets_in(row[3:] for row in rows if row[3])
            self.is_held = True
            keeper().ask(renew_leases, self.seconds / _RENEWALS)
        return holder.decode("utf-8", "replace"), float(left or b"0")

    def _holding_thread(self) -> int | None:
        """Returns the thread of this process that has the name."""
        for other in list(_leases.values()):
            if other.is_held and other.is_of(self.database, self.name):
                return other.thread
        return None

    def is_of(self, database: Database, name: str) -> bool:
        return self.database is database and self.name == name

    # ---- holding ----

    def has(self, name: str) -> bool:
        """Returns whether a set is the one that is locked, or a part of it, and is known here."""
        is_its = name == self.name or (name.count("/") > 1 and name.startswith(f"{self.name}/"))
        return is_its and self.is_held and not self.is_over and self._found is not None

    def found(self, name: str) -> dict[str, bytes] | None:
        """Returns the set, or a part of it, as it is; None if it is missing. For one that it has."""
        return None if self._found is None else self._found.get(name)

    def keep(self, name: str, values: Mapping[str, bytes] | None) -> None:
        """Takes what was written for what is there now; None: it was deleted, and what is below it."""
        if self._found is not None:
            if values is not None:
                self._found[name] = dict(values)
                return
            for gone in [each for each in self._found if each == name or each.startswith(f"{name}/")]:
                del self._found[gone]

    def change(self, statement: str, *values: str | bytes, ends: bool = False) -> None:
        """Runs a statement that begins with HELD, and whose one value is how many rows that has.

        ends: whether it begins with HELD_AT_LAST, which releases the lease.

        Raises ArgumentError "store" where the lease is lost, and as Database.call(). The statement is sent again where
        its answer is lost: the number of the change says whether the first one was done.
        """
        with self._guard:
            if self.is_over or self._process != os.getpid():
                raise self._lost("it is released")
            self.writes += 1
            known, self._found = self._found, None  # unless it is known whether it was done
            own = (self.name, str(self.epoch), self.claim, str(self.writes))
            is_again: list[bool] = []

            def work(context: Context, wire: Wire) -> None:
                ((count,),) = wire.execute(context, statement, *own, *values)
                if count != b"1":
                    self._check_done(context, wire, is_again=bool(is_again))

            def counted(context: Context, wire: Wire) -> None:
                try:
                    work(context, wire)
                finally:
                    is_again.append(True)

            try:
                self.database.call(counted, self.context, lasts=True)
            except RefusedError:
                raise self._lost("its tables are gone") from None
            self._found = known
            if ends:
                self.is_over, self._may_be_held = True, False

    def _check_done(self, context: Context, wire: Wire, *, is_again: bool) -> None:
        """Raises ArgumentError unless the change was done by a statement whose answer was lost."""
        rows = wire.execute(context, _LOOK, self.name)
        claim, holder, writes, counts = rows[0] if rows else (b"", b"", b"0", b"false")
        if is_again and claim.decode() == self.claim and int(writes) == self.writes:
            return
        if claim.decode() != self.claim:
            who = holder.decode("utf-8", "replace") if counts == b"true" else "another process"
            raise self._lost(f"{who} has had it since", is_again=is_again)
        cause = f"it was not renewed for {self.seconds:g} s: this process was stopped, or the database out of reach"
        raise self._lost(cause)

    def _lost(self, cause: str, *, is_again: bool = False) -> ArgumentError:
        """is_again: the change was sent before, without an answer: it may have been done while the lease counted."""
        outcome = "whether this was written before that is not known" if is_again else "nothing was written"
        return ArgumentError("store", f"the lock of {self.where} is lost: {cause}; {outcome}")

    # ---- its end ----

    def end(self, _context: Context) -> None:
        """Releases it: what is not released expires."""
        self.is_over = True
        if _leases.pop(self.claim, None) is not None and self._may_be_held:
            expires_at = time.monotonic() + self.seconds
            again = self._release(expires_at, is_last=True)
            if again is not None:
                keeper().ask(lambda: self._release(expires_at), again)

    def _release(self, expires_at: float, *, is_last: bool = False) -> float | None:
        """Releases it; returns the seconds until that is worth another try, None if it is not.

        is_last: the call is kept no longer than by what else it does in its last moment.
        """

        def release(context: Context, wire: Wire) -> None:
            wire.execute(context, _RELEASE, self.name, self.claim)

        try:
            if is_last:
                self.database.at_last(release, WaitTimeout(_AWAITED, "no answer in time"))
            else:
                self.database.within(_RELEASE_SECONDS, release)
        except (TosslError, RefusedError) as error:
            log_event("tossl.store", WARNING, f"could not release {self.name}: {getattr(error, 'message', '')}")
            return _RELEASE_SECONDS if time.monotonic() < expires_at else None
        return None


def change_at_once(database: Database, context: Context, name: str, statement: str, *values: str) -> bool:
    """Runs a statement that begins with FREE, and whose one value is WAS_FREE; returns that.

    Raises as Database.call().
    """
    context.check(_AWAITED)
    database.prepare(context)
    own = (name, secrets.token_hex(16), _holder())

    def work(context: Context, wire: Wire) -> bool:
        times = f"{{{wire.gives_up_at(context)},{wire.sends_at()}}}"
        return wire.execute(context, statement, *own, times, *values) == [(b"true",)]

    try:
        return database.call(work, context, lasts=True)
    except RefusedError:  # somebody removed the tables
        database.forget_tables()
        return False


def lease_here(database: Database, name: str) -> Lease | None:
    """Returns the lease of this thread that has the set with this name."""
    for lease in list(_leases.values()):
        if lease.thread == get_ident() and lease.database is database and lease.has(name):
            return lease
    return None


def context_of_lease(database: Database) -> Context | None:
    """Returns the context of a lease that this thread holds in the database: of whatever it reads there meanwhile."""
    for lease in list(_leases.values()):
        if lease.thread == get_ident() and lease.database is database:
            return lease.context
    return None


@contextlib.contextmanager
def leased(database: Database, context: Context, name: str, within: float | None = None) -> Iterator[Lease]:
    """Holds the lock of a name until the block ends. within: as in Store.locked()."""
    waiting = waiting_threads()
    if any(other.thread in waiting and other.is_of(database, name) for other in list(_leases.values())):
        cause = "this thread works on it already: wait until that call has returned"
        raise ArgumentError("store", f"{name} in {database.url.shown} is in use: {cause}")
    database.prepare(context)
    lease = Lease(database, context, name)
    _leases[lease.claim] = lease
    debt = owe(lease.end)
    try:
        lease.take(context if within is None else context.narrowed(within))
        context.event("tossl.store", DEBUG, f"locked {name}", store=database.url.shown)
        yield lease
    finally:
        context.event("tossl.store", DEBUG, f"unlocked {name}")
        debt.settle(context)


def renew_leases() -> float | None:
    """Renews the leases of this process; returns the seconds until that is due again, None without any."""
    alike: dict[tuple[Database, float], list[Lease]] = {}
    for lease in list(_leases.values()):
        if lease.is_held:
            alike.setdefault((lease.database, lease.seconds), []).append(lease)
    for (database, seconds), leases in alike.items():
        with contextlib.suppress(TosslError, RefusedError):
            database.within(max(1.0, seconds / _RENEWALS), _renewal(leases, seconds))
    return min((seconds / _RENEWALS for _, seconds in alike), default=None)


def _renewal(leases: list[Lease], seconds: float) -> Callable[[Context, Wire], None]:
    names, claims = array_of([lease.name for lease in leases]), array_of([lease.claim for lease in leases])

    def work(context: Context, wire: Wire) -> None:
        rows = wire.execute(context, _RENEW, names, claims, f"{seconds} seconds")
        renewed = {claim.decode() for (claim,) in rows}
        for lease in leases:
            if lease.claim not in renewed and not lease.is_over:
                lease.is_held = False  # whoever writes under it is told
                log_event("tossl.store", WARNING, f"the lock of {lease.where} is lost")

    return work


def _let_go() -> None:
    """Forgets the leases in a forked child: they are its parent's."""
    for lease in _leases.values():
        lease.is_over = True
    _leases.clear()


in_forked_child(_let_go)
