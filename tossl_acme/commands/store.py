"""Stores as a whole: sealed, and copied. ::tossl::store::*."""

from __future__ import annotations

from ..context import Context, seconds
from ..errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..store.options import FolderOptions
    from ..store.protocol import Store
    from ..text import Secret
    from .groups import FilePathOrUrl


def generate_key() -> str:
    """Makes a sealing key for -seal_key: 32 random bytes in base64url. Sends and stores nothing.

    Whoever has the key has all keys that are sealed with it; without it they are lost. Keep it in a file of mode 0600
    beside the programs that use the store, and apart from the store's backups.

    Returns the key, a text of 44 characters.
    """
    from ..pki.sealing import generate_sealing_key

    return generate_sealing_key()


def reseal(*, unseal: bool = False, store: Store | None, context: Context = seconds(600)) -> dict[str, object]:
    """Seals all secrets of a store anew with the first key of -seal_key, also those that are not sealed yet.

    This is for a store that was used without a sealing key before, and for a change of the key: with the new key above
    the old one in the file of every machine, call this once, then remove the old key. Ended half way, it can be called
    again. Certificates stay as they are; web servers that read a sealed privkey.pem fail, and need -pem_file.

    -unseal boolean  1 opens all secrets, and has the store no longer sealed; first take the key from all other programs

    Returns a dict:

    sets    how many sets the store has
    sealed  how many of them have secrets that were written anew; with -unseal 1 those that were opened

    Errors:
    TOSSL VALUE seal_key  missing, or a secret is sealed with another key
    TOSSL VALUE store     empty, or damaged
    """
    from ..store.reseal import seal_anew
    from ..store.sealed import SealedStore

    if not isinstance(store, SealedStore):
        raise ArgumentError("store", "-store must not be empty here: it is the store whose secrets are sealed")
    sets, sealed = seal_anew(context, store, unseal=unseal)
    return {"sets": sets, "sealed": sealed}


def copy(
    source: FilePathOrUrl,
    target: FilePathOrUrl,
    *,
    overwrite: bool = False,
    seal_key: Secret | None = None,
    source_seal_key: Secret | None = None,
    unseal: bool = False,
    options: FolderOptions,
    context: Context = seconds(3600),
) -> dict[str, object]:
    """Copies a store into another: certificates, attempts under way, accounts, and all that is kept beside them.

    Each set is copied under the locks of both stores, and read back. Before anything is written both stores are read,
    and a set that both have and that differs is an error. Sets that only the target has stay. A copy that ended half
    way can be made again. What is written to the source meanwhile may be missing in the target, and differ when the
    copy is made again: end what uses the source first.

    source            a store, as -store of obtain_certificate; one of an earlier version, too
    target            a store, as -store of obtain_certificate; made where it is missing
    -overwrite boolean
                      1 replaces sets of the target that differ
    -seal_key keys    the sealing keys of the target, as -seal_key of obtain_certificate. Default: the file that
                      TOSSL_SEAL_KEY_FILE of the environment names, else, for a source that is sealed, those of the
                      source
    -source_seal_key keys
                      the sealing keys of the source. Default: -seal_key, else the file that TOSSL_SEAL_KEY_FILE names
    -unseal boolean   1 seals nothing in the target: for a source that is sealed, and a target that is not to be

    Returns a dict:

    copied  how many sets were written, each part of a set (an attempt under way) counted, too
    same    how many the target had already

    Errors:
    TOSSL VALUE overwrite  the target has other sets under the same names; nothing was written
    TOSSL VALUE seal_key   no such keys, not those of one of the stores, or missing for a source that is sealed
    TOSSL VALUE source     empty, or no set is in it
    TOSSL VALUE store      one of them cannot be read or written, is damaged, or of a later version; a file of the
                           source belongs to another user
    TOSSL VALUE target     empty, the source itself by whichever word, or a folder in its folder or around it
    """
    from ..store.copy import copy_sets, opened_pair

    stores = opened_pair((source, source_seal_key), (target, seal_key), options, unseal=unseal)
    copied, same = copy_sets(context, *stores, overwrite=overwrite)
    return {"copied": copied, "same": same}


COMMANDS = (copy, reseal, generate_key)
