"""DNS providers that a script registers: known in the whole process, by a name that no provider's file has."""

from __future__ import annotations

import re
import threading
from typing import Protocol

from ..context import Context, in_forked_child
from ..errors import ArgumentError, Cancelled, DnsError, ScriptError, before_change
from ..text import clean
from .api import CREATING, DELETING, context_of
from .provider import Habits

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,23}")
_MOST_WORDS_CHARS = 500
_KINDS = ("unsupported", "credentials", "zone", "record", "refused", "answer")


class Script(Protocol):
    """A script's command prefix."""

    @property
    def interpreter(self) -> object: ...

    @property
    def is_gone(self) -> bool: ...

    @property
    def takes_calls(self) -> bool:
        """Returns whether this thread can have it called now."""

    def call(self, context: Context, *values: object) -> str: ...

    def call_list(self, context: Context, *values: object) -> tuple[str, ...]: ...


class RegisteredProvider:
    """Calls a script's prefixes, one after the other, in their interpreter's own thread.

    present, cleanup: called with the record's name and value. listing: called with the name, returns all TXT values
    there; None if there is no such prefix.
    """

    habits = Habits(side_by_side=False)
    #: Of no service that is known here.
    endpoint = ""

    def __init__(self, name: str, present: Script, cleanup: Script, listing: Script | None = None) -> None:
        self.name = name
        self._present = present
        self._cleanup = cleanup
        self._listing = listing

    @property
    def takes_calls(self) -> bool:
        """Returns whether this thread can have its prefixes called now."""
        return self._present.takes_calls

    def gives_way_to(self, other: RegisteredProvider) -> bool:
        """Returns whether another one of its name takes its place: of the same interpreter, or its own is gone."""
        return self._present.interpreter is other._present.interpreter or self._present.is_gone

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Has the script add one TXT value beside the existing ones, unless it lists the value already."""
        with context_of(CREATING), _Errors(self.name, context):
            with before_change():
                is_there = self._listing is not None and value in self._listing.call_list(context, fqdn)
            if not is_there:
                self._present.call(context, fqdn, value)

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Has the script remove this TXT value, or with None every value that it lists. Returns the removed values."""
        with context_of(DELETING), _Errors(self.name, context):
            if self._listing is None:
                if value is None:
                    cause = f"the DNS provider {self.name} has no -list; give the value to delete with -value"
                    raise DnsError(self.name, "unsupported", cause)
                found = [value]
            else:
                listed = self._listing.call_list(context, fqdn)
                found = [one for one in dict.fromkeys(listed) if value in (None, one)]
            for one in found:
                self._cleanup.call(context, fqdn, one)
            return found


class _Errors:
    """A `with` that makes the script's errors those of the provider."""

    def __init__(self, name: str, context: Context) -> None:
        self._name = name
        self._context = context

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ScriptError):
            raise DnsError(self._name, _kind(error.errorcode), clean(error.message, _MOST_WORDS_CHARS)) from None
        if isinstance(error, Cancelled) and not self._context.is_cancelled:
            cause = f"the interpreter that registered the DNS provider {self._name} is gone, or does not wait for calls"
            raise DnsError(self._name, "unsupported", cause) from None


def _kind(errorcode: tuple[str, ...]) -> str:
    """Returns the kind in a script's errorcode TOSSL DNS name kind, else "refused"."""
    if len(errorcode) == 4 and errorcode[:2] == ("TOSSL", "DNS") and errorcode[3] in _KINDS:
        return errorcode[3]
    return "refused"


class _Registered:
    """The registered providers of this process: by name, for each interpreter one, the latest first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_name: dict[str, tuple[RegisteredProvider, ...]] = {}


_registered = _Registered()


def register_provider(provider: RegisteredProvider) -> None:
    """Makes a provider known by its name, in the place of an earlier one of its interpreter.

    Raises ArgumentError "name".
    """
    if not _NAME.fullmatch(provider.name):
        raise ArgumentError("name", "a provider's name is up to 24 lower-case letters, digits, hyphens, underscores")
    with _registered.lock:
        others = [one for one in _registered.by_name.get(provider.name, ()) if not one.gives_way_to(provider)]
        _registered.by_name[provider.name] = (provider, *others)


def registered_provider(name: str) -> RegisteredProvider | None:
    """Returns the provider of that name, None if there is none.

    Of several interpreters' it is the latest that this thread can call: each thread of a server may register its own.
    """
    with _registered.lock:
        found = _registered.by_name.get(name, ())
    return next((one for one in found if one.takes_calls), found[0] if found else None)


def registered_names() -> tuple[str, ...]:
    """Returns the names of the registered providers."""
    with _registered.lock:
        return tuple(_registered.by_name)


def reset() -> None:
    """Forgets every registered provider."""
    with _registered.lock:
        _registered.by_name.clear()


def _renew_lock() -> None:
    _registered.lock = threading.Lock()


in_forked_child(_renew_lock)
