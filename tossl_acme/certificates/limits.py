"""How often a CA is asked for the same names: pauses after failures, and the CA's own Retry-After.

limits/<CA>-<names>/limits.json    the failures of one set of names at one CA, until a certificate comes

Times are epoch seconds.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import AcmeError, ArgumentError, Cancelled, DnsError, ForkedError, KeyFormatError, RetryError, TosslError
from ..identifiers import Identifier
from .due import MOST_SET_BACK_SECONDS, is_time

#: What the names of these sets begin with, and the value that each has.
LIMITS, LIMITS_VALUE = "limits", "limits.json"
#: Seconds after the first failure, the second and so on; the last one for all that follow.
_PAUSES_SECONDS = (60.0, 600.0, 6000.0, 86400.0)
#: No pause is longer than this share of the life that is left ...
_LIFE_SHARE = 0.1
#: ... but for this, in seconds.
_LEAST_PAUSE_SECONDS = 60.0
#: Who asks by name fails so often in an hour at most.
_MOST_FAILURES = 3
_HOUR_SECONDS = 3600.0
#: After so many failures in a row another CA is asked, if there is one.
_REPEATED = 2


def pause_seconds(failures: int, life_left: float | None) -> float:
    """Returns how long is paused after so many failures in a row.

    life_left: seconds until the certificate held expires, negative since it did; None where none is held. Of one that
    has expired it is a tenth of the time since: the longer nobody has missed it, the less it hurries.
    """
    if failures <= 0:
        return 0.0
    pause = _PAUSES_SECONDS[min(failures, len(_PAUSES_SECONDS)) - 1]
    if life_left is None:
        return pause
    return min(pause, max(_LEAST_PAUSE_SECONDS, _LIFE_SHARE * abs(life_left)))


@dataclass(frozen=True, repr=False)
class Limits:
    """The failures of one set of names at one CA since its last certificate.

    failures: in a row. recent: when the last of them were that count for who asks by name. failed_at: the last one.
    retry_at: what the CA's Retry-After told; kept to the second. paused: whether the CA has paused account or names
    until a person has opened `visit`. message: the last failure's.
    """

    failures: int = 0
    failed_at: float = 0
    recent: tuple[float, ...] = ()
    retry_at: float = 0
    paused: bool = False
    visit: str = ""
    message: str = ""

    @classmethod
    def from_json(cls, data: Any) -> Limits:
        """Reads what as_json() returned. Raises ValueError for anything else."""
        if not isinstance(data, Mapping):
            raise ValueError("not a JSON object")
        try:
            if not all(map(is_time, (data["failures"], data["failed_at"], data["retry_at"], *data["recent"]))):
                raise ValueError("no numbers")
            return cls(
                int(data["failures"]),
                float(data["failed_at"]),
                tuple(float(at) for at in data["recent"]),
                float(data["retry_at"]),
                data["paused"] is True,
                str(data["visit"]),
                str(data["message"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(type(error).__name__) from None

    def as_json(self) -> dict[str, Any]:
        return {
            "failures": self.failures,
            "failed_at": self.failed_at,
            "recent": list(self.recent),
            "retry_at": self.retry_at,
            "paused": self.paused,
            "visit": self.visit,
            "message": self.message,
        }

    @property
    def is_repeated(self) -> bool:
        """Returns whether to ask another CA."""
        return self.failures >= _REPEATED

    def ca_wait(self, at: float) -> float:
        """Returns for how many more seconds the CA wants not to be asked."""
        return 0.0 if self._is_before(at) else max(0.0, self.retry_at - at)

    def pause_left(self, at: float, not_after: float | None) -> float:
        """Returns the remaining seconds of the pause, or of the CA's Retry-After if that is longer.

        not_after: the end of the certificate held, None without one.
        """
        if self._is_before(at):
            return 0.0
        life_left = None if not_after is None else not_after - self.failed_at
        paused_until = self.failed_at + pause_seconds(self.failures, life_left)
        return max(0.0, paused_until - at, self.ca_wait(at))

    def hourly_wait(self, at: float) -> float:
        """Returns for how many more seconds a call by name has to wait, after too many failures."""
        counted = [failed for failed in self.recent if at - _HOUR_SECONDS < failed <= at + MOST_SET_BACK_SECONDS]
        return max(0.0, counted[-_MOST_FAILURES] + _HOUR_SECONDS - at) if len(counted) >= _MOST_FAILURES else 0.0

    def failed(self, error: TosslError, at: float, *, is_own: bool = True) -> Limits:
        """Returns what is known after one more failure. is_own: whether it counts: others have not used up a limit."""
        counts = is_own and not isinstance(error, ArgumentError | KeyFormatError)
        recent = (*self.recent, at)[-_MOST_FAILURES:] if counts else self.recent
        # A DNS provider's says nothing about the CA.
        after = None if isinstance(error, DnsError) else error.details.get("retry_after")
        return replace(
            self,
            failures=self.failures + is_own,
            failed_at=at,
            recent=recent,
            retry_at=at + float(after) if isinstance(after, int | float) else 0.0,
            paused=_is_pause(error),
            visit=str(error.details.get("visit") or ""),
            message=error.message,
        )

    def _is_before(self, at: float) -> bool:
        return at < self.failed_at - MOST_SET_BACK_SECONDS


def check_may_ask(limits: Limits, at: float, not_after: float | None, *, by_itself: bool, force: bool) -> None:
    """Raises RetryError if the CA must not be asked now.

    by_itself: nobody asked for this certificate by name. force: passes everything but what the CA told.
    """
    wait = limits.ca_wait(at)
    if wait > 0:
        raise RetryError(math.ceil(wait), _told("the CA asked to wait", limits), limits.visit)
    if force:
        return
    if by_itself and limits.paused:
        raise RetryError(0, _told("the CA has paused this account or these names", limits), limits.visit)
    wait = limits.pause_left(at, not_after) if by_itself else limits.hourly_wait(at)
    if wait > 0:
        in_a_row = "1 failure" if limits.failures == 1 else f"{limits.failures} failures in a row"
        by_name = f"{_MOST_FAILURES} failures within an hour (once their cause is mended, -force 1 asks at once)"
        count = in_a_row if by_itself else by_name
        raise RetryError(math.ceil(wait), _told(count, limits), limits.visit)


def counts_as_failure(error: TosslError) -> bool:
    """Returns whether this error is a failure of the attempt: the caller did not cancel it."""
    return not isinstance(error, Cancelled | ForkedError | RetryError)


def limits_name(directory: str, identifiers: Iterable[Identifier]) -> str:
    """Returns under which name the limits of this set of names at this CA are kept, in whatever order it is given."""
    names = sorted({(identifier.normal.type, identifier.normal.value) for identifier in identifiers})
    digest = hashlib.sha256(repr((directory, names)).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{LIMITS}/{digest[:32]}"


def _is_pause(error: TosslError) -> bool:
    """Returns whether a person has to act: the CA names a page to open, and no time after which to come back."""
    if not isinstance(error, AcmeError) or not error.details.get("visit"):
        return False
    return error.kind == "userActionRequired" or (error.kind == "rateLimited" and "retry_after" not in error.details)


def _told(cause: str, limits: Limits) -> str:
    where = f"; {limits.visit} lifts it" if limits.paused and limits.visit else ""
    return f"{cause}{where}; the last failure: {limits.message}" if limits.message else f"{cause}{where}"
