"""Providers by name, what they declare, and what they are given: checked before anything is sent."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.generator.providers import PAGE, with_table
from tests.providers import provider_at
from tests.servers.httpreq import HttpReq
from tests.tclhost import Tcl, new_key
from tossl_acme.context import Context
from tossl_acme.dns import providers
from tossl_acme.dns.api import endpoint_url
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.dns.registry import open_provider, provider_credentials, provider_names, provider_type, shown_names
from tossl_acme.errors import ArgumentError, DnsError
from tossl_acme.text import Secret

KEY = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY"


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
    assert endpoint_url(endpoint) == base


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
        endpoint_url(endpoint)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "endpoint")
    assert "secret-word" not in caught.value.message


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "t\u00f6ken", "nul\0"])
def test_keys_that_no_header_can_hold(key: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        provider_at("", key)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "api_key")
    assert key not in caught.value.message


@pytest.mark.parametrize("zone", ["a/b", "..", "a?b", "z" * 65])
def test_zone_ids_stay_in_their_place(zone: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        provider_at("", KEY, zone_id=zone)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "zone_id")


def test_providers_by_name() -> None:
    assert provider_at("", f" {KEY}\n", "CloudFlare", " 0123 ").name == "cloudflare"
    assert provider_at("https://dns.example", "", "GENERIC").name == "generic"


def test_options_show_no_secret() -> None:
    assert KEY not in repr(ProviderOptions("cloudflare", {"api_key": Secret(KEY)}))


@pytest.mark.parametrize("name", ["route66", "", "nonesuch", "__init__", "..provider", "providers.cloudflare"])
def test_providers_that_there_are_not(name: str) -> None:
    with pytest.raises(DnsError) as caught:
        provider_at("", KEY, name)
    assert caught.value.message.startswith("Provider not supported: ")
    assert ", ".join(shown_names()) in caught.value.message
    assert caught.value.errorcode[1:] in (("DNS", name, "unsupported"), ("DNS", "unknown", "unsupported"))


def test_a_key_in_the_place_of_the_name_is_not_shown() -> None:
    with pytest.raises(DnsError) as caught:
        provider_at("", "cloudflare", KEY)
    assert KEY.lower() not in f"{caught.value} {caught.value.errorcode}".lower()


def test_missing_arguments() -> None:
    with pytest.raises(ArgumentError) as caught:
        provider_at("", KEY, "generic")
    assert caught.value.errorcode[-1] == "endpoint"
    for key in ("", "operator:key", "me@example.com:"):
        with pytest.raises(ArgumentError) as caught:
            provider_at("", key)
        assert caught.value.errorcode[-1] == "api_key"
    with pytest.raises(ArgumentError) as caught:
        provider_at("")
    assert "or CLOUDFLARE_API_TOKEN in the environment" in caught.value.message


def test_every_provider_declares_itself() -> None:
    """Under its file's name; a field is an option's name."""
    assert {"cloudflare", "generic"} <= set(provider_names())
    for name, credentials in provider_credentials().items():
        assert provider_type(name).name == name
        assert len({credential.field for credential in credentials}) == len(credentials)
        for credential in credentials:
            assert credential.field.isidentifier()
            assert credential.field == credential.field.lower()
            assert credential.text
            assert all(variable.isidentifier() and variable.isupper() for variable in credential.environment)


TWO_SECRETS = """
from tossl_acme.dns.provider import Credential

class TwoSecrets:
    name = "twosecrets"
    credentials = (
        Credential("access_id", "the id of the access key", ("TWOSECRETS_ID", "TWO_ID"), secret=False),
        Credential("access_secret", "the access key", ("TWOSECRETS_SECRET",), pattern="[a-z ]*"),
        Credential("second_secret", "for accounts that have one", required=False),
    )

    opened = []

    def __init__(self, access):
        self.access = access
        self.opened.append(self)
        self.endpoint = access.endpoint or "https://two.example"
        self.records = []

    def publish(self, context, fqdn, value):
        self.records.append((fqdn, value))

    def remove(self, context, fqdn, value):
        found = [record for record in self.records if record[0] == fqdn and value in (None, record[1])]
        self.records = [record for record in self.records if record not in found]
        return [value for _name, value in found]

PROVIDER = TwoSecrets
"""


def test_the_table_of_the_page_is_up_to_date() -> None:
    text = PAGE.read_text("utf-8")
    assert text == with_table(text), "run `make docs`, and commit what it changes"
    assert all(f"\n| `{name}` | " in text for name in shown_names())


@pytest.fixture
def mydns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The provider of the page, which is one file beside the others."""
    example = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(example) == 1
    (tmp_path / "mydns.py").write_text(example[0])
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    yield
    sys.modules.pop(f"{providers.__name__}.mydns", None)


