"""Which CA is asked for a certificate: the first, or another one after repeated failure; within the limits of each."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import TypeVar

from ..context import Context
from ..errors import AcmeError, ArgumentError, HttpError, RetryError, TosslError
from ..http.urls import shown_url
from ..store.protocol import ASIDE_SECONDS, Store
from . import due
from .ca_limits import is_used_up_by_others
from .issuance import Issuance
from .limits import LIMITS_VALUE, Limits, check_may_ask, counts_as_failure, limits_name
from .lines import json_lines

_T = TypeVar("_T")


def ask_each(
    context: Context,
    store: Store | None,
    issuance: Issuance,
    ask: Callable[[Issuance], _T],
    *,
    not_after: float | None = None,
    by_itself: bool = False,
    force: bool = False,
) -> _T:
    """Returns what `ask` returns for the first CA that issues.

    The next CA is asked where one has failed repeatedly, or is not to be asked now. Failures are kept in the store;
    without one, a CA's first failure is reason enough.

    not_after: the end of the certificate held, epoch seconds; None without one. by_itself: nobody asked for this
    certificate by name. force: passes all pauses but what the CA told. Raises RetryError where no CA is to be asked.
    """
    failure: TosslError | None = None
    said: list[str] = []
    waits: list[RetryError] = []
    for one in issuance.at_each:
        if failure is not None or waits:
            cause = (failure or waits[-1]).message
            context.warn("warning", warning="fallback", message=f"{shown_url(one.directory)} is asked, for {cause}")
        try:
            with attempt(context, store, one, not_after, by_itself=by_itself, force=force):
                return ask(one)
        except RetryError as error:
            waits.append(error)
        except (AcmeError, HttpError) as error:
            failure = error
            said.append(f"{shown_url(one.directory)}: {error.message}")
            if store is not None and not read_limits(store, one).is_repeated:
                break
    if failure is not None:
        if len(said) > 1:
            failure.message = "; ".join(reversed(said))
        raise failure
    raise min(waits, key=lambda error: (not error.seconds, error.seconds))


@contextlib.contextmanager
def attempt(
    context: Context, store: Store | None, issuance: Issuance, not_after: float | None, *, by_itself: bool, force: bool
) -> Iterator[None]:
    """Surrounds an attempt at one CA: raises RetryError if the CA must not be asked now; keeps its failure."""
    if store is None:
        yield
        return
    known = read_limits(store, issuance)
    at = due.now_in(store) if known.failed_at else due.now()
    check_may_ask(known, at, not_after, by_itself=by_itself, force=force)
    try:
        yield
    except TosslError as error:
        if counts_as_failure(error):
            _keep(context, store, issuance, error)
        raise
    if known.failed_at:
        _keep(context, store, issuance, None)


def read_limits(store: Store, issuance: Issuance) -> Limits:
    """Returns the failures of these names at this CA. Raises ArgumentError store if their record is damaged."""
    name = limits_name(issuance.directory, issuance.identifiers)
    text = (store.read(name) or {}).get(LIMITS_VALUE)
    try:
        return Limits.from_json(json.loads(text)) if text else Limits()
    except (ValueError, RecursionError):
        raise ArgumentError("store", f"{store.where(name, LIMITS_VALUE)} is damaged: move it away to go on") from None


def _keep(context: Context, store: Store, issuance: Issuance, error: TosslError | None) -> None:
    """Keeps one more failure; None forgets them all. Whatever the store says, the attempt itself is what counts."""
    name = limits_name(issuance.directory, issuance.identifiers)
    try:
        with store.locked(context.for_cleanup(ASIDE_SECONDS), name) as lock:
            if error is None:
                store.delete(lock)
                return
            at = due.now_in(store)
            is_own = not is_used_up_by_others(error, issuance, at)
            limits = read_limits(store, issuance).failed(error, at, is_own=is_own)
            names = [identifier.value for identifier in issuance.identifiers]
            about = {"directory": issuance.directory, "names": names}
            store.write(lock, {LIMITS_VALUE: json_lines({**about, **limits.as_json()}).encode()})
    except TosslError as refused:
        context.tell("not_kept", name=name, message=refused.message)
