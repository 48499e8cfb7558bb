"""When the CA wants a held certificate to be renewed (RFC 9773), as the store has it: questions.py asks.

renewal/<NAME>/renewal.json    what the CA said last, of the certificate that is named there, and the last failure

That changes between two issuances, and so it is no part of the certificate's own set. Nothing that loads slowly is
imported where nobody is asked.
"""

from __future__ import annotations

from ..errors import ArgumentError, Cancelled, ForkedError, RetryError, TosslError, WaitTimeout
from ..store.protocol import ASIDE_SECONDS
from . import due
from .due import Suggestion
from .nodes import node_name
from .record import folder_name, read_json, set_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Any, Protocol

    from ..context import Context
    from ..store.protocol import Readable, Store

    class Held(Protocol):
        """A certificate's known facts. cert_id: as acme.renewal.cert_id() returns it, empty where it has none."""

        @property
        def name(self) -> str: ...
        @property
        def directory(self) -> str: ...
        @property
        def not_before(self) -> int: ...
        @property
        def not_after(self) -> int: ...
        @property
        def cert_id(self) -> str: ...


RENEWAL_VALUE = "renewal.json"
#: What the names of these sets begin with.
RENEWALS = "renewal"


class Renewal:
    """The renewal of a certificate: its CA's suggestion, and the last failure.

    cert_id: the certificate of which `suggestion` tells. last_error: of the last attempt, empty after one that did not
    fail: message, errorcode (a list), at (epoch seconds), visit (a URL or empty), node (where that was).
    """

    __slots__ = ("cert_id", "last_error", "suggestion")

    def __init__(
        self, cert_id: str = "", suggestion: Suggestion | None = None, last_error: dict[str, Any] | None = None
    ) -> None:
        self.cert_id = cert_id
        self.suggestion = suggestion or Suggestion()
        self.last_error = last_error or {}

    @classmethod
    def read(cls, store: Readable, name: str) -> Renewal:
        """Returns what is kept for the certificate with this name; ignores damaged values."""
        return cls.of_values(store.read(renewal_name(name)) or {})

    @classmethod
    def of_values(cls, values: Mapping[str, bytes]) -> Renewal:
        """Returns what a set says of a renewal."""
        try:
            data = read_json(values.get(RENEWAL_VALUE, b"{}").decode())
        except ValueError:
            data = {}
        if not isinstance(data, dict):
            data = {}
        error = data.get("last_error")
        suggestion = Suggestion.from_json(data.get("ari"))
        return cls(str(data.get("cert_id") or ""), suggestion, error if isinstance(error, dict) else {})

    def as_values(self) -> dict[str, bytes]:
        """Returns the set that of_values() reads."""
        from .lines import json_lines  # json loads slowly

        data = {"cert_id": self.cert_id, "ari": self.suggestion.as_json(), "last_error": self.last_error}
        return {RENEWAL_VALUE: json_lines(data).encode()}

    def of(self, held: Held) -> Suggestion:
        """Returns what the CA said of this certificate: nothing, if it was another that it told of."""
        return self.suggestion if held.cert_id and self.cert_id == held.cert_id else Suggestion()


def forget_renewal(context: Context, store: Store, name: str) -> None:
    """Removes what is known about a certificate that is no longer kept."""
    with store.locked(context, renewal_name(name)) as lock:
        store.delete(lock)


class failure_kept:
    """A `with` around a renewal: keeps its failure in the store, and forgets it after a success.

    is_alone: whether nobody else can fail meanwhile.
    """

    __slots__ = ("_context", "_is_alone", "_name", "_store")

    def __init__(self, context: Context, store: Store, name: str, *, is_alone: bool = False) -> None:
        self._context, self._store, self._name, self._is_alone = context, store, name, is_alone

    def __enter__(self) -> None:
        self._is_alone = self._is_alone and not Renewal.read(self._store, self._name).last_error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not self._is_alone:
            _keep_failure(self._context, self._store, self._name, None)
        elif isinstance(error, TosslError) and not isinstance(error, Cancelled | ForkedError | RetryError):
            _keep_failure(self._context, self._store, self._name, error)


def _keep_failure(context: Context, store: Store, name: str, error: TosslError | None) -> None:
    """Keeps the error of the last renewal; None after a success. What another keeps of the CA's answer stays."""
    told: dict[str, Any] = {}
    if error is not None:
        visit = str(error.details.get("visit") or "")
        told = {**error.as_dict(), "at": due.now(), "visit": visit, "node": node_name()}
    elif not Renewal.read(store, name).last_error:
        return
    try:
        if not store.version(set_name(name)):  # it was forgotten meanwhile, and one of this name may come
            return
        with store.locked(context.for_cleanup(ASIDE_SECONDS), renewal_name(name)) as lock:
            known = Renewal.read(store, name)
            store.write(lock, Renewal(known.cert_id, known.suggestion, told).as_values(), ends=True)
    except (ArgumentError, WaitTimeout) as refused:
        context.tell("not_kept", name=name, message=refused.message)


def renewal_name(name: str) -> str:
    """Returns the name of the set that says when a certificate is renewed."""
    return f"{RENEWALS}/{folder_name(name)}"
