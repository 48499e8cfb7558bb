"""The word of -store, or of TOSSL_STORE, to a Store: a folder's path, or the URL of a database."""

from __future__ import annotations

from ..errors import ArgumentError
from ..files import absolute
from ..text import clean
from .folder import FolderStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .protocol import Store

#: The schemes of URLs that name a store.
_POSTGRESQL = ("postgresql", "postgres")


def open_store(word: str, notice: str = "") -> Store:
    """Returns the store that a word names; a path is a FilePath, or one that Python can make absolute.

    notice: of FolderStore. Nothing is opened yet. Raises ArgumentError "store" for a URL of another kind, one that
    cannot be read, and where the library for it is missing.
    """
    scheme = scheme_of(word)
    if not scheme:
        # It would make a folder whose name may have a password in it.
        if word.lower().startswith(tuple(f"{known}:" for known in _POSTGRESQL)):
            raise ArgumentError("store", 'a database is named by postgresql://USER@HOST/DATABASE, with "//"')
        return FolderStore(absolute(word), notice=notice)
    word = word.strip()
    if scheme.lower() not in _POSTGRESQL:
        # The rest of the word may hold a password.
        known = f"a store is a folder's path, or a URL that begins with {' or '.join(f'{s}://' for s in _POSTGRESQL)}"
        raise ArgumentError("store", f"unknown scheme {scheme}:// of a store: {known}")
    try:
        from .postgresql.store import PostgreSQLStore
    except ImportError as error:
        how = "run `make EXTRAS=postgresql`, or pip install 'tossl-acme[postgresql]' (Debian: python3-psycopg)"
        if error.name is None:  # psycopg is there
            how = "psycopg needs the system's libpq (Debian: libpq5), or pip install 'psycopg[binary]'"
        cause = f"needs the extra tossl-acme[postgresql], whose psycopg cannot be imported ({clean(error, 200)})"
        raise ArgumentError("store", f"a store in PostgreSQL {cause}: {how}") from None
    return PostgreSQLStore(f"{scheme.lower()}{word[len(scheme) :]}")


def scheme_of(word: str) -> str:
    """Returns the scheme of a word that is a URL, perhaps with white space around it; empty for a path."""
    scheme, separator, _ = word.lstrip().partition("://")
    is_one = scheme[:1].isalpha() and all(char.isalnum() or char in "+-." for char in scheme) and scheme.isascii()
    return scheme if separator and is_one else ""
