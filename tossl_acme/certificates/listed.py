"""The certificates in a store: listed, found, forgotten. Lists them from their records, and reads no X.509."""

from __future__ import annotations

from ..errors import ArgumentError
from . import due
from .deploy import DEPLOYMENTS, forget_hooks, owed, owed_of
from .record import ABOVE, RECORD, certificate_name, kept_of, paths_of, read_kept, set_name
from .suggested import RENEWALS, Renewal, forget_renewal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..context import Context
    from ..store.protocol import Store
    from .record import KeptCertificate


def names_of(store: Store) -> list[str]:
    """Returns the names of all certificates in a store, sorted."""
    return [certificate_name(found.removeprefix(f"{ABOVE}/")) for found in store.list(ABOVE)]


def all_told(store: Store) -> list[dict[str, object]]:
    """Returns list_certificates' result. A certificate with an unreadable record has its name and the reason."""
    renewals, deployments = dict(store.read_all(RENEWALS)), dict(store.read_all(DEPLOYMENTS))
    found = []
    for where, values in store.read_all(ABOVE, (RECORD,)):
        folder = where.removeprefix(f"{ABOVE}/")
        name = certificate_name(folder)
        try:
            kept = kept_of(store, name, _read(values))
            renewal = Renewal.of_values(_read(renewals.get(f"{RENEWALS}/{folder}", {})))
            marks = _read(deployments.get(f"{DEPLOYMENTS}/{folder}", {}))
            found.append(_told(store, kept, renewal, owed_of(kept, marks)))
        except ArgumentError as error:
            found.append({"name": name, "damaged": error.message})
    return found


def _read(values: dict[str, bytes] | ArgumentError) -> dict[str, bytes]:
    if isinstance(values, ArgumentError):
        raise values
    return values


def kept_certificate(store: Store | None, name: str, *, record_alone: bool = False) -> KeptCertificate:
    """Returns the certificate with this name. Raises ArgumentError "name" if it is missing, "store" as read_kept()."""
    if store is None:
        raise ArgumentError("store", "-store is empty: no certificates are kept")
    kept = read_kept(store, name, record_alone=record_alone)
    if kept is None:
        from ..text import quoted

        raise ArgumentError("name", f"no certificate {quoted(name)} is kept: list_certificates tells those that are")
    return kept


def told(store: Store, kept: KeptCertificate) -> dict[str, object]:
    """Returns all that is known of a certificate beside its files' contents."""
    return _told(store, kept, Renewal.read(store, kept.name), owed(store, kept))


def _told(store: Store, kept: KeptCertificate, renewal: Renewal, debts: dict[str, object]) -> dict[str, object]:
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
