"""What a provider is given to do its work, checked before anything is sent."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..errors import ArgumentError

_UNUSABLE_IN_A_HEADER = re.compile(r"[^\x21-\x7e]")


@dataclass(frozen=True)
class Credentials:
    """How to reach a provider's API and who asks; empty where the provider does without.

    Space around the values (the newline at the end of a key file) is not part of them. The key is in no repr().
    """

    api_key: str = field(default="", repr=False)
    zone_id: str = ""
    endpoint: str = ""

    def __post_init__(self) -> None:
        for name in ("api_key", "zone_id", "endpoint"):
            object.__setattr__(self, name, getattr(self, name).strip())
        # An HTTP library would refuse such a header with a message that quotes it.
        if _UNUSABLE_IN_A_HEADER.search(self.api_key):
            raise ArgumentError("api_key", "the API key has spaces, control or non-ASCII characters in it")
        if self.zone_id and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", self.zone_id):
            raise ArgumentError("zone_id", "the zone id has characters that no zone id has")

    def hidden(self, text: str) -> str:
        """The text without the key, should a server have quoted it."""
        for secret in (self.api_key, self.api_key.partition(":")[2]):
            if len(secret) >= 4:
                text = text.replace(secret, "(hidden)")
        return text


def check_endpoint(endpoint: str) -> str:
    """The API's base URL without a final slash: https, or http on this machine's loopback only."""
    try:
        parts = urlsplit(endpoint)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise ArgumentError("endpoint", "the endpoint is not a URL") from None
    if not host or re.search(r"[\s\x00-\x1f\x7f]", endpoint):
        raise ArgumentError("endpoint", "the endpoint is not a URL with a host")
    if parts.username is not None or parts.password is not None:
        raise ArgumentError("endpoint", "the endpoint must not hold a user or a password")
    if parts.query or parts.fragment:
        raise ArgumentError("endpoint", "the endpoint must not hold a query or a fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ArgumentError("endpoint", f"the endpoint on {host} must be https (http is for loopback only)")
    return endpoint.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
