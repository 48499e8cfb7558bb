"""dns-01: names, values, and a solver on real parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.providers import provider_at
from tests.servers.bind import Bind
from tests.servers.cloudflare import Cloudflare as Account
from tossl_acme.acme.authorization import Challenge
from tossl_acme.challenges import dns01 as dns01_module
from tossl_acme.challenges.dns01 import Dns01, validation_name, validation_value
from tossl_acme.challenges.dns_account01 import account_validation_name
from tossl_acme.context import Context
from tossl_acme.dns import hosted
from tossl_acme.dns.propagation import PropagationCheck
from tossl_acme.dns.published import PublishedRecords
from tossl_acme.dns.resolver import Resolver
from tossl_acme.dns.zones import Zones
from tossl_acme.errors import ArgumentError, DnsError, HttpError, TosslError, WaitTimeout
from tossl_acme.identifiers import Identifier

APEX = Challenge("dns-01", Identifier("dns", "example.com"), "token-one", "token-one.thumbprint")
WILDCARD = Challenge("dns-01", Identifier("dns", "example.com"), "token_two", "token_two.thumbprint", wildcard=True)
NAME = "_acme-challenge.example.com"


@pytest.fixture
def account(bind: Bind) -> Iterator[Account]:
    with Account(bind) as server:
        yield server


def solver(account: Account, check: PropagationCheck | None = None) -> Dns01:
    return Dns01(provider_at(account.url, account.token), check)


def test_names() -> None:
    assert validation_name("example.com") == validation_name("*.example.com") == validation_name("Example.COM.") == NAME


def test_values() -> None:
    # The key authorization of RFC 8555 section 8.1; its digest worked out with sha256sum and basenc.
    key_authorization = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.nP1qzpXGymHBrUEepNY9HCsQk7K8KhOypzEt62jcerQ"
    assert validation_value(key_authorization) == "NGwKoXBgCT8JhEa0bK7AwfSqHyu_ZWeugV07fLGIVq0"
    assert len(validation_value("x")) == 43


@pytest.mark.usefixtures("asking_bind")
def test_apex_and_wildcard(account: Account, bind: Bind) -> None:
    told: list[dict[str, object]] = []
    context = Context(20).begin(listener=told.append)
    dns01 = solver(account, PropagationCheck())
    for challenge in (APEX, WILDCARD):
        dns01.present(context, challenge)
    for challenge in (APEX, WILDCARD):
        dns01.wait(context, challenge)
    assert told == [{"step": step, "record": NAME} for step in ("dns_wait", "dns_shown")] * 2
    assert bind.txt(NAME) == sorted(validation_value(challenge.key_authorization) for challenge in (APEX, WILDCARD))
    dns01.clean_up(context, APEX)
    dns01.clean_up(context, APEX)
    assert bind.txt(NAME) == [validation_value(WILDCARD.key_authorization)]
    solver(account).clean_up(context, WILDCARD)
    assert bind.txt(NAME) == account.txt(NAME) == []


def test_without_a_check(account: Account, context: Context) -> None:
    dns01 = solver(account)
    dns01.wait(context, APEX)
    assert account.requests == []


def test_what_an_order_published_is_known(account: Account, context: Context) -> None:
    """To whoever cleans the name up: what somebody else published there stays."""
    provider = provider_at(account.url, account.token)
    published = PublishedRecords()
    dns01 = Dns01(provider, None, published)
    provider.publish(context, NAME, "f" * 43)
    for challenge in (APEX, WILDCARD):
        dns01.present(context, challenge)
    dns01.clean_up(context, APEX)
    assert published.values(provider, NAME) == (validation_value(WILDCARD.key_authorization),)
    published.remove(context, provider, NAME)
    assert account.txt(NAME) == ["f" * 43]
    dns01.clean_up(context, WILDCARD)
    assert published.values(provider, NAME) == ()


def test_what_is_refused_is_not_known(account: Account, context: Context) -> None:
    provider = provider_at(account.url, account.token)
    published = PublishedRecords()
    for faults in (["403"], [], ["403"]):
        known = published.values(provider, NAME)
        account.misbehave(*faults)
        if faults:
            with pytest.raises(DnsError):
                Dns01(provider, None, published).present(context, APEX)
            assert published.values(provider, NAME) == known
        else:
            Dns01(provider, None, published).present(context, APEX)
    assert account.txt(NAME) == [validation_value(APEX.key_authorization)]


def test_cleaning_up_fails_loudly(account: Account, context: Context) -> None:
    account.misbehave("403")
    with pytest.raises(DnsError) as caught:
        solver(account).clean_up(context, APEX)
    assert caught.value.message.startswith("Failed to delete DNS record: ")


class Scripted:
    """A provider that removes as told: an error each time, then it does."""

    name, endpoint = "scripted", "https://dns.example"

    def __init__(self, *errors: TosslError) -> None:
        self.errors = list(errors)
        self.removed: list[str] = []

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        pass

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        if self.errors:
            raise self.errors.pop(0)
        self.removed.append(value or "")
        return self.removed


def refused_with(status: int) -> DnsError:
    error = DnsError("scripted", "refused", "no")
    error.details["status"] = status
    return error


def test_a_removal_that_fails_for_now_is_tried_again(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns01_module, "CLEAN_UP_PAUSES_SECONDS", (0.001, 0.001))
    provider = Scripted(
        HttpError("reset", "broke"), HttpError("connect", "nobody"), DnsError("scripted", "answer", "nonsense"),
        refused_with(503), refused_with(429), WaitTimeout("answer", "slow"),
    )  # fmt: skip
    dns01 = Dns01(provider)
    dns01.present(context, APEX)
    dns01.clean_up(context, APEX)
    assert provider.removed == [validation_value(APEX.key_authorization)]
    dns01.clean_up(context, APEX)
    assert len(provider.removed) == 1


@pytest.mark.parametrize(
    "error",
    [refused_with(400), DnsError("scripted", "credentials", "no"), DnsError("scripted", "zone", "no"),
     HttpError("tls", "no"), HttpError("scheme", "no")],
)  # fmt: skip
def test_a_removal_that_fails_for_good_is_not(context: Context, error: TosslError) -> None:
    provider = Scripted(error)
    dns01 = Dns01(provider)
    dns01.present(context, APEX)
    with pytest.raises(TosslError) as caught:
        dns01.clean_up(context, APEX)
    assert caught.value is error
    dns01.clean_up(context, APEX)
    assert provider.removed == [validation_value(APEX.key_authorization)]


class Down(Scripted):
    """Answers nothing."""

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        raise HttpError("connect", "nobody")


def test_a_record_that_was_not_published_is_removed_once() -> None:
    """Its caller has an error to hear of: it does not wait a minute for an API that is down."""
    provider = Down(HttpError("connect", "nobody"), HttpError("connect", "nobody"))
    dns01 = Dns01(provider)
    with pytest.raises(HttpError):
        dns01.present(Context(20).begin(), APEX)
    with pytest.raises(HttpError):
        dns01.clean_up(Context(20).begin(), APEX)
    assert len(provider.errors) == 1
    with pytest.raises(HttpError):
        dns01.clean_up(Context(20).begin(), APEX)
    dns01.clean_up(Context(20).begin(), APEX)
    assert provider.removed == [validation_value(APEX.key_authorization)]


def test_nothing_is_undone_where_nothing_was_changed(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that ends while the zone is looked for does not look for it again, for a minute, to clean up."""

    def endless(context: Context, *_words: object) -> str:
        raise WaitTimeout("the DNS zone", "silent")

    monkeypatch.setattr(hosted, "zone_name", endless)
    dns01 = solver(account)
    with pytest.raises(WaitTimeout):
        dns01.present(Context(20).begin(), APEX)
    dns01.clean_up(Context(20).begin(), APEX)


