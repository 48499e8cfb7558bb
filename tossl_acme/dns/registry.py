"""The DNS providers by name: each is a file in providers/, imported on first use, or registered by a script."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Self

from ..errors import ArgumentError, DnsError
from ..files import absolute
from ..http.clients import http_client
from ..text import Secret, quoted
from . import providers
from .credentials import credential_values
from .hosted import ascii_name
from .options import DEFAULT_NAME, ProviderOptions
from .provider import (
    AccountKeeper,
    Credential,
    Provider,
    ProviderAccess,
    ProviderType,
    canonical_name,
)
from .registered import RegisteredProvider, register_provider, registered_names, registered_provider


def provider_names() -> tuple[str, ...]:
    """Returns the names of all providers, sorted, without importing any."""
    return tuple(sorted({*_file_names(), *registered_names()}))


def shown_names() -> tuple[str, ...]:
    """Returns the names as a script gives them: lexicon:NAME for one with variants."""
    files = _file_names()
    variants = {name for name in files if has_variants(provider_type(name))}
    return tuple(f"{name}:NAME" if name in variants else name for name in provider_names())


def _file_names() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(providers.__path__)}


def provider_type(name: str) -> ProviderType:
    """Returns the class of one of the providers that are files."""
    found: ProviderType = importlib.import_module(f"{providers.__name__}.{name}").PROVIDER
    return found


def _type_named(name: str) -> ProviderType | None:
    """Returns the class of the provider that a script names so; None where it is no file."""
    base = name.strip().lower().partition(":")[0].replace("-", "")  # acme-dns
    return provider_type(base) if base in _file_names() else None


def takes_fields(name: str, fields: Collection[str]) -> bool:
    """Returns whether a value with these names in it is a dict of the provider's credentials, not a single one."""
    kind = _type_named(name) if fields else None
    if kind is None:
        return False
    declared = {credential.field for credential in kind.credentials}
    # One of several secrets is no value for the only one.
    return has_variants(kind) or bool(declared & set(fields)) or "api_key" not in declared


def has_variants(kind: ProviderType) -> bool:
    """Returns whether the name is given as NAME:VARIANT."""
    return bool(getattr(kind, "has_variants", False))


def provider_credentials() -> dict[str, tuple[Credential, ...]]:
    """Returns the declared credentials of each provider, by its name; a registered one has none."""
    files = _file_names()
    return {name: provider_type(name).credentials if name in files else () for name in provider_names()}


def kept_credentials(name: str, given: Mapping[str, Secret | str]) -> dict[str, Secret | str]:
    """Returns the values as ProviderOptions.credentials has them: text where the provider declares no secret.

    A reference stays one. A path becomes absolute: a renewal may run in another folder. An api_key is a secret wherever
    it is given: some provider's is a key's id, in whose place the key itself may stand.
    """
    kind = _type_named(name) if given else None
    declared = {one.field: one for one in (kind.credentials if kind is not None else ())}
    return {field: _as_declared(value, declared.get(field)) for field, value in given.items()}


def _as_declared(value: Secret | str, declared: Credential | None) -> Secret | str:
    if declared is None or declared.secret or declared.field == "api_key":
        return value if isinstance(value, Secret) else Secret(value)
    if isinstance(value, Secret):
        if value.file or value.env:
            return value
        value = value.value
    return absolute(value) if declared.is_path and value else value


def add_provider(provider: RegisteredProvider) -> None:
    """Makes a script's provider known by its name. Raises ArgumentError "name" for a name that a file has."""
    if provider.name.replace("-", "") in _file_names():
        raise ArgumentError("name", f"there is a DNS provider {provider.name} already")
    register_provider(provider)


def describe_provider(name: str) -> ProviderText:
    """Returns the description of one of provider_names()."""
    if name not in _file_names():
        return ProviderText("A DNS provider that a script has registered.", "", "", ())
    kind = provider_type(name)
    summary, _, page = (importlib.import_module(f"{providers.__name__}.{name}").__doc__ or "").strip().partition("\n\n")
    return ProviderText(summary, page.strip(), inspect.cleandoc(kind.__doc__ or ""), kind.credentials)


@dataclass(frozen=True)
class ProviderText:
    """A provider's description for people. page: the vendor's, and the date when it was read. text: its ways."""

    summary: str
    page: str
    text: str
    credentials: tuple[Credential, ...]


