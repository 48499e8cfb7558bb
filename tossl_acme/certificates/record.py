"""A kept certificate: its files in a store, and the record beside them with all facts about it.

certificates/<NAME>   cert.pem, chain.pem, fullchain.pem, privkey.pem, and certificate.json, the record

A process that finds its certificate held reads this and little else: dataclasses, re, json and X.509 would take longer
to import than everything that it does.
"""

from __future__ import annotations

import sys

from ..errors import ArgumentError
from ..store.protocol import MAX_PART_CHARS
from .due import is_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ..files import FilePath
    from ..store.protocol import Readable, Store

#: The version of the record that this writes, and the last that it reads. One without a version is of 0.1.
FORMAT = 1
RECORD = "certificate.json"
#: What the certificate's files are called, by the name of the value that they hold.
FILES = {"certificate": "cert.pem", "chain": "chain.pem", "fullchain": "fullchain.pem", "private_key": "privkey.pem"}
ABOVE = "certificates"
#: The part of a certificate's set that an attempt is kept in, and its record there.
PENDING, ATTEMPT = "pending", "attempt.json"
#: Names of letters, digits and these are folders as they are.
_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-")
#: Where Python has SHA-256 itself: hashlib loads OpenSSL for it.
_SHA256 = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
#: The members of a record: their types, and the value of one that 0.1 did not write; None where it did.
_MEMBERS: dict[str, tuple[type, object]] = {
    "domains": (list, None),
    "directory": (str, None),
    "not_before": (int, None),
    "not_after": (int, None),
    "issuer": (str, None),
    "serial": (str, None),
    "key_type": (str, ""),
    "has_key": (bool, True),
    "issued_at": (int, 0),
    "revoked": (int, 0),
    "renewable": (bool, False),
    "public_key": (str, ""),
    "cert_id": (str, ""),
    "said": (str, ""),
    "words": (str, ""),
    "profile": (str, ""),
    "preferred_chain": (str, ""),
    "persist_until": (int, 0),
    "digests": (dict, {}),
    "issuance": (dict, {}),
    "self_signed": (bool, False),
    "node": (str, ""),
}


def set_name(name: str) -> str:
    """Returns the name of a certificate's set in a store. Raises ArgumentError "name" for an unusable name."""
    return f"{ABOVE}/{folder_name(name)}"


def folder_name(name: str) -> str:
    """Returns a certificate's folder: its name, "*." as "_." and "::1" as "0::1".

    Raises ArgumentError "name" for an unusable name.
    """
    is_wildcard = name.startswith("*.")
    folder = f"_.{name[2:]}" if is_wildcard else f"0{name}" if name.startswith("::") else name
    # "_.a" is the folder of "*.a", and no other name's.
    first = folder[2:3] if is_wildcard else folder[:1]
    if not first or first in ".:-" or not _NAME_CHARS.issuperset(folder) or name.startswith("_."):
        from ..text import quoted

        allowed = "letters of ASCII, digits, and any of _.:- behind the first; of an internationalized name its A-label"
        raise ArgumentError("name", f"{quoted(name)} cannot be the name of a certificate in the store: use {allowed}")
    if len(folder) > MAX_PART_CHARS:
        raise ArgumentError("name", f"a certificate's name in the store has at most {MAX_PART_CHARS} characters")
    return folder


def certificate_name(folder: str) -> str:
    """Returns the name of the certificate in this folder."""
    if folder.startswith("0::"):
        return folder[1:]
    return f"*.{folder[2:]}" if folder.startswith("_.") else folder


