"""One line of the doctor's report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...errors import TosslError, WaitTimeout
from ...text import safe
from ..advice import advice_for

OK, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True)
class Diagnosis:
    """check: of which kind. subject: a name, a CA or a path. advice: what to do, empty where all is well."""

    check: str
    subject: str
    status: str
    message: str
    advice: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def ok(cls, check: str, subject: str, message: str, **facts: object) -> Diagnosis:
        return cls(check, subject, OK, message, "", facts)

    @classmethod
    def warned(cls, check: str, subject: str, message: str, advice: str, **facts: object) -> Diagnosis:
        return cls(check, subject, WARNING, message, advice, facts)

    @classmethod
    def failed(cls, check: str, subject: str, message: str, advice: str, **facts: object) -> Diagnosis:
        return cls(check, subject, FAILED, message, advice, facts)

    @classmethod
    def of_error(cls, check: str, subject: str, error: TosslError, advice: str = "", **facts: object) -> Diagnosis:
        """Returns what an error says. A time that was over says nothing of what was looked at: a warning."""
        status = WARNING if isinstance(error, WaitTimeout) else FAILED
        advice = advice or advice_for(error) or "the message says what to change"
        return cls(check, subject, status, error.message, advice, {"errorcode": list(error.errorcode), **facts})

    def as_dict(self) -> dict[str, object]:
        return {
            "check": self.check,
            "subject": safe(self.subject),
            "status": self.status,
            "message": safe(self.message),
            "advice": safe(self.advice),
            "facts": {name: _safe_fact(fact) for name, fact in self.facts.items()},
        }


def _safe_fact(fact: object) -> object:
    """Returns a fact made safe for terminals: many are words of a peer."""
    if isinstance(fact, list):
        return [_safe_fact(one) for one in fact]
    return safe(fact) if isinstance(fact, str) else fact
