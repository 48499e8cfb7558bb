"""A store whose secrets are sealed before they leave the process: whoever reads a database, a folder or a backup of
these has no key without the sealing key (pki/sealing.py).

sealing    a set that marks a store as sealed: `sealed-by`, the id of the key

Every store is read and written through this, also without a sealing key: then a sealed value is an error that names the
option, and no secret is written where others are sealed. With a key, what is not sealed yet is read as it is, and
sealed by the next write. The name of a value is sealed with it: it opens nowhere else.
"""

from __future__ import annotations

import os

from ..errors import ArgumentError
from .protocol import put_locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import Any

    from ..context import Context
    from ..files import FilePath
    from ..pki.sealing import SealingKeys
    from ..text import Secret
    from .options import FolderOptions
    from .protocol import Lock, Store

#: The environment's variable with the path of the sealing keys.
VARIABLE = "TOSSL_SEAL_KEY_FILE"
#: The set that marks a sealed store, and its value.
MARK = "sealing"
_SEALED_BY = "sealed-by"
#: What a sealed value begins with.
_SEALED = b"tossl-sealed "
#: Sets with secrets alone: passwords of accounts at DNS services.
_SECRET_SETS = ("accounts/dns",)
#: What the names of keys begin with, up to a hyphen or full stop: in use, on their way, put aside.
_SECRET_NAMES = ("privkey", "key", "next")
_MOST_KEY_BYTES = 65536
_KEY_SECONDS = 5.0
#: Values whose tokens are known in one process: what does not change is not sealed anew.
_MOST_KNOWN = 256


class SealKey:
    """The sealing keys of an option or a variable, `source`; made when they are first needed."""

    __slots__ = ("_keys", "_text", "source")

    def __init__(self, source: str, text: str) -> None:
        self.source = source
        self._text = text
        self._keys: SealingKeys | None = None

    @staticmethod
    def given(secret: Secret | None, option: str = "seal_key") -> SealKey | None:
        """Returns the keys of an option, else those of the environment; None without both."""
        if secret is not None and secret.value:
            form = "_file" if secret.file else "_env" if secret.env else ""
            source = f"-{option}{form}"
            return SealKeyFile(source, secret.file, secret.value) if secret.file else SealKey(source, secret.value)
        path = os.environ.get(VARIABLE, "")
        return SealKeyFile(VARIABLE, os.path.expanduser(path)) if path else None  # noqa: PTH111 - pathlib loads slowly

    def keys(self) -> SealingKeys:
        """Returns the keys. Raises ArgumentError "seal_key" where they cannot be read, or others can read them."""
        if self._keys is None:
            self._keys = self._parsed(self._text)
        return self._keys

    @property
    def shown(self) -> str:
        """Returns where the keys are from, for a message."""
        return self.source

    def _parsed(self, text: str) -> SealingKeys:
        from ..pki.sealing import SealError, SealingKeys

        try:
            return SealingKeys(text)
        except SealError as error:
            raise ArgumentError("seal_key", f"{self.shown}: {error}") from None


