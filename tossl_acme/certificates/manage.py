"""The one scheduler of a declared set: obtains what is missing, renews what is due, deploys what is owed.

It is one thread, which looks at the clock once a minute; a few threads more issue and ask, while there is something to
do. What is known of each certificate stays in memory: a look touches what is due. What other processes have done, a
store that several machines use says itself; of another, few certificates are looked at each time. Every certificate is
in the store and locked there, so two that manage the same set do everything once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol, TypeVar

from ..context import Context
from ..context.workers import Workers, Works
from ..errors import Cancelled, ForkedError, TosslError
from ..store.protocol import ASIDE_SECONDS
from . import clock, due
from .agenda import Agenda
from .deploy import has_own_marks, mark_told
from .due import Suggestion
from .errands import Errands
from .heartbeat import Heartbeat
from .held_up import HeldUp
from .loading import Loader
from .managed import Done, Managed, TakenError, ask_due_time, ask_time, deliver_managed, obtain_managed
from .reports import Reports, Teller
from .rounds import Round, Rounds
from .serving import AnswerServer
from .stand_in import put_stand_in
from .upkeep import LEAST_SECONDS, NEVER, Upkeep
from .watched import WATCH_SECONDS

_WHAT = "the certificates"
_LOOK_SECONDS = 60.0
#: Certificates that are obtained side by side, by default.
PARALLEL = 8
#: Questions to CAs that are begun within a minute.
_ASKED_A_MINUTE = 60
#: Seconds until the CAs are asked again what time it is, and ends of permanent records are told again.
_CLOCK_SECONDS = 86400.0
_T = TypeVar("_T")


class Source(Protocol):
    """Where the declared set is read again."""

    def read(self, context: Context) -> Mapping[str, Managed] | None:
        """Returns the set, None where it is as it was. Raises TosslError where it cannot be read, or is wrong."""


class Manager:
    """Keeps a declared set. Its methods are for one thread; look() waits for nothing.

    found: the set; source: where it is read again, if it is. heartbeat: tells that it is at work.
    """

    def __init__(
        self, context: Context, found: Mapping[str, Managed], reports: Reports, source: Source | None = None, *,
        parallel: int = PARALLEL, issuers: Works | None = None, askers: Works | None = None,
        heartbeat: Heartbeat | None = None,
    ) -> None:  # fmt: skip
        self._context = context
        self._wake = threading.Event()
        self._errands = Errands(self._wake.set)
        self._found: Mapping[str, Managed] | None = found
        self._source = source
        self._teller = Teller(context, reports)
        self._issuers = issuers or Workers("tossl manage", parallel)
        self._askers = askers or Workers("tossl asks", 1)
        self._heartbeat = heartbeat
        self._answers = AnswerServer(lambda error: self._errands.end(lambda: self._not_answering(error)))
        self._jumps = clock.JumpWatch()
        self._entries: dict[str, Upkeep] = {}
        self._rounds = Rounds()
        self._agenda = Agenda(self._rounds)
        self._loader = Loader(context, self._entries, self._agenda, self._rounds, self._teller)
        self._minute = self._clock_at = -NEVER
        self._asked = 0
        self._watched_at = -NEVER
        self._held_up = HeldUp()
        self._silent: set[str] = set()

    def serve(self) -> None:
        """Keeps the set until the context is cancelled; waits then for what is at work. Raises Cancelled."""
        self._context.add_interrupt(self._wake.set)
        try:
            if self._heartbeat is not None:
                self._heartbeat.begin()
            while True:
                self._wake.clear()
                self._context.check(_WHAT)
                self._wake.wait(self.look())
        finally:
            self._context.remove_interrupt(self._wake.set)
            self._issuers.close()
            self._askers.close()
            self._answers.close()
            if self._heartbeat is not None:
                self._heartbeat.end(is_asked=self._context.is_cancelled)

    def look_soon(self) -> None:
        """Has serve() look at once. For any thread."""
        self._wake.set()

    def look(self) -> float:
        """Begins what is to be done by now; returns the seconds until the next look, a minute at most."""
        self._errands.take()
        self._read_set()
        if self._jumps.has_jumped():
            self._try_again()
        at = due.now()
        if not self._minute <= at < self._minute + _LOOK_SECONDS:
            self._minute, self._asked, self._silent = at, 0, set()
            self._loader.see_others()
            self._loader.see_files()
            self._teller.tell_clock()
        if not self._watched_at <= at < self._watched_at + WATCH_SECONDS:
            self._watched_at = at
            self._loader.ask_stores(self._errands, self._askers)
            self._errands.take()
        if not self._clock_at - _CLOCK_SECONDS <= at < self._clock_at:
            self._clock_at = at + _CLOCK_SECONDS
            self._ask_clocks()
            self._teller.tell_ends(self._entries.values(), at)
        for entry in dict.fromkeys([*self._agenda.ready(at), *self._held_up.ready(at)]):
            self._begin(entry, at)
        questions = self._rounds.begin(at, self._context, self._silent)
        if questions is not None:
            self._errands.begin(self._askers, questions.ask, self._asked_round)
        self._errands.take()
        if self._heartbeat is not None:
            self._heartbeat.look(self._entries.values())
            for problem in self._heartbeat.problems():
                self._teller.tell_failed("", problem)
        watched = self._watched_at + WATCH_SECONDS if self._loader.has_watches else NEVER
        return max(0.0, min(_LOOK_SECONDS, min(self.next_at(), watched) - due.now()))

    def next_at(self) -> float:
        """Returns when something is to be done, as far as is known, epoch seconds; infinite where nothing is."""
        return min(self._agenda.next_at(), self._held_up.next_at(), self._rounds.next_at())

    # ---- the set ----

    def _read_set(self) -> None:
        found, self._found = self._found, None
        try:
            if found is None and self._source is not None:
                found = self._source.read(self._context)
        except (Cancelled, ForkedError):
            raise
        except TosslError as error:
            self._teller.tell_set(error)
            return
        if found is not None:
            self._teller.tell_set(None)
            self._take_set(found)

    def _take_set(self, found: Mapping[str, Managed]) -> None:
        known = self._entries
        for name in [name for name in known if name not in found]:
            known.pop(name).is_gone = True
            self._teller.tell_other(name, None)
            self._context.tell("unmanaged", name=name)
        self._answers.take(found)
        changed = [name for name in found if name not in known or known[name].managed is not found[name]]
        for name in changed:
            entry = known.setdefault(name, Upkeep(name, found[name]))
            entry.declare(found[name])
        for name in changed:
            self._context.check(_WHAT)
            self._stand_in(name, found[name])
        self._loader.load_changed([known[name] for name in changed if not known[name].is_busy])

    def _stand_in(self, name: str, managed: Managed) -> None:
        if managed.stand_in:
            try:
                put_stand_in(self._context, name, managed)
            except (Cancelled, ForkedError):
                raise
            except TosslError as error:
                self._teller.tell_failed(name, error)

    # ---- one certificate ----

    def _begin(self, entry: Upkeep, at: float) -> None:
        """Begins what is to be done for it by now."""
        managed, name, context = entry.managed, entry.name, self._context
        if entry.is_due(at) and self._held_up.takes(entry, at):
            return
        if entry.is_due(at):
            by_itself, entry.is_hurried, known = not entry.is_hurried, False, entry.known
            self._work(
                self._issuers, entry, lambda: obtain_managed(context, name, managed, by_itself=by_itself, known=known),
                lambda done: self._obtained(entry, done),
            )  # fmt: skip
        elif entry.deploy_at <= at:
            taken = entry.take_whole
            self._work(
                self._issuers, entry, lambda: deliver_managed(context, name, managed, taken()),
                lambda done: self._delivered(entry, done), self._not_delivered,
            )  # fmt: skip
        elif entry.ask_at <= at:
            self._ask(entry)
        else:
            self._agenda.plan(entry)

    def _ask(self, entry: Upkeep) -> None:
        held, managed, silent, context = entry.held, entry.managed, self._silent, self._context
        assert held is not None
        if self._asked >= _ASKED_A_MINUTE or held.directory in silent:
            entry.ask_later(max(1.0, len(self._entries) / _ASKED_A_MINUTE) * _LOOK_SECONDS)
            self._agenda.plan(entry)
            return
        self._asked += 1
        self._work(
            self._askers, entry, lambda: ask_due_time(context, held, managed, silent),
            lambda known: self._answered(entry, known), self._not_asked,
        )  # fmt: skip

    def _asked_round(self, done: Round) -> None:
        for entry in self._rounds.ended(done):
            if not entry.is_busy:
                self._agenda.plan(entry)

    def _answered(self, entry: Upkeep, known: Suggestion) -> None:
        entry.take(known)
        self._agenda.plan(entry)

    def _obtained(self, entry: Upkeep, done: Done) -> None:
        self._held_up.ended(entry, is_issued=done.issued)
        before = entry.serial
        entry.begin_anew()
        entry.load(len(self._entries))
        if not done.issued:  # it was not due for whoever obtains, or another process was faster
            entry.retry_at = due.now() + LEAST_SECONDS
        self._rounds.take(entry, is_ours=done.issued)
        entry.is_news = entry.is_news or entry.serial not in ("", before)
        self._delivered(entry, done)

    def _delivered(self, entry: Upkeep, done: Done | None) -> None:
        """Takes what became of files and hooks. The script is told once its files are there."""
        failed = done.not_deployed if done is not None else ""
        if done is not None and done.has_files and entry.is_news:
            entry.is_news, entry.told = False, str(done.facts["serial"])
            entry.is_stale |= entry.serial != entry.told  # another node has got the next one meanwhile
            self._teller.tell_renewed(done.facts)
            self._mark_told(entry, done)
        entry.deployed(well=not failed)
        if failed:
            self._tell_failure(entry, TosslError(failed, "DEPLOY"), entry.deploy_at)
        self._agenda.plan(entry)

    def _mark_told(self, entry: Upkeep, done: Done) -> None:
        """Keeps, once the script was told, that it was: else it is told again at the next start."""
        store, context = entry.managed.store, self._context
        if has_own_marks(store):
            part = context.for_cleanup(ASIDE_SECONDS)
            self._errands.begin(self._askers, lambda: mark_told(part, store, done.facts))

    def _failed(self, entry: Upkeep, error: TosslError) -> None:
        self._held_up.failed(entry, error)
        if isinstance(error, TakenError):
            entry.give_way()
        elif entry.fail(error):
            self._tell_failure(entry, error, entry.retry_at)
        entry.due = min(entry.due, due.now())  # whatever failed: whoever obtains it finds out what is to be done
        self._agenda.plan(entry)

    def _not_delivered(self, entry: Upkeep, error: TosslError) -> None:
        """Takes what keeps the certificate in force from being read, as this machine's sealing key may."""
        entry.deployed(well=False)
        self._tell_failure(entry, error, entry.deploy_at)
        self._agenda.plan(entry)

    def _not_asked(self, entry: Upkeep, error: TosslError) -> None:
        entry.ask_later(LEAST_SECONDS)
        self._failed(entry, error)

    def _tell_failure(self, entry: Upkeep, error: TosslError, again_at: float) -> None:
        self._teller.tell_failed(entry.name, error, next=round(again_at))

    def _not_answering(self, error: TosslError) -> None:
        """Tells why this node cannot give other nodes' answers, unless the same was told of the store already."""
        if not self._loader.has_told(error.message):
            self._teller.tell_failed("", error)

    # ---- what time it is ----

    def _try_again(self) -> None:
        """Plans anew what was planned by the old time, and asks the CAs what time it is: the clock was set."""
        self._clock_at = -NEVER
        self._rounds.begin_anew()
        self._held_up.begin_anew()
        for entry in self._entries.values():
            entry.hurry(len(self._entries))
            if not entry.is_busy:
                self._agenda.plan(entry)

    def _ask_clocks(self) -> None:
        """Asks each CA what time it is."""
        for managed in {entry.managed.issuance.directory: entry.managed for entry in self._entries.values()}.values():
            self._errands.begin(
                self._askers, partial(ask_time, self._context, managed), lambda _: self._teller.tell_clock()
            )

    # ---- work in other threads ----

    def _work(
        self, works: Works, entry: Upkeep, work: Callable[[], _T], then: Callable[[_T], None],
        failed: Callable[[Upkeep, TosslError], None] | None = None,
    ) -> None:  # fmt: skip
        """Has the work done for an entry, and `then` called with its result at the next look; or `failed`.

        failed: _failed() unless it is given. It puts off what has failed: what is due still begins at the next look.
        """
        entry.is_busy = True
        self._errands.begin(
            works, work, lambda result: self._end(entry, lambda: then(result)),
            lambda error: self._end(entry, lambda: (failed or self._failed)(entry, error)),
        )  # fmt: skip

    def _end(self, entry: Upkeep, then: Callable[[], None]) -> None:
        entry.is_busy = False
        if entry.is_gone:
            self._held_up.ended(entry, is_issued=False)  # others may wait for its end
        else:
            then()
        if entry.is_stale and not entry.is_busy:
            self._loader.load(entry)
