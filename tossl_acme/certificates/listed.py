"""The certificates in a store: listed, found, forgotten. Lists them from their records, and reads no X.509."""

from __future__ import annotations

from ..errors import ArgumentError
from . import due
from .deploy import MARKS, forget_hooks, has_own_marks, node_state, owed, owed_of, own_room, room_of_node
from .nodes import read_nodes
from .record import ABOVE, RECORD, certificate_name, folder_name, kept_of, paths_of, read_kept, set_name
from .suggested import RENEWAL_VALUE, RENEWALS, Renewal, forget_renewal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..context import Context
    from ..store.protocol import Store
    from .record import KeptCertificate


def names_of(store: Store) -> list[str]:
    """Returns the names of all certificates in a store, sorted."""
    return [certificate_name(found.removeprefix(f"{ABOVE}/")) for found in store.list(ABOVE)]


def all_told(store: Store) -> list[dict[str, object]]:
    """Returns list_certificates' result. A certificate with an unreadable record has its name and the reason."""
    renewals, own = dict(store.read_all(RENEWALS, (RENEWAL_VALUE,))), own_room(store)
    rooms = {(node, is_at_work): room_of_node(node) for node, is_at_work in _nodes_of(store).items()}
    deployments = {room: dict(store.read_all(room, MARKS)) for room in {own, *rooms.values()}}
    found = []
    for where, values in store.read_all(ABOVE, (RECORD,)):
        folder = where.removeprefix(f"{ABOVE}/")
        name = certificate_name(folder)
        try:
            kept = kept_of(store, name, _read(values))
            renewal = Renewal.of_values(_read(renewals.get(f"{RENEWALS}/{folder}", {})))
            marks = {room: _read(sets.get(f"{room}/{folder}", {})) for room, sets in deployments.items()}
            states = _states(kept, {node: (is_at_work, marks[room]) for (node, is_at_work), room in rooms.items()})
            found.append(_told(store, kept, renewal, owed_of(kept, marks[own]), states))
        except ArgumentError as error:
            found.append({"name": name, "damaged": error.message})
    return found


def _nodes_of(store: Store) -> dict[str, bool]:
    """Returns the nodes that a store knows of, and whether manage was not ended there, if each has marks of its own."""
    return {node.name: not node.has_ended for node in read_nodes(store)} if has_own_marks(store) else {}


def _states(kept: KeptCertificate, nodes: Mapping[str, tuple[bool, Mapping[str, bytes]]]) -> list[dict[str, object]]:
    """Returns what each node has done with a certificate, of its marks, with whether it is at work.

    One that was ended and has never had it is none of those that keep it.
    """
    found = ((node, marks) for node, (is_at_work, marks) in nodes.items() if is_at_work or marks)
    return [{"node": node, **node_state(kept, marks)} for node, marks in found]


def _read(values: dict[str, bytes] | ArgumentError) -> dict[str, bytes]:
    if isinstance(values, ArgumentError):
        raise values
    return values


def kept_certificate(store: Store | None, name: str) -> KeptCertificate:
    """Returns the certificate with this name. Raises ArgumentError "name" if it is missing, "store" as read_kept()."""
    if store is None:
        raise ArgumentError("store", "-store is empty: no certificates are kept")
    kept = read_kept(store, name)
    if kept is None:
        from ..text import quoted

        raise ArgumentError("name", f"no certificate {quoted(name)} is kept: list_certificates tells those that are")
    return kept


def told(store: Store, kept: KeptCertificate) -> dict[str, object]:
    """Returns all that is known of a certificate beside its files' contents."""
    folder = folder_name(kept.name)
    marks = {
        node: (is_at_work, store.read(f"{room_of_node(node)}/{folder}") or {})
        for node, is_at_work in _nodes_of(store).items()
    }
    return _told(store, kept, Renewal.read(store, kept.name), owed(store, kept), _states(kept, marks))


def _told(
    store: Store, kept: KeptCertificate, renewal: Renewal, debts: dict[str, object], states: list[dict[str, object]]
) -> dict[str, object]:
    suggestion = renewal.of(kept)
    due_at = due.due_at(kept.not_before, kept.not_after, suggestion)
    warning = due.record_warning(kept.persist_until, due_at, due.now())
    return {
        "name": kept.name,
        "domains": kept.domains,
        "not_before": kept.not_before,
        "not_after": kept.not_after,
        "issued_at": int(kept.record["issued_at"]),
        "issuer": kept.issuer,
        "serial": kept.serial,
        "directory": kept.directory,
        "key_type": kept.asked("key_type"),
        "due": int(due_at),
        "explanation_url": suggestion.explanation,
        "renewable": kept.is_renewable,
        "revoked": kept.is_revoked,
        "self_signed": kept.is_self_signed,
        "last_error": renewal.last_error,
        "deploy_command": kept.deploy_command,
        **debts,
        "node": kept.node,
        "nodes": states,
        "persist_until": kept.persist_until,
        "warnings": [{"warning": "persist_until", "message": warning}] if warning else [],
        "files": paths_of(store, kept.name, kept.has_key),
    }


def forget_kept(context: Context, store: Store, name: str) -> None:
    """Removes a certificate with its key and all that is kept of it.

    Raises ArgumentError "name" where none is kept, and "store" for what tossl did not keep, or not like this.
    """
    kept_certificate(store, name).check_files()
    with store.locked(context, set_name(name)) as lock:
        store.delete(lock)
    forget_renewal(context, store, name)
    forget_hooks(context, store, name)
