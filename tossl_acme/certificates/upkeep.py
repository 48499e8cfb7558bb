"""When something is to be done for one certificate of a declared set. Nothing here asks a CA, or waits."""

from __future__ import annotations

import contextlib
import random
import time

from ..errors import ArgumentError, RetryError, TosslError
from ..store.protocol import Readable
from . import due
from .ca_limits import is_used_up_by_others
from .deploy import Marks, marks_name
from .due import Suggestion
from .held import difference
from .limits import pause_seconds
from .managed import Held, Managed
from .record import KeptCertificate, read_kept, set_name
from .suggested import Renewal, renewal_name

NEVER = float("inf")
#: Renewals that are due at the same time begin within so many seconds of each other, at most ...
_SPREAD_SECONDS = 300.0
#: ... a second for each certificate, and no more than this share of the life that is left.
_SPREAD_SHARE = 0.02
#: Where several nodes keep a certificate, each begins at a random moment within so many seconds: whoever comes second
#: finds it done.
_TURNS_SECONDS = 10.0
#: Seconds until that is tried again which only a person can let go on: a look into the store, no request.
_VISIT_SECONDS = 3600.0
#: Seconds between two questions to the CA, and between two attempts, at least.
LEAST_SECONDS = 60.0
#: Seconds until one is looked at again that another node is at work on, at most: that node may have died.
_WAY_SECONDS = 30.0
#: Seconds for which a certificate that was read is not read again to be delivered.
_MOMENT_SECONDS = 5.0
_ANY = random.SystemRandom()


