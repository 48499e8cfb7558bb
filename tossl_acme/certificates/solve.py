"""Proves the names of an order: presents all challenges, then answers them, then polls; clean-up always runs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from ..challenges.solver import Solver, TogetherSolver, is_together
from ..context import QUICK_CLEANUP_SECONDS, Context, cleanup_seconds
from ..context.farewell import Debt, fall_due, owe
from ..errors import AcmeError, HttpError, TosslError, WaitTimeout
from ..http.dial import WIDTH
from ..http.urls import shown_url
from ..identifiers import Identifier
from ..text import clean
from .crew import side_by_side
from .kept import Attempt
from .logged import log_presented, log_proven
from .sharing import SharedAnswers
from .traces import Trace


@dataclass(frozen=True, eq=False, repr=False)
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
    """Returns the authorizations of the order as the CA sees them now."""
    found: dict[str, Authorization] = {}

    def get(part: Context, url: str) -> None:
        found[url] = get_authorization(client, part, url)

    side_by_side(context, get, list(dict.fromkeys(order.authorizations)), WIDTH)
    return [found[url] for url in order.authorizations]


def solve(
    client: Client, context: Context, authorizations: Iterable[Authorization], solvers: Solvers, attempt: Attempt,
    answers: SharedAnswers,
) -> None:  # fmt: skip
    """Makes every authorization valid, each with its first solver whose type the CA offers.

    One that is for no identifier of `solvers` is refused: no CA decides where a file or a record is put.
    `attempt` keeps what is presented, from before that; `answers` shares it with other nodes. A challenge that an
    earlier attempt answered is presented again (the CA may not have looked yet), and not answered again.
    Two requests per name (answer, one poll or more; no poll where the answer says valid), none for a name that is valid
    already.
    """
    pending = [authorization for authorization in authorizations if not _is_proven(authorization)]
    _check_ordered(pending, solvers)
    _check_different(pending)
    tasks = [_task(authorization, solvers) for authorization in pending]
    for solver, challenges in _together(tasks):
        solver.prepare(context, challenges)
    attempt.keep_traces(trace for task in tasks if (trace := task.trace) is not None)
    with answers.shown(context, [task.challenge for task in tasks]):
        _prove(client, context, tasks, attempt, answers)


def _prove(
    client: Client, context: Context, tasks: Sequence[_Task], attempt: Attempt, answers: SharedAnswers
) -> None:
    presented: dict[Debt, _Task] = {}
    try:
        _present_all(context, tasks, presented, answers)
        for solver, challenges in _together(tasks):
            solver.wait_all(context, challenges)
        for task in tasks:
            if not is_together(task.solver):
                task.solver.wait(context, task.challenge)
        answers.wait(context)
        log_presented(context, [(task.challenge.identifier, task.challenge.type) for task in tasks])
        _validate(client, context, tasks, has_hints=not answers.are_shown)
        log_proven(context, [task.challenge.identifier for task in tasks])
    finally:
        _clean_up(context, presented, attempt)


def _together(tasks: Sequence[_Task]) -> Iterator[tuple[TogetherSolver, list[Challenge]]]:
    """Yields each solver that does more for several challenges together, with its challenges."""
    for solver in dict.fromkeys(task.solver for task in tasks):
        if is_together(solver):
            yield solver, [task.challenge for task in tasks if task.solver is solver]


def _validate(client: Client, context: Context, tasks: Sequence[_Task], *, has_hints: bool) -> None:
    """Answers all challenges, then waits for those that were not valid at once (section 7.1.6): side by side.

    has_hints: whether an error says so where nobody has asked this process for the response.
    """
    proven: set[_Task] = set()
    answered_at: dict[_Task, float] = {}

    def answer(part: Context, task: _Task) -> None:
        answered_at[task] = time.monotonic()
        if _answer(client, part, task).status == "valid":
            proven.add(task)

    def wait(part: Context, task: _Task) -> None:
        if task in proven:
            part.tell("validated", domain=task.authorization.identifier.value)
        else:
            _await_validation(client, part, task, answered_at[task], has_hints=has_hints)

    side_by_side(context, answer, tasks, WIDTH)
    side_by_side(context, wait, tasks, WIDTH if len(proven) < len(tasks) else 1)


def _answer(client: Client, context: Context, task: _Task) -> Challenge:
    """Answers the challenge unless it was answered before: a second answer would disturb its validation."""
    if task.challenge.status == "processing":
        return task.challenge
    return answer_challenge(client, context, task.challenge.url, task.authorization.url)


def _await_validation(client: Client, context: Context, task: _Task, answered_at: float, *, has_hints: bool) -> None:
    """Waits until the authorization is valid. has_hints: as in _validate()."""
    try:
        found = task.authorization
        wait_authorization(client, context, found.url, found, task.challenge.url, answered_at)
    except (AcmeError, WaitTimeout) as error:
        hint = unasked_hint(task.challenge.token) if has_hints else ""
        if hint:
            error.message += f" ({hint})"
        raise


def _check_ordered(authorizations: Iterable[Authorization], identifiers: Iterable[Identifier]) -> None:
    ordered = {identifier.normal.base for identifier in identifiers}
    for authorization in authorizations:
        named = authorization.identifier
        if named.base not in ordered:
            cause = f"the authorization {shown_url(authorization.url)} is for {clean(named.value)}, not ordered"
            raise HttpError("malformed", cause)


def _check_different(authorizations: Iterable[Authorization]) -> None:
    """Raises HttpError malformed where two authorizations want one name proven twice: each costs files or records."""
    seen: set[tuple[Identifier, bool]] = set()
    for authorization in authorizations:
        named = authorization.identifier.normal.base, authorization.wildcard
        if named in seen:
            cause = f"a second authorization for {clean(authorization.identifier.value)} in one order"
            raise HttpError("malformed", f"{cause}: {shown_url(authorization.url)}")
        seen.add(named)


def _is_proven(authorization: Authorization) -> bool:
    if authorization.status != "valid" and authorization.has_ended():
        raise refusal(authorization)
    return authorization.status == "valid"


#: Seconds that the CA has to answer requests that serve only its own interest.
_DEACTIVATE_SECONDS = 2.0


def deactivate_pending(client: Client, context: Context, order: Order) -> bool:
    """Deactivates what is still pending of the order (section 7.5.2): CAs count pending authorizations.

    Returns whether it is done. What fails in doing so is told, not raised: it must not hide why the order is given up.
    """

    def deactivate(part: Context, url: str) -> None:
        if get_authorization(client, part.narrowed(_DEACTIVATE_SECONDS), url).status == "pending":
            deactivate_authorization(client, part.narrowed(_DEACTIVATE_SECONDS), url)
            part.tell("deactivated", url=url)

    try:
        side_by_side(context, deactivate, order.authorizations, WIDTH)
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
    advice = "; a wildcard is proven through the DNS, with -provider" if authorization.wildcard else ""
    raise AcmeError(f"{shown}: the CA offers the challenges {offered}, not {wanted}{advice}", "unsupportedChallenge", 0)


def _present_all(
    context: Context, tasks: Sequence[_Task], presented: dict[Debt, _Task], answers: SharedAnswers
) -> None:
    """Presents all challenges, side by side where their solvers allow it. `presented` gets those that were begun.

    A port that another process has is no failure where that one gives the answer.

    Raises the first error, after all that was begun has ended.
    """
    debts = {owe(task.clean_up): task for task in tasks}
    begun: set[Debt] = set()
    failed: list[TosslError] = []

    def present(part: Context, debt: Debt) -> None:
        if failed:
            return
        task = debts[debt]
        try:
            debt.begin()
            begun.add(debt)
            try:
                task.solver.present(part, task.challenge)
            finally:
                debt.end()
        except TosslError as error:
            if error.errorcode[-1] != "port" or not answers.are_given_by(part, task.solver, task.challenge):
                failed.append(error)
                return
        part.tell("presented", domain=task.challenge.identifier.value, type=task.challenge.type)

    try:
        for width, found in _by_width(debts):
            side_by_side(context, present, found, width)
    finally:
        presented.update({debt: task for debt, task in debts.items() if debt in begun})
        for debt in debts.keys() - begun:
            debt.drop()
    if failed:
        raise failed[0]


def _by_width(debts: Mapping[Debt, _Task]) -> list[tuple[int, list[Debt]]]:
    """Returns the debts by the number of them that may be worked on at the same time."""
    found: dict[int, list[Debt]] = {}
    for debt, task in debts.items():
        width = task.solver.width(task.challenge) if is_together(task.solver) else 1
        found.setdefault(width, []).append(debt)
    return sorted(found.items())


def _clean_up(context: Context, presented: Mapping[Debt, _Task], attempt: Attempt) -> None:
    """What cannot be cleaned up is a warning: it must hide neither a certificate nor the error before it.

    Each has time for itself: as much as the call had, within bounds. Where a provider lets one use all of that up, it
    is not waited for as long with the next ones.
    """
    fall_due(presented)
    removed: list[Debt] = []
    silent: set[Solver] = set()
    most = cleanup_seconds(context.limit)

    def settle(part: Context, debt: Debt) -> None:
        task = presented[debt]
        own = part.for_cleanup(QUICK_CLEANUP_SECONDS if task.solver in silent else most)
        try:
            if debt.settle(own):
                part.tell("cleaned_up", domain=task.challenge.identifier.value)
            removed.append(debt)
        except TosslError as error:
            if isinstance(error, WaitTimeout) or own.remaining() < most / 2:
                silent.add(task.solver)
            part.warn("clean_up_failed", **task.place, message=error.message)

    for width, found in _by_width(presented):
        side_by_side(context.for_cleanup(most * len(found)), settle, found, width)
    attempt.drop_traces(trace for debt in removed if (trace := presented[debt].trace) is not None)