class SealKeyFile(SealKey):
    """The sealing keys in a file, read anew once that has changed: a process outlives a change of keys."""

    __slots__ = ("_path", "_stamp", "_told")

    def __init__(self, source: str, path: str, text: str = "") -> None:
        """text: what was read of it already."""
        super().__init__(source, text)
        self._path = path
        #: What changes when somebody changes the file, as it was for the keys at hand; empty where that is not known.
        self._stamp: tuple[int, ...] = ()
        #: The fault of the file that was logged last.
        self._told = ""

    def keys(self) -> SealingKeys:
        """Returns the keys that the file has by now. Keeps those of before while it is half written, or gone."""
        stamp = self._stamp_of_file()
        if self._keys is None:
            text, self._text = self._text, ""  # if that is wrong, the file may be mended by the next time
            self._stamp = () if text else stamp
            self._keys = self._parsed(text or self._read())
        elif stamp not in ((), self._stamp):
            self._read_anew(stamp)
        return self._keys

    @property
    def shown(self) -> str:
        from ..files import absolute

        return f"{self.source} {absolute(self._path).shown}"

    def _read_anew(self, stamp: tuple[int, ...]) -> None:
        """Takes what the file has, or logs why not: once, for what cannot be read just now is tried again."""
        try:
            text = self._read()
            self._stamp = stamp
            self._keys = self._parsed(text)
            self._told = ""
        except ArgumentError as error:
            if error.message != self._told:
                from ..log import WARNING, event

                self._told = error.message
                event("tossl.store", WARNING, f"the sealing keys stay as they were: {error.message}")

    def _parsed(self, text: str) -> SealingKeys:
        from ..files import absolute, check_private

        keys = super()._parsed(text)
        check_private(absolute(self._path), "seal_key", self.source)
        return keys

    def _stamp_of_file(self) -> tuple[int, ...]:
        import stat

        from ..files import absolute

        try:
            status = os.stat(absolute(self._path))  # noqa: PTH116 - pathlib loads slowly
        except OSError:
            return ()
        if not stat.S_ISREG(status.st_mode):  # a pipe can be read once
            return ()
        # Also its rights: what others could read is refused, and counts once they cannot.
        return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode

    def _read(self) -> str:
        from ..files import absolute, read_secret

        try:
            return read_secret(absolute(self._path), _MOST_KEY_BYTES, _KEY_SECONDS).decode("utf-8", "replace")
        except (OSError, ValueError) as error:
            cause = f"cannot read {absolute(self._path).shown}: {getattr(error, 'strerror', '') or error}"
            raise ArgumentError("seal_key", f"{self.source}: {cause}") from None


