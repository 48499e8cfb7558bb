"""Whom to trust: the roots of a file or folder, else the system's, else certifi's.

They are read once in a process and again when they change, not for each connection: the usual bundle takes 30 ms and
3 MB. Where its certificates all stand in a folder by their hashes as well, OpenSSL reads there the few that it needs.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import stat
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import count
from pathlib import Path

from ..context import in_forked_child
from ..errors import ArgumentError
from ..files import FilePath, absolute
from ..text import quoted

#: Where systems keep the roots that their administrator trusts: the first file that has any counts.
SYSTEM_BUNDLES = [
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, BSD, macOS
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD
]
#: Folders of roots by hash, into which OpenSSL looks by itself.
SYSTEM_FOLDERS = ["/etc/ssl/certs", "/etc/pki/tls/certs"]

#: OpenSSL's codes of a chain that leads to nobody who is trusted.
NO_ROOT = (2, 18, 19, 20, 21)

#: Python checks more of RFC 5280 from this version on, unless it is asked not to.
_IS_STRICT = sys.version_info >= (3, 13)
_MOST_BYTES = 1 << 25
#: Of a file with one certificate.
_MOST_ALONE_BYTES = 1 << 13
_BEGIN = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
_BLOCK = re.compile(
    rb"-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[A-Za-z0-9+/= \t\r\n]*-----END \1-----", re.MULTILINE
)
_HASHED = re.compile(r"[0-9a-fA-F]{8}\.[0-9]+")
_SUFFIXES = (".pem", ".crt", ".cer", ".cert")


class _Unusable(ValueError):
    """Why a file or folder brings no roots."""


class Trust:
    """The roots for TLS connections. named: a file or folder that somebody chose, which has to be sound.

    folders: folders beside it, or beside the system's, that need not exist (SSL_CERT_DIR).
    Raises ArgumentError "ca_bundle" for a named file or folder with no roots.
    """

    def __init__(self, named: str = "", folders: Sequence[str] = ()) -> None:
        self._shown = named.shown if isinstance(named, FilePath) else quoted(named)
        # It is read again perhaps from another current directory.
        self._path: str = absolute(named) if named else ""
        self._folders = tuple(map(absolute, folders))
        self._made: tuple[object, ssl.SSLContext, tuple[str, ...]] | None = None
        #: Whether OpenSSL may look roots up by itself, and whether it has to.
        self._may_look_up, self._looks_up = True, False
        #: Of several connections at once, one reads and the others wait.
        self._reading = threading.Lock()
        if named:
            self.context()

    def context(self) -> ssl.SSLContext:
        """Returns the context for connections, with the roots as they are now."""
        with self._reading:
            state = tuple(_state(path) for path in self._sources())
            made = self._made
            if made is None or made[0] != state:
                context = _new_context()
                made = self._made = (state, context, tuple(self._fill(context)))
            return made[1]

    def whole(self) -> ssl.SSLContext:
        """Returns the context with all roots loaded, for a server whose issuer OpenSSL has not found by itself.

        The link to a root that was replaced by one with another name may still have the hash of the old name.
        """
        with self._reading:
            if self._looks_up:
                self._may_look_up, self._made = False, None
        return self.context()

    def file(self) -> str:
        """Returns the file or folder for a library that takes one alone."""
        self.context()
        assert self._made is not None
        return self._path or (self._made[2] or (_of_certifi(),))[0]

    @property
    def places(self) -> tuple[str, ...]:
        """Returns the files and folders that roots are looked up in."""
        return self._made[2] if self._made else ()

    def _sources(self) -> tuple[str, ...]:
        if self._path:
            return self._path, *self._folders
        return *SYSTEM_BUNDLES, *_own_file(), *(self._folders or SYSTEM_FOLDERS)

    def _fill(self, context: ssl.SSLContext) -> Iterator[str]:
        if self._path:
            self._load_named(context)
            yield self._path
        else:
            yield from _load_first(context, SYSTEM_BUNDLES, self._looked_up())
            yield from _load_first(context, _own_file())
        for folder in self._folders:
            with contextlib.suppress(_Unusable, OSError):
                _load_folder(context, folder, is_strict=False)
                yield folder
        if self._path:
            return
        for place in filter(_has_hashed, () if self._folders else SYSTEM_FOLDERS):
            context.load_verify_locations(capath=place)
            yield place
        if not context.cert_store_stats()["x509"] and not any(map(_has_hashed, SYSTEM_FOLDERS)):
            context.load_verify_locations(_of_certifi())
            yield _of_certifi()

    def _looked_up(self) -> set[bytes]:
        """Returns the PEM blocks of the certificates that OpenSSL finds in the system's first folder by itself.

        None where others are loaded: of those with one subject it looks for no more once it has one.
        """
        may = self._may_look_up and not self._folders and not any(Path(path).exists() for path in _own_file())
        folders = [*filter(_has_hashed, SYSTEM_FOLDERS)][: int(may)]
        found = {block for folder in folders for block in _looked_up(folder)}
        self._looks_up = bool(found)
        return found

    def _load_named(self, context: ssl.SSLContext) -> None:
        cause = ""
        try:
            kind = Path(self._path).stat().st_mode
            if stat.S_ISDIR(kind):
                _load_folder(context, self._path, is_strict=True)
            elif stat.S_ISREG(kind):
                _load_file(context, self._path)
            else:  # a pipe would be waited for
                cause = "it is neither a file nor a folder"
        except (FileNotFoundError, NotADirectoryError):
            raise ArgumentError("ca_bundle", f"there is no CA bundle {self._shown}") from None
        except _Unusable as error:
            cause = str(error)
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", "") or "its path is no usable one"
        if cause:
            raise ArgumentError("ca_bundle", f"the CA bundle {self._shown} cannot be used: {cause}")


_lock = threading.Lock()
_known: dict[tuple[str, ...], Trust] = {}


def trust_in(named: str = "", folders: Sequence[str] = ()) -> Trust:
    """Returns the process's Trust for these places: all connections share the roots. Raises what Trust does."""
    shown = named.shown if isinstance(named, FilePath) else named
    places = (shown, *map(absolute, (named, *folders) if named else folders))
    with _lock:
        found = _known.get(places)
    if found is None:
        found = Trust(named, folders)
        with _lock:
            found = _known.setdefault(places, found)
    elif named:
        found.context()  # it may have changed
    return found


