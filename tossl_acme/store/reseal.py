"""The secrets of a store sealed anew: with the first of its keys, or opened for good."""

from __future__ import annotations

from collections.abc import Iterable

from ..context import Context
from ..errors import ArgumentError
from .sealed import MARK, SealedStore, secrets_of

_WAITED_FOR = "the store"


def seal_anew(context: Context, store: SealedStore, *, unseal: bool = False) -> tuple[int, int]:
    """Seals every secret of a store with the first key, also those that were open; with `unseal` opens all of them.

    Returns how many sets with their parts there are, and how many of them have secrets and were written. Ended half
    way, it can be called again. Raises ArgumentError "seal_key" without a key, and where a secret is sealed with
    another.
    """
    if not store.has_key:
        raise ArgumentError("seal_key", "no sealing key: give -seal_key_file, or set TOSSL_SEAL_KEY_FILE")
    writer = SealedStore(store.inner) if unseal else store
    if unseal:
        _check_all(context, store)
        writer.mark_anew(context)  # first: nothing that is open is written to a store that is marked
    else:
        with writer.locked(context, MARK):  # which marks it: from now on nobody begins to write open secrets
            pass
    written = 0
    seen: set[str] = set()
    # Whoever had begun before that may add sets meanwhile: they are listed again, once at least.
    while new := {*store.names(), MARK} - seen:
        for name in sets_of(new - {MARK}):
            context.check(_WAITED_FOR)
            written += _sealed_anew(context, store, writer, name)
        seen |= new
    if not unseal:
        writer.mark_anew(context)
    return len(seen - {MARK}), written


def sets_of(names: Iterable[str]) -> list[str]:
    """Returns the sets among the names of sets and their parts, sorted, those too that have parts alone."""
    return sorted({"/".join(name.split("/")[:2]) for name in names})


def _check_all(context: Context, store: SealedStore) -> None:
    """Raises what a secret raises that cannot be opened, before anything is changed."""
    for name in store.names():
        context.check(_WAITED_FOR)
        store.read(name)


def _sealed_anew(context: Context, store: SealedStore, writer: SealedStore, name: str) -> int:
    """Writes a set and its parts as they are to be; returns how many of these have secrets."""
    written = 0
    with writer.locked(context, name) as lock:
        for full in (name, *store.list(name)):
            values = store.read(full)
            if values is None or not secrets_of(full, values):
                continue
            # A folder keeps the set before, in which a secret is as it was: a second one takes its place.
            keeps_one = store.path_of(full) is not None
            if writer.is_as_written(full) and not keeps_one:
                continue
            for _ in range(2 if keeps_one else 1):
                writer.write(lock, values, full[len(name) + 1 :])
            context.tell("resealed", name=full)
            written += 1
    return written
