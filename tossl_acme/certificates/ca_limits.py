"""What a CA's refusal says of more than the names that were refused: every node with this store keeps to it.

limits/<CA>/limits.json    the refusals whose Retry-After is not over, and whom each of them holds up

Nobody counts beforehand what a CA allows. Times are epoch seconds, of several machines by the store's clock.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..acme.client import Client
from ..context import Context
from ..errors import AcmeError, ArgumentError, HttpError, RetryError, TosslError
from ..identifiers import Identifier
from ..store.protocol import ASIDE_SECONDS, Store
from . import due
from .due import is_time
from .issuance import Issuance
from .lines import json_lines

_VALUE = "limits.json"
#: Refusals that are kept of one CA at most: of more names than these, each set finds out for itself.
_MOST_TOLD = 200
_MOST_MESSAGE_CHARS = 500

#: Whom a refusal holds up: everybody who asks this CA, ...
SERVER = "server"
#: ... whoever orders with the account, ...
ACCOUNT = "account"
#: ... whoever has no account there yet, ...
NEW_ACCOUNT = "new_account"
#: ... the sets with a name in a domain, or an address in a network, ...
DOMAIN = "domain"
#: ... or the sets with one name.
NAME = "name"

#: How Boulder, which Let's Encrypt runs, words its limits (ratelimits/limiter.go): the one place that knows.
_WORDINGS = (
    (ACCOUNT, r"too many new orders\b(?! for)()"),
    (NEW_ACCOUNT, r"too many (?:new )?registrations\b()"),
    (DOMAIN, r'too many certificates (?:\(\d+\) )?already issued for "([^"\\]{1,300})"'),
    (NAME, r'too many failed authorizations (?:\(\d+\) )?for "([^"\\]{1,300})"'),
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class ToldToAll:
    """A refusal that holds up others than the names that were refused.

    subject: the account, domain or name; empty where the scope needs none. at, until: when it was told, and the end of
    its Retry-After. replacing: whether orders that replace a certificate (RFC 9773) are held up as well: Let's Encrypt
    exempts them from its limits, so they are only where one of them was refused.
    """

    scope: str
    subject: str
    at: float
    until: float
    replacing: bool
    message: str

    @classmethod
    def from_json(cls, data: Any) -> ToldToAll:
        """Reads what asdict() returned. Raises ValueError for anything else."""
        try:
            if not (is_time(data["at"]) and is_time(data["until"])):
                raise ValueError("no times")
            at, until = float(data["at"]), float(data["until"])
            replacing = data["replacing"] is not False
            return cls(str(data["scope"]), str(data["subject"]), at, until, replacing, str(data["message"]))
        except (KeyError, TypeError) as error:
            raise ValueError(type(error).__name__) from None

    def wait(self, at: float) -> float:
        """Returns for how many more seconds it holds."""
        return 0.0 if at < self.at - due.MOST_SET_BACK_SECONDS else max(0.0, self.until - at)

    def concerns(self, issuance: Issuance, *, has_account: bool) -> bool:
        """Returns whether it holds up an order for this."""
        if issuance.order.replaces and not self.replacing:
            return False
        if self.scope in (DOMAIN, NAME):
            is_below = self.scope == DOMAIN
            return any(_is_of(self.subject, identifier, is_below=is_below) for identifier in issuance.identifiers)
        if self.scope == ACCOUNT:
            return self.subject == _account_of(issuance)
        return self.scope == SERVER or (self.scope == NEW_ACCOUNT and not has_account)


def told_to_all(error: TosslError, issuance: Issuance, at: float) -> ToldToAll | None:
    """Returns what a refusal says to others than these names; None where it is theirs alone, or no time is told.

    A limit in words that are not known holds for the set alone. A server that is busy or being mended (503) is so for
    everybody, whatever was asked.
    """
    after = error.details.get("retry_after")
    if not isinstance(error, AcmeError | HttpError) or not isinstance(after, int | float):
        return None
    scope, subject = _scope_of(error)
    if not scope:
        return None
    if scope == ACCOUNT:
        subject = _account_of(issuance)
    is_replacing = scope in (SERVER, NEW_ACCOUNT) or bool(issuance.order.replaces)
    return ToldToAll(scope, subject, at, at + float(after), is_replacing, error.message[:_MOST_MESSAGE_CHARS])


def is_used_up_by_others(error: TosslError, issuance: Issuance, at: float) -> bool:
    """Returns whether a refusal is no failure of these names: others have used up what the CA allows for a time."""
    told = told_to_all(error, issuance, at)
    return told is not None and told.scope in (ACCOUNT, NEW_ACCOUNT, DOMAIN)


def _scope_of(error: AcmeError | HttpError) -> tuple[str, str]:
    if error.is_of_binding:
        return NEW_ACCOUNT, ""
    if error.status == 503:
        return SERVER, ""
    if not isinstance(error, AcmeError) or error.kind != "rateLimited":
        return "", ""
    problem = error.details.get("problem")
    said = str(problem.get("detail") or "") if isinstance(problem, dict) else ""
    for scope, wording in _WORDINGS:
        if found := re.search(wording, said):
            return scope, found[1].lower()
    return "", ""


def _is_of(subject: str, identifier: Identifier, *, is_below: bool) -> bool:
    """Returns whether an identifier is this name, or in this domain or network."""
    name = identifier.normal.base.value
    if identifier.type == "ip":
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(name) in ipaddress.ip_network(subject, strict=False)
        return False
    return name == subject or (is_below and name.endswith(f".{subject}"))


def _account_of(issuance: Issuance) -> str:
    """Returns what tells accounts at one CA apart: the store's, or that of a key that was given."""
    given = issuance.account_key.value if issuance.account_key else ""
    return hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:32] if given else "store"


