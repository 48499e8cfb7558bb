"""Proves the names of an order: presents all challenges, then answers them, then polls; clean-up always runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..acme.authorization import (
    Authorization,
    Challenge,
    answer_challenge,
    deactivate_authorization,
    get_authorization,
    refusal,
    wait_authorization,
)
from ..acme.client import Client
from ..acme.order import Order
from ..challenges.responses import unasked_hint
from ..challenges.solver import Solver
from ..context import Context
from ..context.farewell import Debt, fall_due, owe
from ..errors import AcmeError, HttpError, TosslError, WaitTimeout
from ..http.urls import shown_url
from ..identifiers import Identifier
from ..text import clean
from .kept import Attempt
from .traces import Trace


@dataclass(frozen=True)
class _Task:
    authorization: Authorization
    challenge: Challenge
    solver: Solver

    def clean_up(self, context: Context) -> None:
        self.solver.clean_up(context, self.challenge)

    @property
    def trace(self) -> Trace | None:
        return Trace.of(self.solver, self.challenge)

    @property
    def place(self) -> dict[str, object]:
        """Returns the domain, and the place of its challenge, for people."""
        return {"domain": self.challenge.identifier.value, **self.solver.describe(self.challenge)}


#: The solvers for each identifier ordered, in order of preference.
Solvers = Mapping[Identifier, Sequence[Solver]]


def get_authorizations(client: Client, context: Context, order: Order) -> list[Authorization]:
    """The authorizations of the order as the CA sees them now."""
    return [get_authorization(client, context, url) for url in order.authorizations]


def solve(
    client: Client, context: Context, authorizations: Iterable[Authorization], solvers: Solvers, attempt: Attempt
) -> None:
    """Makes every authorization valid, each with its first solver whose type the CA offers.

    One that is for no identifier of `solvers` is refused: no CA decides where a file or a record is put.
    `attempt` keeps what is presented, from before that. A challenge that an earlier attempt answered is presented again
    (the CA may not have looked yet), and not answered again.
    Two requests per name (answer, one poll or more), none for a name that is valid already.
    """
    pending = [authorization for authorization in authorizations if not _is_proven(authorization)]
    _check_ordered(pending, solvers)
    tasks = [_task(authorization, solvers) for authorization in pending]
    attempt.keep_traces(trace for task in tasks if (trace := task.trace) is not None)
    presented: dict[Debt, _Task] = {}
    try:
        for task in tasks:
            presented[owe(task.clean_up)] = task
            task.solver.present(context, task.challenge)
            context.tell("presented", domain=task.challenge.identifier.value, type=task.challenge.type)
        for task in tasks:
            task.solver.wait(context, task.challenge)
        for task in tasks:
            _answer(client, context, task)
        for task in tasks:
            _await_validation(client, context, task)
    finally:
        _clean_up(context, presented, attempt)


def _answer(client: Client, context: Context, task: _Task) -> None:
    """Answers the challenge unless it was answered before: a second answer would disturb its validation."""
    if task.challenge.status != "processing":
        answer_challenge(client, context, task.challenge.url, task.authorization.url)


def _await_validation(client: Client, context: Context, task: _Task) -> None:
    """Waits until the authorization is valid. An error says so where nobody has asked this process for the response."""
    try:
        wait_authorization(client, context, task.authorization.url, task.authorization)
    except (AcmeError, WaitTimeout) as error:
        if hint := unasked_hint(task.challenge.token):
            error.message += f" ({hint})"
        raise


def _check_ordered(authorizations: Iterable[Authorization], identifiers: Iterable[Identifier]) -> None:
    ordered = {identifier.normal.base for identifier in identifiers}
    for authorization in authorizations:
        named = authorization.identifier
        if named.base not in ordered:
            cause = f"the authorization {shown_url(authorization.url)} is for {clean(named.value)}, not ordered"
            raise HttpError("malformed", cause)


def _is_proven(authorization: Authorization) -> bool:
    if authorization.status not in ("pending", "valid"):
        raise refusal(authorization)
    return authorization.status == "valid"


#: Seconds that the CA has to answer requests that serve only its own interest.
_DEACTIVATE_SECONDS = 2.0


def deactivate_pending(client: Client, context: Context, order: Order) -> bool:
    """Deactivates what is still pending of the order (section 7.5.2): CAs count pending authorizations.

    Returns whether it is done. What fails in doing so is told, not raised: it must not hide why the order is given up.
    """
    try:
        for url in order.authorizations:
            if get_authorization(client, context.narrowed(_DEACTIVATE_SECONDS), url).status == "pending":
                deactivate_authorization(client, context.narrowed(_DEACTIVATE_SECONDS), url)
                context.tell("deactivated", url=url)
    except TosslError as error:
        context.tell("deactivate_failed", url=order.url, message=error.message)
        return False
    return True


def _task(authorization: Authorization, solvers: Solvers) -> _Task:
    name = authorization.identifier.value
    shown = f"*.{name.removeprefix('*.')}" if authorization.wildcard else name
    chosen = solvers.get(Identifier(authorization.identifier.type, shown), ())
    for solver in chosen:
        challenge = authorization.challenge(solver.challenge_type)
        if challenge is not None:
            challenge.check_usable()
            return _Task(authorization, challenge, solver)
    offered = ", ".join(challenge.type for challenge in authorization.challenges) or "none"
    wanted = ", ".join(solver.challenge_type for solver in chosen) or "none"
    raise AcmeError(f"{shown}: the CA offers the challenges {offered}, not {wanted}", "unsupportedChallenge", 0)


def _clean_up(context: Context, presented: Mapping[Debt, _Task], attempt: Attempt) -> None:
    """What cannot be cleaned up is a warning: it must hide neither a certificate nor the error before it."""
    fall_due(presented)
    for debt, task in presented.items():
        try:
            if debt.settle(context.for_cleanup()):
                context.tell("cleaned_up", domain=task.challenge.identifier.value)
            if (trace := task.trace) is not None:
                attempt.drop_traces([trace])
        except TosslError as error:
            context.warn("clean_up_failed", **task.place, message=error.message)
