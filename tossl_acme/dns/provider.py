"""What a DNS provider can do, and which there are."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from ..context import Context
from ..errors import DnsError
from ..http.client import HttpClient
from .credentials import Credentials
from .names import is_validation_name
from .providers.cloudflare import Cloudflare
from .providers.generic import Generic

__all__ = ["Credentials", "Provider", "is_validation_name", "open_provider"]


class Provider(Protocol):
    """Publishes and removes TXT values at a name; fqdn with or without its final dot."""

    @property
    def name(self) -> str: ...

    @property
    def endpoint(self) -> str:
        """The base URL of its API."""

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Adds this value beside those that are there. It is well if it is there already.

        Raises DnsError ("Failed to create DNS record: ..."), HttpError, WaitTimeout or Cancelled.
        """

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Removes this value, or with None every TXT value at the name; returns the values removed.

        Raises DnsError ("Failed to delete DNS record: ..."), of kind "record" where there is nothing to remove.
        """


def open_provider(name: str, credentials: Credentials, http: HttpClient) -> Provider:
    """The provider of that name (upper or lower case); nothing is sent yet."""
    known: dict[str, Callable[[Credentials, HttpClient], Provider]] = {p.name: p for p in (Cloudflare, Generic)}
    wanted = name.strip().lower()
    if wanted not in known:
        # An API key given in the provider's place must not be shown.
        shown = wanted if re.fullmatch(r"[a-z0-9_-]{1,24}", wanted) else "unknown"
        supported = ", ".join(sorted(known))
        raise DnsError(shown, "unsupported", f"Provider not supported: {shown} (supported: {supported})")
    return known[wanted](credentials, http)