def reset() -> None:
    """Forgets all roots. A forked child calls it too: a thread of its parent may hold a lock."""
    global _lock
    _lock = threading.Lock()
    _known.clear()


in_forked_child(reset)


def _new_context() -> ssl.SSLContext:
    """Returns a context without roots, set as urllib3 sets its own, without loading it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    # As for curl and Go, each certificate there is trusted, also one that is no root.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | (ssl.VERIFY_X509_STRICT if _IS_STRICT else 0)
    context.post_handshake_auth = True
    context.hostname_checks_common_name = False
    context.set_alpn_protocols(["http/1.1"])
    if keys := os.path.expandvars(os.environ.get("SSLKEYLOGFILE", "")):
        context.keylog_filename = keys
    return context


def _of_certifi() -> str:
    import certifi  # it loads slowly, and few systems need it

    return certifi.where()


def _own_file() -> list[str]:
    """Returns the bundle that this OpenSSL was built for, if it is not one of the system's."""
    path = Path(ssl.get_default_verify_paths().openssl_cafile)
    return [str(path)] if path.resolve() not in [Path(one).resolve() for one in SYSTEM_BUNDLES] else []


def _is_certificate_name(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES) or bool(_HASHED.fullmatch(name))


def _has_hashed(folder: str) -> bool:
    with contextlib.suppress(OSError):
        return any(_HASHED.fullmatch(path.name) for path in Path(folder).iterdir())
    return False