def ca_limits_name(directory: str) -> str:
    """Returns the name of the set of what a CA has told everybody."""
    digest = hashlib.sha256(repr((directory,)).encode("utf-8", "surrogatepass")).hexdigest()
    return f"limits/ca-{digest[:32]}"


class SharedLimits:
    """What a CA has told everybody with this store; nothing without a store."""

    def __init__(self, context: Context, store: Store | None, issuance: Issuance) -> None:
        self._context = context
        self._store = store
        self._issuance = issuance
        self._name = ca_limits_name(issuance.directory)

    def check(self, client: Client, *, anew: bool = False) -> None:
        """Raises RetryError where no order is to be placed now, whoever was refused. anew: whatever was read ahead."""
        if self._store is None:
            return
        has_account = client.knows_account
        read = self._read_anew if anew else self._read
        held = [told for told in read(self._store) if told.concerns(self._issuance, has_account=has_account)]
        at = due.now_in(self._store) if held else 0.0
        longest = max(held, key=lambda told: told.wait(at), default=None)
        if longest is not None and (wait := longest.wait(at)) > 0:
            error = RetryError(math.ceil(wait), f"the CA asked to wait, and this is held up as well: {longest.message}")
            error.details["scope"] = longest.scope
            raise error

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """A `with` around requests: what a refusal says to everybody is kept."""
        try:
            yield
        except (AcmeError, HttpError) as error:
            if self._store is not None:
                self._keep(self._store, error)
            raise

    def _read_anew(self, store: Store) -> list[ToldToAll]:
        found = store.read_many([self._name]).get(self._name, {})
        if isinstance(found, ArgumentError):
            raise found
        return self._told(store, found)

    def _read(self, store: Store) -> list[ToldToAll]:
        return self._told(store, store.read(self._name) or {})

    def _told(self, store: Store, values: Mapping[str, bytes]) -> list[ToldToAll]:
        text = values.get(_VALUE)
        try:
            return [ToldToAll.from_json(one) for one in json.loads(text)["told"]] if text else []
        except (ValueError, TypeError, KeyError, RecursionError):
            raise ArgumentError(
                "store", f"{store.where(self._name, _VALUE)} is damaged: move it away to go on"
            ) from None

    def _keep(self, store: Store, error: TosslError) -> None:
        """Keeps a refusal, without those that are over. Whatever the store says, the refusal itself is what counts."""
        told = told_to_all(error, self._issuance, 0.0)
        if told is None:
            return
        try:
            at = due.now_in(store)
            told = replace(told, at=at, until=at + told.until)
            with store.locked(self._context.for_cleanup(ASIDE_SECONDS), self._name) as lock:
                same = (told.scope, told.subject)
                others = [
                    one for one in self._read(store) if one.wait(told.at) > 0 and (one.scope, one.subject) != same
                ]
                known = sorted([*others, told], key=lambda one: one.until)[-_MOST_TOLD:]
                about = {"directory": self._issuance.directory, "told": [asdict(one) for one in known]}
                store.write(lock, {_VALUE: json_lines(about).encode()})
        except TosslError as refused:
            self._context.tell("not_kept", name=self._name, message=refused.message)
