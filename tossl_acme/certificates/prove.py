"""Proving the names of an order: all challenges are presented, then answered, then polled; clean-up always runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..acme.authorization import (
    Authorization,
    Challenge,
    answer_challenge,
    get_authorization,
    refusal,
    wait_authorization,
)
from ..acme.client import Client
from ..acme.order import Order
from ..challenges.solver import Proof, Solver, check_token
from ..errors import AcmeError, TosslError
from ..scope import Scope


@dataclass(frozen=True)
class _Task:
    authorization: Authorization
    challenge: Challenge
    solver: Solver
    proof: Proof


def key_authorization(token: str, thumbprint: str) -> str:
    """RFC 8555 section 8.1."""
    return f"{check_token(token)}.{thumbprint}"


def prove(client: Client, scope: Scope, order: Order, solvers: Sequence[Solver]) -> None:
    """Makes every authorization of the order valid, with the first solver in `solvers` that the CA offers for each.

    Three requests per name (authorization, answer, one poll or more), one for a name that is valid already.
    """
    pending = [
        authorization
        for authorization in (get_authorization(client, scope, url) for url in order.authorizations)
        if not _is_proven(authorization)
    ]
    tasks = [_task(client, authorization, solvers) for authorization in pending]
    presented: list[_Task] = []
    try:
        for task in tasks:
            presented.append(task)
            task.solver.present(scope, task.proof)
            scope.tell("presented", domain=task.proof.domain, type=task.challenge.type)
        for task in tasks:
            task.solver.wait(scope, task.proof)
        for task in tasks:
            answer_challenge(client, scope, task.challenge.url)
        for task in tasks:
            wait_authorization(client, scope, task.authorization.url, task.authorization)
    finally:
        _clean_up(scope.for_cleanup(), presented)


def _is_proven(authorization: Authorization) -> bool:
    if authorization.status not in ("pending", "valid"):
        raise refusal(authorization)
    return authorization.status == "valid"


def _task(client: Client, authorization: Authorization, solvers: Iterable[Solver]) -> _Task:
    name = authorization.identifier.value
    for solver in solvers:
        challenge = authorization.challenge(solver.challenge_type)
        if challenge is not None:
            answer = key_authorization(challenge.token, client.key.thumbprint)
            proof = Proof(name.removeprefix("*."), authorization.wildcard, challenge.token, answer)
            return _Task(authorization, challenge, solver, proof)
    offered = ", ".join(challenge.type for challenge in authorization.challenges) or "none"
    wanted = ", ".join(solver.challenge_type for solver in solvers) or "none"
    shown = f"*.{name}" if authorization.wildcard else name
    raise AcmeError(f"{shown}: the CA offers the challenges {offered}, not {wanted}", "unsupportedChallenge", 0)


def _clean_up(scope: Scope, presented: Iterable[_Task]) -> None:
    """What cannot be cleaned up is told, not raised: it must hide neither a certificate nor the error before it."""
    for task in presented:
        try:
            task.solver.clean_up(scope, task.proof)
        except TosslError as error:
            scope.tell("clean_up_failed", domain=task.proof.domain, message=error.message)
        else:
            scope.tell("cleaned_up", domain=task.proof.domain)