class KeptCertificate:
    """A certificate in a store, as it was read.

    name: its name in the store. texts: its files' contents by the names of these, perhaps none of them read.
    record: the members of certificate.json, those unknown here too.
    """

    __slots__ = ("_where", "name", "record", "texts")

    def __init__(
        self, name: str, record: Mapping[str, Any], texts: Mapping[str, str], where: Callable[[str], str]
    ) -> None:
        self.name = name
        self.record = record
        self.texts = texts
        self._where = where

    # ---- what it is ----

    @property
    def domains(self) -> list[str]:
        return [str(name) for name in self.record["domains"]]

    @property
    def directory(self) -> str:
        """Returns the directory URL of the CA that issued it."""
        return str(self.record["directory"])

    @property
    def not_before(self) -> int:
        return int(self.record["not_before"])

    @property
    def not_after(self) -> int:
        return int(self.record["not_after"])

    @property
    def issuer(self) -> str:
        return str(self.record["issuer"])

    @property
    def serial(self) -> str:
        """Returns its serial number, hexadecimal in lower case."""
        return str(self.record["serial"])

    @property
    def cert_id(self) -> str:
        """Returns its name in renewal information (RFC 9773 section 4.1); empty without such a name."""
        return str(self.record["cert_id"])

    @property
    def public_key(self) -> str:
        """Returns the SHA-256 of its SubjectPublicKeyInfo, hexadecimal; empty if 0.1 kept it."""
        return str(self.record["public_key"])

    @property
    def has_key(self) -> bool:
        """Returns whether its private key is here; with the user's own request it is not."""
        return bool(self.record["has_key"])

    @property
    def is_revoked(self) -> bool:
        return bool(self.record["revoked"])

    @property
    def is_self_signed(self) -> bool:
        """Returns whether it stands in for a certificate that is not there yet."""
        return bool(self.record["self_signed"])

    @property
    def node(self) -> str:
        """Returns the node that obtained it; empty if that was not kept."""
        return str(self.record["node"])

    @property
    def is_renewable(self) -> bool:
        """Returns whether its name alone is enough to renew it."""
        return bool(self.record["renewable"])

    @property
    def issuance(self) -> dict[str, Any]:
        """Returns the options of its request, as Issuance.as_json() wrote them; empty if 0.1 kept it."""
        return dict(self.record["issuance"])

    @property
    def deploy_command(self) -> str:
        """Returns its deploy command, empty without one."""
        command = self.record["issuance"].get("deploy_command")
        return command if isinstance(command, str) else ""

    def asked(self, member: str) -> str:
        """Returns a member: an option ("profile", "preferred_chain", "key_type") or a digest ("said", "words")."""
        return str(self.record[member])

    @property
    def persist_until(self) -> int:
        """Returns when the first of its permanent records ends (dns-persist-01), epoch seconds; 0 without an end."""
        return int(self.record["persist_until"])

    # ---- its files ----

    @property
    def is_whole(self) -> bool:
        """Returns whether all of its files are there."""
        wanted = [file for kind, file in FILES.items() if self.has_key or kind != "private_key"]
        return all(file in self.texts for file in wanted)

    def check_files(self) -> None:
        """Raises ArgumentError "store" for a file whose content has changed since it was kept."""
        kept = self.record["digests"]
        for file, digest in kept.items():
            if file in self.texts and sha256(self.texts[file].encode()) != digest:
                cause = "is not the file that was kept there: move it away to go on"
                raise ArgumentError("store", f"{self._where(file)} {cause}")

    def as_dict(self, store: Store) -> dict[str, object]:
        """Returns the part of obtain_certificate's result that is about it."""
        return {
            "name": self.name,
            "domains": self.domains,
            **{kind: self.texts.get(file, "") for kind, file in FILES.items()},
            "not_before": self.not_before,
            "not_after": self.not_after,
            "issuer": self.issuer,
            "serial": self.serial,
            "directory": self.directory,
            "files": paths_of(store, self.name, self.has_key),
        }


def paths_of(store: Store, name: str, has_key: bool) -> dict[str, FilePath]:
    """Returns the paths of a certificate's files; empty in a store that has no files."""
    paths = {
        kind: store.path_of(set_name(name), file) for kind, file in FILES.items() if has_key or kind != "private_key"
    }
    return {kind: path for kind, path in paths.items() if path is not None}


