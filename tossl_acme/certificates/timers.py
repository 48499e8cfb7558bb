"""The nodes that renew by a timer, and not by manage, which tells of itself: when each of them last did.

runs/renew_certificates/nodes.json    epoch seconds by node, in a store that several machines use, by its clock
"""

from __future__ import annotations

from ..store.protocol import is_part
from .due import is_time, now_in
from .nodes import node_name
from .record import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..store.protocol import Store

#: The set of the runs over all certificates.
RUNS = "runs/renew_certificates"
_VALUE = "nodes.json"


def read_timers(store: Store) -> dict[str, float]:
    """Returns when each node last renewed by a timer; ignores damaged values. Raises ArgumentError "store"."""
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
