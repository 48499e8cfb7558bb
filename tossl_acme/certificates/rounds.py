"""When manage asks CAs about certificates in stores that several machines use: in rounds, a bucket at a time.

A bucket is asked about again once Retry-After is over for those that were asked last. The machine that asked then comes
first, and any other some minutes later, unless it has heard of another round meanwhile: questions.py keeps it right
where two come at once. Nothing here waits, or asks.
"""

from __future__ import annotations

import heapq
import itertools
import random

from ..context import Context
from ..context.farewell import running
from ..errors import ArgumentError, WaitTimeout
from ..store.protocol import Store
from . import due
from .due import Suggestion
from .nodes import NODES
from .questions import Asking, ask_round, bucket_of
from .upkeep import LEAST_SECONDS, NEVER, Upkeep

#: Seconds between two questions of one machine on the average, so that a round of many has a pause behind it.
_EACH_SECONDS = 1.0
#: Certificates of a bucket whose Retry-After ends within so many seconds of each other are asked about together.
_TOGETHER_SECONDS = 300.0
#: Whoever has asked asks again within so many seconds; others so many later, within so many again.
_OWN_TURN_SECONDS = 60.0
_OTHERS_SECONDS = 900.0
#: Whoever has obtained a certificate asks about it after so many seconds; others after so many, and within so many.
_FIRST_SECONDS = 0.5
_OTHERS_FIRST_SECONDS = 60.0
_SOON_SECONDS = 300.0
#: Seconds between two questions where nobody has said anything else.
_USUAL_PAUSE_SECONDS = 6 * 3600.0
#: Seconds for a round, and some more for each certificate.
_ROUND_SECONDS = 30.0
_MORE_SECONDS = 0.1
#: Seconds after which a round counts as over that never said so.
_LOST_SECONDS = 600.0

_ANY = random.SystemRandom()


class Bucket:
    """Certificates that are asked about together. Times are epoch seconds.

    members: the certificates, with their ARI names. asks_at: when the next round is; joins_at: when one is for those
    that are new. has_beat: whether asks_at is by what a round has found. is_own: what is heard next is our own round.
    """

    __slots__ = ("asks_at", "at", "has_beat", "is_own", "joins_at", "members", "name", "store")

    def __init__(self, name: str, store: Store) -> None:
        self.name, self.store = name, store
        self.members: dict[Upkeep, str] = {}
        self.at = self.asks_at = self.joins_at = NEVER
        self.has_beat = self.is_own = False

    def questions(self) -> dict[Upkeep, Asking]:
        """Returns the questions that may be due, and forgets certificates that are no more of the bucket."""
        found, at = {}, due.now()
        for entry, cert_id in list(self.members.items()):
            held = entry.held
            if entry.is_gone or held is None or held.cert_id != cert_id:
                del self.members[entry]
            elif at < held.not_after:
                found[entry] = Asking(held, held.suggestion, entry.managed.issuance.connection)
        return found

    def pause(self) -> float:
        """Returns the least seconds that a CA wanted to pass between two questions, as far as is known."""
        known = [entry.held.suggestion for entry in self.members if entry.held is not None]
        return min((one.retry_at - one.asked_at for one in known if one.asked_at), default=_USUAL_PAUSE_SECONDS)


class Round:
    """The questions about a bucket. silent: the directory URLs of CAs that have just given no answer.

    found: what is known then, by the names of the certificates; asked: how many questions that took.
    """

    __slots__ = ("_context", "_silent", "asked", "bucket", "found", "questions")

    def __init__(self, bucket: Bucket, context: Context, silent: set[str]) -> None:
        self.bucket, self.questions = bucket, bucket.questions()
        self._context, self._silent = context, silent
        self.found: dict[str, Suggestion] = {}
        self.asked = 0

    @property
    def is_unanswered(self) -> bool:
        """Returns whether all questions are for CAs that have just given no answer; one bucket may have several CAs."""
        directories = {question.held.directory for question in self.questions.values()}
        return bool(directories) and directories <= self._silent

    def ask(self) -> Round:
        """Asks, and returns itself: for a worker. A store that refuses it is no error."""
        bucket, questions = self.bucket, self.questions.values()
        part = self._context.narrowed(_ROUND_SECONDS + _MORE_SECONDS * len(questions))
        try:
            with running(part):
                self.found, self.asked = ask_round(part, bucket.store, bucket.name, questions, self._silent)
        except (ArgumentError, WaitTimeout) as error:
            self._context.check("renewal information")
            self._context.tell("not_kept", name=bucket.name, message=error.message)
        return self


