"""The challenges that this process presents: its responders, and the challenges of single commands."""

from __future__ import annotations

import threading

from ..context import Context, cleanup_seconds, in_forked_child
from ..context.farewell import fall_due, owe
from ..errors import TosslError
from . import elsewhere, responses
from .responders import ResponderPool
from .solver import Solver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..acme.authorization import Challenge

#: Seconds that presenting or cleaning up by a single command may take.
_COMMAND_SECONDS = 30

RESPONDERS = ResponderPool()

_lock = threading.RLock()
_presented: dict[tuple[str, str], tuple[Solver, Challenge]] = {}


def present(solver: Solver, challenge: Challenge) -> None:
    """Presents a challenge until clean_up(); replaces an earlier challenge with the same domain and token."""
    with _lock:
        clean_up(challenge)
        solver.present(Context(_COMMAND_SECONDS).begin(), challenge)
        _presented[challenge.identifier.value, challenge.token] = solver, challenge


def present_and_wait(context: Context, solver: Solver, challenge: Challenge) -> None:
    """Presents a challenge and waits until the CA can be expected to see it. Leaves it presented.

    Removes it again after an error, whose details have `clean_up_failed` where that fails.
    """
    debt = owe(lambda cleanup: solver.clean_up(cleanup, challenge))
    try:
        solver.present(context, challenge)
        context.tell("presented", domain=challenge.identifier.value, type=challenge.type)
        solver.wait(context, challenge)
    except TosslError:
        fall_due([debt])
        with context.naming("clean_up_failed"):
            try:
                if debt.settle(context.for_cleanup(cleanup_seconds(context.limit))):
                    context.tell("cleaned_up", domain=challenge.identifier.value)
            except TosslError as error:
                place = {"domain": challenge.identifier.value, **solver.describe(challenge)}
                context.warn("clean_up_failed", **place, message=error.message)
            raise
    debt.drop()


def clean_up(challenge: Challenge) -> bool:
    """Removes the challenge that present() presented for this domain and token, with any key.

    Returns False if nothing was presented. Can be tried again after an error.
    """
    place = challenge.identifier.value, challenge.token
    with _lock:
        if place not in _presented:
            return False
        solver, shown = _presented[place]
        solver.clean_up(Context(_COMMAND_SECONDS).begin(), shown)
        del _presented[place]
        return True


def reset() -> None:
    """Ends every responder and forgets every challenge. Files stay."""
    with _lock:
        _presented.clear()
        RESPONDERS.close()
        responses.reset()
        elsewhere.reset()


def _leave_to_parent() -> None:
    """Forgets everything in a forked child: the challenges, and the lock's holder, belong to its parent."""
    global _lock
    _lock = threading.RLock()
    _presented.clear()
    RESPONDERS.leave_to_parent()


in_forked_child(_leave_to_parent)
