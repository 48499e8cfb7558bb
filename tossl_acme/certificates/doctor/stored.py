"""The store: whether it can be read and written to, whose it is, the space on its disk, damaged records."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ...context import Context
from ...errors import ArgumentError, TosslError, WaitTimeout
from ...files import FilePath, absolute, check_owner
from ...store.protocol import Store
from ..deploy import DEPLOYMENTS
from ..listed import all_told, kept_certificate, names_of
from ..owners import check_certificate_owner
from ..record import FILES, set_name
from ..suggested import RENEWALS
from .diagnosis import FAILED, Diagnosis
from .subjects import Examination

#: A set without a room, which would stay behind as an empty folder.
_TRIED = "doctor"
#: Bytes that must be free on its disk: for one certificate, and to be at ease.
LEAST_FREE_BYTES, USUAL_FREE_BYTES = 1 << 20, 50 << 20
#: Seconds that writing may take: whoever has the store's locks for longer is at work.
_WRITE_SECONDS = 10.0
_OTHERS_WRITE, _OTHERS_READ = 0o022, 0o007
_RIGHTS = "look at the owner and the rights of the store's folder and of those above it; -store names another"
_DATABASE = "look whether the database answers at this address, and which rights its role has"
_SPACE = "make space on this disk, or give another -store: without space a certificate that is issued cannot be kept"


def store_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Says whether a certificate could be kept here."""
    store = examined.store
    if store is None:
        return [Diagnosis.ok("store", "", "-store is empty: nothing is kept")]
    path = store.path_of("accounts")
    where = absolute(os.path.dirname(path)) if path is not None else None  # noqa: PTH120
    shown = where.shown if where is not None else store.where("accounts").rpartition(" in ")[2]
    if where is not None and not os.path.lexists(where):
        return _to_come(where)
    found = list(_owners(store, where)) if where is not None else []
    found += _space(where) if where is not None else []
    advice = _RIGHTS if where is not None else _DATABASE
    # What root writes into another user's store, that user cannot change any more.
    written = [] if where is not None and _is_of_another(where) else _written(context, store, shown, advice)
    try:
        return [*found, *written, *_records(store, shown)]
    except ArgumentError as error:  # nothing can be read
        is_told = any(one.status == FAILED for one in written)
        return [*found, *(written if is_told else [Diagnosis.of_error("store", shown, error, advice)])]


def _is_of_another(where: FilePath) -> bool:
    """Returns whether root looks at the store of another user, which its owner's finding tells."""
    return os.geteuid() == 0 and os.stat(where).st_uid != 0  # noqa: PTH116


def _to_come(where: FilePath) -> list[Diagnosis]:
    """Looks at the folder above a store that is not there yet. Makes nothing."""
    above = os.path.dirname(where)  # noqa: PTH120
    while not os.path.isdir(above) and above != os.path.dirname(above):  # noqa: PTH112, PTH120
        above = os.path.dirname(above)  # noqa: PTH120
    if not os.access(above, os.W_OK | os.X_OK):
        cause = f"there is no store {where.shown}, and this user cannot make it in {absolute(above).shown}"
        return [Diagnosis.failed("store", where.shown, cause, _RIGHTS), *_space(absolute(above))]
    said = "there is no store yet; the first certificate makes it"
    return [Diagnosis.ok("store", where.shown, said), *_space(absolute(above))]


def _written(context: Context, store: Store, shown: str, rights: str) -> list[Diagnosis]:
    """Writes a set, and removes it again."""
    part = context.narrowed(_WRITE_SECONDS)
    try:
        with store.locked(part, _TRIED) as lock:
            try:
                store.write(lock, {"tried.txt": b"x" * 4096})
            finally:
                store.delete(lock)
    except WaitTimeout as error:
        context.check("the store")
        advice = "another call works with the store: wait, or look at what it waits for"
        return [Diagnosis.of_error("store", shown, error, advice)]
    except TosslError as error:
        full = "No space left" in error.message or "quota exceeded" in error.message
        return [Diagnosis.of_error("space" if full else "store", shown, error, _SPACE if full else rights)]
    return [Diagnosis.ok("store", shown, f"{shown} can be read and written to")]


