"""The DNS provider protocol, and the credentials that a provider declares."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from ..context import Context
from ..http.client import HttpClient
from ..http.options import ConnectionOptions

#: The characters of an HTTP header: http.client refuses others with a message that quotes the value.
_HEADER_VALUE = r"[\x21-\x7e]*"


@dataclass(frozen=True)
class Credential:
    """A credential that a provider's class declares.

    field: its name in -credentials. text: for help. environment: variables that replace a missing value; the first set
    variable counts. secret: a certificate's request keeps no value of it. is_path: it names a file. pattern: a regular
    expression that the whole value must match. The fields "endpoint" and "zone_id" are the options of these names,
    which the environment can replace then.
    """

    field: str
    text: str
    environment: tuple[str, ...] = ()
    secret: bool = True
    required: bool = True
    is_path: bool = False
    pattern: str = _HEADER_VALUE


@dataclass(frozen=True)
class Habits:
    """How a provider wants to be used, which its class declares as `habits`.

    side_by_side: whether several values may be published at the same time. settle_seconds: its servers show a change
    after so many seconds at the earliest.
    """

    side_by_side: bool = False
    settle_seconds: float = 0.0


@dataclass(frozen=True, eq=False, repr=False)
class ProviderAccess:
    """The arguments of a provider's class.

    values: the checked credentials by field, empty if not given. connection: for a library with its own HTTP. variant:
    what stands behind the colon of its name. resolvers: the DNS servers that the script named for look-ups.
    """

    values: Mapping[str, str]
    secrets: tuple[str, ...]
    zone_id: str
    endpoint: str
    http: HttpClient
    connection: ConnectionOptions = field(default_factory=ConnectionOptions)
    variant: str = ""
    resolvers: tuple[str, ...] = ()

    def hidden(self, text: str) -> str:
        """Returns the text without the secrets, in case a server quoted one."""
        for secret in self.secrets:
            # Of "name:key" a server may quote only the key.
            for part in (secret, secret.partition(":")[2]):
                if len(part) >= 4:
                    text = text.replace(part, "(hidden)")
        return text


class Provider(Protocol):
    """Publishes and removes TXT values at a name. Names come in lower case, without a final dot (canonical_name)."""

    @property
    def name(self) -> str: ...

    @property
    def endpoint(self) -> str:
        """Returns the URL of the service with the records: part of a record's place."""

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Adds this value beside the existing ones. Succeeds if the value exists already.

        Raises DnsError ("Failed to create DNS record: ..."), HttpError, WaitTimeout or Cancelled.
        """

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Removes this value, or with None every TXT value at the name.

        Returns the removed values, an empty list if there were none.
        Raises DnsError ("Failed to delete DNS record: ..."), HttpError, WaitTimeout or Cancelled.
        """


@runtime_checkable
class AccountKeeper(Protocol):
    """A provider or solver that registers accounts by itself, and needs a place for them."""

    def keep_accounts(self, accounts: MutableMapping[str, str]) -> None:
        """Keeps new accounts there, and looks for them there: texts by name."""


class ProviderType(Protocol):
    """A provider's class, which its module names PROVIDER.

    It may have `habits`, and `has_variants = True`: its name is given as NAME:VARIANT, and it takes credentials that it
    does not declare.
    """

    @property
    def name(self) -> str:
        """Returns its file's name."""

    @property
    def credentials(self) -> tuple[Credential, ...]: ...

    def __call__(self, access: ProviderAccess) -> Provider: ...


def habits_of(provider: Provider) -> Habits:
    """Returns the declared habits of a provider, which may declare none."""
    habits = getattr(provider, "habits", None)
    return habits if isinstance(habits, Habits) else Habits()


def canonical_name(fqdn: str) -> str:
    """Returns the name in lower case, without a final dot."""
    return fqdn.strip().removesuffix(".").lower()
