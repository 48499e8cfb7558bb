"""The DNS providers by name. Each is a file in providers/, imported on first use."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re

from ..errors import ArgumentError, DnsError
from ..http.clients import http_client
from . import providers
from .provider import Credential, Provider, ProviderAccess, ProviderOptions, ProviderType


def provider_names() -> tuple[str, ...]:
    """Returns the names of all providers, sorted, without importing any."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(providers.__path__)))


def provider_type(name: str) -> ProviderType:
    """Returns the class of one of provider_names()."""
    found: ProviderType = importlib.import_module(f"{providers.__name__}.{name}").PROVIDER
    return found


def provider_credentials() -> dict[str, tuple[Credential, ...]]:
    """Returns the declared credentials of each provider, by its name."""
    return {name: provider_type(name).credentials for name in provider_names()}


def open_provider(options: ProviderOptions) -> Provider:
    """Returns the provider that the options name, in upper or lower case. Sends nothing.

    Takes a missing credential from the environment variables that the provider declares for it.

    Raises DnsError "unsupported", and ArgumentError naming the credential, "zone_id" or "endpoint".
    """
    name = options.name.strip().lower()
    if name not in provider_names():
        # An API key given in the provider's place must not be shown.
        shown = name if re.fullmatch(r"[a-z0-9_-]{1,24}", name) else "unknown"
        supported = ", ".join(provider_names())
        raise DnsError(shown, "unsupported", f"Provider not supported: {shown} (supported: {supported})")
    kind = provider_type(name)
    _check_declared(options, kind)
    values = {credential.field: _value(name, credential, options) for credential in kind.credentials}
    secrets = tuple(values[credential.field] for credential in kind.credentials if credential.secret)
    access = ProviderAccess(
        values, secrets, _zone_id(options.zone_id), options.endpoint.strip(), http_client(options.connection)
    )
    return kind(access)


def _check_declared(options: ProviderOptions, kind: ProviderType) -> None:
    declared = {credential.field for credential in kind.credentials}
    for field, secret in options.credentials.items():
        if secret.value and field not in declared:
            raise ArgumentError(field, f"the DNS provider {kind.name} takes no {field}")


def _value(name: str, credential: Credential, options: ProviderOptions) -> str:
    """Returns a given credential, else the environment's, without space around it (a key file's last newline)."""
    secret = options.credentials.get(credential.field)
    value, origin = secret.value.strip() if secret else "", f"the {credential.field}"
    if not value:
        value, origin = _from_environment(credential) or ("", origin)
    if not value and credential.required:
        instead = "".join(f", or {variable} in the environment" for variable in credential.environment[:1])
        raise ArgumentError(credential.field, f"{name} needs {credential.field}: {credential.text}{instead}")
    if not re.fullmatch(credential.pattern, value):
        raise ArgumentError(credential.field, f"{origin} contains a character that {name} does not accept there")
    return value


def _from_environment(credential: Credential) -> tuple[str, str] | None:
    """Returns the first value that is set, and its origin."""
    for variable in credential.environment:
        value = os.environ.get(variable, "").strip()
        if value:
            return value, f"{variable} in the environment"
    return None


def _zone_id(zone_id: str) -> str:
    text = zone_id.strip()
    if text and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise ArgumentError("zone_id", "the zone id contains characters that no zone id has")
    return text
