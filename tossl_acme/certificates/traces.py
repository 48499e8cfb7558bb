"""The files and records that challenges leave when their process dies, as plain data, and their removal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..acme.authorization import Challenge
from ..challenges.registry import TYPES
from ..challenges.solver import Solver, is_together
from ..context import Context, cleanup_seconds
from ..errors import ArgumentError, TosslError
from ..identifiers import Identifier

_TEXTS = ("type", "token", "key_authorization", "account_url")


@dataclass(frozen=True, repr=False)
class Trace:
    """A challenge that is or may be presented.

    place: where its solver presents, plain data that tells it from another of its type. shown: the same for people.
    """

    challenge: Challenge
    place: Mapping[str, str]
    shown: Mapping[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, solver: Solver, challenge: Challenge) -> Trace | None:
        """Returns the trace that presenting it leaves; None if nothing outlives the process."""
        place = dict(solver.place_of(challenge))
        if not place:
            return None
        shown = {name: str(value) for name, value in solver.describe(challenge).items()}
        return cls(challenge, place, shown)

    def as_json(self) -> dict[str, Any]:
        """Returns plain data: the public part of the challenge, no secret."""
        challenge = {name: getattr(self.challenge, name) for name in _TEXTS}
        challenge |= {"identifier": self.challenge.identifier.as_json(), "wildcard": self.challenge.wildcard}
        return {"challenge": challenge, "place": dict(self.place), "shown": dict(self.shown)}

    @classmethod
    def from_json(cls, data: Any) -> Trace | None:
        """Reads what as_json() returned; None for anything else."""
        try:
            kept, place, shown = data["challenge"], dict(data["place"]), dict(data["shown"])
            kind, token, key_authorization, account_url = (str(kept[name]) for name in _TEXTS)
            named = kept["identifier"]
            identifier = Identifier(str(named["type"]), str(named["value"]))
            challenge = Challenge(
                kind, identifier, token, key_authorization, bool(kept["wildcard"]), account_url=account_url
            )
        except (TypeError, ValueError, KeyError, ArgumentError):
            return None
        return cls(challenge, place, shown)

    @property
    def key(self) -> tuple[object, ...]:
        """Returns the values that identify it, whatever state the CA reports of the challenge."""
        challenge = self.challenge
        where = tuple(sorted(self.place.items()))
        return challenge.type, challenge.identifier, challenge.key_authorization, challenge.account_url, where


def remove_traces(traces: Iterable[Trace], solvers: Collection[Solver], context: Context) -> list[Trace]:
    """Removes the traces of a dead process. Returns those that cannot be removed; each is a warning."""
    left = []
    for trace in traces:
        try:
            most = cleanup_seconds(context.limit)
            _solver(trace, solvers).clean_up(context.for_cleanup(most), trace.challenge)
        except TosslError as error:
            left.append(trace)
            facts = {"domain": trace.challenge.identifier.value, **trace.shown}
            context.warn("clean_up_failed", **facts, message=error.message)
        else:
            context.tell("cleaned_up", domain=trace.challenge.identifier.value)
    return left


def _solver(trace: Trace, solvers: Collection[Solver]) -> Solver:
    """Returns a solver that can remove it: a solver of this call for that place, else one without credentials."""
    for solver in solvers:
        if solver.challenge_type != trace.challenge.type:
            continue
        if is_together(solver):
            found = solver.at(trace.place)
            if found is not None:
                return found
        elif dict(solver.place_of(trace.challenge)) == dict(trace.place):
            return solver
    kind = TYPES.get(trace.challenge.type)
    if kind is None or kind.at_place is None:
        where = " ".join(trace.place.values())
        cause = f"an earlier call that was killed left it, and this one has no access to {where}"
        raise ArgumentError("provider", cause)
    return kind.at_place(trace.place)
