"""CNAME records that delegate validation: followed when publishing, remembered until the record is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import dns.message
import dns.name
import dns.rrset
import dns.update
import pytest

from tests.providers import provider_at
from tests.servers.bind import Bind
from tests.servers.cloudflare import Cloudflare as Account
from tests.servers.scripted_dns import ScriptedDns, lame, of_zone
from tests.tclhost import Tcl, new_key
from tossl_acme.acme.authorization import Challenge
from tossl_acme.certificates.traces import Trace, remove_traces
from tossl_acme.challenges.dns01 import Dns01, validation_value
from tossl_acme.challenges.dns_cleanup import remove_record
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.context import Context
from tossl_acme.dns import delegation
from tossl_acme.dns.delegation import delegations
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.dns.propagation import PropagationCheck
from tossl_acme.dns.published import PUBLISHED, PublishedRecords
from tossl_acme.dns.registry import open_providers
from tossl_acme.dns.resolver import resolver_for
from tossl_acme.dns.zones import Zones, zones_through
from tossl_acme.errors import ArgumentError, DnsError
from tossl_acme.identifiers import Identifier
from tossl_acme.text import Secret

ALIASES = {
    "_acme-challenge.one.example.com": "one.acme.example.org.",
    "_acme-challenge.two.example.com": "middle.example.com.",
    "middle.example.com": "Two.ACME.example.org.",
    "*.wild.example.com": "hoster.example.org.",
    "_acme-challenge.own.wild.example.com": "own.acme.example.org.",
    "_acme-challenge.a.loop.example.com": "_acme-challenge.b.loop.example.com.",
    "_acme-challenge.b.loop.example.com": "_acme-challenge.a.loop.example.com.",
    "_acme-challenge.itself.example.com": "_acme-challenge.itself.example.com.",
    "_acme-challenge.to-wild.example.com": "x.wild.example.com.",
    "_acme-challenge.to-dead.example.com": "middle-to-dead.example.com.",
    "middle-to-dead.example.com": "x.auth.dead.example.",
    **{f"_acme-challenge.{n}.deep.example.com": f"_acme-challenge.{n + 1}.deep.example.com." for n in range(15)},
}


def add_aliases(update: dns.update.UpdateMessage, _at: dns.name.Name) -> None:
    for name, target in ALIASES.items():
        update.add(dns.name.from_text(name), 1, "CNAME", target)
    update.add(dns.name.from_text("below.example.com"), 1, "DNAME", "acme.example.org.")


@pytest.fixture(scope="module")
def aliased() -> Iterator[Bind]:
    with Bind() as server:
        server.update("example.com", add_aliases)
        yield server


@pytest.fixture
def zones(aliased: Bind, ask_at: Callable[[int], None]) -> Zones:
    ask_at(aliased.port)
    return Zones(resolver_for())


@pytest.fixture
def account(aliased: Bind) -> Iterator[Account]:
    with Account(aliased) as server:
        yield server


def challenge_for(domain: str, token: str = "token") -> Challenge:
    return Challenge("dns-01", Identifier("dns", domain), token, f"{token}.thumbprint")


def value_of(challenge: Challenge) -> str:
    return validation_value(challenge.key_authorization)


@pytest.mark.parametrize(
    ("domain", "end"),
    [
        ("example.com", "_acme-challenge.example.com"),
        ("one.example.com", "one.acme.example.org"),
        ("two.example.com", "two.acme.example.org"),
        ("x.below.example.com", "_acme-challenge.x.acme.example.org"),
        # What a wildcard makes up is no delegation; a record at the name takes its place.
        ("wild.example.com", "_acme-challenge.wild.example.com"),
        ("a.b.wild.example.com", "_acme-challenge.a.b.wild.example.com"),
        ("own.wild.example.com", "own.acme.example.org"),
        ("to-wild.example.com", "x.wild.example.com"),
        ("14.deep.example.com", "_acme-challenge.15.deep.example.com"),
    ],
)
def test_where_they_lead(zones: Zones, context: Context, domain: str, end: str) -> None:
    name = f"_acme-challenge.{domain}"
    found = delegations(context, zones, [name])[name]
    assert (found.published_name, found.trouble) == (end, "")


def test_where_they_lead_if_the_servers_at_the_end_do_not_answer(zones: Zones, context: Context) -> None:
    """No record can be beside the alias, which is known; the other zone is perhaps not seen from here."""
    name = "_acme-challenge.to-dead.example.com"
    found = delegations(context, zones, [name])[name]
    assert found.published_name == "x.auth.dead.example"
    assert found.trouble
    assert not found.is_endless


@pytest.mark.parametrize("domain", ["a.loop.example.com", "itself.example.com", "0.deep.example.com"])
def test_aliases_that_lead_to_no_end_are_an_error(
    zones: Zones, account: Account, context: Context, domain: str
) -> None:
    dns01 = Dns01(provider_at(account.url, account.token), zones=zones)
    with pytest.raises(DnsError) as caught:
        dns01.present(context, challenge_for(domain))
    assert caught.value.errorcode == ("TOSSL", "DNS", "cloudflare", "record")
    assert caught.value.message.startswith(f"Failed to create DNS record: _acme-challenge.{domain} is an alias: ")
    assert f"_acme-challenge.{domain} -> " in caught.value.message
    assert account.requests == []


def test_published_and_removed_where_it_led(zones: Zones, account: Account, aliased: Bind, context: Context) -> None:
    """In another zone; also once the alias leads elsewhere."""
    steps: list[dict[str, object]] = []
    context = Context(20).begin(listener=steps.append)
    dns01 = Dns01(provider_at(account.url, account.token), PropagationCheck(), zones=zones)
    challenge = challenge_for("one.example.com")
    dns01.present(context, challenge)
    dns01.wait(context, challenge)
    place = {"record": "_acme-challenge.one.example.com", "published_name": "one.acme.example.org"}
    assert dns01.describe(challenge) == place
    assert {"step": "dns_delegated", **place} in steps
    assert {"step": "dns_wait", **place} in steps
    assert account.txt("one.acme.example.org") == [value_of(challenge)]
    aliased.remove("_acme-challenge.one.example.com", "CNAME")
    try:
        dns01.clean_up(context, challenge)
    finally:
        aliased.add("_acme-challenge.one.example.com", "CNAME", "one.acme.example.org.")
    assert account.txt("one.acme.example.org") == []


def test_a_domain_and_its_wildcard_beside_what_is_there(zones: Zones, account: Account, context: Context) -> None:
    provider = provider_at(account.url, account.token)
    provider.publish(context, "one.acme.example.org", "f" * 43)
    dns01 = Dns01(provider, PropagationCheck(), zones=zones)
    apex = challenge_for("one.example.com", "a")
    both = [apex, replace(challenge_for("one.example.com", "b"), wildcard=True)]
    dns01.prepare(context, both)
    for challenge in both:
        dns01.present(context, challenge)
    dns01.wait_all(context, both)
    for challenge in both:
        dns01.clean_up(context, challenge)
    assert account.txt("one.acme.example.org") == ["f" * 43]


def test_not_followed(account: Account, context: Context) -> None:
    challenge = challenge_for("one.example.com")
    dns01 = Dns01(provider_at(account.url, account.token))
    dns01.present(context, challenge)
    assert dns01.describe(challenge) == {"record": "_acme-challenge.one.example.com"}
    assert account.txt("_acme-challenge.one.example.com") == [value_of(challenge)]


def test_no_answer_of_the_dns_is_told(
    account: Account, ask_at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delegation, "DELEGATION_SECONDS", 0.3)
    steps: list[dict[str, object]] = []
    ask_at(1)
    context = Context(20).begin(listener=steps.append)
    provider = provider_at(account.url, account.token, zone_id=account.zone_id("example.com"))
    dns01 = Dns01(provider, zones=zones_through(["127.0.0.1:1"]))
    dns01.present(context, challenge_for("one.example.com"))
    assert [step["step"] for step in steps] == ["dns_cname_unknown"]
    assert account.txt("_acme-challenge.one.example.com")


def test_a_server_that_does_not_know_the_zone_says_nothing_of_its_aliases(
    ask_at: Callable[[int], None], context: Context
) -> None:
    def sound(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message:
        response = of_zone(query)
        if query.question[0].name.labels[0] == b"_acme-challenge":
            response.answer.append(dns.rrset.from_text(query.question[0].name, 0, "IN", "CNAME", "x.example.com."))
        return response

    name = "_acme-challenge.one.example.com"
    with ScriptedDns(lame) as server, ScriptedDns(sound, "127.0.0.2", server.port):
        ask_at(server.port)
        found = delegations(context, Zones(resolver_for()), [name])[name]
    assert (found.published_name, found.trouble) == ("x.example.com", "")


# ---- at which provider, and what an earlier process left ----


def options(account: Account, **accounts: str) -> ProviderOptions:
    def one(token: str) -> ProviderOptions:
        return ProviderOptions("cloudflare", {"api_key": Secret(token)}, endpoint=account.url)

    by_name = {name.replace("__", "."): one(token) for name, token in accounts.items()}
    return ProviderOptions("", by_name=by_name) if by_name else one(account.token)


def test_the_provider_of_the_zone_where_it_leads(zones: Zones, account: Account, context: Context) -> None:
    """It has the token that works, the domain's provider does not."""
    given = options(account, example__com="x" * 40, example__org=account.token)
    dns01 = Dns01(open_providers(given), zones=zones)
    challenge = challenge_for("one.example.com")
    dns01.present(context, challenge)
    assert account.txt("one.acme.example.org") == [value_of(challenge)]
    dns01.clean_up(context, challenge)
    assert account.txt("one.acme.example.org") == []
    with pytest.raises(DnsError) as caught:
        dns01.present(context, challenge_for("example.com"))
    assert caught.value.errorcode[-1] == "credentials"


