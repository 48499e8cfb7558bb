"""Sets as stores before format 2 kept them: plain files, read where they are, moved over by the first write.

accounts/<CA>/            key.pem next.pem
certificates/<NAME>/      cert.pem chain.pem fullchain.pem privkey.pem certificate.json
  pending/                what was being obtained; with certificate.json in it, a whole set on its way up
  unusable-<time>/        what could not serve
"""

from __future__ import annotations

import contextlib
import json
import re
import stat
from collections.abc import Iterator

from ..errors import ArgumentError
from ..files import Folder

_PENDING, _RECORD, _KEY = "pending", "certificate.json", "privkey.pem"
_CERTIFICATE = ("cert.pem", "chain.pem", "fullchain.pem", _KEY)
_NAMES = re.compile(r"(cert|chain|fullchain|(privkey|key|next)(-\d+)?|issued)\.pem|(certificate|attempt)\.json")


def read_earlier(folder: Folder, name: str) -> dict[str, bytes] | None:
    """Returns the set with this name from its open folder; None without one of the earlier form."""
    room, _, below = name.partition("/")
    names = _own_names(folder)
    on_its_way: dict[str, bytes] = {}
    if room == "certificates" and "/" not in below:
        with _entered(folder, _PENDING) as pending:
            if pending is not None:
                on_its_way = _whole(pending)
        if _RECORD not in names and not on_its_way:
            return None
        if on_its_way and not _has_key(folder, on_its_way):
            names.discard(_KEY)
    values = _contents(folder, names) | on_its_way
    if name.endswith(f"/{_PENDING}") and _RECORD in values:
        above = (*_CERTIFICATE, _RECORD)
        values = {value: content for value, content in values.items() if value not in above}
    return values or None


def recover(folder: Folder) -> None:
    """Moves a whole new set into place that an earlier process did not live to move. Its lock is held."""
    with _entered(folder, _PENDING) as pending:
        whole = _whole(pending) if pending is not None else {}
        if pending is None or not whole:
            return
        has_key = _has_key(folder, whole)
        for name in _CERTIFICATE:
            if name in whole:
                pending.rename(name, folder, name)
        if not has_key:
            folder.remove(_KEY)
        folder.sync()
        # The record goes last: while it is here, the rest is not known to be there.
        pending.rename(_RECORD, folder, _RECORD)
        folder.sync()
    folder.remove_folder(_PENDING)


def _whole(pending: Folder) -> dict[str, bytes]:
    """Returns the whole set that is on its way up, or what is left of it there; empty without one."""
    names = _own_names(pending)
    return _contents(pending, names.intersection((*_CERTIFICATE, _RECORD))) if _RECORD in names else {}


def _has_key(folder: Folder, values: dict[str, bytes]) -> bool:
    """Returns whether the set has its key in the store; the key of a user's own request is elsewhere."""
    try:
        record = json.loads(values[_RECORD])
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        path = folder.path / _PENDING / _RECORD
        raise ArgumentError("store", f"{path.shown} is damaged: move it away to go on")
    return bool(record.get("has_key", True))


def _own_names(folder: Folder) -> set[str]:
    """Returns the plain files in it, or links to such, whose names are those of a set."""
    return {name for name in folder.names() if _NAMES.fullmatch(name) and _is_file(folder, name)}


def _is_file(folder: Folder, name: str) -> bool:
    status = folder.status(name)
    return status is not None and not stat.S_ISDIR(status.st_mode) and not folder.link_target(name).startswith("..")


def _contents(folder: Folder, names: set[str]) -> dict[str, bytes]:
    found = {name: folder.read(name) for name in names}
    return {name: content for name, content in found.items() if content is not None}


@contextlib.contextmanager
def _entered(folder: Folder, name: str) -> Iterator[Folder | None]:
    try:
        opened = folder.enter(name)
    except FileNotFoundError:
        yield None
        return
    with opened:
        yield opened
