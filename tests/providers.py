"""DNS providers as the look-alikes of tests.servers want them opened."""

from __future__ import annotations

from tests.servers.dnsapi import DnsApi
from tests.servers.ovh import Ovh
from tests.servers.powerdns import PowerDns
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.dns.provider import Provider
from tossl_acme.dns.registry import open_provider
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.text import Secret


def provider_at(
    endpoint: str, api_key: str = "", name: str = "cloudflare", zone_id: str = "", ca_bundle: str = ""
) -> Provider:
    """The provider of that name, whose service is at `endpoint`."""
    credentials = {"api_key": Secret(api_key)}
    return open_provider(ProviderOptions(name, credentials, zone_id, endpoint, ConnectionOptions(ca_bundle)))


def account_provider(
    name: str, server: DnsApi, *, token: str = "", zone_id: str = "", endpoint: str = "", ca_bundle: str = ""
) -> Provider:
    """The provider of a look-alike's account, with its credentials; `token` is instead of the right one."""
    return open_provider(
        provider_options(name, server, token=token, zone_id=zone_id, endpoint=endpoint, ca_bundle=ca_bundle)
    )


def provider_options(
    name: str, server: DnsApi, *, token: str = "", zone_id: str = "", endpoint: str = "", ca_bundle: str = ""
) -> ProviderOptions:
    """The options that open account_provider()."""
    credentials = {"api_key": Secret(token or server.token)}
    if isinstance(server, Ovh):
        keys = {"application_key": server.application_key, "application_secret": server.application_secret}
        credentials = {field: Secret(value) for field, value in {**keys, "consumer_key": token or server.token}.items()}
    return ProviderOptions(name, credentials, zone_id, endpoint or server.url, ConnectionOptions(ca_bundle))


def account_words(name: str, server: DnsApi) -> dict[str, object]:
    """The options of a command for a look-alike's account."""
    if isinstance(server, PowerDns):
        fields = {"auth_token": server.token, "pdns_server": server.origin}
        return {"provider": name, "credentials": [word for pair in fields.items() for word in pair]}
    fields = {"api_key": server.token}
    if isinstance(server, Ovh):
        keys = {"application_key": server.application_key, "application_secret": server.application_secret}
        fields = {**keys, "consumer_key": server.token}
    credentials = [word for pair in fields.items() for word in pair]
    return {"provider": name, "credentials": credentials, "endpoint": server.url}