def test_nothing_is_undone_where_the_look_for_aliases_ends(account: Account) -> None:
    dns01 = Dns01(provider_at(account.url, account.token), zones=Zones(Resolver([])))
    over = Context(0).begin()
    with pytest.raises(WaitTimeout):
        dns01.present(over, APEX)
    dns01.clean_up(over, APEX)


def test_no_trying_again_beyond_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns01_module, "CLEAN_UP_PAUSES_SECONDS", (0.01, 60.0))
    provider = Scripted(*(HttpError("reset", "broke") for _ in range(1000)))
    dns01 = Dns01(provider)
    dns01.present(Context(20).begin(), APEX)
    with pytest.raises(HttpError) as caught:
        dns01.clean_up(Context(0.2).begin(), APEX)
    assert caught.value.kind == "reset"
    assert 990 < len(provider.errors) < 999


@pytest.mark.parametrize(
    "make", [validation_name, lambda domain: account_validation_name(domain, "https://a.example/1")]
)
def test_a_name_that_leaves_no_room_for_the_record(make: Callable[[str], str]) -> None:
    label = f"{'a' * 61}."
    assert len(make(label * 3 + "example.com")) <= 253
    with pytest.raises(ArgumentError) as caught:
        make(label * 4 + "com")
    assert caught.value.errorcode == ("TOSSL", "VALUE", "domain")
    assert "253 characters" in caught.value.message
