"""Whether a certificate that is kept is the one asked for, and is still to be held.

docs/source/acme.md has the table of what is compared. Names are compared with those of the kept certificate, all else
with what it was asked with: a CA that did not grant a wish is not asked again at each call.
"""

from __future__ import annotations

from ..errors import ArgumentError
from . import due
from .owners import check_certificate_owner
from .questions import due_time
from .record import ATTEMPT, FILES, PENDING, paths_of, read_kept, said_digest, set_name, sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..context import Context
    from ..files import FilePath
    from ..http.options import ConnectionOptions
    from ..store.protocol import Store
    from .issuance import Issuance
    from .record import KeptCertificate

#: The words of obtain_certificate that decide whether a kept certificate is as asked for ...
_DECIDING = ("domains", "directory", "key_type", "profile", "preferred_chain")
#: ... and those with which a key has to be looked at.
_WITH_KEY = ("private_key", "private_key_file", "private_key_env", "csr")
#: The words that say nothing of renewals, nor of how the files are kept, ...
_PASSING = frozenset((
    "name", "force", "replace_names", "dry_run", "deploy", "files", "store", "seal_key", "seal_key_file",
    "seal_key_env", "timeout", "progress", "command", "not_before", "not_after",
))  # fmt: skip
#: ... and those that may be secrets, which are in no digest.
_SECRET = frozenset(("account_key", "api_key", "credentials", "csr", "eab_hmac_key", "private_key", "proxy"))


def words_digests(words: Mapping[str, str]) -> dict[str, str]:
    """Returns what a record keeps of the words of a call, by its members.

    said: a digest of the words that decide, empty where words alone cannot tell. words: of all that are for renewals.
    """
    is_told = not any(name in words for name in _WITH_KEY)
    lasting = {name: "" if name in _SECRET else word for name, word in words.items() if name not in _PASSING}
    return {
        "said": said_digest(words, _DECIDING) if is_told else "",
        "words": said_digest(lasting, sorted(lasting)),
    }


def held_as_said(
    context: Context,
    store: Store,
    name: str,
    said: Mapping[str, str],
    connection: Callable[[], ConnectionOptions],
) -> KeptCertificate | None:
    """Returns the certificate that is held, if it was asked for with the same words.

    said: the words_digests() of the call. None where more has to be known.
    Raises ArgumentError "store" for what is damaged.
    """
    try:
        kept = read_kept(store, name) if said["said"] else None
    except ArgumentError as error:
        if error.errorcode[2:] == ("name",):  # a domain yet to be read
            return None
        raise
    if kept is None or any(kept.asked(member) != said[member] for member in said):
        return None
    check_certificate_owner(store, name)
    if not is_usable(kept) or is_kept_due(context, store, kept, connection):
        return None
    return None if has_attempt(store, name) else kept


def told_of(context: Context, store: Store, kept: KeptCertificate, pem_file: FilePath | None) -> dict[str, object]:
    """Returns obtain_certificate's result for a held certificate, and writes it to pem_file."""
    context.tell("held", name=kept.name, not_after=kept.not_after)
    if pem_file is not None:
        from .pem_file import holds_pem_file, keep_pem_file

        if not holds_pem_file(pem_file, kept.record["digests"]):
            # Its CA may have been asked meanwhile, and another process have renewed it.
            kept = read_kept(store, kept.name) or kept
            keep_pem_file(pem_file, *(kept.texts.get(FILES[name], "") for name in ("private_key", "fullchain")))
    facts = kept.as_dict(store)
    if pem_file is not None:
        facts["files"] = {**paths_of(store, kept.name, kept.has_key), "pem_file": pem_file}
    return {"issued": False, **facts, "renewable": kept.is_renewable, "warnings": context.told("warning")}


def has_attempt(store: Store, name: str) -> bool:
    """Returns whether a dead attempt left files or records, or an attempt is at work."""
    return bool(store.read(f"{set_name(name)}/{PENDING}", (ATTEMPT,)))


def is_kept_due(
    context: Context,
    store: Store,
    kept: KeptCertificate,
    connection: Callable[[], ConnectionOptions],
    within: float = 0.0,
) -> bool:
    """Returns whether to renew a kept certificate before `within` seconds are over. May ask the CA."""
    return due.is_due(due_time(context, store, kept, connection), due.now(), within)


def is_usable(kept: KeptCertificate) -> bool:
    """Returns whether a kept certificate can serve. Raises ArgumentError "store" for a file of another certificate."""
    kept.check_files()
    return kept.is_whole and not kept.is_revoked and not kept.is_self_signed


def check_replaceable(kept: KeptCertificate, issuance: Issuance, *, replace_names: bool) -> None:
    """Raises ArgumentError where a certificate for this may not take the place of the kept one.

    "domains": it has not all of its names. "directory": its CA issues for trying only, and the kept one's does not.
    """
    if kept.is_self_signed:
        return
    from ..acme.public_cas import is_staging

    wanted, have = _names(issuance), _kept_names(kept)
    if not replace_names and not wanted >= have:
        names = " ".join(kept.domains)
        what = f"{kept.name} is kept with the names {names}, and not all of them are asked for"
        raise ArgumentError("domains", f"{what}: -name says another name for this one, -replace_names 1 replaces it")
    if any(is_staging(one.directory) for one in issuance.at_each) and not is_staging(kept.directory):
        what = f"{kept.name} is kept from {kept.directory}, and a staging certificate does not replace it"
        raise ArgumentError("directory", f"{what}: -name says another name for this one")


def difference(kept: KeptCertificate, issuance: Issuance) -> str:
    """Returns the first option in which a kept certificate is not as asked for; empty where it is."""
    if _names(issuance) != _kept_names(kept):
        return "domains"
    asked = next((one for one in issuance.at_each if one.directory == kept.directory), None)
    if asked is None:
        return "directory"
    if other := _other_key(kept, issuance):
        return other
    if not issuance.key.csr and kept_common_name(kept.issuance) != issuance.key.common_name:
        return "common_name"
    if kept.asked("profile") != asked.order.profile:
        return "profile"
    return "preferred_chain" if kept.asked("preferred_chain") != asked.preferred_chain else ""


def kept_common_name(asked: Mapping[str, object]) -> str:
    """Returns the common name that a kept certificate was asked for with; empty for none."""
    key = asked.get("key")
    return str(key.get("common_name") or "") if isinstance(key, dict) else ""


def _other_key(kept: KeptCertificate, issuance: Issuance) -> str:
    key = issuance.key
    if not key.is_new:
        same = kept.public_key == sha256(key.public_key)
        return "" if same and kept.has_key is not bool(key.csr) else "csr" if key.csr else "private_key"
    if not kept.has_key:
        return "csr"
    return "" if kept.asked("key_type") == key.kind else "key_type"


def _names(issuance: Issuance) -> set[tuple[str, str]]:
    normal = [identifier.normal for identifier in issuance.identifiers]
    return {(identifier.type, identifier.value) for identifier in normal}


def _kept_names(kept: KeptCertificate) -> set[tuple[str, str]]:
    from ..identifiers import parse_identifiers

    try:
        normal = [identifier.normal for identifier in parse_identifiers(kept.domains)]
    except ArgumentError:
        return set()
    return {(identifier.type, identifier.value) for identifier in normal}