def open_provider(options: ProviderOptions, resolvers: Sequence[str] = ()) -> Provider:
    """Returns the provider that the options name, in upper or lower case. Sends nothing.

    It looks for zones through `resolvers`, else through those of TOSSL_RESOLVERS, else through the machine's. Takes a
    missing credential from the options' text, else from the environment variables that the provider declares.

    Raises DnsError "unsupported", and ArgumentError naming the credential, "credentials", "zone_id" or "endpoint".
    """
    named = options.name.strip().lower()
    _name, colon, variant = named.partition(":")
    registered = registered_provider(named)
    if registered is not None:
        credential_values(named, (), options)
        return registered
    kind = _type_named(named)
    if kind is None or bool(colon) != has_variants(kind):
        # An API key given in the provider's place must not be shown.
        shown = named if re.fullmatch(r"[a-z0-9_-]{1,24}(:[a-z0-9_-]{1,24})?", named) else "unknown"
        supported = ", ".join(shown_names())
        raise DnsError(shown, "unsupported", f"Provider not supported: {shown} (supported: {supported})")
    values = credential_values(kind.name, kind.credentials, options, takes_others=bool(colon))
    public = {credential.field for credential in kind.credentials if not credential.secret} | {"zone_id", "endpoint"}
    secrets = tuple(value for field, value in values.items() if field not in public)
    zone_id = _zone_id(values.get("zone_id", options.zone_id))
    endpoint = values.get("endpoint", options.endpoint).strip()
    http = http_client(options.connection)
    rest = (options.connection, variant, tuple(resolvers))
    return kind(ProviderAccess(values, secrets, zone_id, endpoint, http, *rest))


class Providers:
    """The providers of some options, each opened once: one, or those of single names and zones."""

    def __init__(
        self,
        options: ProviderOptions,
        opened: Sequence[tuple[ProviderOptions, Provider]],
        other: Provider | None = None,
    ) -> None:
        """other: the one of all names that have none of these."""
        self._options = options
        self._opened = opened
        self._other = other

    @classmethod
    def of(cls, provider: Provider) -> Self:
        """Returns one provider for all names."""
        options = ProviderOptions(provider.name)
        return cls(options, [(options, provider)])

    def for_name(self, *names: str) -> Provider:
        """Returns the provider of the first of these names that has one, as ProviderOptions.for_name() does."""
        try:
            wanted = self._options.for_name(*names)
            return next(provider for options, provider in self._opened if options is wanted)
        except (ArgumentError, StopIteration):
            if self._other is None:
                raise
            return self._other

    def at(self, name: str, endpoint: str) -> Self | None:
        """Returns those of one service, which may be several accounts there; None without any."""
        there = [each for each in self._opened if (each[1].name, each[1].endpoint) == (name, endpoint)]
        return type(self)(self._options, there, there[0][1]) if there else None

    def keep_accounts(self, accounts: MutableMapping[str, str]) -> None:
        """Gives those that register accounts a place for them."""
        for provider in self:
            if isinstance(provider, AccountKeeper):
                provider.keep_accounts(accounts)

    def __iter__(self) -> Iterator[Provider]:
        return (provider for _options, provider in self._opened)


def open_providers(options: ProviderOptions, resolvers: Sequence[str] = ()) -> Providers:
    """Returns all providers of the options. Sends nothing. Raises as open_provider() does, for any of them."""
    return Providers(options, [(one, open_provider(one, resolvers)) for one in options.by_name.values() or (options,)])


def providers_by_name(given: Mapping[str, ProviderOptions]) -> dict[str, ProviderOptions]:
    """Returns ProviderOptions.by_name for the names of a script: A-labels or U-labels, with or without "*.".

    Raises ArgumentError "provider" for a name that is no DNS name, or that is there twice.
    """
    found: dict[str, ProviderOptions] = {}
    for name, options in given.items():
        zone = ascii_name(canonical_name(name).removeprefix("*."))
        if not re.fullmatch(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", zone):
            cause = f"{quoted(name)} is neither a DNS name nor {DEFAULT_NAME}"
            raise ArgumentError("provider", f"the dict of providers: {cause}")
        if zone in found:
            raise ArgumentError("provider", f"the dict of providers has {quoted(zone)} twice")
        found[zone] = options
    return found


def _zone_id(zone_id: str) -> str:
    text = zone_id.strip()
    # Many providers know a zone by its name.
    if text and not re.fullmatch(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,63})*", text):
        raise ArgumentError("zone_id", "the zone id contains characters that no zone id has")
    return text
