"""What this process shows now: its responders, and the challenges that single commands presented."""

from __future__ import annotations

import threading

from ..context import Context
from .responders import ResponderPool
from .solver import Proof, Solver

#: Seconds that presenting or cleaning up by a single command may take.
_SECONDS = 30

RESPONDERS = ResponderPool()

_lock = threading.RLock()
_presented: dict[tuple[str, str], tuple[Solver, Proof]] = {}


def present(solver: Solver, proof: Proof) -> None:
    """Presents a challenge until clean_up(), in the place of an earlier one with its domain and token."""
    with _lock:
        clean_up(proof)
        solver.present(Context(_SECONDS).begin(), proof)
        _presented[proof.domain, proof.token] = solver, proof


def clean_up(proof: Proof) -> bool:
    """Removes what present() presented for this domain and token, by whatever key; whether there was anything."""
    with _lock:
        earlier = _presented.pop((proof.domain, proof.token), None)
        if earlier is None:
            return False
        solver, shown = earlier
        solver.clean_up(Context(_SECONDS).begin(), shown)
        return True


def reset() -> None:
    """Ends every responder and forgets what was presented; files stay."""
    with _lock:
        _presented.clear()
        RESPONDERS.close()
