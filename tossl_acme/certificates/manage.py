"""The one scheduler of a declared set: obtains what is missing, renews what is due, deploys what is owed.

It is one thread, which looks at the clock once a minute; a few threads more issue and ask, while there is something to
do. What is known of each certificate stays in memory: a look touches what is due, and few of the rest, to see what
other processes have done. Every certificate is in the store and locked there, so two that manage the same set do
everything once.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..context import Context
from ..context.workers import Workers
from ..errors import Cancelled, ClockError, ForkedError, RetryError, TosslError, foreign_error
from .clock import Clock
from .deploy import is_owed
from .due import Suggestion
from .held import difference
from .limits import pause_seconds
from .managed import Done, Held, Managed, ask_due_time, check_clock, deploy_managed, facts_of, obtain_managed
from .record import read_kept, set_name
from .stand_in import put_stand_in
from .suggested import Renewal

_WHAT = "the certificates"
_LOOK_SECONDS = 60.0
_NEVER = float("inf")
#: Certificates that are issued side by side, by default.
PARALLEL = 8
#: Renewals that are due at the same time begin within so many seconds of each other, at most ...
_SPREAD_SECONDS = 300.0
#: ... a second for each certificate, and no more than this share of the life that is left.
_SPREAD_SHARE = 0.02
#: Questions to CAs, and looks at what other processes have done, that are begun within a minute.
_ASKED_A_MINUTE = 60
_SEEN_A_MINUTE = 200
#: Seconds until a CA is asked again what time it is, and until that is tried again which only a person can let go on.
_CLOCK_SECONDS = 86400.0
_VISIT_SECONDS = 3600.0
_ANY = random.SystemRandom()


class Source(Protocol):
    """Where the declared set is read again."""

    def read(self, context: Context) -> Mapping[str, Managed] | None:
        """Returns the set, None where it is as it was. Raises TosslError where it cannot be read, or is wrong."""


@dataclass(frozen=True)
class Reports:
    """Who is told: renewed of a certificate that is new (its dict), failed of what went wrong (a dict)."""

    renewed: Callable[[dict[str, object]], None]
    failed: Callable[[dict[str, object]], None]


class Works(Protocol):
    """Does work, at once or later, in another thread or in this one."""

    def put(self, work: Callable[[], None]) -> None: ...
    def close(self) -> None: ...


class _Entry:
    """One certificate. Times are epoch seconds.

    at: when it is looked at next. due: when it is to be obtained; retry_at: not before that, after failures. ask_at:
    when its CA is asked. deploy_at: when what is owed is deployed. is_stale: what it is to be has changed while it was
    busy.
    """

    __slots__ = (
        "ask_at", "at", "deploy_at", "deploy_failures", "due", "failures", "held", "is_busy", "is_gone", "is_stale",
        "managed", "name", "raw_due", "retry_at", "version",
    )  # fmt: skip

    def __init__(self, name: str, managed: Managed) -> None:
        self.name = name
        self.managed = managed
        self.held: Held | None = None
        self.version = ""
        self.at = self.due = self.raw_due = self.retry_at = 0.0
        self.ask_at = self.deploy_at = _NEVER
        self.failures = self.deploy_failures = 0
        self.is_busy = self.is_stale = self.is_gone = False

    @property
    def next(self) -> float:
        return min(max(self.due, self.retry_at), self.ask_at, self.deploy_at)

    @property
    def life(self) -> float | None:
        return None if self.held is None else self.held.not_after - self.held.not_before


class Manager:
    """Keeps a declared set. Its methods are for one thread; look() waits for nothing.

    found: the set; source: where it is read again, if it is.
    """

    def __init__(
        self, context: Context, found: Mapping[str, Managed], reports: Reports, source: Source | None = None, *,
        parallel: int = PARALLEL, issuers: Works | None = None, askers: Works | None = None,
    ) -> None:  # fmt: skip
        self._context = context
        self._found: Mapping[str, Managed] | None = found
        self._source = source
        self._reports = reports
        self._issuers = issuers or Workers("tossl manage", parallel)
        self._askers = askers or Workers("tossl asks", 1)
        self._clock = Clock()
        self._entries: dict[str, _Entry] = {}
        self._agenda: list[tuple[float, int, _Entry]] = []
        self._numbers = itertools.count()
        self._done: deque[Callable[[], None]] = deque()
        self._wake = threading.Event()
        self._minute = self._clock_at = 0.0
        self._asked = 0
        self._seen: Iterator[_Entry] = iter(())
        self._silent: set[str] = set()
        self._told_of_set = self._told_of_clock = ""

    def serve(self) -> None:
        """Keeps the set until the context is cancelled; waits then for what is at work. Raises Cancelled."""
        self._context.add_interrupt(self._wake.set)
        try:
            while True:
                self._wake.clear()
                self._context.check(_WHAT)
                self._wake.wait(self.look())
        finally:
            self._context.remove_interrupt(self._wake.set)
            self._issuers.close()
            self._askers.close()

    def look_soon(self) -> None:
        """Has serve() look at once. For any thread."""
        self._wake.set()

    def look(self) -> float:
        """Begins what is to be done by now; returns the seconds until the next look, a minute at most."""
        self._take_done()
        self._read_set()
        if self._clock.has_jumped():
            self._try_again()
        now = self._clock.now()
        if not self._minute <= now < self._minute + _LOOK_SECONDS:
            self._minute, self._asked = now, 0
            self._silent = set()
            self._see_others()
        if not self._clock_at - _CLOCK_SECONDS <= now < self._clock_at:
            self._clock_at = now + _CLOCK_SECONDS
            self._ask_clocks()
        while self._agenda and self._agenda[0][0] <= now:
            at, _, entry = heapq.heappop(self._agenda)
            if at == entry.at and not entry.is_gone and not entry.is_busy:
                self._begin(entry, now)
            self._take_done()
        return max(0.0, min(_LOOK_SECONDS, self._agenda[0][0] - self._clock.now() if self._agenda else _LOOK_SECONDS))

    # ---- the set ----

    def _read_set(self) -> None:
        found, self._found = self._found, None
        try:
            if found is None and self._source is not None:
                found = self._source.read(self._context)
        except (Cancelled, ForkedError):
            raise
        except TosslError as error:
            if error.message != self._told_of_set:
                self._told_of_set = error.message
                self._reports.failed(_told("", error))
            return
        if found is not None:
            self._told_of_set = ""
            self._take_set(found)

    def _take_set(self, found: Mapping[str, Managed]) -> None:
        known = self._entries
        for name in [name for name in self._entries if name not in found]:
            self._entries.pop(name).is_gone = True
            self._context.tell("unmanaged", name=name)
        changed = [name for name in found if name not in known or known[name].managed is not found[name]]
        for name in changed:
            entry = self._entries.setdefault(name, _Entry(name, found[name]))
            entry.managed, entry.is_stale = found[name], entry.is_busy
            entry.failures, entry.retry_at = 0, 0.0
        for name in changed:
            self._context.check(_WHAT)
            self._stand_in(name, found[name])
            if not self._entries[name].is_busy:
                self._load(self._entries[name])

    def _stand_in(self, name: str, managed: Managed) -> None:
        if managed.stand_in:
            try:
                put_stand_in(self._context, name, managed)
            except TosslError as error:
                self._context.check(_WHAT)
                self._reports.failed(_told(name, error))

    def _load(self, entry: _Entry) -> None:
        """Reads what is kept, and says when it is to be looked at next."""
        managed, now = entry.managed, self._clock.now()
        entry.is_stale = False
        entry.ask_at = entry.deploy_at = _NEVER
        try:
            entry.version = managed.store.version(set_name(entry.name))
            kept = read_kept(managed.store, entry.name, record_alone=True)
            if kept is None or kept.is_revoked or kept.is_self_signed:
                entry.held, entry.due = None, now
            else:
                entry.held = Held(kept, Renewal.read(managed.store, entry.name).of(kept))
                if is_owed(managed.store, kept, managed.hooks):
                    entry.deploy_at = now
                self._plan(entry, now, is_other=bool(difference(kept, managed.issuance)))
        except TosslError:  # whoever obtains it meets that again, and tells it
            entry.held, entry.due = None, now
        self._aim(entry)

    def _plan(self, entry: _Entry, now: float, *, is_other: bool = False) -> None:
        """Says when a held certificate is renewed, and when its CA is asked. is_other: it is not as it is to be."""
        held = entry.held
        assert held is not None
        entry.raw_due = held.due
        left = held.not_after - now
        if left <= 0:
            entry.due = now
        elif is_other or held.due <= now:
            entry.due = now + _ANY.uniform(0, min(_SPREAD_SECONDS, len(self._entries), _SPREAD_SHARE * left))
        else:
            share = _SPREAD_SHARE * (held.not_after - held.due)
            entry.due = held.due + _ANY.uniform(0, max(0.0, min(_SPREAD_SECONDS, share)))
        self._plan_question(entry, held.suggestion, now)

    def _plan_question(self, entry: _Entry, known: Suggestion, now: float) -> None:
        held = entry.held
        if held is None or not held.cert_id or now >= held.not_after:
            entry.ask_at = _NEVER
        else:
            entry.ask_at = now if known.may_ask(now, held.not_after) else known.retry_at

    def _aim(self, entry: _Entry) -> None:
        entry.at = entry.next
        if entry.at < _NEVER:
            heapq.heappush(self._agenda, (entry.at, next(self._numbers), entry))

    def _try_again(self) -> None:
        """The clock was set: what failed by the old time is tried again, and the CAs are asked what time it is."""
        self._clock_at = 0.0
        for entry in self._entries.values():
            entry.retry_at = 0.0
            if not entry.is_busy:
                self._aim(entry)

    def _see_others(self) -> None:
        """Looks whether other processes have changed some of the certificates."""
        for _ in range(min(_SEEN_A_MINUTE, len(self._entries))):
            entry = next(self._seen, None)
            if entry is None:
                self._seen = iter(list(self._entries.values()))
                entry = next(self._seen)
            if entry.is_gone or entry.is_busy:
                continue
            try:
                version = entry.managed.store.version(set_name(entry.name))
            except TosslError:  # whoever renews it meets that again
                continue
            if version != entry.version:
                self._take_others(entry)

    def _take_others(self, entry: _Entry) -> None:
        before = entry.held.serial if entry.held else ""
        self._load(entry)
        if entry.held is not None and entry.held.serial != before:
            entry.failures, entry.retry_at = 0, 0.0
            managed, name = entry.managed, entry.name
            self._work(self._askers, None, lambda: facts_of(managed.store, name), self._tell_others)

    def _tell_others(self, facts: dict[str, object] | None) -> None:
        if facts is not None:
            self._reports.renewed(facts | {"clean_up_failed": []})

    # ---- one certificate ----

    def _begin(self, entry: _Entry, now: float) -> None:
        """Begins what is to be done for it by now."""
        managed, name, life = entry.managed, entry.name, entry.life
        if max(entry.due, entry.retry_at) <= now:
            self._work(
                self._issuers, entry, lambda: obtain_managed(self._context, self._clock, name, managed, life),
                lambda done: self._obtained(entry, done),
            )  # fmt: skip
        elif entry.deploy_at <= now:
            self._work(
                self._issuers, entry, lambda: deploy_managed(self._context, name, managed),
                lambda failed: self._deployed(entry, failed),
            )  # fmt: skip
        else:
            self._ask(entry, now)

    def _ask(self, entry: _Entry, now: float) -> None:
        held, managed = entry.held, entry.managed
        assert held is not None
        if self._asked >= _ASKED_A_MINUTE or held.directory in self._silent:
            behind = len(self._entries) / _ASKED_A_MINUTE * _LOOK_SECONDS
            entry.ask_at = now + _ANY.uniform(_LOOK_SECONDS, 2 * _LOOK_SECONDS + behind)
            self._aim(entry)
            return
        self._asked += 1
        silent = self._silent
        self._work(
            self._askers, entry, lambda: ask_due_time(self._context, self._clock, held, managed, silent),
            lambda known: self._answered(entry, known),
        )  # fmt: skip

    def _answered(self, entry: _Entry, known: Suggestion) -> None:
        now = self._clock.now()
        if entry.held is not None:
            entry.held.suggestion = known
            if entry.held.due != entry.raw_due:
                self._plan(entry, now)
            self._plan_question(entry, known, now)
            entry.ask_at = max(entry.ask_at, now + _LOOK_SECONDS)
        self._aim(entry)

    def _obtained(self, entry: _Entry, done: Done) -> None:
        entry.failures, entry.retry_at = 0, 0.0
        self._told_of_clock = ""
        self._load(entry)
        if done.not_deployed:
            self._deployed(entry, done.not_deployed)
        if done.issued:
            self._reports.renewed(dict(done.facts))
        elif entry.due <= self._clock.now():  # it is not due for whoever obtains
            entry.retry_at = self._clock.now() + _LOOK_SECONDS
        self._aim(entry)

    def _deployed(self, entry: _Entry, failed: str) -> None:
        if failed:
            entry.deploy_failures += 1
            entry.deploy_at = self._clock.now() + pause_seconds(entry.deploy_failures, None)
            self._fail(entry, TosslError(failed, "DEPLOY"), entry.deploy_at)
        else:
            entry.deploy_failures, entry.deploy_at = 0, _NEVER
        self._aim(entry)

    def _failed(self, entry: _Entry, error: TosslError) -> None:
        now = self._clock.now()
        is_told = True
        if isinstance(error, RetryError):
            is_told = not entry.failures and not error.seconds
            pause = float(error.seconds) or _VISIT_SECONDS
            entry.failures = max(entry.failures, 1)
        else:
            entry.failures += 1
            left = None if entry.held is None else entry.held.not_after - now
            after = error.details.get("retry_after")
            pause = pause_seconds(entry.failures, left)
            pause = max(pause, float(after)) if isinstance(after, int | float) else pause
        if isinstance(error, ClockError):
            is_told, self._told_of_clock = error.message != self._told_of_clock, error.message
        entry.retry_at = now + pause
        if entry.due > now:
            entry.due = now  # a question or a deployment that failed
        if is_told:
            self._fail(entry, error, entry.retry_at)
        self._aim(entry)

    def _fail(self, entry: _Entry, error: TosslError, again_at: float) -> None:
        self._reports.failed({**_told(entry.name, error), "next": round(again_at)})

    # ---- the CAs' clocks ----

    def _ask_clocks(self) -> None:
        """Asks each CA what time it is."""
        known: dict[str, Managed] = {}
        for entry in self._entries.values():
            known.setdefault(entry.managed.issuance.directory, entry.managed)
        for directory, managed in known.items():
            self._work(
                self._askers, None,
                lambda directory=directory, managed=managed: check_clock(  # type: ignore[misc]
                    self._context, self._clock, directory, managed.issuance.connection, managed.store
                ),
                lambda _: None,
            )  # fmt: skip

    # ---- work in other threads ----

    def _work(
        self, works: Works, entry: _Entry | None, work: Callable[[], object], then: Callable[..., None]
    ) -> None:
        """Has the work done, and `then` called with its result at the next look; an error is the entry's failure."""

        def run() -> None:
            try:
                result = work()
            except (Cancelled, ForkedError):
                return
            except Exception as caught:  # noqa: BLE001 - a defect must not end the worker
                error = caught if isinstance(caught, TosslError) else foreign_error(caught)
                self._end(entry, lambda: self._refused(entry, error))
            else:
                self._end(entry, lambda: then(result))

        if entry is not None:
            entry.is_busy = True
        works.put(run)

    def _end(self, entry: _Entry | None, then: Callable[[], None]) -> None:
        def ended() -> None:
            if entry is not None:
                entry.is_busy = False
                if entry.is_gone:
                    return
            then()
            if entry is not None and entry.is_stale:
                self._load(entry)

        self._done.append(ended)
        self._wake.set()

    def _refused(self, entry: _Entry | None, error: TosslError) -> None:
        if entry is not None:
            self._failed(entry, error)
        elif isinstance(error, ClockError) and error.message != self._told_of_clock:
            self._told_of_clock = error.message
            self._reports.failed(_told("", error))

    def _take_done(self) -> None:
        while self._done:
            self._done.popleft()()


def _told(name: str, error: TosslError) -> dict[str, object]:
    told: dict[str, object] = {"name": name, "message": error.message, "errorcode": list(error.errorcode)}
    return told | {fact: error.details[fact] for fact in ("retry_after", "visit") if fact in error.details}