@pytest.mark.usefixtures("mydns")
def test_the_provider_of_the_page(tcl: Tcl, monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpReq() as service:
        monkeypatch.setenv("MY_DNS_URL", service.url)
        monkeypatch.setenv("MY_DNS_TOKEN", service.token)
        words = ("two.example", "token", new_key(), "mydns", "")
        shown = tcl.dict("dns01_challenge", *words, propagation_timeout=0)
        assert tcl.acme("cleanup_dns", "two.example", shown["dns_record_name"], "mydns", "")
        assert [request.path for request in service.requests] == ["/present", "/cleanup"]
        refused = tcl.failure("dns01_challenge", *words[:4], "wrong-token", propagation_timeout=0)
        assert refused.code == ("TOSSL", "DNS", "mydns", "credentials")
        assert "wrong-token" not in refused.message


@pytest.fixture
def twosecrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A provider that is one file beside the others."""
    (tmp_path / "twosecrets.py").write_text(TWO_SECRETS)
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    yield
    sys.modules.pop(f"{providers.__name__}.twosecrets", None)


def two_secrets(**credentials: str) -> ProviderOptions:
    return ProviderOptions("TwoSecrets", {field: Secret(value) for field, value in credentials.items()})


@pytest.mark.usefixtures("twosecrets")
def test_a_provider_with_two_secrets_touches_no_other_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "twosecrets" in provider_names()
    assert [c.field for c in provider_credentials()["twosecrets"]] == ["access_id", "access_secret", "second_secret"]
    provider = open_provider(two_secrets(access_id="me", access_secret="hush hush\n"))
    context = Context(5).begin()
    provider.publish(context, "_acme-challenge.example.com", "v")
    assert provider.remove(context, "_acme-challenge.example.com", None) == ["v"]
    access = provider.access  # type: ignore[attr-defined]
    assert dict(access.values) == {"access_id": "me", "access_secret": "hush hush", "second_secret": ""}
    assert access.hidden("me: hush hush is wrong") == "me: (hidden) is wrong"
    assert "hush" not in repr(access)


@pytest.mark.usefixtures("twosecrets")
def test_the_environment_where_an_option_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWO_ID", "second")
    monkeypatch.setenv("TWOSECRETS_SECRET", " of the environment ")
    opened = open_provider(two_secrets(access_secret=""))
    assert dict(opened.access.values) == {  # type: ignore[attr-defined]
        "access_id": "second", "access_secret": "of the environment", "second_secret": "",
    }  # fmt: skip
    monkeypatch.setenv("TWOSECRETS_ID", "first")
    opened = open_provider(two_secrets(access_secret="given"))
    assert opened.access.values["access_id"] == "first"  # type: ignore[attr-defined]
    assert opened.access.values["access_secret"] == "given"  # type: ignore[attr-defined]
    monkeypatch.setenv("TWOSECRETS_SECRET", "HUSH")
    with pytest.raises(ArgumentError) as caught:
        open_provider(two_secrets())
    assert caught.value.errorcode == ("TOSSL", "VALUE", "access_secret")
    assert "TWOSECRETS_SECRET in the environment" in caught.value.message
    assert "HUSH" not in caught.value.message


@pytest.mark.usefixtures("twosecrets")
def test_what_is_missing_is_named() -> None:
    with pytest.raises(ArgumentError) as caught:
        open_provider(two_secrets(access_id="me"))
    assert caught.value.errorcode == ("TOSSL", "VALUE", "access_secret")
    assert caught.value.message.startswith("twosecrets needs access_secret: the access key")


@pytest.mark.usefixtures("twosecrets")
def test_what_a_provider_does_not_take_is_refused() -> None:
    for name in ("cloudflare", "twosecrets"):
        field = "access_secret" if name == "cloudflare" else "api_key"
        with pytest.raises(ArgumentError) as caught:
            open_provider(ProviderOptions(name, {field: Secret("hush")}))
        assert caught.value.errorcode == ("TOSSL", "VALUE", field)
        assert "hush" not in caught.value.message


def test_cloudflares_token_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CF_DNS_API_TOKEN", "CLOUDFLARE_API_TOKEN"):
        monkeypatch.setenv(variable, KEY)
        assert provider_at("").name == "cloudflare"
        monkeypatch.delenv(variable)
    with pytest.raises(ArgumentError):
        provider_at("")


@pytest.mark.usefixtures("twosecrets")
def test_a_provider_with_two_secrets_in_tcl(tcl: Tcl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file gives the commands their options: each secret as it is, from a file or from the environment."""
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("MY_SECOND", "from-the-environment")
    monkeypatch.setenv("TWOSECRETS_ID", "me")
    shown = tcl.dict(
        "dns01_challenge", "two.example", "token", new_key(), "twosecrets", "", propagation_timeout=0,
        access_secret_file=tmp_path / "secret", second_secret_env="MY_SECOND",
    )  # fmt: skip
    opened = sys.modules[f"{providers.__name__}.twosecrets"].PROVIDER.opened[-1]
    assert opened.records == [("_acme-challenge.two.example", shown["dns_record_value"])]
    assert dict(opened.access.values) == {
        "access_id": "me", "access_secret": "from a file", "second_secret": "from-the-environment",
    }  # fmt: skip
    refused = tcl.failure(
        "dns01_challenge", "two.example", "token", new_key(), "twosecrets", "", access_secret="HUSH HUSH"
    )
    assert refused.code == ("TOSSL", "VALUE", "access_secret")
    assert "HUSH" not in f"{refused}"
    other = tcl.failure("dns01_challenge", "two.example", "token", new_key(), "cloudflare", KEY, access_secret="hush")
    assert other.code == ("TOSSL", "VALUE", "access_secret")


def test_a_certificate_takes_cloudflares_token_of_the_environment(tcl: Tcl, monkeypatch: pytest.MonkeyPatch) -> None:
    words = {"directory": "https://127.0.0.1:1/dir", "store": "", "provider": "cloudflare"}
    assert tcl.failure("obtain_certificate", ["a.example"], **words).code == ("TOSSL", "VALUE", "api_key")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", KEY)
    assert tcl.failure("obtain_certificate", ["a.example"], **words).code == ("TOSSL", "HTTP", "connect")
