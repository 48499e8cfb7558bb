"""The zone of a record's name, as BIND and servers that say what a test wants have it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from tests.servers.bind import Bind
from tests.servers.scripted_dns import ScriptedDns, lame, of_zone
from tossl_acme.context import Context
from tossl_acme.dns import resolver, zones
from tossl_acme.dns.failure import LookupFailed
from tossl_acme.dns.resolver import Nameserver
from tossl_acme.dns.zones import zone_name
from tossl_acme.errors import ArgumentError, Cancelled

ZONES = ("example.com", "deep.example.com", "validation.cut.example.com", "xn--bcher-kva.example", "example.org")


@pytest.fixture(scope="module")
def several() -> Iterator[Bind]:
    with Bind(zones=ZONES) as server:
        server.add("www.example.com", "CNAME", "host.example.org.")
        server.add("_acme-challenge.alias.example.com", "CNAME", "a.b.example.org.")
        server.add("below.example.com", "DNAME", "example.org.")
        server.add("*.wild.example.com", "CNAME", "host.example.org.")
        yield server


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("_acme-challenge.example.com", "example.com"),
        ("_ACME-challenge.Example.COM.", "example.com"),
        ("_acme-challenge.a.b.c.example.com", "example.com"),
        ("_acme-challenge.a.deep.example.com", "deep.example.com"),
        ("_acme-challenge.deep.example.com", "deep.example.com"),
        ("validation.cut.example.com", "validation.cut.example.com"),
        ("example.com", "example.com"),
        ("deep.example.com", "deep.example.com"),
        # An alias is in its own zone, not in that of its target.
        ("_acme-challenge.www.example.com", "example.com"),
        ("_acme-challenge.alias.example.com", "example.com"),
        ("_acme-challenge.x.below.example.com", "example.com"),
        ("_acme-challenge.x.wild.example.com", "example.com"),
        ("_acme-challenge.b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example", "xn--bcher-kva.example"),
        ("_acme-challenge.xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_zones(several: Bind, ask_at: Callable[[int], None], context: Context, name: str, zone: str) -> None:
    ask_at(several.port)
    assert zone_name(context, name) == zone


@pytest.mark.parametrize("name", ["_acme-challenge.example.net", "com", "", "a..b", "x" * 64 + ".example.com"])
def test_names_of_no_zone(several: Bind, ask_at: Callable[[int], None], context: Context, name: str) -> None:
    ask_at(several.port)
    assert zone_name(context, name) is None


def test_named_resolvers(
    several: Bind, ask_at: Callable[[int], None], context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They find the zone; its servers are asked whether the name is in a zone below."""
    monkeypatch.setattr(resolver, "LOOKUP_SECONDS", 0.5)
    with ScriptedDns(lambda _query, _by_tcp: None) as silent:
        ask_at(several.port)
        zone = zone_name(context, "_acme-challenge.deep.example.com", (silent.address, several.address))
    assert zone == "deep.example.com"
    with pytest.raises(ArgumentError):
        zone_name(context, "example.com", ("a b",))


def test_a_zone_to_which_the_servers_above_refer(ask_at: Callable[[int], None], context: Context) -> None:
    """The servers below say SERVFAIL to anything but TXT."""

    def answer(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message:
        question = query.question[0]
        if question.name.labels[0] != b"_acme-challenge":
            return of_zone(query)
        response = dns.message.make_response(query)
        if question.rdtype == dns.rdatatype.TXT:
            response.authority.append(dns.rrset.from_text(question.name, 0, "IN", "NS", "ns.elsewhere.example."))
        else:
            response.set_rcode(dns.rcode.SERVFAIL)
        return response

    with ScriptedDns(answer) as server:
        ask_at(server.port)
        assert zone_name(context, "_acme-challenge.example.com") == "_acme-challenge.example.com"


def test_a_server_that_does_not_know_the_zone_says_nothing_of_those_below(
    ask_at: Callable[[int], None], context: Context
) -> None:
    with (
        ScriptedDns(lame) as server,
        ScriptedDns(lambda query, _by_tcp: of_zone(query, "validation.cut.example.com."), "127.0.0.2", server.port),
    ):
        ask_at(server.port)
        assert zone_name(context, "validation.cut.example.com") == "validation.cut.example.com"


def test_a_record_to_come_is_not_asked_for_at_the_resolver(
    several: Bind, ask_at: Callable[[int], None], context: Context
) -> None:
    """It would keep the answer that there is no such name."""
    ask_at(several.port)
    asked = []

    def answer(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message:
        asked.append(str(query.question[0].name))
        return of_zone(query)

    with ScriptedDns(answer) as server:
        zone_name(context, "_acme-challenge.example.com", (server.address,))
    assert "example.com." in asked
    assert "_acme-challenge.example.com." not in asked


def test_a_silent_resolver_gets_less_time_from_then_on(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where outgoing DNS is blocked, each look-up of an order would take the whole time again."""
    given: list[float] = []

    def slow(_server: object, name: dns.name.Name, _kind: object, seconds: float, _id: str) -> dns.message.Message:
        given.append(seconds)
        clock[0] += seconds
        if clock[0] < 100:
            raise LookupFailed("did not answer")
        return of_zone(dns.message.make_query(name, "SOA"))

    clock = [0.0]
    silences = resolver.Silences()
    monkeypatch.setattr(resolver, "SILENCES", silences)
    monkeypatch.setattr(resolver, "ask", slow)
    monkeypatch.setattr(resolver, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    asked = resolver.Resolver([Nameserver("127.0.0.1", 53, "127.0.0.1")])
    name = dns.name.from_text("example.com")
    for _ in range(4):
        with pytest.raises(LookupFailed):
            asked.query(context, name, dns.rdatatype.SOA)
    assert [round(seconds, 2) for seconds in given] == [4, 1, 0.25, 0.25]
    clock[0] = 200  # forgotten, and answered from now on
    asked.query(context, name, dns.rdatatype.SOA)
    asked.query(context, name, dns.rdatatype.SOA)
    assert [round(seconds) for seconds in given[4:]] == [4, 4]


def test_a_resolver_that_is_slow_is_found_again_after_its_silence(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is asked meanwhile: it gets its whole time once in a minute."""

    def far(_server: object, name: dns.name.Name, _kind: object, seconds: float, _id: str) -> dns.message.Message:
        clock[0] += min(seconds, 0.3)
        if clock[0] < 20 or seconds < 0.3:
            raise LookupFailed("did not answer")
        return of_zone(dns.message.make_query(name, "SOA"))

    clock = [0.0]
    monkeypatch.setattr(resolver, "SILENCES", resolver.Silences())
    monkeypatch.setattr(resolver, "ask", far)
    monkeypatch.setattr(resolver, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(resolver, "_SILENCE_SECONDS", 0.3)
    asked = resolver.Resolver([Nameserver("127.0.0.1", 53, "127.0.0.1")])
    while clock[0] < 90:
        clock[0] += 2
        with suppress(LookupFailed):
            asked.query(context, dns.name.from_text("example.com"), dns.rdatatype.SOA)
            break
    assert 20 < clock[0] < 70


def test_no_answer_at_all(ask_at: Callable[[int], None], context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zones, "ZONE_SECONDS", 0.3)
    with ScriptedDns(lambda _query, _by_tcp: None) as server:
        ask_at(server.port)
        assert zone_name(context, "_acme-challenge.example.com") is None
        context.cancel()
        with pytest.raises(Cancelled):
            zone_name(context, "_acme-challenge.example.com")