class SealedStore:
    """A Store over another, `inner`, where the secrets are sealed; without a key it reads none that is."""

    __slots__ = ("_is_marked", "_key", "_known", "_open_under", "_ours", "inner")

    def __init__(self, inner: Store, key: SealKey | None = None) -> None:
        self.inner = inner
        self._key = key
        #: Whether the store is marked, as far as is known; None if nobody has looked.
        self._is_marked: bool | None = None
        #: The keys of which it was found to be marked with one.
        self._ours: SealingKeys | None = None
        #: The digests of contents, and their tokens, by name.
        self._known: dict[str, tuple[bytes, bytes]] = {}
        #: The locks in force whose holders have found that the store is not marked.
        self._open_under: set[Lock] = set()

    def with_options(self, options: FolderOptions) -> SealedStore:
        """Returns the same store, with these options for what is written to a folder.

        Raises ArgumentError for options of a store that is none.
        """
        from .folder import FolderStore

        if isinstance(self.inner, FolderStore):
            return SealedStore(self.inner.with_options(options), self._key)
        options.check_unasked()
        return self

    @property
    def is_shared(self) -> bool:
        return self.inner.is_shared

    @property
    def has_key(self) -> bool:
        """Returns whether what is written is sealed."""
        return self._key is not None

    # ---- reading ----

    def read(self, name: str, only: Collection[str] | None = None) -> dict[str, bytes] | None:
        values = self.inner.read(name, only)
        return values if values is None else self._opened(name, values)

    def read_all(
        self, prefix: str, only: Collection[str] | None = None
    ) -> Iterator[tuple[str, dict[str, bytes] | ArgumentError]]:
        for name, values in self.inner.read_all(prefix, only):
            try:
                yield name, values if isinstance(values, ArgumentError) else self._opened(name, values)
            except ArgumentError as error:
                yield name, error

    def read_many(
        self, names: Collection[str], only: Collection[str] | None = None
    ) -> dict[str, dict[str, bytes] | ArgumentError]:
        found = self.inner.read_many(names, only)
        for name, values in found.items():
            if not isinstance(values, ArgumentError):
                try:
                    found[name] = self._opened(name, values)
                except ArgumentError as error:
                    found[name] = error
        return found

    def reading_ahead(self, names: Collection[str]) -> AbstractContextManager[None]:
        return self.inner.reading_ahead([*names, MARK])

    def names(self) -> list[str]:
        return self.inner.names()

    def list(self, prefix: str) -> list[str]:
        return self.inner.list(prefix)

    def version(self, name: str) -> str:
        return self.inner.version(name)

    def changes(self, since: str) -> tuple[str, frozenset[str]] | None:
        return self.inner.changes(since)

    def where(self, name: str, value: str = "") -> str:
        return self.inner.where(name, value)

    def identity(self) -> str:
        return self.inner.identity()

    def time(self) -> float:
        return self.inner.time()

    def path_of(self, name: str, value: str = "") -> FilePath | None:
        """Returns the path of a set or one of its values.

        None for a value that is sealed, or is missing and would be: no other program can use it.
        """
        path = self.inner.path_of(name, value)
        if path is None or not value or not is_secret_name(name, value):
            return path
        if not (self.has_key or self._may_be_marked()):
            return path
        content = (self.inner.read(name, (value,)) or {}).get(value)
        return None if content is None or is_sealed(content) else path

    def _opened(self, name: str, values: dict[str, bytes]) -> dict[str, bytes]:
        sealed = [value for value, content in values.items() if is_sealed(content)]
        return values | {value: self._open(name, value, values[value]) for value in sealed} if sealed else values

    def _open(self, name: str, value: str, sealed: bytes) -> bytes:
        """Returns the content of a sealed value."""
        self._is_marked = True
        if self._key is None:
            cause = "is sealed: give -seal_key_file with the file of its key, or set TOSSL_SEAL_KEY_FILE"
            raise ArgumentError("seal_key", f"{self.inner.where(name, value)} {cause}")
        keys = self._key.keys()
        from ..pki.sealing import SealError, sealing_key_of

        full = f"{name}/{value}"
        try:
            content = keys.open(full, sealed)
        except SealError as error:
            is_foreign = sealing_key_of(sealed) not in keys.ids
            mend = f", which {self._key.shown} does not have" if is_foreign else ": move it away to go on"
            argument = "seal_key" if is_foreign else "store"
            raise ArgumentError(argument, f"{self.inner.where(name, value)} {error}{mend}") from None
        self._remember(full, content, sealed)
        return content

    # ---- writing ----

    def locked(self, context: Context, name: str, within: float | None = None) -> AbstractContextManager[Lock]:
        self._mark_once(context)
        return _Locked(self.inner.locked(context, name, within), self._open_under)

    def write(self, lock: Lock, values: Mapping[str, bytes], part: str = "", *, ends: bool = False) -> None:
        name = f"{lock.name}/{part}" if part else lock.name
        secret = secrets_of(name, values)
        if secret:
            values = {**values, **self._sealed(lock, name, {value: values[value] for value in secret})}
        self.inner.write(lock, values, part, ends=ends)

    def put(self, context: Context, name: str, values: Mapping[str, bytes]) -> None:
        if secrets_of(name, values):
            put_locked(self, context, name, values)
        else:
            self._mark_once(context)
            self.inner.put(context, name, values)

    def delete(self, lock: Lock, part: str = "", *, ends: bool = False) -> None:
        self.inner.delete(lock, part, ends=ends)

    def _sealed(self, lock: Lock, name: str, values: Mapping[str, bytes]) -> Mapping[str, bytes]:
        if self._key is not None:
            keys = self._key.keys()
            return {value: self._seal(keys, f"{name}/{value}", content) for value, content in values.items()}
        # Whoever seals a store marks it, and then waits for each lock: what is written meanwhile is sealed after that.
        if lock not in self._open_under:
            self._check_open(name, values)
            self._open_under.add(lock)
        return values

    def _seal(self, keys: SealingKeys, full: str, content: bytes) -> bytes:
        from ..pki.sealing import sealing_key_of

        digest, token = self._known.get(full, (b"", b""))
        if digest == _digest(content) and sealing_key_of(token) == keys.ids[0]:
            return token
        sealed = keys.seal(full, content)
        self._remember(full, content, sealed)
        return sealed

    def _remember(self, full: str, content: bytes, sealed: bytes) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[full] = _digest(content), sealed

    def is_as_written(self, name: str) -> bool:
        """Returns whether each secret of a set is kept as it would be written now: with the first key, or open."""
        first = self._key.keys().ids[0] if self._key is not None else ""
        values = self.inner.read(name) or {}
        return all(_sealed_by(values[value]) == first for value in secrets_of(name, values))

    def check_key(self, name: str) -> None:
        """Raises ArgumentError "seal_key" where the set cannot be written again for want of the sealing key."""
        values = self.inner.read(name) or {}
        try:
            self._opened(name, values)
        except ArgumentError as error:
            if error.errorcode[-1] == "seal_key":
                raise
        self._check_open(name, secrets_of(name, values))

    def _check_open(self, name: str, secret: Collection[str]) -> None:
        """Raises ArgumentError "seal_key" where these secrets would be written open among others that are sealed."""
        if secret and self._key is None and self.marked_by():
            cause = "is not written, for keys in this store are sealed: give -seal_key_file, or set TOSSL_SEAL_KEY_FILE"
            raise ArgumentError("seal_key", f"{self.inner.where(name, min(secret))} {cause}")

    # ---- the mark ----

    def marked_by(self) -> str:
        """Returns the id of the key that the store is marked with; empty for a store that is not sealed."""
        values = self.inner.read(MARK)
        self._is_marked = values is not None
        return "" if values is None else values.get(_SEALED_BY, b"").decode("ascii", "replace").strip() or "?"

    def _may_be_marked(self) -> bool:
        """Returns whether values may be sealed; asks once, until one is found."""
        if self._is_marked is None:
            self.marked_by()
        return bool(self._is_marked)

    def _mark_once(self, context: Context) -> None:
        """Marks the store before it is first written to with a key."""
        if self._key is not None and (keys := self._key.keys()) is not self._ours:
            self._mark(context, keys)

    def _mark(self, context: Context, keys: SealingKeys) -> None:
        """Marks the store. Raises ArgumentError "seal_key" where others have sealed it with a key that is not here."""
        found = self.marked_by()
        if not found:
            with self.inner.locked(context, MARK) as lock:
                found = self.marked_by()
                if not found:
                    found = keys.ids[0]
                    self.inner.write(lock, {_SEALED_BY: found.encode()})
                    self._is_marked = True
        if found not in keys.ids:
            assert self._key is not None
            cause = f"is sealed with another key ({found}), which {self._key.shown} does not have"
            raise ArgumentError("seal_key", f"the store at {self.inner.where(MARK)} {cause}")
        self._ours = keys

    def mark_anew(self, context: Context) -> None:
        """Marks the store with the first key; without a key as one that is not sealed."""
        with self.inner.locked(context, MARK) as lock:
            if self._key is None:
                self.inner.delete(lock)
            else:
                self.inner.write(lock, {_SEALED_BY: self._key.keys().ids[0].encode()})


