"""DNS providers: what one can do, what it is opened with, and how it declares what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..context import Context
from ..http.client import HttpClient
from ..http.options import ConnectionOptions
from ..text import Secret

#: What an HTTP header can hold; a library would refuse anything else with a message that quotes it.
_HEADER_VALUE = r"[\x21-\x7e]*"


@dataclass(frozen=True)
class Credential:
    """Something that a provider asks for before it lets anybody in. The provider's class lists them.

    field: the option's name, without its dash. text: for help. environment: variables that are used, the first one
    set, where the option is not given. pattern: what all of the value must match.
    """

    field: str
    text: str
    environment: tuple[str, ...] = ()
    secret: bool = True
    required: bool = True
    pattern: str = _HEADER_VALUE


@dataclass(frozen=True)
class ProviderOptions:
    """What a script says about its DNS provider, plain data. `credentials` are by field."""

    name: str
    credentials: Mapping[str, Secret] = field(default_factory=dict)
    zone_id: str = ""
    endpoint: str = ""
    connection: ConnectionOptions = field(default_factory=ConnectionOptions)


@dataclass(frozen=True)
class ProviderAccess:
    """What a provider's class is opened with: the values of its credentials, checked, empty where one is left out."""

    values: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    zone_id: str
    endpoint: str
    http: HttpClient = field(repr=False)

    def hidden(self, text: str) -> str:
        """The text without the secrets, should a server have quoted one."""
        for secret in self.secrets:
            # Of "name:key" the key alone may be quoted.
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
        """Where it publishes: what is published at one endpoint is not removed at another."""

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Adds this value beside those that are there. It is well if it is there already.

        Raises DnsError ("Failed to create DNS record: ..."), HttpError, WaitTimeout or Cancelled.
        """

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Removes this value, or with None every TXT value at the name.

        Returns the values removed, none where nothing was there. Raises DnsError ("Failed to delete DNS record: ..."),
        HttpError, WaitTimeout or Cancelled.
        """


class ProviderType(Protocol):
    """A provider's class, which its module names PROVIDER."""

    @property
    def name(self) -> str:
        """Its file's name."""

    @property
    def credentials(self) -> tuple[Credential, ...]: ...

    def __call__(self, access: ProviderAccess) -> Provider: ...


def canonical_name(fqdn: str) -> str:
    """The name in lower case, without a final dot."""
    return fqdn.strip().removesuffix(".").lower()
