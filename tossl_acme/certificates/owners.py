"""Whose the files in a store are: whoever made a key file has the key."""

from __future__ import annotations

from ..files import check_owner
from .record import ATTEMPT, FILES, PENDING, RECORD, set_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..store.protocol import Store


def check_certificate_owner(store: Store, name: str) -> None:
    """Raises ArgumentError "store" where a key or record of a certificate, or of one on its way, is another user's.

    A record says which commands are run, and what is removed.
    """
    key = FILES["private_key"]
    for place, record in ((set_name(name), RECORD), (f"{set_name(name)}/{PENDING}", ATTEMPT)):
        check_owner(store.path_of(place, key), "the certificate's key")
        check_owner(store.path_of(place, record), "the certificate's record")
