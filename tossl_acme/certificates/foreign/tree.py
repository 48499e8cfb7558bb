"""What is read of another program's tree, and the reading of its files: they are only read."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult

from ...acme.account import contact_urls
from ...challenges.registry import TYPES
from ...challenges.solver import SolverOptions
from ...errors import ArgumentError
from ...files import FilePath, read_small
from ...http.urls import UrlError, shown_url, split_url
from ...log import without_secrets
from ...text import clean, masked

#: Bytes of one file: no chain, key or configuration is larger.
_MOST_BYTES = 1 << 20
_READ_SECONDS = 2.0
_MOST_PORT = 65535
_WORD = r"""(?:'([^']*)'|"([^"`\\]*)"|([^\s'"`\\;&|()<>#]*))"""
_ASSIGNMENT = re.compile(rf"\s*(?:export\s+)?([A-Za-z_]\w*)={_WORD}\s*(?:#.*)?")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_MOST_VALUE_CHARS = 4096
_MOST_PORT_DIGITS = 5


@dataclass(frozen=True, eq=False)
class FoundAccount:
    """An account: its CA, its key (PEM), its URL (empty where the program does not keep it) and its contacts."""

    directory: str
    key: str = field(repr=False)
    url: str
    contact: tuple[str, ...]
    source: FilePath


@dataclass(frozen=True, eq=False)
class FoundCertificate:
    """A certificate with its key (PEM) and what its program asked for it with.

    chain: the certificate and those above it. solvers: how its names were proven; None where that is not recorded, or
    cannot be done here: `unproven` says why then. files: the files that servers read, by what our own are called.
    notes: what has to be known of it.
    """

    name: str
    chain: str
    private_key: str = field(repr=False)
    directory: str
    account: FoundAccount
    solvers: SolverOptions | None = None
    unproven: str = ""
    profile: str = ""
    preferred_chain: str = ""
    pem_file: FilePath | None = None
    files: dict[str, FilePath] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Finding:
    """A certificate's place in a tree. read: raises ArgumentError and KeyFormatError where it cannot be taken."""

    name: str
    source: FilePath
    read: Callable[[], FoundCertificate]


class Tree:
    """A folder that another program keeps.

    directory: the CA, email: whose account, where the program does not record them.
    """

    def __init__(self, path: FilePath, directory: str = "", email: str = "") -> None:
        """Raises ArgumentError "path" for what is no folder."""
        try:
            status = os.stat(path)  # noqa: PTH116 - a FilePath is a str
        except OSError as error:
            raise ArgumentError("path", f"cannot read {path.shown}: {error.strerror}") from None
        if not stat.S_ISDIR(status.st_mode):
            raise ArgumentError("path", f"{path.shown} is no folder")
        self.path = path
        self.directory = directory
        self.email = email
        self._owners = (0, os.geteuid(), status.st_uid)

    def read(self, path: FilePath) -> str:
        """Returns a file's text. Raises ArgumentError "path": missing, not readable, not text, or a stranger's."""
        try:
            status = os.stat(path)  # noqa: PTH116
            if not stat.S_ISREG(status.st_mode):
                raise ArgumentError("path", f"{path.shown} is no plain file")
            content = read_small(path, _MOST_BYTES, _READ_SECONDS)
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", error)
            if isinstance(error, FileNotFoundError) and os.path.islink(path):  # noqa: PTH114
                cause = "it is a link to a file that is missing"
            raise ArgumentError("path", f"cannot read {path.shown}: {cause}") from None
        if status.st_uid not in self._owners:
            cause = f"belongs to user {status.st_uid}, who is neither root nor you nor the owner of {self.path.shown}"
            raise ArgumentError("path", f"{path.shown} {cause}: give it to one of these (chown)")
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise ArgumentError("path", f"{path.shown} is no text file") from None

    def read_json(self, path: FilePath) -> dict[str, object]:
        """Returns the object in a JSON file. Raises ArgumentError "path"."""
        try:
            found = json.loads(self.read(path))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ArgumentError("path", f"{path.shown} is damaged: it holds no JSON object")
        return found

    def read_chain(self, certificate: FilePath, issuers: FilePath) -> str:
        """Returns the certificate, and those above it where the program keeps them in another file."""
        chain = self.read(certificate)
        return f"{chain.rstrip()}\n{self.read(issuers)}" if exists(issuers) else chain

    def read_key(self, path: FilePath, lacks: str) -> str:
        """Returns the key of a certificate. Raises ArgumentError "path", which says why it may be missing."""
        if not exists(path):
            raise ArgumentError("path", f"its key is not here, there is no {path.shown}: {lacks}")
        return self.read(path)

    def names(self, path: FilePath) -> list[str]:
        """Returns the names in a folder, sorted; none where it is missing. Raises ArgumentError "path"."""
        try:
            return sorted(os.listdir(path))  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", "") or "it is no path"
            raise ArgumentError("path", f"cannot read {path.shown}: {cause}") from None

    def folders(self, path: FilePath) -> list[str]:
        """Returns the names of the folders in a folder, sorted."""
        return [name for name in self.names(path) if os.path.isdir(path / name)]  # noqa: PTH112


def exists(path: FilePath) -> bool:
    """Returns whether something has this name, be it a broken link, or what may not be looked at: reading it tells."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # no path can be so
        return False
    except OSError:
        return True
    return True


def below(path: FilePath, *parts: str) -> FilePath:
    """Returns the path of a name, or of names one below the other."""
    for part in parts:
        path = path / part
    return path


def wrong_tree(path: FilePath, program: str, lacks: str, usual: str) -> ArgumentError:
    """Returns the error for a folder that is not the program's."""
    return ArgumentError("path", f"{path.shown} is no folder of {program}: it has no {lacks}. Give {usual}")


