"""The DNS providers by name. Each is a file in providers/, imported on first use."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Sequence
from typing import Self

from ..errors import ArgumentError, DnsError
from ..http.clients import http_client
from . import providers
from .credentials import credential_values
from .provider import Credential, Provider, ProviderAccess, ProviderOptions, ProviderType


def provider_names() -> tuple[str, ...]:
    """Returns the names of all providers, sorted, without importing any."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(providers.__path__)))


def provider_type(name: str) -> ProviderType:
    """Returns the class of one of provider_names()."""
    found: ProviderType = importlib.import_module(f"{providers.__name__}.{name}").PROVIDER
    return found


def has_variants(kind: ProviderType) -> bool:
    """Returns whether the name is given as NAME:VARIANT."""
    return bool(getattr(kind, "has_variants", False))


def provider_credentials() -> dict[str, tuple[Credential, ...]]:
    """Returns the declared credentials of each provider, by its name."""
    return {name: provider_type(name).credentials for name in provider_names()}


def open_provider(options: ProviderOptions) -> Provider:
    """Returns the provider that the options name, in upper or lower case. Sends nothing.

    Takes a missing credential from the options' text, else from the environment variables that the provider declares.

    Raises DnsError "unsupported", and ArgumentError naming the credential, "credentials", "zone_id" or "endpoint".
    """
    named = options.name.strip().lower()
    name, colon, variant = named.partition(":")
    name = name.replace("-", "")  # acme-dns
    kind = provider_type(name) if name in provider_names() else None
    if kind is None or bool(colon) != has_variants(kind):
        # An API key given in the provider's place must not be shown.
        shown = named if re.fullmatch(r"[a-z0-9_-]{1,24}(:[a-z0-9_-]{1,24})?", named) else "unknown"
        supported = ", ".join(provider_names())
        raise DnsError(shown, "unsupported", f"Provider not supported: {shown} (supported: {supported})")
    values = credential_values(kind.name, kind.credentials, options, takes_others=bool(colon))
    public = {credential.field for credential in kind.credentials if not credential.secret} | {"zone_id", "endpoint"}
    secrets = tuple(value for field, value in values.items() if field not in public)
    zone_id = _zone_id(values.get("zone_id", options.zone_id))
    endpoint = values.get("endpoint", options.endpoint).strip()
    return kind(ProviderAccess(values, secrets, zone_id, endpoint, http_client(options.connection), variant))


class Providers:
    """The providers of some options, each opened once: one, or those of single names and zones."""

    def __init__(self, options: ProviderOptions, opened: Sequence[tuple[ProviderOptions, Provider]]) -> None:
        self._options = options
        self._opened = opened

    @classmethod
    def of(cls, provider: Provider) -> Self:
        """Returns one provider for all names."""
        options = ProviderOptions(provider.name)
        return cls(options, [(options, provider)])

    def for_name(self, *names: str) -> Provider:
        """Returns the provider of the first of these names that has one, as ProviderOptions.for_name() does."""
        wanted = self._options.for_name(*names)
        return next(provider for options, provider in self._opened if options is wanted)

    def __iter__(self) -> Iterator[Provider]:
        return (provider for _options, provider in self._opened)


def open_providers(options: ProviderOptions) -> Providers:
    """Returns all providers of the options. Sends nothing. Raises as open_provider() does, for any of them."""
    return Providers(options, [(one, open_provider(one)) for one in options.by_name.values() or (options,)])


def _zone_id(zone_id: str) -> str:
    text = zone_id.strip()
    # Many providers know a zone by its name.
    if text and not re.fullmatch(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,63})*", text):
        raise ArgumentError("zone_id", "the zone id contains characters that no zone id has")
    return text