class _Locked:
    """A block of locked(), whose lock is found among `open_under` no longer once it ends."""

    __slots__ = ("_block", "_lock", "_open_under")

    def __init__(self, block: AbstractContextManager[Lock], open_under: set[Lock]) -> None:
        self._block = block
        self._open_under = open_under

    def __enter__(self) -> Lock:
        self._lock = self._block.__enter__()
        return self._lock

    def __exit__(self, *raised: Any) -> bool | None:
        self._open_under.discard(self._lock)
        return self._block.__exit__(*raised)


def check_sealing_key(store: Store, name: str) -> None:
    """Raises ArgumentError "seal_key" where a set cannot be read and written again for want of the sealing key."""
    if isinstance(store, SealedStore):
        store.check_key(name)


def secrets_of(name: str, values: Mapping[str, bytes]) -> list[str]:
    """Returns the values of the set with this name that have to be sealed: the one place that decides."""
    return [
        value
        for value, content in values.items()
        if is_secret_name(name, value) or is_sealed(content) or _holds_key(content)
    ]


def is_secret_name(name: str, value: str) -> bool:
    """Returns whether a value of the set with this name is secret, whatever it holds."""
    return name in _SECRET_SETS or (value.endswith(".pem") and value[:-4].partition("-")[0] in _SECRET_NAMES)


def is_sealed(content: bytes) -> bool:
    """Returns whether a value is sealed."""
    return content.startswith(_SEALED)


def _holds_key(content: bytes) -> bool:
    """Returns whether there is a private key in a value: PEM, or a JWK (RFC 7517)."""
    if b"PRIVATE KEY-----" in content:
        return True
    return b'"kty"' in content and b'"d"' in content


def _sealed_by(content: bytes) -> str:
    if not is_sealed(content):
        return ""
    from ..pki.sealing import sealing_key_of

    return sealing_key_of(content)


def _digest(content: bytes) -> bytes:
    from hashlib import sha256

    return sha256(content).digest()