def texts_of(value: object) -> tuple[str, ...]:
    """Returns the texts in a list of JSON; none where it is no list of texts."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def account_facts(registration: object) -> tuple[str, tuple[str, ...]]:
    """Returns an account's URL and contacts, of what a program kept of the CA's answer: {uri, body {contact}}."""
    if not isinstance(registration, dict):
        return "", ()
    body = registration.get("body")
    contact = texts_of(body.get("contact")) if isinstance(body, dict) else ()
    return account_url(registration.get("uri")), sound_contacts(contact)


def account_url(value: object) -> str:
    """Returns an account's URL, as a program kept it; empty where it is none."""
    try:
        return value if isinstance(value, str) and split_url(value, ("https",)) else ""
    except UrlError:
        return ""


def server_of(url: object, lacks: str) -> SplitResult:
    """Returns the parts of a URL of a CA. Raises ArgumentError "path", which says what it lacks, for another text."""
    try:
        parts = split_url(url if isinstance(url, str) else "", ("https",))
    except UrlError:
        parts = None
    if parts is None or any(part.startswith(".") for part in (str(parts.hostname), *parts.path.split("/"))):
        raise ArgumentError("path", f"{lacks}: {shown_url(str(url))}")
    return parts


def sound_contacts(contact: Iterable[str]) -> tuple[str, ...]:
    """Returns those contacts that a CA can be told, as URLs."""
    found: list[str] = []
    for one in contact:
        try:
            found += contact_urls("", [one])
        except ArgumentError:
            continue
    return tuple(found)


def no_account(directory: str, where: FilePath) -> ArgumentError:
    """Returns the error for a certificate whose account is missing."""
    cause = f"its account at {shown_url(directory)} is missing: there is no {where.shown}"
    return ArgumentError("path", f"{cause}. Without it tossl::acme::obtain_certificate makes a new account")


def assignments(text: str, known: Mapping[str, str] = {}) -> dict[str, str]:
    """Returns the assignments of a shell's file: NAME=word, NAME='text' and NAME="text"; the last of a name counts.

    Nothing is run: lines that do anything else are passed over. In a word or "text" $NAME and ${NAME} are put in,
    where the file or `known` has them.
    """
    found = dict(known)
    for line in text.splitlines():
        if match := _ASSIGNMENT.fullmatch(line):
            name, quoted, *others = match.groups()
            value = quoted if quoted is not None else _expanded(next(one for one in others if one is not None), found)
            if value is not None:
                found[name] = value
    return found


def _expanded(text: str, known: Mapping[str, str]) -> str | None:
    """Returns a text with its variables' values; None where one is not known, or a shell would do anything else."""
    names = [braced or plain for braced, plain in _VARIABLE.findall(text)]
    if not names:
        return None if "$" in text else text
    if text.count("$") != len(names) or not all(name in known for name in names):
        return None
    if len(text) + sum(len(known[name]) for name in names) > _MOST_VALUE_CHARS:
        return None
    return _VARIABLE.sub(lambda found: known[found[1] or found[2]], text)


def not_taken_over(what: str, command: str) -> str:
    """Returns the note on a program's hook, without what may be a secret in it."""
    cause = "is not taken over; obtain_certificate's -deploy_command is run after a renewal"
    return f"{what} {cause}: {shown_command(command)}"


def shown_command(command: str) -> str:
    """Returns a command as a message may show it."""
    return clean(masked(without_secrets(command)), 200)


def new_keys(what: str) -> str:
    """Returns the note on a program's setting by which renewals keep the key."""
    return f"{what} is not taken over: each renewal has a new key, so a TLSA record or a pin of this one must not stand"


def is_webroot(folder: str) -> bool:
    """Returns whether it can be a folder that a web server serves, by its name."""
    return folder.startswith("/") and not any(map(str.isspace, folder)) and folder.isprintable()


def proven_by_file(found: FoundCertificate, folder: str) -> FoundCertificate:
    """Returns it with the folder that a web server serves."""
    return replace(found, solvers=SolverOptions(webroot=FilePath(os.path.abspath(folder))))  # noqa: PTH100


def proven_by_port(found: FoundCertificate, number: str) -> FoundCertificate:
    """Returns it with the built-in server for responses in files, at this port."""
    if not _is_port(number):
        return unproven(found, f"its port {clean(number, 40)} is no port")
    return replace(found, solvers=SolverOptions(port=int(number)))


def proven_by_tls_port(found: FoundCertificate, number: str) -> FoundCertificate:
    """Returns it with the built-in server that proves names in its TLS handshake, at this port."""
    if not _is_port(number):
        return unproven(found, f"its port {clean(number, 40)} is no port")
    by_tls = tuple(name for name in TYPES if name.startswith("tls"))
    return replace(found, solvers=SolverOptions(challenge=by_tls, tls_port=int(number)))


def unproven(found: FoundCertificate, cause: str) -> FoundCertificate:
    """Returns it with the reason why it is not known how to prove its names."""
    return replace(found, solvers=None, unproven=cause)


def _is_port(number: str) -> bool:
    is_number = number.isascii() and number.isdecimal() and len(number) <= _MOST_PORT_DIGITS
    return is_number and 0 < int(number) <= _MOST_PORT
