"""The DNS provider protocol, the options that open a provider, and the credentials that it declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..context import Context
from ..http.client import HttpClient
from ..http.options import ConnectionOptions
from ..text import Secret

#: The characters of an HTTP header: http.client refuses others with a message that quotes the value.
_HEADER_VALUE = r"[\x21-\x7e]*"


@dataclass(frozen=True)
class Credential:
    """A credential that a provider's class declares.

    field: the option's name, without its dash. text: for help. environment: variables that replace a missing option;
    the first set variable counts. pattern: a regular expression that the whole value must match.
    """

    field: str
    text: str
    environment: tuple[str, ...] = ()
    secret: bool = True
    required: bool = True
    pattern: str = _HEADER_VALUE


@dataclass(frozen=True)
class ProviderOptions:
    """A script's options for its DNS provider, plain data. `credentials` are by field."""

    name: str
    credentials: Mapping[str, Secret] = field(default_factory=dict)
    zone_id: str = ""
    endpoint: str = ""
    connection: ConnectionOptions = field(default_factory=ConnectionOptions)


@dataclass(frozen=True)
class ProviderAccess:
    """The arguments of a provider's class.

    values: the checked credentials by field, empty if not given.
    """

    values: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    zone_id: str
    endpoint: str
    http: HttpClient = field(repr=False)

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


class ProviderType(Protocol):
    """A provider's class, which its module names PROVIDER."""

    @property
    def name(self) -> str:
        """Returns its file's name."""

    @property
    def credentials(self) -> tuple[Credential, ...]: ...

    def __call__(self, access: ProviderAccess) -> Provider: ...


def canonical_name(fqdn: str) -> str:
    """Returns the name in lower case, without a final dot."""
    return fqdn.strip().removesuffix(".").lower()
