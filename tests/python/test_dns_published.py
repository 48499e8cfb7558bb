"""Cleaning up a name: what this process published there, else everything, and never another name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.providers import provider_at
from tests.servers.cloudflare import Cloudflare as Account
from tossl_acme.context import Context
from tossl_acme.dns.provider import Provider
from tossl_acme.dns.published import PublishedRecords, check_removed
from tossl_acme.errors import DnsError, HttpError, TosslError

NAME = "_acme-challenge.example.com"
OWN, OTHER, FOREIGN = "o" * 43, "p" * 43, "f" * 43


@pytest.fixture
def account() -> Iterator[Account]:
    with Account() as server:
        yield server


@pytest.fixture
def provider(account: Account) -> Provider:
    return provider_at(account.url, account.token)


def test_own_values_alone(account: Account, provider: Provider, context: Context) -> None:
    published = PublishedRecords()
    provider.publish(context, NAME, FOREIGN)
    for name, value in ((NAME, OWN), (NAME + ".", OWN), (NAME.upper(), OTHER)):
        published.publish(context, provider, name, value)
    assert published.values(provider, NAME) == (OWN, OTHER)
    assert published.remove(context, provider, NAME) == [OWN, OTHER]
    assert account.txt(NAME) == [FOREIGN]
    assert published.values(provider, NAME) == ()


def test_everything_where_nothing_is_own(account: Account, provider: Provider, context: Context) -> None:
    provider.publish(context, NAME, FOREIGN)
    assert PublishedRecords().remove(context, provider, NAME) == [FOREIGN]
    assert PublishedRecords().remove(context, provider, NAME) == []


@pytest.mark.parametrize("value", [None, OWN])
def test_nothing_there(provider: Provider, value: str | None) -> None:
    check_removed([OWN], provider, NAME, value)
    with pytest.raises(DnsError) as caught:
        check_removed([], provider, NAME, value)
    assert caught.value.errorcode == ("TOSSL", "DNS", "cloudflare", "record")
    assert caught.value.message.startswith("Failed to delete DNS record: there is no TXT record")


def test_each_endpoint_by_itself(provider: Provider, context: Context) -> None:
    published = PublishedRecords()
    published.publish(context, provider, NAME, OWN)
    with Account() as other:
        assert published.values(provider_at(other.url, other.token), NAME) == ()
    again = provider_at(f"{provider.endpoint}/", "another-key", "Cloudflare", "zone")
    assert published.values(again, NAME) == (OWN,)
    published.reset()
    assert published.values(again, NAME) == ()


def test_one_named_value(account: Account, provider: Provider, context: Context) -> None:
    published = PublishedRecords()
    for value in (OWN, FOREIGN):
        published.publish(context, provider, NAME, value)
    assert published.remove(context, provider, NAME, FOREIGN) == [FOREIGN]
    assert account.txt(NAME) == [OWN]
    assert published.values(provider, NAME) == (OWN,)


def test_own_values_that_somebody_took(account: Account, provider: Provider, context: Context) -> None:
    published = PublishedRecords()
    for value in (OWN, OTHER):
        published.publish(context, provider, NAME, value)
    provider.remove(context, NAME, OWN)
    assert published.remove(context, provider, NAME) == [OTHER]
    assert published.values(provider, NAME) == ()


def test_what_could_not_be_removed_is_remembered(account: Account, provider: Provider, context: Context) -> None:
    published = PublishedRecords()
    published.publish(context, provider, NAME, OWN)
    account.misbehave("403")
    with pytest.raises(DnsError):
        published.remove(context, provider, NAME)
    assert published.values(provider, NAME) == (OWN,)


class _Refusing:
    """A provider that publishes nothing, as far as anybody knows."""

    name, endpoint = "refusing", "https://dns.example"

    def __init__(self, error: TosslError) -> None:
        self.error = error

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        raise self.error

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        return []


def _refusal(status: int) -> DnsError:
    error = DnsError("refusing", "refused", f"it answered {status}")
    error.details["status"] = status
    return error


@pytest.mark.parametrize(
    ("error", "is_remembered"),
    [
        (_refusal(400), False),
        (_refusal(429), False),
        (_refusal(503), True),  # the last of its attempts, or an earlier one, may have done it
        (DnsError("refusing", "answer", "it answered no JSON"), True),
        (HttpError("reset", "lost"), True),
    ],
    ids=["400", "429", "503", "answer", "lost"],
)
def test_what_may_stand_is_remembered(error: TosslError, is_remembered: bool, context: Context) -> None:
    published, provider = PublishedRecords(), _Refusing(error)
    with pytest.raises(TosslError):
        published.publish(context, provider, NAME, OWN)
    assert published.values(provider, NAME) == ((OWN,) if is_remembered else ())
