"""DNS providers as the look-alikes of tests.servers want them opened."""

from __future__ import annotations

from tossl_acme.dns.provider import Provider, ProviderOptions
from tossl_acme.dns.registry import open_provider
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.text import Secret


def provider_at(
    endpoint: str, api_key: str = "", name: str = "cloudflare", zone_id: str = "", ca_bundle: str = ""
) -> Provider:
    """The provider of that name, whose service is at `endpoint`."""
    credentials = {"api_key": Secret(api_key)}
    return open_provider(ProviderOptions(name, credentials, zone_id, endpoint, ConnectionOptions(ca_bundle)))