def test_what_a_killed_call_left_is_removed_where_it_is(
    zones: Zones, account: Account, aliased: Bind, context: Context
) -> None:
    """By its trace, which survives as JSON, although the CNAME leads elsewhere now."""
    challenge = challenge_for("two.example.com")
    dead = Dns01(provider_at(account.url, account.token), zones=zones)
    dead.prepare(context, [challenge])
    trace = Trace.of(dead, challenge)
    assert trace is not None
    dead.present(context, challenge)
    read = Trace.from_json(trace.as_json())
    assert read is not None
    assert read.shown == {"record": "_acme-challenge.two.example.com", "published_name": "two.acme.example.org"}
    aliased.remove("middle.example.com", "CNAME")
    try:
        own = Dns01(provider_at(account.url, account.token), zones=Zones(resolver_for()))
        own.prepare(context, [challenge])
        assert remove_traces([read], [own], context) == []
    finally:
        aliased.add("middle.example.com", "CNAME", "two.acme.example.org.")
    assert account.txt("two.acme.example.org") == []
    with Account() as other:
        elsewhere = Dns01(provider_at(other.url, other.token), zones=zones)
        assert remove_traces([read], [elsewhere], context) == [read]
        assert "this one has no access to cloudflare" in str(context.warnings[-1]["message"])


