"""A self-signed certificate in the place of one that is not there yet, so that a server can start."""

from __future__ import annotations

import hashlib
import time

from ..context import Context
from ..errors import ArgumentError, WaitTimeout
from ..pki.chain import read_certificate
from ..pki.keys import private_pem
from ..pki.self_signed import server_certificate
from .files import certificate_folder
from .key import kind_of
from .managed import Managed, facts_of
from .record import FILES, FORMAT, digests_of, read_kept

#: Days that it lives: whoever has not replaced it by then has other troubles.
_DAYS = 30
_LOCK_SECONDS = 5.0


def put_stand_in(context: Context, name: str, managed: Managed) -> bool:
    """Puts a self-signed certificate in the place of one that is not kept; returns whether it did.

    Its record says so: nobody takes it for held, and the certificate that is obtained takes its place. Where another
    one is at work on the same name, it is left to him. Writes this machine's own files of whatever is kept then. Raises
    ArgumentError "store", "files", "pem_file".
    """
    is_put = _put(context, name, managed)
    kept = read_kept(managed.store, name, record_alone=True)
    if kept is not None and managed.lacks_files(kept):
        facts = facts_of(managed.store, name)
        if facts is not None:
            managed.place_files(context, facts)
    return is_put


def _put(context: Context, name: str, managed: Managed) -> bool:
    if read_kept(managed.store, name, record_alone=True) is not None:
        return False
    try:
        with certificate_folder(managed.store, context.narrowed(_LOCK_SECONDS), name) as folder:
            if read_kept(managed.store, name, record_alone=True) is not None:
                return False
            key = managed.issuance.key.new_key()
            identifiers = managed.issuance.identifiers
            pem = server_certificate(identifiers, key, _DAYS)
            texts = {
                FILES["certificate"]: pem,
                FILES["chain"]: "",
                FILES["fullchain"]: pem,
                FILES["private_key"]: private_pem(key),
            }
            folder.write_record(texts, _record(pem, managed) | {"digests": digests_of(texts)})
    except WaitTimeout:
        return False
    return True


def check_stand_in(managed: Managed) -> None:
    """Raises ArgumentError where there can be none: the key is not here."""
    if managed.stand_in and managed.issuance.key.csr:
        raise ArgumentError("self_signed", "-self_signed needs a key, and with -csr it is not here")


def _record(pem: str, managed: Managed) -> dict[str, object]:
    chain = read_certificate(pem)
    facts = chain.as_dict()
    return {
        "format": FORMAT,
        **{member: facts[member] for member in ("not_before", "not_after", "issuer", "serial")},
        "domains": [identifier.value for identifier in managed.issuance.identifiers],
        "directory": managed.issuance.directory,
        "key_type": kind_of(chain.public_key),
        "has_key": True,
        "issued_at": int(time.time()),
        "renewable": managed.issuance.is_renewable,
        "public_key": hashlib.sha256(chain.public_key).hexdigest(),
        "issuance": managed.issuance.as_json(),
        "self_signed": True,
    }