def _space(where: FilePath) -> list[Diagnosis]:
    if not hasattr(os, "statvfs"):
        return []
    try:
        disk = os.statvfs(where)
    except OSError:  # the others tell
        return []
    free = disk.f_bavail * disk.f_frsize
    facts = {"free": free, "files": disk.f_favail}
    has_files = disk.f_favail > 0 or disk.f_files == 0  # some file systems do not count them
    if free < LEAST_FREE_BYTES or not has_files:
        left = f"{free >> 10} kB" if has_files else "no entry for a file"
        return [Diagnosis.failed("space", where.shown, f"its disk is full: {left} left", _SPACE, **facts)]
    if free < USUAL_FREE_BYTES:
        return [Diagnosis.warned("space", where.shown, f"its disk has {free >> 20} MB left", _SPACE, **facts)]
    return [Diagnosis.ok("space", where.shown, f"its disk has {free >> 20} MB left", **facts)]


def _owners(store: Store, where: FilePath) -> Iterator[Diagnosis]:
    """Says whose the folder and the keys are, and who else can read or change them."""
    if not os.path.isdir(where):  # noqa: PTH112 - writing tells
        return
    said = False
    for path, what in _of_an_owner(store, where):
        try:
            check_owner(path, what)
        except ArgumentError as error:
            said = True
            yield Diagnosis.of_error("owner", path.shown, error, f"chown it to the user who runs tossl: {path.shown}")
            continue
        if trouble := _rights(path):
            said = True
            yield Diagnosis.warned("rights", path.shown, f"{what} {path.shown} {trouble[0]}", trouble[1])
    for name in _names(store):
        try:
            check_certificate_owner(store, name)
        except ArgumentError as error:
            said = True
            yield Diagnosis.of_error("owner", name, error, "the message says which file; give it to this user (chown)")
    if not said:
        yield Diagnosis.ok("owner", where.shown, "folder, keys and records are this user's or root's")


def _of_an_owner(store: Store, where: FilePath) -> Iterator[tuple[FilePath, str]]:
    yield where, "the store's folder"
    for above in ("accounts", "certificates"):
        path = store.path_of(above)
        if path is not None and os.path.isdir(path):  # noqa: PTH112
            yield path, "the folder"
    try:
        accounts = store.list("accounts")
    except ArgumentError:
        accounts = []
    keys = [(account, "key.pem", "the account's key") for account in accounts]
    keys += [(set_name(name), FILES["private_key"], "the certificate's key") for name in _names(store)]
    for name, value, what in keys:
        path = store.path_of(name, value)
        if path is not None and os.path.exists(path):  # noqa: PTH110
            yield path, what


def _rights(path: FilePath) -> tuple[str, str] | None:
    """Returns what others may do with it, and what to do about that."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError:
        return None
    if stat.S_ISDIR(mode) and mode & _OTHERS_WRITE:
        is_everybodys = bool(mode & stat.S_ISVTX)  # as /tmp is
        advice = "name a folder for tossl alone: -store" if is_everybodys else "take the right from them: chmod go-w"
        return "can be written to by others, who can put keys of theirs there", advice
    if stat.S_ISREG(mode) and mode & _OTHERS_READ:
        return "can be read by everybody", "take the right from them: chmod o-rwx; the key may be known already"
    return None


def _names(store: Store) -> list[str]:
    try:
        return names_of(store)
    except ArgumentError:  # reading tells
        return []


def _records(store: Store, shown: str) -> list[Diagnosis]:
    """Reads everything that is kept. Raises ArgumentError "store" where nothing can be read."""
    found: list[Diagnosis] = []
    advice = "move what is damaged away; the certificate is obtained again by the next call"
    told = all_told(store)
    for one in told:
        name = str(one["name"])
        try:
            if "damaged" in one:
                raise ArgumentError("store", str(one["damaged"]))
            kept = kept_certificate(store, name)
            kept.check_files()
            if not kept.is_whole:
                raise ArgumentError("store", f"{store.where(set_name(name))} lacks one of its files")
        except ArgumentError as error:
            found.append(Diagnosis.of_error("records", name, error, advice))
    for prefix in ("accounts", RENEWALS, DEPLOYMENTS, "limits"):
        try:
            damaged = [values for _name, values in store.read_all(prefix) if isinstance(values, ArgumentError)]
        except ArgumentError as error:
            damaged = [error]
        found += [Diagnosis.of_error("records", shown, error, "move what is damaged away") for error in damaged]
    count = len(told)
    said = f"{count} certificate{'' if count == 1 else 's'}, with nothing damaged"
    return found or [Diagnosis.ok("records", shown, said, certificates=count)]
