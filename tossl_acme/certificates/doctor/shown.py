"""A throw-away challenge, shown as a real one would be, and removed again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from ...acme.authorization import Challenge
from ...challenges.solver import Solver
from ...context import Context, cleanup_seconds
from ...context.farewell import fall_due, owe
from ...errors import Cancelled, TosslError
from ...identifiers import Identifier

_TOKEN_BYTES = 24


class NotRemovedError(TosslError):
    """What was presented is still there; the message and the errorcode are its cause's."""

    def __init__(self, cause: TosslError) -> None:
        super().__init__(cause.message, *cause.errorcode[1:])


def throwaway(solver: Solver, identifier: Identifier, account_url: str = "") -> Challenge:
    """Returns a challenge that no CA has made: a new token, and the key authorization of a key that nobody has."""
    token = f"tossl-doctor-{secrets.token_urlsafe(_TOKEN_BYTES)}"
    authorization = f"{token}.{secrets.token_urlsafe(32)}"
    return Challenge(solver.challenge_type, identifier, token, authorization, account_url=account_url)


@contextmanager
def presented_for(context: Context, solver: Solver, challenge: Challenge) -> Iterator[None]:
    """A `with` in which the challenge is presented. Raises what presenting raises, and NotRemovedError."""
    is_presented = False
    debt = owe(lambda cleanup: solver.clean_up(cleanup, challenge))
    try:
        debt.begin()
        try:
            solver.present(context, challenge)
        finally:
            debt.end()
        is_presented = True
        yield
    finally:
        fall_due([debt])
        try:
            debt.settle(context.for_cleanup(cleanup_seconds(context.limit)))
        except Cancelled:
            raise
        except TosslError as error:
            if is_presented:
                raise NotRemovedError(error) from None
            raise