@pytest.fixture
def nothing_published() -> Iterator[PublishedRecords]:
    PUBLISHED.reset()
    yield PUBLISHED
    PUBLISHED.reset()


def test_what_a_killed_call_left_is_removed_with_its_own_account(
    zones: Zones, account: Account, context: Context
) -> None:
    """Of several at one provider, and whatever one has, if none is given for the name now."""
    challenge = challenge_for("one.example.com")
    given = options(account, example__com="x" * 40, example__org=account.token)
    dead = Dns01(open_providers(given), zones=zones)
    dead.present(context, challenge)
    trace = Trace.of(dead, challenge)
    assert trace is not None
    assert remove_traces([trace], [Dns01(open_providers(given), published=PublishedRecords())], context) == []
    assert account.txt("one.acme.example.org") == []
    dead.present(context, challenge)
    others = Dns01(open_providers(options(account, example__net=account.token)), published=PublishedRecords())
    assert remove_traces([trace], [others], context) == []
    assert account.txt("one.acme.example.org") == []


@pytest.mark.usefixtures("zones")
def test_a_script_that_cleans_up(
    account: Account, aliased: Bind, context: Context, nothing_published: PublishedRecords
) -> None:
    """What this process published, where it published that; in another process, what is where the CNAME leads."""
    solving = SolverOptions(provider=options(account))
    provider = provider_at(account.url, account.token)
    name, end = "_acme-challenge.one.example.com", "one.acme.example.org"
    provider.publish(context, end, "f" * 43)
    PUBLISHED.publish(context, provider, name, "o" * 43, end)
    remove_record(context, solving, "one.example.com", name, None)
    assert account.txt(end) == ["f" * 43]
    # This process knows of none: what else is at a name that is not for ACME alone stays.
    with pytest.raises(ArgumentError) as caught:
        remove_record(context, solving, "one.example.com", name, None)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "value")
    assert account.txt(end) == ["f" * 43]
    with pytest.raises(DnsError) as missing:
        remove_record(context, replace(solving, follow_cname=False), "one.example.com", name, "f" * 43)
    assert missing.value.errorcode[-1] == "record"
    remove_record(context, solving, "one.example.com", name, "f" * 43)
    assert account.txt(end) == []


@pytest.mark.usefixtures("zones")
def test_a_script_cleans_up_where_it_published_though_the_alias_leads_elsewhere_now(
    account: Account, aliased: Bind, context: Context, nothing_published: PublishedRecords
) -> None:
    name, before = "_acme-challenge.one.example.com", "before.acme.example.org"
    nothing_published.publish(context, provider_at(account.url, account.token), name, "o" * 43, before)
    remove_record(context, SolverOptions(provider=options(account)), "one.example.com", name, None)
    assert account.txt(before) == []


@pytest.mark.usefixtures("zones", "nothing_published")
def test_the_commands(account: Account, tcl: Tcl) -> None:
    dns, end = ("cloudflare", account.token), "one.acme.example.org"
    shown = tcl.dict("dns01_challenge", "one.example.com", "token", new_key(), *dns, endpoint=account.url)
    assert (shown["dns_record_name"], shown["published_name"]) == ("_acme-challenge.one.example.com", end)
    assert account.txt(end) == [shown["dns_record_value"]]
    words = ("cleanup_dns", "one.example.com", shown["dns_record_name"], *dns)
    assert tcl.acme(*words, endpoint=account.url) == "DNS record deleted successfully"
    assert account.txt(end) == []
    own = tcl.dict(
        "dns01_challenge", "one.example.com", "token", new_key(), *dns,
        endpoint=account.url, follow_cname=0, propagation="none",
    )  # fmt: skip
    assert own["published_name"] == own["dns_record_name"] == "_acme-challenge.one.example.com"
    assert account.txt(end) == []
    wrong = tcl.failure("dns01_challenge", "one.example.com", "token", new_key(), *dns, propagation="x")
    assert wrong.code == ("TOSSL", "VALUE", "propagation")