def read_kept(store: Readable, name: str, *, record_alone: bool = False) -> KeptCertificate | None:
    """Returns the certificate with this name; None if it is missing.

    record_alone: reads none of its files. Raises ArgumentError "store" for a record that is damaged, of a later version
    or foreign, and "name" for an unusable name.
    """
    values = store.read(set_name(name), (RECORD,) if record_alone else None)
    return None if values is None else kept_of(store, name, values)


def kept_of(store: Readable, name: str, values: Mapping[str, bytes]) -> KeptCertificate:
    """Returns the certificate whose set holds these values. Raises ArgumentError as read_kept()."""
    where = set_name(name)
    texts = {value: _text(content, store, where, value) for value, content in values.items()}
    text = texts.pop(RECORD, None)
    if text is None:
        cause = f"has no {RECORD}: tossl did not keep what is in it; move it away, or give another -name"
        raise ArgumentError("store", f"{store.where(where)} {cause}")
    record = _record(text, lambda: store.where(where, RECORD))
    return KeptCertificate(name, record, texts, lambda file: store.where(where, file))


def digests_of(texts: Mapping[str, str]) -> dict[str, str]:
    """Returns the digests of a certificate's files, by which the record knows them again."""
    return {file: sha256(text.encode()) for file, text in texts.items()}


def said_digest(words: Mapping[str, str], deciding: Iterable[str]) -> str:
    """Returns a digest of the words of a call that decide: the same words ask for the same."""
    return sha256(repr([(name, words[name]) for name in deciding if name in words]).encode("utf-8", "surrogatepass"))


def sha256(content: bytes) -> str:
    """Returns the SHA-256, hexadecimal."""
    try:
        digest = __import__(_SHA256).sha256
    except ImportError:  # another Python
        from hashlib import sha256 as digest
    return str(digest(content).hexdigest())


def read_json(text: str) -> Any:
    """Returns the value of a JSON text. Raises ValueError."""
    try:
        from _json import make_scanner

        scan = make_scanner(_Scanning)  # type: ignore[arg-type]  # it takes whatever says the same
    except (ImportError, AttributeError, TypeError):  # another Python
        from json import loads

        return loads(text)
    stripped = text.strip(" \t\r\n")
    try:
        value, end = scan(stripped, 0)
    except (StopIteration, RecursionError, SystemError):  # the last where its error's package, json, is not loaded
        raise ValueError("not JSON") from None
    if end != len(stripped):
        raise ValueError("more than one JSON value")
    return value


class _Scanning:
    """The options of the json package's reader, except that NaN is refused. The package itself imports re."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int
    memo: dict[str, str] = {}

    @staticmethod
    def parse_constant(name: str) -> Any:
        raise ValueError(f"{name} is no JSON")


def _text(content: bytes, store: Readable, name: str, value: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        # Asked here alone: to quote a path loads re.
        cause = "is not a text file: move it away to go on"
        raise ArgumentError("store", f"{store.where(name, value)} {cause}") from None


def _record(text: str, where: Callable[[], str]) -> dict[str, Any]:
    try:
        read = read_json(text)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise _damaged(where())
    version = read.get("format", 0)
    if isinstance(version, int) and version > FORMAT:
        cause = f"of a later version: format {version}, this tossl knows {FORMAT} and those before"
        raise ArgumentError("store", f"{where()} is {cause}")
    record = dict(read)
    for member, (kind, default) in _MEMBERS.items():
        value = record.setdefault(member, default)
        if type(value) is not kind or not _is_sane(value):
            raise _damaged(where())
    return record


def _is_sane(value: object) -> bool:
    """Returns whether a value of a record can be true: a text that can be written, a time that a clock can show."""
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, list):
        return all(isinstance(item, str) and _is_sane(item) for item in value)
    return not isinstance(value, int) or isinstance(value, bool) or is_time(value)


def _damaged(where: str) -> ArgumentError:
    return ArgumentError("store", f"{where} is damaged: move it away to go on")
