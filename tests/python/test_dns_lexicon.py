"""The providers of dns-lexicon: the library itself, and its PowerDNS provider against a look-alike of the server."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.powerdns import PowerDns
from tests.servers.web import Reply, Request
from tossl_acme.context import Context
from tossl_acme.dns import hosted
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.dns.provider import Provider
from tossl_acme.dns.providers import lexicon as lexicon_provider
from tossl_acme.dns.registry import open_provider
from tossl_acme.errors import ArgumentError, Cancelled, DnsError, HttpError, TosslError
from tossl_acme.text import Secret

NAME = "_acme-challenge.example.com"
ONE, TWO = "1" * 43, "2" * 43


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; zones are found in the account alone."""
    folder = tmp_path / "home"
    folder.mkdir()
    for variable in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(folder))
    monkeypatch.setattr(hosted, "zone_name", lambda *_: None)
    return folder


@pytest.fixture
def server() -> Iterator[PowerDns]:
    with PowerDns(zones=("example.com", "sub.example.com")) as started:
        yield started


def lexicon(name: str = "powerdns", *, zone_id: str = "", text: str = "", **credentials: str) -> Provider:
    secrets = {field: Secret(value) for field, value in credentials.items()}
    return open_provider(
        ProviderOptions(f"lexicon:{name}", secrets, zone_id, credentials_text=Secret(text) if text else None)
    )


def powerdns(server: PowerDns, token: str = "", zone_id: str = "") -> Provider:
    return lexicon(auth_token=token or server.token, pdns_server=server.origin, zone_id=zone_id)


def test_values_side_by_side_are_removed_by_value(server: PowerDns, context: Context, home: Path) -> None:
    provider = powerdns(server)
    server.add("example.com", NAME, '"of somebody else"')
    server.add("example.com", "www.example.com", '"of somebody else"')
    for value in (ONE, TWO, ONE):
        provider.publish(context, NAME, value)
    assert server.txt(NAME) == [ONE, TWO, "of somebody else"]
    assert provider.remove(context, NAME, ONE) == [ONE]
    assert provider.remove(context, NAME, ONE) == []
    assert server.txt(NAME) == [TWO, "of somebody else"]
    assert sorted(provider.remove(context, NAME, None)) == [TWO, "of somebody else"]
    assert [one.name for one in server.held] == ["www.example.com"]
    assert list(home.iterdir()) == []


def test_the_closest_zone_or_the_given_one(server: PowerDns, context: Context) -> None:
    name = "_acme-challenge.www.sub.example.com"
    powerdns(server).publish(context, name, ONE)
    powerdns(server, zone_id="example.com").publish(context, name, TWO)
    assert [(one.zone, one.content) for one in server.held] == [
        ("sub.example.com", f'"{ONE}"'),
        ("example.com", f'"{TWO}"'),
    ]
    with pytest.raises(DnsError) as caught:
        powerdns(server).publish(context, "_acme-challenge.example.net", ONE)
    assert caught.value.errorcode == ("TOSSL", "DNS", "lexicon:powerdns", "zone")
    assert (
        "(looked for _acme-challenge.example.net, example.net): lexicon:powerdns: its service answered 404: "
        in caught.value.message
    )


