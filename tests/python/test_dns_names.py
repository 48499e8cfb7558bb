"""Names, credentials and endpoints, checked before anything is sent."""

from __future__ import annotations

import pytest

from tossl_acme.dns.credentials import Credentials, check_endpoint
from tossl_acme.dns.names import is_validation_name, validated_domain
from tossl_acme.dns.provider import open_provider
from tossl_acme.errors import ArgumentError, DnsError
from tossl_acme.http.client import HttpClient

KEY = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY"


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("_acme-challenge.example.com", "example.com"),
        ("_ACME-Challenge.Example.COM.", "example.com"),
        ("_acme-challenge.xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("_ujmmovf2vn55tgye._acme-challenge.www.example.org", "www.example.org"),
        ("_validation-persist.example.com", "example.com"),
    ],
)
def test_validation_names(name: str, domain: str) -> None:
    assert is_validation_name(name)
    assert validated_domain(name) == domain


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "example.com",
        "www.example.com",
        "_acme-challenge",
        "_acme-challenge.",
        "_acme-challenge..com",
        "x._acme-challenge.example.com",
        "_dmarc._acme-challenge.example.com",
        "_acme-challengeX.example.com",
        "acme-challenge.example.com",
        "_acme-challenge.exa mple.com",
        "_acme-challenge.example.com/../x",
        "_acme-challenge.*.example.com",
        f"_acme-challenge.{'a' * 64}.com",
        "_acme-challenge." + "a.b" * 90,
    ],
)
def test_other_names(name: str) -> None:
    assert not is_validation_name(name)


@pytest.mark.parametrize(
    ("endpoint", "base"),
    [
        ("https://dns.example/api/", "https://dns.example/api"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://127.4.5.6", "http://127.4.5.6"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost:1", "http://localhost:1"),
    ],
)
def test_endpoints(endpoint: str, base: str) -> None:
    assert check_endpoint(endpoint) == base


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://dns.example",
        "http://127.0.0.1.example",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "dns.example",
        "https://",
        "https://user:secret-word@dns.example",
        "https://dns.example/?key=secret-word",
        "https://dns.example/#secret-word",
        "https://dns.example:99999/",
        "https://dns.example/\r\nX: y",
        "https://[::1",
    ],
)
def test_wrong_endpoints(endpoint: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        check_endpoint(endpoint)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "endpoint")
    assert "secret-word" not in caught.value.message


def test_credentials_keep_their_secret() -> None:
    credentials = Credentials(f" {KEY}\n", " 0123 ", "")
    assert credentials.api_key == KEY
    assert credentials.zone_id == "0123"
    assert KEY not in repr(credentials)
    assert credentials.hidden(f"no {KEY} here") == "no (hidden) here"
    assert "global" not in Credentials("me@example.com:globalkey").hidden("the key globalkey is wrong")


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "t\u00f6ken", "nul\0"])
def test_keys_that_no_header_can_hold(key: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Credentials(key)
    assert caught.value.errorcode[-1] == "api_key"
    assert key not in caught.value.message


@pytest.mark.parametrize("zone", ["a/b", "..", "a?b", "z" * 65])
def test_zone_ids_stay_in_their_place(zone: str) -> None:
    with pytest.raises(ArgumentError):
        Credentials(KEY, zone)


def test_providers_by_name() -> None:
    http = HttpClient()
    assert open_provider("CloudFlare", Credentials(KEY), http).name == "cloudflare"
    assert open_provider("GENERIC", Credentials("", endpoint="https://dns.example"), http).name == "generic"


@pytest.mark.parametrize("name", ["route53", "", "nonesuch"])
def test_providers_that_there_are_not(name: str) -> None:
    with pytest.raises(DnsError) as caught:
        open_provider(name, Credentials(KEY), HttpClient())
    assert caught.value.message.startswith("Provider not supported: ")
    assert "cloudflare, generic" in caught.value.message
    assert caught.value.errorcode == ("TOSSL", "DNS", name or "unknown", "unsupported")


def test_a_key_in_the_place_of_the_name_is_not_shown() -> None:
    with pytest.raises(DnsError) as caught:
        open_provider(KEY, Credentials("cloudflare"), HttpClient())
    assert KEY.lower() not in f"{caught.value} {caught.value.errorcode}".lower()


def test_missing_arguments() -> None:
    with pytest.raises(ArgumentError) as caught:
        open_provider("generic", Credentials(KEY), HttpClient())
    assert caught.value.errorcode[-1] == "endpoint"
    for key in ("", "operator:key", "me@example.com:"):
        with pytest.raises(ArgumentError) as caught:
            open_provider("cloudflare", Credentials(key), HttpClient())
        assert caught.value.errorcode[-1] == "api_key"