def _state(path: str) -> object:
    """Returns something that changes when the file or the folder does."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _looked_up(folder: str) -> Iterator[bytes]:
    """Yields the PEM blocks of the certificates that OpenSSL finds in a folder, by HASH.0, HASH.1 and so on."""
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            names = {entry.name for entry in entries if _HASHED.fullmatch(entry.name) and entry.is_file()}
        for first in [name for name in names if name.endswith(".0")]:
            for number in count():
                name = f"{first[:-1]}{number}"
                block = _only_block(f"{folder}/{name}") if name in names else b""
                if not block:  # there OpenSSL ends its search, too
                    break
                yield block


def _only_block(path: str) -> bytes:
    """Returns the block of a file with one certificate, at the beginning of a line; empty for any other file."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - of hundreds
        content = file.read(_MOST_ALONE_BYTES)
    found = [*_BLOCK.finditer(content)]
    is_plain = len(found) == len(_BEGIN.findall(content)) == 1 and content[: found[0].start()][-1:] in (b"", b"\n")
    return found[0][0] if is_plain else b""


def _load_first(
    context: ssl.SSLContext, paths: Iterable[str], known: AbstractSet[bytes] = frozenset()
) -> Iterator[str]:
    for path in paths:
        with contextlib.suppress(_Unusable, OSError):
            _load_file(context, path, known)
            yield path
            return


def _load_folder(context: ssl.SSLContext, folder: str, *, is_strict: bool) -> None:
    """Loads the certificates of a folder, with or without links by hash (openssl rehash).

    Raises _Unusable where it has none; is_strict: also where one of its files is damaged.
    """
    paths = [path for path in sorted(Path(folder).iterdir()) if _is_certificate_name(path.name)]
    found = False
    for path in filter(Path.is_file, dict.fromkeys(path.resolve() for path in paths)):
        try:
            _load_file(context, str(path))
            found = True
        except _Unusable as error:
            if is_strict and _BEGIN.search(_content(path)):
                raise _Unusable(f"of its file {quoted(path.name)}, {error}") from None
    if not found:
        raise _Unusable(f"it has no file of PEM certificates ({' '.join(_SUFFIXES)})")


def _load_file(context: ssl.SSLContext, path: str, known: AbstractSet[bytes] = frozenset()) -> None:
    """Loads a file, unless it has no others than the known PEM blocks. Raises _Unusable where one of its is damaged."""
    content = _content(Path(path))
    blocks = [found[0] for found in _BLOCK.finditer(content)]
    if not blocks:
        raise _Unusable(_without_certificates(content, path))
    if len(blocks) != len(_BEGIN.findall(content)):
        raise _Unusable("a certificate in it is cut off or damaged")
    try:
        if b"-----BEGIN TRUSTED" in content:  # of which only this way of loading keeps the restrictions
            context.load_verify_locations(path)
        elif not set(blocks) <= known:
            # Without what stands around the blocks: OpenSSL would pass over a block behind a byte order mark.
            context.load_verify_locations(cadata=b"\n".join(blocks).decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise _Unusable("a certificate in it is cut off or damaged") from None


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise _Unusable(f"it has more than {_MOST_BYTES} bytes")
    return content


def _without_certificates(content: bytes, path: str) -> str:
    """Returns why a file has no whole PEM certificate, and what to do."""
    if not content.strip():
        return "it is empty"
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"B\0E\0G\0I\0N" in content:
        return "it is text in UTF-16; save it as ASCII or UTF-8"
    if _BEGIN.search(content):
        return "a certificate in it is cut off or damaged"
    if content[:1] == b"\x30":
        name = quoted(Path(path).name)
        return f"it is DER, no PEM; openssl x509 -inform DER -in {name} -out ca.pem converts a certificate"
    if b"PRIVATE KEY-----" in content:
        return "it contains a private key and no certificate"
    return "it contains no PEM certificate"