def test_its_own_variables_and_a_file_of_them(
    server: PowerDns, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEXICON_POWERDNS_AUTH_TOKEN", server.token)
    monkeypatch.setenv("LEXICON_POWERDNS_PDNS_SERVER", server.origin)
    lexicon().publish(context, NAME, ONE)
    monkeypatch.delenv("LEXICON_POWERDNS_AUTH_TOKEN")
    monkeypatch.delenv("LEXICON_POWERDNS_PDNS_SERVER")
    text = f"LEXICON_POWERDNS_AUTH_TOKEN={server.token}\npdns_server={server.origin}\nDO_AUTH_TOKEN=of-another-one\n"
    lexicon(text=text).publish(context, NAME, TWO)
    lexicon(api_key=server.token, pdns_server=server.origin).remove(context, NAME, ONE)
    assert server.txt(NAME) == [TWO]


def test_a_wrong_token(server: PowerDns, context: Context) -> None:
    provider = powerdns(server, "not-the-right-token")
    for call in (lambda: provider.publish(context, NAME, ONE), lambda: provider.remove(context, NAME, ONE)):
        with pytest.raises(DnsError) as caught:
            call()
        assert caught.value.errorcode == ("TOSSL", "DNS", "lexicon:powerdns", "credentials")
        assert "its service answered 401: Unauthorized" in caught.value.message
        assert "not-the-right-token" not in f"{caught.value} {caught.value.details}"


def failure(provider: Provider, context: Context) -> TosslError:
    with pytest.raises(TosslError) as caught:
        provider.publish(context, NAME, ONE)
    assert caught.value.message.startswith("Failed to create DNS record: ")
    return caught.value


def test_faults_of_the_server(server: PowerDns, capfd: pytest.CaptureFixture[str]) -> None:
    provider = powerdns(server)
    for fault in ("500", "html", "429"):
        server.misbehave(fault)
        error = failure(provider, Context(0.4).begin())
        assert error.errorcode == ("TOSSL", "DNS", "lexicon:powerdns", "refused")
        assert "its service answered " in error.message
    with PowerDns() as gone:
        provider = lexicon(auth_token="pdns-secret", pdns_server=gone.origin)
    error = failure(provider, Context(0.4).begin())
    assert error.errorcode == ("TOSSL", "HTTP", "connect")
    assert "pdns-secret" not in error.message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b'{"rrsets": null}',
        b'{"rrsets": [{}]}',
        b'{"rrsets": [7]}',
        b"<html>",
        b"\xff",
        b'{"rrsets": []}',
    ],
    ids=str,
)
def test_answers_of_all_kinds(answer: bytes, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library ends by any exception; the error is one of the provider."""
    monkeypatch.setattr(lexicon_provider, "PAUSES_SECONDS", (0.001,))

    class Odd(PowerDns):
        def route(self, request: Request, parts: list[str]) -> Reply:
            return Reply(200, answer)

    with Odd() as server:
        provider = powerdns(server, zone_id="example.com")
        try:
            assert provider.remove(context, NAME, None) == []
        except (DnsError, HttpError) as error:
            assert error.errorcode[-1] in ("refused", "answer", "zone", "connect")
            assert server.token not in error.message


def test_passing_faults_are_outlasted(server: PowerDns) -> None:
    steps: list[object] = []
    context = Context(20).begin(listener=lambda facts: steps.append((facts["step"], facts["seconds"])))
    server.misbehave("429")
    server.lose_changes = 1
    powerdns(server).publish(context, NAME, ONE)
    assert server.txt(NAME) == [ONE]
    assert steps == [("dns_retry", 1.0), ("dns_retry", 1.0)]


def test_it_is_left_behind_at_the_deadline(server: PowerDns) -> None:
    server.slow_down(5)
    error = failure(powerdns(server), Context(0.3).begin())
    assert error.errorcode == ("TOSSL", "TIMEOUT", "provider")
    assert "lexicon:powerdns is left behind in a thread and may still end what it began" in error.message


def test_it_is_left_behind_when_cancelled(server: PowerDns) -> None:
    server.slow_down(5)
    context = Context(20).begin()
    threading.Timer(0.05, context.cancel).start()
    with pytest.raises(Cancelled):
        powerdns(server).publish(context, NAME, ONE)


@pytest.mark.parametrize("name", ["nonesuch", "auto", "base", "__init__", "../x", "sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQ"])
def test_providers_that_it_has_not(name: str) -> None:
    with pytest.raises(DnsError) as caught:
        lexicon(name)
    assert caught.value.errorcode[-1] == "unsupported"
    assert caught.value.message.startswith("Provider not supported: ")
    assert "zjtbx" not in f"{caught.value} {caught.value.errorcode}".lower()


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lexicon._private.discovery", None)
    with pytest.raises(DnsError) as caught:
        lexicon(auth_token="secret-word")
    assert caught.value.errorcode == ("TOSSL", "DNS", "lexicon:powerdns", "unsupported")
    assert "tossl-acme[lexicon]" in caught.value.message
    assert "make EXTRAS=lexicon" in caught.value.message
    with pytest.raises(DnsError):
        lexicon("")


@pytest.mark.parametrize(("field", "shown"), [("auth_tokens", "auth_tokens"), ("Sn3lZJTBX6kkg7O", "credentials")])
def test_options_that_it_has_not(field: str, shown: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        lexicon(**{field: "secret-word"})
    assert caught.value.errorcode == ("TOSSL", "VALUE", shown)
    assert "it takes auth_token, pdns_server, pdns_server_id, pdns_disable_notify" in caught.value.message
    assert "secret-word" not in caught.value.message


def test_options_that_are_missing() -> None:
    """Nothing is sent before."""
    for given, cause in (
        ({}, "PowerDNS API key not defined (auth_token)"),
        ({"auth_token": "secret-word", "ttl": "soon"}, "ttl is not a number of seconds"),
    ):
        with pytest.raises(ArgumentError) as caught:
            lexicon(pdns_server="http://127.0.0.1:1", **given)
        assert caught.value.errorcode == ("TOSSL", "VALUE", "credentials")
        assert cause in caught.value.message
        assert "secret-word" not in caught.value.message


def test_public_suffixes_without_the_network(home: Path) -> None:
    """godaddy's module asks tldextract, which would download its list."""
    lexicon("godaddy", auth_key="k", auth_secret="s")
    module = sys.modules["lexicon._private.providers.godaddy"]
    assert module.tldextract.extract("a.example.co.uk").domain == "example"
    assert list(home.iterdir()) == []


def test_every_provider_of_it_opens() -> None:
    """Or says which packages or credentials it needs."""
    from lexicon._private.discovery import find_providers

    names = sorted(set(find_providers()) - {"auto"})
    assert len(names) > 80
    for name in names if os.environ.get("TOSSL_TEST_ALL") else names[::15]:
        try:
            assert lexicon(name).name == f"lexicon:{name}"
        except ArgumentError as error:
            assert error.message.startswith(f"lexicon:{name} refuses its credentials: ")
        except DnsError as error:
            assert f"pip install 'dns-lexicon[{name}]'" in error.message
