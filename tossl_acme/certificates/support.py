"""What a bug report needs, in one archive without secrets: versions, settings, the store's listing, the end of the log.

Nothing is sent anywhere. Whatever cannot be read is told in its place: a report is wanted where things are broken.
"""

from __future__ import annotations

import io
import os
import re
import stat
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..errors import ArgumentError, TosslError
from ..files import FilePath, Folder, refusals
from ..log import without_secrets
from ..store.protocol import Store
from ..text import HIDDEN, clean, masked
from . import listing, settings

_MODE = 0o600
#: Bytes of a log that are packed: its end.
MOST_LOG_BYTES = 1 << 20
#: Characters of a secret that is looked for in what is packed: a shorter one is a word as any other.
_LEAST_SECRET_CHARS = 6
#: What a line of tossl's own log begins with.
_LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:error|warning|info|debug) +tossl[\w.]* ")


@dataclass(frozen=True)
class Asked:
    """What is packed. versions: lines. configuration, log: paths, empty without one.

    options: those that a configuration file may have, by name, and whether each is secret. store: opens it.
    """

    versions: Sequence[str]
    configuration: str
    options: Mapping[str, bool]
    log: str
    store: Callable[[], Store | None]


@dataclass(frozen=True)
class Member:
    """A file of the archive: its name, what it is, its text."""

    name: str
    about: str
    text: str


def pack_support(path: FilePath, asked: Asked) -> list[dict[str, object]]:
    """Writes the archive; returns what is in it: name, size, about. Raises ArgumentError "output"."""
    _check_free(path)
    secrets = settings.secrets_in_environment(os.environ)
    members = [
        Member("versions.txt", "versions, and the machine", "".join(f"{line}\n" for line in asked.versions)),
        Member("environment.txt", "variables that count for tossl", _told(settings.environment_text)),
    ]
    if asked.configuration:
        secrets += settings.secrets_in_file(asked.configuration, asked.options)
        text = _told(lambda: settings.configuration_text(asked.configuration, asked.options))
        members.append(Member("tossl.conf", "the configuration file", text))
    members += _of_store(asked.store, secrets)
    log = _told(lambda: end_of_log(asked.log)) if asked.log else "no log is written to a file: --log-file names one\n"
    members.append(Member("log.txt", "the end of the log", log))
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    members.insert(0, Member("README.txt", "what all this is", _readme(created, members)))
    return _write(path, members, secrets)


def name_of_today() -> str:
    """Returns the path of an archive that is made now, in the current folder, where no file is."""
    name = f"./tossl-support-{time.strftime('%Y%m%d-%H%M%S')}"
    ends = (f"{end}.tar.gz" for end in ("", *(f"-{number}" for number in range(2, 100))))
    return next((f"{name}{end}" for end in ends if not os.path.lexists(f"{name}{end}")), f"{name}.tar.gz")


def end_of_log(path: str) -> str:
    """Returns the last lines of a log and of the one before it, made safe once more; lines of others are left out."""
    found = b"".join(_end_of(name) for name in (f"{path}.1", path))[-MOST_LOG_BYTES:]
    if not found:
        return "the log is empty, or is not there\n"
    lines = found.decode("utf-8", "replace").splitlines()
    if len(found) == MOST_LOG_BYTES:
        del lines[:1]  # a part of a line
    own = [line for line in lines if _LOG_LINE.match(line)]
    text = "".join(f"{masked(without_secrets(line))}\n" for line in own)
    return text if len(own) == len(lines) else f"{text}({len(lines) - len(own)} lines that tossl's log does not have)\n"


def _end_of(path: str) -> bytes:
    """Returns the end of a plain file; nothing where there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        return b""
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is no plain file")
        file.seek(max(0, status.st_size - MOST_LOG_BYTES))
        return file.read(MOST_LOG_BYTES)


def _of_store(open_store: Callable[[], Store | None], secrets: list[str]) -> list[Member]:
    """Returns what is told of the store; adds the secrets to which its certificates refer."""
    opened: list[Store | None] = []

    def listed() -> str:
        opened.append(open_store())
        return listing.listing_text(opened[0]) if opened[0] is not None else "-store is empty: nothing is kept\n"

    members = [Member("store.txt", "the store's files: names, sizes, modes, owners", _told(listed))]
    store = opened[0] if opened else None
    if store is not None:
        members.append(
            Member("certificates.json", "the certificates held", _told(lambda: listing.certificates_text(store)))
        )
        with suppress(TosslError, OSError):
            secrets += listing.secrets_of_certificates(store)
    return members


def _told(ask: Callable[[], str]) -> str:
    """Returns a text, or why it cannot be found out."""
    try:
        return ask()
    except TosslError as error:
        cause = error.message
    except OSError as error:
        cause = error.strerror or type(error).__name__
    except Exception as error:  # noqa: BLE001 - a broken library, too, is what the report is for
        cause = f"{type(error).__name__}: {error}"
    return f"cannot be read: {masked(without_secrets(cause))}\n"


def _readme(created: str, members: Iterable[Member]) -> str:
    return "\n".join(
        [
            f"What `tossl support` has packed for a bug report at {created}. Nothing was sent anywhere.",
            "",
            *(f"{member.name:18} {member.about}" for member in members),
            "",
            "No private key, API key, password or other secret is in it, nor the query of a URL: where one may have",
            f"stood, there is {HIDDEN}. Names of domains, of files and of DNS providers are in it. Read it before you",
            "give it to anybody.",
            "",
        ]
    )


# ---- the archive ----


def _check_free(path: FilePath) -> None:
    with refusals("output", path):
        if os.path.lexists(path):
            raise ArgumentError("output", f'"{clean(path.word)}" is there already, and is not overwritten')


def _write(path: FilePath, members: Iterable[Member], secrets: Sequence[str]) -> list[dict[str, object]]:
    top = path.rpartition("/")[2].partition(".")[0] or "tossl-support"
    packed: list[dict[str, object]] = []
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for member in members:
            content = without_known(member.text, secrets).encode("utf-8", "backslashreplace")
            entry = tarfile.TarInfo(f"{top}/{member.name}")
            entry.size, entry.mode, entry.mtime = len(content), _MODE, int(time.time())
            archive.addfile(entry, io.BytesIO(content))
            packed.append({"name": member.name, "size": len(content), "about": member.about})
    above, _, name = path.rpartition("/")
    with (
        refusals("output", path),
        Folder.open(FilePath(above or "/", path.word.rpartition("/")[0], path.given)) as folder,
    ):
        try:
            folder.write_new(name, data.getvalue(), _MODE)
        except FileExistsError:
            raise
        except OSError:
            folder.remove(name)
            raise
    return packed


def without_known(text: str, secrets: Iterable[str]) -> str:
    """Returns the text without these secrets, wherever they stand in it."""
    parts = {part.strip() for secret in secrets for part in (secret, *secret.splitlines())}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _LEAST_SECRET_CHARS and not part.startswith("-----"):
            text = text.replace(part, HIDDEN)
    return text