class Rounds:
    """The buckets of one manage. Its methods are for one thread."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._agenda: list[tuple[float, int, Bucket]] = []
        self._numbers = itertools.count()
        #: No round begins before that.
        self._free_at = 0.0

    def take(self, entry: Upkeep, *, is_ours: bool = False) -> None:
        """Has a certificate asked about, if its CA is to be asked and its store is one of several machines.

        is_ours: whether this machine has just obtained it. It asks first then, so that others hear of both at once.
        """
        held, store = entry.held, entry.managed.store
        if held is None or not held.cert_id or not store.is_shared:
            return
        place, name = store.where(NODES), bucket_of(held)
        bucket = self._buckets.get((place, name))
        if bucket is None:
            bucket = self._buckets[place, name] = Bucket(name, store)
        if bucket.members.get(entry) == held.cert_id:
            return
        bucket.members[entry] = held.cert_id
        at, known = due.now(), held.suggestion
        if known.may_ask(at, held.not_after):
            joins_at = at + (_FIRST_SECONDS if is_ours else _ANY.uniform(_OTHERS_FIRST_SECONDS, _SOON_SECONDS))
            bucket.joins_at = min(bucket.joins_at, joins_at)
        elif not bucket.has_beat:
            bucket.asks_at = min(bucket.asks_at, known.retry_at + _ANY.uniform(0, _SOON_SECONDS))
        self._aim(bucket)

    def next_at(self) -> float:
        """Returns when the next round is, epoch seconds; infinite without any."""
        while self._agenda and self._agenda[0][0] != self._agenda[0][2].at:
            heapq.heappop(self._agenda)
        return max(self._agenda[0][0], self._free_at) if self._agenda else NEVER

    def begin(self, at: float, context: Context, silent: set[str]) -> Round | None:
        """Returns a round whose time has come, if no other is at work; ended() says that it is over.

        silent: the directory URLs of CAs that have just given no answer; more are added.
        """
        while self.next_at() <= at:
            bucket = heapq.heappop(self._agenda)[2]
            questions = Round(bucket, context, silent)
            if questions.is_unanswered:
                self._later(bucket, at)
                continue
            if not questions.questions:  # until a certificate comes to it
                bucket.asks_at, bucket.has_beat = NEVER, False
            elif bucket.asks_at <= at:
                bucket.asks_at = at + _LOST_SECONDS
            bucket.joins_at = NEVER
            self._aim(bucket)
            if questions.questions:
                self._free_at = at + _LOST_SECONDS
                return questions
        return None

    def ended(self, done: Round) -> list[Upkeep]:
        """Takes what a round has found; returns the certificates of which the CA said something else than before."""
        at, bucket, found = due.now(), done.bucket, done.found
        self._free_at = at + done.asked * _EACH_SECONDS
        bucket.is_own = done.asked > 0
        if found:
            bucket.has_beat = True
            least = min(known.retry_at for known in found.values())
            together = max(known.retry_at for known in found.values() if known.retry_at <= least + _TOGETHER_SECONDS)
            begin = max(together, at + LEAST_SECONDS)
            bucket.asks_at = begin + (_own_turn() if done.asked else _others_turn())
            self._aim(bucket)
        else:
            self._later(bucket, at)
        changed = []
        for entry, question in done.questions.items():
            known = found.get(entry.name)
            if known is not None and entry.held is question.held and not known.is_like(entry.held.suggestion):
                entry.take(known)
                changed.append(entry)
        return changed

    def hear(self, place: str, name: str) -> None:
        """Puts the questions of a bucket off about which another machine has asked: as long as the CA wanted last."""
        bucket = self._buckets.get((place, name))
        if bucket is None:
            return
        if bucket.is_own:
            bucket.is_own = False
            return
        at, pause = due.now(), max(LEAST_SECONDS, bucket.pause())
        is_for_new = bucket.joins_at < NEVER and at < bucket.asks_at < NEVER
        bucket.joins_at = NEVER
        if not is_for_new and not at + pause / 2 < bucket.asks_at < NEVER:
            bucket.has_beat = True
            bucket.asks_at = at + pause + _others_turn()
        self._aim(bucket)

    def begin_anew(self) -> None:
        """Has all asked about soon: the clock was set."""
        self._free_at = 0.0
        for bucket in self._buckets.values():
            self._later(bucket, due.now())

    def _later(self, bucket: Bucket, at: float) -> None:
        bucket.asks_at, bucket.joins_at = at + LEAST_SECONDS + _ANY.uniform(0, _SOON_SECONDS), NEVER
        self._aim(bucket)

    def _aim(self, bucket: Bucket) -> None:
        at = min(bucket.asks_at, bucket.joins_at)
        if at != bucket.at:
            bucket.at = at
            heapq.heappush(self._agenda, (at, next(self._numbers), bucket))


def _own_turn() -> float:
    return _ANY.uniform(0, _OWN_TURN_SECONDS)


def _others_turn() -> float:
    return _OTHERS_SECONDS + _ANY.uniform(0, _OTHERS_SECONDS)
