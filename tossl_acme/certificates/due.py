"""When a certificate is due: by what its CA suggests (RFC 9773), else by its share of life.

Times are epoch seconds. Everything here but now() is given the time. Imports nothing that loads slowly: whoever finds
a certificate held needs no more than this.
"""

from __future__ import annotations

import time

from . import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeGuard

    from ..acme.renewal import RenewalInfo
    from ..store.protocol import Store

#: A life of so many seconds or less is half over when the certificate is due, a longer one two thirds.
_SHORT_LIFE_SECONDS = 10 * 86400.0
#: Whatever the CA suggests, a certificate is due when this share of its life is over.
_LATEST_SHARE = 0.95
#: Seconds until the next question after one that brought no answer (RFC 9773 section 4.3.3) ...
_AFTER_FAILURE_SECONDS = 6 * 3600.0
#: ... but no more than this share of the certificate's life.
_AFTER_FAILURE_SHARE = 0.1
#: A permanent record that ends within so many seconds is warned of.
_RECORD_ENDS_SOON_SECONDS = 30 * 86400
#: A clock that was set back further than this makes what it told before worthless, in seconds.
MOST_SET_BACK_SECONDS = 3600.0
#: Seconds from 1970 to no time that a certificate has, nor a clock.
_MOST_SECONDS = 1e12
#: Runs that are remembered.
_MOST_RUNS = 6
#: The members of a Suggestion that are times.
_TIMES = ("start", "end", "chosen", "asked_at", "retry_at")


def now() -> float:
    """Returns the time by which certificates age."""
    return clock.right_time()


def now_in(store: Store) -> float:
    """Returns the time of what several machines tell each other in a store: by its clock, for theirs may differ.

    In a store of this machine alone that is now(). Raises ArgumentError "store".
    """
    return store.time() if store.is_shared else now()


def is_time(value: object) -> TypeGuard[float]:
    """Returns whether this, read from a store, can be epoch seconds: a number, neither infinite nor beyond reason."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -_MOST_SECONDS < value < _MOST_SECONDS


def life_due_at(not_before: float, not_after: float) -> float:
    """Returns when a certificate is due if its CA suggests no window."""
    life = max(0.0, not_after - not_before)
    return not_before + life * (1 / 2 if life <= _SHORT_LIFE_SECONDS else 2 / 3)


class Suggestion:
    """The CA's last answer about a certificate, and the time of the next question.

    start, end: the window; both 0 where no answer was of use. chosen: one random time in it, kept as long as the window
    stays as it is. explanation: a URL that says why.
    """

    __slots__ = ("asked_at", "chosen", "end", "explanation", "retry_at", "start")

    def __init__(
        self,
        start: float = 0,
        end: float = 0,
        chosen: float = 0,
        asked_at: float = 0,
        retry_at: float = 0,
        explanation: str = "",
    ) -> None:
        self.start, self.end, self.chosen = start, end, chosen
        self.asked_at, self.retry_at = asked_at, retry_at
        self.explanation = explanation

    @classmethod
    def from_json(cls, data: Any) -> Suggestion:
        """Reads what as_json() returned; of anything else nothing is known."""
        found = [data.get(name) for name in _TIMES] if isinstance(data, dict) else []
        times = [float(moment) for moment in found if is_time(moment)]
        if len(times) != len(_TIMES):
            return cls()
        start, end, chosen, asked_at, retry_at = times
        return cls(start, end, chosen, asked_at, retry_at, str(data.get("explanation") or ""))

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*_TIMES, "explanation")}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Suggestion) and self.as_json() == other.as_json()

    __hash__ = None  # type: ignore[assignment] # it is no key

    @property
    def has_window(self) -> bool:
        return self.start < self.end

    def is_like(self, other: Suggestion) -> bool:
        """Returns whether both say the same, whenever they were said."""
        mine = (self.start, self.end, self.chosen, self.explanation)
        return mine == (other.start, other.end, other.chosen, other.explanation)

    def asked(self, asked_at: float, retry_at: float) -> Suggestion:
        """Returns the same, said at another time."""
        return Suggestion(self.start, self.end, self.chosen, asked_at, retry_at, self.explanation)

    def may_ask(self, at: float, not_after: float) -> bool:
        """Returns whether to ask the CA: its Retry-After is over, and the certificate has not expired (section 4.3)."""
        if at >= not_after:
            return False
        return at >= self.retry_at or at < self.asked_at - MOST_SET_BACK_SECONDS

    def answered(self, info: RenewalInfo, at: float) -> Suggestion:
        """Returns what is known once the CA has answered: another time is chosen only in another window."""
        same = self.has_window and (self.start, self.end) == (info.start, info.end)
        chosen = self.chosen if same else float(info.chosen)
        return Suggestion(info.start, info.end, chosen, at, at + info.retry_after, info.explanation_url)

    def failed(self, at: float, not_before: float, not_after: float) -> Suggestion:
        """Returns what is known once the CA gave no answer of use: what it said before stays."""
        pause = min(_AFTER_FAILURE_SECONDS, _AFTER_FAILURE_SHARE * max(0.0, not_after - not_before))
        return Suggestion(self.start, self.end, self.chosen, at, at + max(60.0, pause), self.explanation)


def due_at(not_before: float, not_after: float, suggestion: Suggestion) -> float:
    """Returns when the certificate is due: at the time chosen in the CA's window, else by its share of life.

    A window near the end of the certificate or behind it is no reason to let it expire.
    """
    if not suggestion.has_window:
        return life_due_at(not_before, not_after)
    return min(suggestion.chosen, not_before + _LATEST_SHARE * max(0.0, not_after - not_before))


def record_warning(persist_until: int, due: float, at: float) -> str:
    """Returns what to say of a permanent record (dns-persist-01) that ends before the renewal, or within 30 days.

    persist_until: its end, epoch seconds, 0 if it has none. Empty if nothing is to be said.
    """
    if not persist_until or (persist_until > due and persist_until - at > _RECORD_ENDS_SOON_SECONDS):
        return ""
    end, renewal = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when)) for when in (persist_until, due))
    verb = "ended" if persist_until <= at else "ends"
    return f"its dns-persist-01 record {verb} at {end}; the renewal is due at {renewal}: set a later persistUntil"


def is_due(due: float, at: float, within: float) -> bool:
    """Returns whether to renew now a certificate that is due at that time; the next run comes in `within` seconds."""
    return due <= at or due < at + within


class Runs:
    """The times of the last runs, in order: they tell when the next run comes."""

    __slots__ = ("at",)

    def __init__(self, at: tuple[float, ...] = ()) -> None:
        self.at = at

    @classmethod
    def from_json(cls, data: Any) -> Runs:
        """Reads what as_json() returned; of anything else nothing is known."""
        found = data if isinstance(data, list) else []
        return cls(tuple(float(run) for run in found if is_time(run)))

    def as_json(self) -> list[float]:
        return list(self.at)

    def with_run(self, at: float) -> Runs:
        """Returns the runs with one more. Those of a clock that was set back are forgotten."""
        return Runs((*(run for run in self.at if run <= at), at)[-_MOST_RUNS:])

    @property
    def interval(self) -> float:
        """Returns the usual seconds between two runs, also after a suspend or a run by hand. 0 at first.

        A single gap may be a suspend, or a clock that was wrong before it: it makes nothing due.
        """
        gaps = sorted(after - before for before, after in zip(self.at, self.at[1:], strict=False))
        return gaps[(len(gaps) - 1) // 2] if len(gaps) > 1 else 0.0
