"""One store copied into another, whatever keeps each, set by set under both locks, and read back.

Nothing in the other store is touched but the sets that are copied. What is there already, and the same, stays as it
is: a copy that ended half way can be made again.
"""

from __future__ import annotations

from contextlib import ExitStack

from ..context import Context
from ..errors import ArgumentError
from ..files import check_owner
from ..text import Secret
from .options import FolderOptions
from .protocol import Lock
from .registry import open_store
from .reseal import sets_of
from .sealed import MARK, SealedStore, SealKey

#: What machines say of themselves at this moment: of the store that they use.
_OF_THE_MOMENT = ("answers", "nodes", "served")
#: Names of sets in one error.
_MOST_NAMED = 5


def opened_pair(
    source: tuple[str, Secret | None],
    target: tuple[str, Secret | None],
    options: FolderOptions,
    *,
    unseal: bool = False,
) -> tuple[SealedStore, SealedStore]:
    """Opens the store to copy from and the one to copy to, each of a word and its sealing keys.

    What is sealed stays so, unless `unseal` says otherwise. options: of a target in a folder.
    """
    for name, (word, _) in (("source", source), ("target", target)):
        if not word:
            raise ArgumentError(name, f"{name} must not be empty: it is a store")
    (word, source_secret), (target_word, target_secret) = source, target
    target_key = SealKey.given(target_secret)
    source_key = SealKey.given(source_secret, "source_seal_key") if source_secret else target_key
    source_store = SealedStore(open_store(word), source_key)
    if unseal:
        target_key = None
    elif target_key is None and source_store.marked_by():
        target_key = source_key
    return source_store, SealedStore(open_store(target_word), target_key).with_options(options)


def copy_sets(
    context: Context, source: SealedStore, target: SealedStore, *, overwrite: bool = False
) -> tuple[int, int]:
    """Copies all sets and their parts; returns how many were copied, and how many were there and the same.

    overwrite: also in the place of sets that differ. Raises ArgumentError "overwrite" where some differ, before
    anything is written, "store" where a set cannot be read, is another user's, or did not come out the same, "target"
    for the source by another word, and "source" where nothing is.
    """
    _check_apart(source.identity(), target.identity())
    found = source.names()
    if not found:
        raise ArgumentError(
            "source", f"nothing is to be copied: no set is in {source.where('certificates')} or beside it"
        )
    names = [name for name in found if name.partition("/")[0] not in (MARK, *_OF_THE_MOMENT)]
    differing = [name for name in names if _differs(context, source, target, name)]
    if differing and not overwrite:
        raise _conflict(target, differing)
    copied = same = 0
    for name in sets_of(names):
        with ExitStack() as held:
            lock = _lock_both(context, held, source, target, name)
            for full in (name, *source.list(name)):
                done = _copied(context, source, target, lock, full, overwrite=overwrite)
                copied += done is True
                same += done is False
    return copied, same


def _check_apart(source: str, target: str) -> None:
    """Raises ArgumentError where two stores are one, by whichever words, or one folder is in the other."""
    if source == target:
        raise ArgumentError("target", "the store is to be copied into itself")
    if any(one.startswith(f"{other.rstrip('/')}/") for one, other in ((source, target), (target, source))):
        raise ArgumentError("target", "one of the two stores is in the folder of the other")


def _differs(context: Context, source: SealedStore, target: SealedStore, name: str) -> bool:
    """Returns whether the target has another set with this name; reads both, so that what cannot be read is told."""
    context.check("the stores")
    values = source.read(name) or {}
    for value in values:
        # Whoever made a key has it: a copy would be this user's.
        check_owner(source.path_of(name, value), "what is to be copied,")
    found = target.read(name)
    return found is not None and found != values


def _lock_both(context: Context, held: ExitStack, source: SealedStore, target: SealedStore, name: str) -> Lock:
    """Returns the target's lock. Both are taken in one order: two copies in opposite directions do not block."""
    taken = {}
    for store in sorted((source, target), key=lambda one: one.where(name)):
        # Only the target is to be sealed with its key.
        taken[store] = held.enter_context((target if store is target else source.inner).locked(context, name))
    return taken[target]


def _copied(
    context: Context, source: SealedStore, target: SealedStore, lock: Lock, name: str, *, overwrite: bool
) -> bool | None:
    """Copies a set or a part; returns whether it was copied, or was there; None where it is gone meanwhile."""
    values, found = source.read(name), target.read(name)
    if values is None:
        return None
    if found == values and target.is_as_written(name):
        return False
    if found not in (None, values) and not overwrite:  # changed since it was looked at
        raise _conflict(target, [name])
    target.write(lock, values, name[len(lock.name) + 1 :])
    if target.read(name) != values:
        raise ArgumentError("store", f"{target.where(name)} is not what was written there")
    context.tell("copied", name=name)
    return True


def _conflict(target: SealedStore, names: list[str]) -> ArgumentError:
    shown = ", ".join(names[:_MOST_NAMED]) + (f" and {len(names) - _MOST_NAMED} more" if names[_MOST_NAMED:] else "")
    cause = f"{target.where(names[0])} and what is to be copied differ ({shown})"
    return ArgumentError("overwrite", f"{cause}: nothing was overwritten; -overwrite 1 replaces it")
