"""Cleaning up a name: what this process published there, else everything, and never another name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.cloudflare import Cloudflare as Account
from tossl_acme.context import Context
from tossl_acme.dns.credentials import Credentials
from tossl_acme.dns.provider import Provider, open_provider
from tossl_acme.dns.published import PublishedRecords, clean_name
from tossl_acme.errors import ArgumentError, DnsError
from tossl_acme.http.client import HttpClient

NAME = "_acme-challenge.example.com"
OWN, OTHER, FOREIGN = "o" * 43, "p" * 43, "f" * 43


@pytest.fixture
def account() -> Iterator[Account]:
    with Account() as server:
        yield server


@pytest.fixture
def provider(account: Account) -> Provider:
    return open_provider("cloudflare", Credentials(account.token, "", account.url), HttpClient())


@pytest.fixture
def context() -> Context:
    return Context(20).begin()


def test_own_values_alone(account: Account, provider: Provider, context: Context) -> None:
    published = PublishedRecords()
    for value in (OWN, OTHER, FOREIGN):
        provider.publish(context, NAME, value)
    published.add(provider, NAME, OWN)
    published.add(provider, NAME + ".", OWN)
    published.add(provider, NAME.upper(), OTHER)
    assert published.values(provider, NAME) == (OWN, OTHER)
    assert clean_name(context, provider, NAME, None, published) == [OWN, OTHER]
    assert account.txt(NAME) == [FOREIGN]
    assert published.values(provider, NAME) == ()


def test_everything_where_nothing_is_own(account: Account, provider: Provider, context: Context) -> None:
    provider.publish(context, NAME, FOREIGN)
    assert clean_name(context, provider, NAME, None, PublishedRecords()) == [FOREIGN]
    with pytest.raises(DnsError) as caught:
        clean_name(context, provider, NAME, None, PublishedRecords())
    assert caught.value.errorcode[-1] == "record"


def test_each_endpoint_by_itself(provider: Provider) -> None:
    published = PublishedRecords()
    published.add(provider, NAME, OWN)
    with Account() as other:
        there = open_provider("cloudflare", Credentials(other.token, "", other.url), HttpClient())
        assert published.values(there, NAME) == ()
    again = open_provider("Cloudflare", Credentials("another-key", "zone", f"{provider.endpoint}/"), HttpClient())
    assert published.values(again, NAME) == (OWN,)


def test_one_named_value(account: Account, provider: Provider, context: Context) -> None:
    published = PublishedRecords()
    for value in (OWN, FOREIGN):
        provider.publish(context, NAME, value)
        published.add(provider, NAME, value)
    assert clean_name(context, provider, NAME, FOREIGN, published) == [FOREIGN]
    assert account.txt(NAME) == [OWN]
    assert published.values(provider, NAME) == (OWN,)


def test_own_values_that_somebody_took(account: Account, provider: Provider, context: Context) -> None:
    published = PublishedRecords()
    published.add(provider, NAME, OWN)
    published.add(provider, NAME, OTHER)
    provider.publish(context, NAME, OTHER)
    assert clean_name(context, provider, NAME, None, published) == [OTHER]
    published.add(provider, NAME, OWN)
    with pytest.raises(DnsError):
        clean_name(context, provider, NAME, None, published)
    assert published.values(provider, NAME) == ()


def test_what_could_not_be_removed_is_remembered(account: Account, provider: Provider) -> None:
    published = PublishedRecords()
    published.add(provider, NAME, OWN)
    account.misbehave("403")
    with pytest.raises(DnsError):
        clean_name(Context(20).begin(), provider, NAME, None, published)
    assert published.values(provider, NAME) == (OWN,)


@pytest.mark.parametrize("name", ["example.com", "www.example.com", "_dmarc.example.com", ""])
def test_other_names_are_refused(account: Account, provider: Provider, context: Context, name: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        clean_name(context, provider, name, None, PublishedRecords())
    assert caught.value.errorcode == ("TOSSL", "VALUE", "record_name")
    assert account.requests == []
