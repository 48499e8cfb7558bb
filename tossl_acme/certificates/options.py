"""The options with which a held certificate will be renewed: those of the last call that asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..store.protocol import Store
from .files import CertificateFolder
from .issuance import Issuance
from .record import KeptCertificate, read_kept

_DEPLOY = ("deploy_command", "deploy_timeout")


def renewed_with(kept: KeptCertificate, issuance: Issuance, said: Mapping[str, str] | None) -> dict[str, Any]:
    """Returns the members of a kept certificate's record that are others by this call; empty without any.

    A literal secret cannot be kept, so a call with one leaves a certificate renewable that is. What the call does not
    name of -deploy_command and -pem_file stays. said: the words_digests() of the call; None without words.
    """
    if said is None:
        return {}
    is_better = issuance.is_renewable or not kept.is_renewable
    asked = issuance.as_json() if is_better else dict(kept.issuance)
    new = issuance.as_json()
    for option, source in [("pem_file", new["pem_file"]), *((option, new["deploy_command"]) for option in _DEPLOY)]:
        asked[option] = new[option] if source else kept.issuance.get(option, new[option])
    renewable = issuance.is_renewable if is_better else kept.is_renewable
    members = {**said, "issuance": asked, "renewable": renewable}
    return {member: value for member, value in members.items() if kept.record[member] != value}


def keep_options(
    store: Store, folder: CertificateFolder, kept: KeptCertificate, options: Mapping[str, Any]
) -> KeptCertificate:
    """Writes these members to the record of a certificate, unless another is in its place by now; returns it anew."""
    found = read_kept(store, kept.name)
    if found is None or (found.serial, found.not_after) != (kept.serial, kept.not_after):
        return kept
    if options:
        folder.write_record(found.texts, {**found.record, **options})
        found.record = {**found.record, **options}
    return found