class Upkeep:
    """One certificate. Times are epoch seconds.

    at: when it is looked at next. due: when it is obtained; retry_at: not before that, after failures. ask_at: when its
    CA is asked, in a store of one machine; else rounds.py knows. deploy_at: when what is owed is deployed. is_stale:
    what it is to be has changed while it was busy. is_hurried: the next attempt is made in spite of pauses after
    failures. is_news: the script is yet to be told of the certificate in force. whole: what was read of it, keys and
    all, and when, by the monotonic clock, for whoever delivers it at once. was_as_declared: the certificate was, at
    some time, as it is to be; other: the option in which it is not since, and the node that obtained it. is_other: it
    is not as it is to be, and another one is to take its place.
    """

    __slots__ = (
        "ask_at", "at", "deploy_at", "deploy_failures", "due", "failures", "files_stamp", "held", "is_busy", "is_gone",
        "is_hurried", "is_news", "is_other", "is_stale", "known", "managed", "name", "other", "retry_at", "suggested",
        "told", "version", "was_as_declared", "whole",
    )  # fmt: skip

    def __init__(self, name: str, managed: Managed) -> None:
        self.name = name
        self.managed = managed
        self.held: Held | None = None
        self.version = ""
        #: The serial number in the record that was read last; empty without one, None where it could not be read.
        self.known: str | None = None
        self.whole: tuple[float, KeptCertificate] | None = None
        #: What changes when somebody changes this machine's own files.
        self.files_stamp = 0
        self.other: tuple[str, str] | None = None
        self.was_as_declared = False
        #: The serial number of the certificate of which the script was told last.
        self.told = ""
        #: The due time without what spreads them.
        self.suggested = 0.0
        self.at = self.due = self.retry_at = 0.0
        self.ask_at = self.deploy_at = NEVER
        self.failures = self.deploy_failures = 0
        self.is_busy = self.is_stale = self.is_gone = self.is_hurried = self.is_news = self.is_other = False

    @property
    def next(self) -> float:
        return min(max(self.due, self.retry_at), self.ask_at, self.deploy_at)

    @property
    def serial(self) -> str:
        """Returns the serial number of the certificate in force as it was seen last; empty without one."""
        return self.held.serial if self.held is not None else ""

    def is_due(self, at: float) -> bool:
        """Returns whether it is to be obtained by now."""
        return max(self.due, self.retry_at) <= at

    # ---- what is kept ----

    def read_version(self) -> str:
        """Returns what changes when the certificate in the store does. Raises ArgumentError."""
        return self.managed.store.version(set_name(self.name))

    def load(self, count: int, read: Readable | None = None, *, is_whole: bool = False) -> None:
        """Reads what is kept. count: how many certificates may be due with it. read: where, if not from the store.

        is_whole: whether take_whole() is to have it.
        """
        managed, at = self.managed, due.now()
        self.is_stale = False
        self.known = self.whole = None
        self.held, self.ask_at, self.deploy_at = None, NEVER, NEVER
        self.due = at + (max(self._turn(), spread(count, NEVER)) if managed.store.is_shared else 0.0)
        try:
            if read is not None:
                self._read(read, at, count, is_whole=is_whole)
                return
            if not managed.store.is_shared:  # else it says itself what has changed
                self.version = self.read_version()
            with managed.store.reading_ahead(self.read_names()):
                self._read(managed.store, at, count, is_whole=is_whole)
        except TosslError:  # whoever obtains it meets that again, and tells it
            self.held = None

    def read_names(self) -> tuple[str, str, str]:
        """Returns the names of the sets that load() reads. Raises ArgumentError."""
        return set_name(self.name), renewal_name(self.name), marks_name(self.managed.store, self.name)

    def _read(self, read: Readable, at: float, count: int, *, is_whole: bool) -> None:
        managed = self.managed
        kept = read_kept(read, self.name, record_alone=not is_whole)
        self.known = kept.serial if kept is not None else ""
        if kept is None or kept.is_revoked or kept.is_self_signed:
            return
        self.held = Held(kept, Renewal.read(read, self.name).of(kept))
        marks = Marks(read, self.name)
        self.is_news = self.is_news or (kept.serial != self.told and (bool(self.told) or marks.is_news(kept)))
        if self.is_news or marks.owes(kept, managed.hooks) or managed.lacks_files(kept):
            self.deploy_at = at
        self.files_stamp = managed.files_stamp(self.name)
        self.whole = (time.monotonic(), kept) if is_whole else None
        self.is_other = self._is_to_be_other(difference(kept, managed.issuance), kept.node)
        self._plan(at, count)

    def take_whole(self) -> KeptCertificate | None:
        """Returns the certificate in force where it was read whole a moment ago, once."""
        found, self.whole = self.whole, None
        return found[1] if found is not None and time.monotonic() - found[0] < _MOMENT_SECONDS else None

    def declare(self, managed: Managed) -> None:
        """Says anew what it is to be."""
        self.managed, self.is_stale = managed, self.is_busy
        self.was_as_declared, self.other = False, None
        self.begin_anew()

    def _is_to_be_other(self, option: str, node: str) -> bool:
        """Returns whether to obtain another one because this option differs.

        Whoever keeps it with other options has replaced one that was as declared here: each would replace the other's
        for ever. So it stays until it is due, or is declared anew.
        """
        self.was_as_declared = self.was_as_declared or not option
        self.other = (option, node) if option and self.was_as_declared else None
        return bool(option) and self.other is None

    def has_changed_files(self) -> bool:
        """Returns whether somebody has changed this machine's own files since they were looked at, or written."""
        is_at_rest = self.held is not None and not self.is_busy and self.deploy_at == NEVER
        return is_at_rest and self.managed.files_stamp(self.name) != self.files_stamp

    def read_suggestion(self, read: Readable) -> None:
        """Takes what another machine has kept of the CA's answer. read: where."""
        with contextlib.suppress(ArgumentError):  # whoever renews it meets that again
            if self.held is not None:
                known = Renewal.read(read, self.name).of(self.held)
                before = self.held.suggestion
                if known.asked_at > before.asked_at or not known.is_like(before):
                    self.take(known)

    def take(self, known: Suggestion) -> None:
        """Takes what the CA has answered."""
        at = due.now()
        if self.held is not None:
            self.held.suggestion = known
            if self.held.due != self.suggested:
                self._plan(at, 1)
            self._plan_question(at)
            self.ask_at = max(self.ask_at, at + LEAST_SECONDS)

    def _plan(self, at: float, count: int) -> None:
        """Says when a held certificate is renewed, and when its CA is asked."""
        held = self.held
        assert held is not None
        self.suggested = held.due
        left = held.not_after - at
        if left <= 0 or self.is_other:
            self.due = at + self._turn()
        elif held.due <= at:
            self.due = at + max(self._turn(), spread(count, left))
        else:
            self.due = held.due + spread(_SPREAD_SECONDS, held.not_after - held.due)
        self._plan_question(at)

    def _plan_question(self, at: float) -> None:
        held = self.held
        if held is None or not held.cert_id or at >= held.not_after or self.managed.store.is_shared:
            self.ask_at = NEVER
        else:
            self.ask_at = at if held.suggestion.may_ask(at, held.not_after) else held.suggestion.retry_at

    def ask_later(self, seconds: float) -> None:
        """Puts the question to the CA off, for a minute, and some of so many seconds."""
        self.ask_at = due.now() + _ANY.uniform(LEAST_SECONDS, LEAST_SECONDS + seconds)

    # ---- what became of an attempt ----

    def begin_anew(self) -> None:
        """Forgets that something has failed."""
        self.failures, self.retry_at = 0, 0.0

    def hurry(self, count: int) -> None:
        """Plans it anew, for the clock was set; what has failed is tried again: the reason may be gone.

        What was to begin at once by the old time may be far ahead by the new one. count: as in load().
        """
        at = due.now()
        self.is_hurried = bool(self.failures)
        self.retry_at = 0.0
        if self.held is not None:
            self._plan(at, count)
        else:
            self.due = min(self.due, at)
        if self.deploy_at < NEVER:
            self.deploy_at = min(self.deploy_at, at)

    def fail(self, error: TosslError) -> bool:
        """Says when it is tried again; returns whether somebody has to know of this failure."""
        at = due.now()
        if isinstance(error, RetryError):
            is_new = not self.failures
            self.failures = max(self.failures, 1)
            self.retry_at = at + (error.seconds or _VISIT_SECONDS) + self._turn()
            return is_new
        self.failures += not is_used_up_by_others(error, self.managed.issuance, at)
        pause = pause_seconds(self.failures, None if self.held is None else self.held.not_after - at)
        after = error.details.get("retry_after")
        self.retry_at = at + max(pause, float(after) if isinstance(after, int | float) else 0.0) + self._turn()
        return True

    def give_way(self) -> None:
        """Has it looked at again soon, for another node is at work on it."""
        self.retry_at = due.now() + _ANY.uniform(_WAY_SECONDS / 2, _WAY_SECONDS)

    def _turn(self) -> float:
        """Returns the seconds of its own by which each of several nodes begins later than it may."""
        return spread(_TURNS_SECONDS, NEVER) if self.managed.store.is_shared else 0.0

    def deployed(self, *, well: bool) -> None:
        """Says when its deployment is tried again, if it did not end well."""
        if well:
            self.deploy_failures, self.deploy_at = 0, NEVER
            self.files_stamp = self.managed.files_stamp(self.name)
        else:
            self.deploy_failures += 1
            self.deploy_at = due.now() + pause_seconds(self.deploy_failures, None)


def spread(seconds: float, left: float) -> float:
    """Returns some seconds, so that not everything begins at the same time. left: what is left of a life."""
    return _ANY.uniform(0, max(0.0, min(_SPREAD_SECONDS, seconds, _SPREAD_SHARE * left)))
