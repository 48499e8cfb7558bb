"""The nodes where a timer or a program asks, and not manage, which tells of itself: when each of them last did.

runs/renew_certificates/nodes.json    epoch seconds by node, in a store that several machines use, by its clock
"""

from __future__ import annotations

from ..errors import ArgumentError, WaitTimeout
from ..store.protocol import ASIDE_SECONDS, is_part
from .due import is_time, now, now_in
from .nodes import node_name
from .record import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..context import Context
    from ..store.protocol import Store

#: The set of the runs over all certificates.
RUNS = "runs/renew_certificates"
_VALUE = "nodes.json"
#: A node that asks for one certificate again and again is kept as at work so often.
_KEPT_SECONDS = 86400.0


def read_timers(store: Store) -> dict[str, float]:
    """Returns when each node last asked; ignores damaged values. Raises ArgumentError "store"."""
    values = store.read(RUNS) or {}
    try:
        data = read_json(values.get(_VALUE, b"{}").decode())
    except ValueError:
        return {}
    found = data.items() if isinstance(data, dict) else ()
    return {name: float(at) for name, at in found if is_time(at) and is_part(name)}


def with_timers(values: Mapping[str, bytes], timers: Mapping[str, float]) -> dict[str, bytes]:
    """Returns the set with these for what read_timers() reads."""
    from .lines import json_lines

    return {**values, _VALUE: json_lines({name: int(at) for name, at in timers.items()}).encode()}


def with_own_timer(store: Store, values: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the set with the run of this node, which is now; as it is in a store of this machine alone."""
    if not store.is_shared:
        return {**values}
    return with_timers(values, {**read_timers(store), node_name(): now_in(store)})


def keep_own_timer(context: Context, store: Store) -> None:
    """Keeps that this node has asked for one certificate, once a day; nothing in a store of this machine alone.

    Tells a failure as progress: the next call tries again.
    """
    try:
        if not store.is_shared or abs(now() - read_timers(store).get(node_name(), 0.0)) < _KEPT_SECONDS:
            return
        with store.locked(context.for_cleanup(ASIDE_SECONDS), RUNS) as lock:
            store.write(lock, with_own_timer(store, store.read(RUNS) or {}))
    except (ArgumentError, WaitTimeout) as error:
        context.tell("not_kept", name=RUNS, message=error.message)
