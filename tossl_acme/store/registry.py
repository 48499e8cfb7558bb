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
#: What libpq's other way to name a database begins with, before an equals sign.
_KEYWORDS = (
    "host", "hostaddr", "port", "dbname", "user", "password", "passfile", "service", "options", "application_name",
    "connect_timeout", "sslmode", "sslrootcert", "target_session_attrs",
)  # fmt: skip


def open_store(word: str, notice: str = "") -> Store:
    """Returns the store that a word names; a path is a FilePath, or one that Python can make absolute.

    notice: of FolderStore. Nothing is opened yet. Raises ArgumentError "store" for a URL of another kind, one that
    cannot be read, and where the library for it is missing.
    """
    scheme = scheme_of(word)
    if not scheme:
        if _is_meant_for_database(getattr(word, "given", word)):
            known = 'a database is named by postgresql://USER@HOST/DATABASE, with "//", and its options behind "?"'
            raise ArgumentError("store", f"{known}; a folder of such a name is given as ./NAME")
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


def _is_meant_for_database(word: str) -> bool:
    """Returns whether a path is the name of a database in another form, so that a folder would have its password."""
    start = word.strip().lower()
    first = start.removeprefix("//").partition("/")[0]
    keyword, equals, _ = first.partition("=")
    user, colon, password = first.partition(":")
    is_drive = len(user) == 1 and password[:1] in ("", "\\")
    return (
        "://" in start
        or start.startswith(tuple(f"{known}{next_}" for known in _POSTGRESQL for next_ in (":", "//")))
        or bool(equals and keyword.strip() in _KEYWORDS)
        or bool(colon and not is_drive and "@" in start)
    )


def scheme_of(word: str) -> str:
    """Returns the scheme of a word that is a URL, perhaps with white space around it; empty for a path."""
    scheme, separator, _ = word.lstrip().partition("://")
    is_one = scheme[:1].isalpha() and all(char.isalnum() or char in "+-." for char in scheme) and scheme.isascii()
    return scheme if separator and is_one else ""
