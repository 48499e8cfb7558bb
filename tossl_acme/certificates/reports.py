"""Whom manage tells what became of the certificates, and of what it tells once for as long as it is so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..context import Context
from ..errors import ArgumentError, ClockError, TosslError
from ..log import ERROR
from . import clock, due
from .upkeep import Upkeep

#: Seconds; manage tells of a clock that is wrong by more.
_MOST_WRONG_SECONDS = 3600.0


@dataclass(frozen=True)
class Reports:
    """The functions that hear of events: `renewed` gets the dict of a new certificate, `failed` that of a failure."""

    renewed: Callable[[dict[str, object]], None]
    failed: Callable[[dict[str, object]], None]


class Teller:
    """Tells the script, and the log. Its methods are for one thread."""

    def __init__(self, context: Context, reports: Reports) -> None:
        self._context = context
        self._reports = reports
        self._set_problem = ""
        #: The option of each certificate that others keep with another, and the node that obtained it.
        self._others: dict[str, tuple[str, str]] = {}
        self._is_clock_wrong = False

    def tell_renewed(self, facts: Mapping[str, object]) -> None:
        self._reports.renewed(dict(facts))

    def tell_failed(self, name: str, error: TosslError, **more: int) -> None:
        """Tells the script, and the log where nobody has told that: an issuance logs its own failure."""
        if "issuance" not in error.details:
            said = f"{name}: {error.message}" if name else error.message
            self._context.event("tossl.manage", ERROR, said, errorcode=" ".join(error.errorcode), **more)
        self._reports.failed({"name": name, **error.as_dict("retry_after", "visit", "clean_up_failed"), **more})

    def tell_set(self, error: TosslError | None) -> None:
        """Tells why the set cannot be read; None: it was read."""
        before, self._set_problem = self._set_problem, error.message if error is not None else ""
        if error is not None and error.message != before:
            self.tell_failed("", error)

    def tell_other(self, name: str, other: tuple[str, str] | None) -> None:
        """Tells of a certificate that others keep with another option: Upkeep.other; None: none does."""
        if other is None:
            self._others.pop(name, None)
        elif self._others.get(name) != other:
            self._others[name] = other
            option, node = other
            said = f"{node or 'another program'} has obtained it with another -{option} than is declared here"
            advice = "it stays until it is due, or this declaration changes; declare the same on all nodes"
            self.tell_failed(name, ArgumentError(option, f"{said}: {advice}"))

    def tell_clock(self) -> None:
        """Tells that the machine's clock is wrong, if it is."""
        ahead = clock.error()
        is_wrong = abs(ahead) > _MOST_WRONG_SECONDS
        if is_wrong and not self._is_clock_wrong:
            self.tell_failed("", ClockError(ahead))
        self._is_clock_wrong = is_wrong

    def tell_ends(self, entries: Iterable[Upkeep], at: float) -> None:
        """Tells of permanent records in the DNS that end before the next renewal, or soon; again each time."""
        for entry in entries:
            if entry.held is not None and entry.held.persist_until:
                said = due.record_warning(entry.held.persist_until, entry.held.due, at)
                if said:
                    self.tell_failed(entry.name, TosslError(said, "WARNING", "persist_until"))
