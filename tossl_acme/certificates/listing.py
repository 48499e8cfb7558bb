"""A store as a bug report may have it: its files without their contents, and what is known of its certificates."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from itertools import islice

from ..errors import ArgumentError
from ..log import without_secrets
from ..store.protocol import Store
from ..text import HIDDEN, masked, quoted
from .listed import all_told
from .record import ABOVE, RECORD, certificate_name
from .settings import secret_at

#: Lines of a listing; and what is looked at in a record, so deep.
_MOST_LINES, _MOST_DEEP = 20000, 8
#: Members of a certificate that are told as they are: names, and what consists of digits.
_PLAIN = ("name", "domains", "serial")
#: Those that are no text for others.
_LEFT_OUT = ("files", "deploy_command")


def listing_text(store: Store) -> str:
    """Returns a line for each file of a store, or for each value in one that has no files."""
    top = store.path_of(ABOVE)
    lines = _values(store) if top is None else _files(os.path.dirname(top))  # noqa: PTH120 - a FilePath
    found = list(islice(lines, _MOST_LINES + 1))
    if len(found) > _MOST_LINES:
        found[_MOST_LINES:] = ["... and more"]
    return "".join(f"{line}\n" for line in found)


def _values(store: Store) -> Iterator[str]:
    yield f"{without_secrets(store.where(ABOVE))}: sets with their values, in bytes"
    for name in store.names():
        try:
            values = store.read(name)
        except ArgumentError as error:
            yield f"{name}: {masked(without_secrets(error.message))}"
            continue
        yield f"{name}: {' '.join(f'{value}={len(content)}' for value, content in sorted((values or {}).items()))}"


def _files(top: str) -> Iterator[str]:
    yield top
    try:
        yield _line(top, os.lstat(top), "")
    except FileNotFoundError:
        yield "is not there: nothing has been kept yet"
        return
    yield from _below(top, "")


def _below(folder: str, shown: str) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield f"{shown or '.'}: cannot be read: {error.strerror}"
        return
    for entry in entries:
        name = f"{shown}/{entry.name}" if shown else entry.name
        try:
            status = entry.stat(follow_symlinks=False)
            yield _line(entry.path, status, name)
        except OSError as error:
            yield f"{name}: cannot be read: {error.strerror}"
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from _below(entry.path, name)


def _line(path: str, status: os.stat_result, name: str) -> str:
    """Returns mode, owner, group, size, time and name, as ls has them; of a link where it leads."""
    leads = f" -> {os.readlink(path)}" if stat.S_ISLNK(status.st_mode) else ""  # noqa: PTH115 - by its text
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(status.st_mtime))
    owner = f"{_user(status.st_uid)}:{_group(status.st_gid)}"
    shown = "".join(char if char.isprintable() else "?" for char in f"{name or '.'}{leads}")
    return f"{stat.filemode(status.st_mode)} {owner:>17} {status.st_size:>9} {at} {shown}"


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def certificates_text(store: Store) -> str:
    """Returns what list_certificates tells and what each was asked with, as JSON without secrets."""
    asked = dict(_asked_with(store))
    told = []
    for one in all_told(store):
        shown = {
            name: value if name in _PLAIN else _shown(value) for name, value in one.items() if name not in _LEFT_OUT
        }
        shown["has_deploy_command"] = bool(one.get("deploy_command"))
        told.append(shown | {"asked_with": _shown(asked.get(str(one["name"]), {}))})
    return json.dumps(told, indent=2) + "\n"


def secrets_of_certificates(store: Store) -> list[str]:
    """Returns the secrets in the files and variables to which the certificates' records refer."""
    found: list[str] = []
    for _, issuance in _asked_with(store):
        for reference in _references(issuance):
            found += secret_at(str(reference.get("file", "")), str(reference.get("env", "")))
    return found


def _asked_with(store: Store) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yields the name of each certificate whose record can be read, and the options of its request."""
    for where, values in store.read_all(ABOVE, (RECORD,)):
        try:
            record = json.loads((values if isinstance(values, dict) else {}).get(RECORD, b"{}"))
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("issuance"), dict):
            yield certificate_name(where.removeprefix(f"{ABOVE}/")), record["issuance"]


def _references(value: object, deep: int = 0) -> Iterator[Mapping[str, object]]:
    if isinstance(value, dict) and deep < _MOST_DEEP:
        if set(value) in ({"file"}, {"env"}):
            yield value
        for member in value.values():
            yield from _references(member, deep + 1)
    elif isinstance(value, list):
        for member in value:
            yield from _references(member, deep + 1)


def _shown(value: object, name: str = "", deep: int = 0) -> object:
    """Returns a value of a record as it may be shown."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if deep >= _MOST_DEEP or name in ("deploy_command", "eab_kid", "kid", "csr", "credentials_text"):
        return HIDDEN if value else value
    if isinstance(value, dict):
        return {masked(str(key)): _shown(member, str(key), deep + 1) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(member, name, deep + 1) for member in value]
    text = masked(without_secrets(str(value)))
    return text if name in ("message", "") else masked(quoted(str(value)))
