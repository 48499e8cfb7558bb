"""Whose the files in a store are: whoever made a key file has the key."""

from __future__ import annotations

import os

from ..errors import ArgumentError
from .record import ATTEMPT, FILES, PENDING, RECORD, set_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..files import FilePath
    from ..store.protocol import Store


def check_owner(path: FilePath | None, what: str) -> None:
    """Raises ArgumentError "store" for a file, `what` in the message, that is another user's."""
    try:
        owner = 0 if path is None else os.stat(path).st_uid  # noqa: PTH116 - pathlib loads slowly
    except OSError:  # whoever reads it tells why it cannot be read
        return
    if path is not None and owner not in (0, os.geteuid()):
        cause = f"belongs to user {owner}, who is neither root nor the user of this process ({os.geteuid()})"
        raise ArgumentError("store", f"{what} {path.shown} {cause}: move it away, or give it to this user (chown)")


def check_certificate_owner(store: Store, name: str) -> None:
    """Raises ArgumentError "store" where a key or record of a certificate, or of one on its way, is another user's.

    A record says which commands are run, and what is removed.
    """
    key = FILES["private_key"]
    for place, record in ((set_name(name), RECORD), (f"{set_name(name)}/{PENDING}", ATTEMPT)):
        check_owner(store.path_of(place, key), "the certificate's key")
        check_owner(store.path_of(place, record), "the certificate's record")
