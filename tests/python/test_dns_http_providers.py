"""The providers of APIs over HTTP, each against a look-alike of its vendor's service."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.providers import account_provider, provider_options
from tests.servers.cloudflare import Cloudflare
from tests.servers.digitalocean import DigitalOcean
from tests.servers.dnsapi import DnsApi
from tests.servers.duckdns import DuckDns
from tests.servers.hetzner import Hetzner
from tests.servers.ovh import Ovh
from tests.servers.rrsets import Desec, Gandi, RecordSetApi
from tests.servers.web import LookAlike, Reply, Request, json_reply
from tossl_acme.acme.authorization import Challenge
from tossl_acme.challenges import dns01
from tossl_acme.challenges.dns01 import Dns01, dns01_solver
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.context import Context
from tossl_acme.dns import api, hosted, zones
from tossl_acme.dns.provider import Provider
from tossl_acme.dns.providers import duckdns
from tossl_acme.errors import ArgumentError, DnsError, HttpError, TosslError
from tossl_acme.identifiers import Identifier

ONE, TWO = "1" * 43, "-_" + "2" * 41
FOREIGN = '"v=spf1 include:_spf.example.net" " ~all"'

KINDS: dict[str, type[DnsApi]] = {
    "cloudflare": Cloudflare,
    "desec": Desec,
    "digitalocean": DigitalOcean,
    "duckdns": DuckDns,
    "gandi": Gandi,
    "hetzner": Hetzner,
    "ovh": Ovh,
}
#: Those that hold several values at a name.
USUAL = [name for name in KINDS if name != "duckdns"]


@dataclass
class Account:
    """A provider, its look-alike, and a name in its first zone."""

    provider: Provider
    server: DnsApi
    name: str
    zone: str

    def error(self, context: Context, value: str | None = ONE) -> TosslError:
        """The error of publishing or (without a value) removing."""
        with pytest.raises(TosslError) as caught:
            if value is None:
                self.provider.remove(context, self.name, value)
            else:
                self.provider.publish(context, self.name, value)
        what = "create" if value else "delete"
        assert caught.value.message.startswith(f"Failed to {what} DNS record: ")
        assert self.server.token not in f"{caught.value} {caught.value.details}"
        return caught.value


def account_of(name: str, server: DnsApi, **options: str) -> Account:
    return Account(
        account_provider(name, server, **options), server, f"_acme-challenge.{server.zones[0]}", server.zones[0]
    )


def given_id(server: DnsApi, zone: str) -> str:
    """What a script gives as zone_id."""
    return server.zone_id(zone) if isinstance(server, Cloudflare) else zone


def zones_of(name: str) -> tuple[str, ...]:
    return ("mine.duckdns.org",) if name == "duckdns" else ("example.com", "sub.example.com", "example.org")


@pytest.fixture(autouse=True)
def _silent_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zones are found in the account alone."""
    monkeypatch.setattr(hosted, "zone_name", lambda *_: None)
    monkeypatch.setattr(duckdns, "seen_texts", lambda *_: ())


@pytest.fixture(params=KINDS)
def each(request: pytest.FixtureRequest) -> Iterator[Account]:
    duckdns.STANDING.reset()
    with KINDS[request.param](zones=zones_of(request.param)) as server:
        yield account_of(request.param, server)


@pytest.fixture(params=USUAL)
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    with KINDS[request.param](zones=zones_of(request.param)) as server:
        yield account_of(request.param, server)


def test_values_side_by_side_are_removed_by_value(account: Account, context: Context) -> None:
    account.server.add(account.zone, account.name, FOREIGN)
    account.server.add(account.zone, f"www.{account.name}", FOREIGN)
    known = ["v=spf1 include:_spf.example.net ~all"]
    for value in (ONE, TWO, ONE):
        account.provider.publish(context, account.name, value)
    assert account.server.txt(account.name) == sorted([*known, ONE, TWO])
    assert account.provider.remove(context, account.name, ONE) == [ONE]
    assert account.provider.remove(context, account.name, ONE) == []
    assert account.server.txt(account.name) == sorted([*known, TWO])
    assert sorted(account.provider.remove(context, account.name, None)) == sorted([TWO, *known])
    assert account.provider.remove(context, account.name, None) == []
    assert account.server.txt(account.name) == []
    assert account.server.found(account.zone, "TXT", f"www.{account.name}")


def test_a_value_that_stands_is_left_as_it_is(account: Account, context: Context) -> None:
    """Also in quotes, or split into strings."""
    account.server.add(account.zone, account.name, f'"{ONE[:20]}" "{ONE[20:]}"')
    held = list(account.server.held)
    account.provider.publish(context, account.name, ONE)
    assert account.server.held == held
    assert account.provider.remove(context, account.name, ONE) == [ONE]
    assert account.server.held == []


def test_a_long_value_in_several_strings(account: Account, context: Context) -> None:
    value = f"ca.example; accounturi=https://ca.example/acct/{'x' * 300}"
    account.provider.publish(context, account.name, value)
    assert account.provider.remove(context, account.name, value) == [value]


def test_the_closest_zone_and_the_apex(account: Account, context: Context) -> None:
    account.provider.publish(context, "_acme-challenge.a.b.sub.example.com", ONE)
    account.provider.publish(context, "example.org", ONE)
    assert {(one.zone, one.relative) for one in account.server.held} == {
        ("sub.example.com", "_acme-challenge.a.b"),
        ("example.org", ""),
    }
    assert account.provider.remove(context, "example.org", ONE) == [ONE]
    account.server.requests.clear()
    account.provider.remove(context, "_acme-challenge.a.b.sub.example.com", ONE)
    # The zone is not looked up again.
    assert not [r for r in account.server.requests if r.path.endswith((".com", "/zones", "/domains/", "/auth/time"))]
    assert account.server.held == []


def test_the_zone_is_the_one_of_the_dns(
    account: Account, context: Context, asking_bind: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account has sub.example.com too, but nobody is led there."""
    monkeypatch.setattr(hosted, "zone_name", zones.zone_name)
    account.provider.publish(context, "_acme-challenge.www.sub.example.com", ONE)
    assert [one.zone for one in account.server.held] == ["example.com"]


def test_the_zone_is_looked_for_through_the_given_resolvers(
    account: Account, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(hosted, "zone_name", lambda _context, *rest: asked.append(rest))
    given = provider_options(account.provider.name, account.server)
    solver = dns01_solver(SolverOptions(provider=given, resolvers=("192.0.2.1",), follow_cname=False))
    solver.present(context, Challenge("dns-01", Identifier("dns", "example.com"), "token", "token.thumbprint"))
    assert asked == [("_acme-challenge.example.com", ("192.0.2.1",))]
    solver.clean_up(context, Challenge("dns-01", Identifier("dns", "example.com"), "token", "token.thumbprint"))
    assert account.server.held == []


def test_a_given_zone_is_the_only_one(account: Account, context: Context) -> None:
    given = account_provider(account.provider.name, account.server, zone_id=given_id(account.server, "example.com"))
    given.publish(context, "_acme-challenge.sub.example.com", ONE)
    assert [one.zone for one in account.server.held] == ["example.com"]
    with pytest.raises(DnsError) as caught:
        given.publish(context, "_acme-challenge.example.org", ONE)
    assert caught.value.errorcode[-1] == "zone"
    assert [one.name for one in account.server.held] == ["_acme-challenge.sub.example.com"]
    absent = account_provider(account.provider.name, account.server, zone_id=given_id(account.server, "example.net"))
    with pytest.raises(DnsError) as caught:
        absent.publish(context, "_acme-challenge.example.net", ONE)
    is_asked = account.provider.name != "cloudflare"
    assert ("looked for example.net)" if is_asked else "Authentication error") in caught.value.message


@pytest.mark.parametrize("is_shown", [False, True], ids=["ascii", "unicode"])
@pytest.mark.parametrize("name", USUAL)
def test_a_zone_in_another_script(name: str, is_shown: bool, context: Context) -> None:
    """APIs may show it as people write it."""
    with KINDS[name](zones=("xn--bcher-kva.example",)) as server:
        server.shows_unicode = is_shown
        account = account_of(name, server)
        account.provider.publish(context, account.name, ONE)
        assert server.txt("_acme-challenge.xn--bcher-kva.example") == [ONE]
        assert account.provider.remove(context, account.name, ONE) == [ONE]


@pytest.mark.parametrize("name", ["desec", "gandi", "hetzner"])
def test_a_set_keeps_its_ttl(name: str, context: Context) -> None:
    with KINDS[name](zones=("example.com",)) as server:
        account = account_of(name, server)
        server.add(account.zone, account.name, FOREIGN, ttl=7200)
        account.provider.publish(context, account.name, ONE)
        assert [one.ttl for one in server.held] == [7200, 7200]


def test_no_zone(each: Account, context: Context) -> None:
    each.name = "_acme-challenge.www.example.net"
    assert each.error(context).errorcode == ("TOSSL", "DNS", each.provider.name, "zone")
    assert each.server.held == []


@pytest.mark.parametrize(
    "name", ["_acme-challenge.a/../b.example.com", "a?b.example.com", "a..example.com", "é.example.com"]
)
def test_names_that_no_path_may_contain(each: Account, context: Context, name: str) -> None:
    """A CNAME record leads to any name."""
    each.name = name
    assert each.error(context, None).errorcode[-1] == "record"
    assert each.server.requests == []


def test_wrong_tokens(each: Account, context: Context) -> None:
    token = "not-the-right-token-0123456789"
    wrong = account_of(each.provider.name, each.server, token=token)
    for value in (ONE, None):
        error = wrong.error(context, value)
        assert error.errorcode == ("TOSSL", "DNS", each.provider.name, "credentials")
        assert token not in f"{error} {error.details}"


def test_a_missing_token(each: Account) -> None:
    with pytest.raises(ArgumentError) as caught:
        account_provider(each.provider.name, each.server, token=" ")
    assert " in the environment" in caught.value.message


def test_rate_limits_are_outlasted(each: Account) -> None:
    steps: list[object] = []
    context = Context(20).begin(listener=lambda facts: steps.append(facts["step"]))
    each.server.retry_after = "0"
    each.server.misbehave("429")
    each.provider.publish(context, each.name, ONE)
    assert each.server.txt(each.name) == [ONE]
    assert steps == ["dns_retry"]


def test_no_waiting_beyond_the_deadline(each: Account) -> None:
    each.server.misbehave("429", "429")
    error = each.error(Context(0.9).begin())
    assert " answered 429: " in error.message
    assert (error.details["status"], error.details["retry_after"]) == (429, 1)


def test_an_answer_that_was_lost(account: Account, context: Context) -> None:
    """The value was added, or removed, but the answer was an error."""
    account.provider.publish(context, account.name, TWO)
    account.server.lose_changes = 1
    account.provider.publish(context, account.name, ONE)
    assert account.server.txt(account.name) == [TWO, ONE]
    account.server.lose_changes = 1
    account.provider.remove(context, account.name, ONE)
    assert account.server.txt(account.name) == [TWO]


@pytest.mark.parametrize("name", ["desec", "digitalocean", "gandi", "hetzner", "ovh"])
def test_what_follows_a_change_is_refused(name: str, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record stands by then: it is not left behind, and not given up at the first trouble."""
    with KINDS[name](zones=zones_of(name)) as server:
        server.lose_changes = int(name == "digitalocean")
        route, allowed = server.route, threading.Event()

        def refusing(request: Request, parts: list[str]) -> Reply:
            if server.held and not allowed.is_set():
                raise server.refuse(403, "forbidden", "not for you")
            return route(request, parts)

        monkeypatch.setattr(server, "route", refusing)
        solver = Dns01(account_of(name, server).provider)
        challenge = Challenge("dns-01", Identifier("dns", "example.com"), "token", "token.thumbprint")
        with pytest.raises(DnsError, match="not for you"):
            solver.present(context, challenge)
        allowed.set()
        assert len(server.held) == 1
        monkeypatch.setattr(api, "PAUSES_SECONDS", ())
        monkeypatch.setattr(dns01, "CLEAN_UP_PAUSES_SECONDS", (0.01, 0.01))
        server.misbehave("503")
        solver.clean_up(context, challenge)
        assert server.held == []


def test_a_page_in_place_of_an_answer(each: Account) -> None:
    each.server.misbehave("html")
    assert each.error(Context(0.2).begin()).errorcode[-1] in ("answer", "refused")


def test_an_endpoint_that_is_not_there(each: Account, context: Context) -> None:
    other = account_of(each.provider.name, each.server, endpoint=f"{each.server.origin}/elsewhere")
    assert other.error(context).errorcode[-1] in ("zone", "refused")


@pytest.mark.parametrize("name", KINDS)
def test_nobody_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PAUSES_SECONDS", (0.001,))
    duckdns.STANDING.reset()
    with KINDS[name](zones=zones_of(name)) as server:
        account = account_of(name, server)
    assert account.error(Context(20).begin()).errorcode == ("TOSSL", "HTTP", "connect")


def test_two_writers_of_one_name(account: Account, context: Context) -> None:
    """In two jobs, each with a provider of its own."""
    values = [f"{number}" * 43 for number in range(5)]
    others = [account_provider(account.provider.name, account.server) for _ in values]
    threads = [
        threading.Thread(target=other.publish, args=(context, account.name, value))
        for other, value in zip(others, values, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert account.server.txt(account.name) == values


def test_a_name_that_another_job_changes(account: Account, context: Context) -> None:
    """It is waited for no longer than the call may take."""
    with hosted.NAME_LOCKS.held(context, account.provider.name, account.provider.endpoint, account.name):
        error = account.error(Context(0.1).begin())
    assert error.errorcode == ("TOSSL", "TIMEOUT", "provider")
    account.provider.publish(context, account.name, ONE)


class Clock(Context):
    """A context whose time passes only where somebody looks for a zone."""

    left = 60.0

    def remaining(self) -> float:
        return self.left


@pytest.mark.parametrize(("seconds", "looks"), [(0.1, 2), (5.0, 1)], ids=["quick", "silent"])
def test_a_silent_resolver_is_asked_once(seconds: float, looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = Clock(60), []

    def look(_context: Context, fqdn: str, _resolvers: object) -> None:
        asked.append(fqdn)
        clock.left -= seconds

    monkeypatch.setattr(hosted, "zone_name", look)
    zones = hosted.CandidateZones()
    assert zones.names(clock, "a.example.com") == ["a.example.com", "example.com"]
    assert zones.names(clock, "b.example.com") == ["b.example.com", "example.com"]
    assert len(asked) == looks


@pytest.mark.parametrize("kind", [Desec, Gandi], ids=["desec", "gandi"])
@pytest.mark.parametrize("held", [(), ("3" * 43,)], ids=["new", "held"])
def test_another_program_writes_the_set_too(kind: type[RecordSetApi], held: tuple[str, ...], context: Context) -> None:
    """It takes away what was written, after it was written: it had read the set before."""

    class Contended(kind):  # type: ignore[misc, valid-type]
        seen: list[str] = []

        def before_write(self) -> None:
            self.seen.append("")
            if len(self.seen) == 1:
                self.replace("example.com", "_acme-challenge.example.com", [f'"{one}"' for one in (*held, TWO)], 3600)

    with Contended(zones=("example.com",)) as server:
        account = account_of(kind.__name__.lower(), server)
        for value in held:
            server.add("example.com", account.name, f'"{value}"')
        account.provider.publish(context, account.name, ONE)
        assert ONE in server.txt(account.name)
        if not held:
            assert TWO in server.txt(account.name)


@pytest.mark.parametrize("kind", [Desec, Gandi], ids=["desec", "gandi"])
def test_a_set_that_does_not_stay(kind: type[RecordSetApi], context: Context) -> None:
    class Forgetful(kind):  # type: ignore[misc, valid-type]
        def replace(self, zone: str, name: str, contents: list[str], ttl: int) -> None:
            if not contents:
                super().replace(zone, name, contents, ttl)

        def _shown(self, zone: str, name: str) -> dict[str, object]:
            return {}

    with Forgetful(zones=("example.com",)) as server:
        error = account_of(kind.__name__.lower(), server).error(context)
    assert error.errorcode[-1] == "refused"
    assert "another program writes them too" in error.message


class Echo(LookAlike):
    """Answers everything with what it was sent, as an error."""

    def answer(self, request: Request) -> Reply:
        said = f"{dict(request.headers)} {dict(request.query)} \x1b[31m " + "x" * 2000
        members = dict.fromkeys(("message", "detail", "id", "errorCode", "object"), said)
        return json_reply({**members, "error": {"code": "x", "message": said}, "records": [said]}, 403)


@pytest.mark.parametrize("name", KINDS)
def test_an_answer_that_quotes_the_secret(name: str, context: Context) -> None:
    with Echo() as echo, KINDS[name](zones=zones_of(name)) as server:
        error = account_of(name, server, endpoint=echo.origin).error(context)
    assert error.errorcode[-1] == "credentials"
    assert "\x1b" not in error.message
    assert len(error.message) < 700


class Odd(LookAlike):
    """Answers as no API does: the members it should have, with anything in them."""

    def __init__(self, seed: int) -> None:
        self.source = random.Random(seed)
        super().__init__()

    def answer(self, request: Request) -> Reply:
        record = {
            member: self.value(7, "_acme-challenge", "mine", "TXT", f'"{ONE}"', "example.com", "running", "success")
            for member in ("id", "name", "type", "data", "value", "fieldType", "subDomain", "target", "status", "mode")
        }
        record["minimum_ttl"] = self.value(60, -1)
        sets = {member: self.value([ONE], [f'"{ONE}"'], [record]) for member in ("records", "rrset_values")}
        ttls = {member: self.value(60, 3600) for member in ("ttl", "rrset_ttl")}
        objects = {member: self.value(record, {**record, **sets}) for member in ("zone", "rrset", "action", "domain")}
        lists = {
            "domain_records": self.value([record], [record, record]),
            "links": self.value({"pages": {"next": "x"}}),
        }
        errors = {member: self.value(record, [record], "text") for member in ("error", "errors", "message", "detail")}
        whole = self.value({**record, **sets, **ttls, **objects, **lists, **errors}, [record], [7, 8], 1764115200)
        body = json_reply(whole).body
        end = self.source.choice([len(body)] * 9 + [self.source.randrange(len(body))])
        return Reply(self.source.choice([200, 200, 201, 204, 400, 403, 404, 409]), body[:end])

    def value(self, *usual: object) -> object:
        odd = [None, True, 0, -1.5, 1 << 70, "", "\ud800", "..", "a/b", [], {}, [[]], [None], {"id": {}}]
        return self.source.choice([*usual, *usual, *usual, self.source.choice(odd)])


@pytest.mark.parametrize("name", KINDS)
def test_answers_of_all_kinds(name: str) -> None:
    """Each ends as if the API had refused or is without sense; none as a defect."""
    duckdns.STANDING.reset()
    kinds = ("answer", "refused", "credentials", "zone", "malformed", "provider", "record")
    with Odd(1) as odd, KINDS[name](zones=zones_of(name)) as server:
        account = account_of(name, server, endpoint=odd.origin)
        for value in [ONE, None] * 40:
            context = Context(0.15).begin()
            try:
                assert all(isinstance(one, str) for one in account.provider.remove(context, account.name, value))
                account.provider.publish(context, account.name, ONE)
            except TosslError as error:
                assert isinstance(error, DnsError | HttpError) or error.errorcode[1] == "TIMEOUT"
                assert error.errorcode[-1] in kinds
                assert len(error.message) < 1000
                error.message.encode()
        assert not [r for r in odd.requests if "/../" in r.path or r.path.endswith("/..")]


def test_digitaloceans_pages(context: Context) -> None:
    with DigitalOcean(page_size=1) as server:
        account = account_of("digitalocean", server)
        for value in (ONE, TWO, "3" * 43):
            account.provider.publish(context, account.name, value)
        assert sorted(account.provider.remove(context, account.name, None)) == sorted([ONE, TWO, "3" * 43])
        assert server.held == []


def test_hetzners_secondary_zone(context: Context) -> None:
    with Hetzner(secondary=("example.com",)) as server:
        error = account_of("hetzner", server).error(context)
    assert error.errorcode[-1] == "zone"
    assert "secondary" in error.message


def test_hetzners_failed_action(context: Context) -> None:
    with Hetzner(broken_actions=True) as server:
        error = account_of("hetzner", server).error(context)
    assert "Hetzner's action add_records failed: Action failed (action_failed)" in error.message


def test_hetzners_zone_that_is_locked(context: Context) -> None:
    with Hetzner() as server:
        account = account_of("hetzner", server)
        account.provider.publish(context, account.name, ONE)
        server.misbehave("423")
        account.provider.publish(context, account.name, TWO)
        assert server.txt(account.name) == [TWO, ONE]


def test_desecs_rate_limit(context: Context) -> None:
    """It is obeyed: the third write in a second waits."""
    with Desec(zones=("example.com",)) as server:
        server.writes_per_second = 2
        account = account_of("desec", server)
        for number in range(3):
            account.provider.publish(context, f"_acme-challenge.{number}.example.com", ONE)
        assert [one.ttl for one in server.held] == [3600] * 3
        statuses = [request.method for request in server.requests].count("POST")
        assert statuses == 4


def test_ovhs_clock_and_refresh(context: Context) -> None:
    """The time is theirs, asked for once; a change counts after the refresh."""
    with Ovh() as server:
        account = account_of("ovh", server)
        account.provider.publish(context, account.name, ONE)
        assert server.txt(account.name) == [ONE]
        assert [r.path for r in server.requests].count("/1.0/auth/time") == 1
        assert server.requests[-1].path.endswith("/refresh")
        assert server.application_secret not in "".join(f"{r.headers} {r.body!r} {r.target}" for r in server.requests)


def test_ovhs_refresh_that_failed_is_made_up_for(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record is gone from the zone by then, and not from its servers."""
    monkeypatch.setattr(api, "PAUSES_SECONDS", ())
    with Ovh() as server:
        account = account_of("ovh", server)
        account.provider.publish(context, account.name, ONE)
        route, failures = server.route, ["503"]

        def failing(request: Request, parts: list[str]) -> Reply:
            if parts[-1] == "refresh" and failures:
                raise server.refuse(int(failures.pop()), "", "Try again later")
            return route(request, parts)

        monkeypatch.setattr(server, "route", failing)
        account.error(context, None)
        assert (server.held, server.txt(account.name)) == ([], [ONE])
        account.provider.remove(context, account.name, ONE)
        assert server.txt(account.name) == []


def test_ovhs_consumer_key_without_a_right(context: Context) -> None:
    with Ovh() as server:
        server.granted = ("GET",)
        error = account_of("ovh", server).error(context)
    assert error.errorcode[-1] == "credentials"
    assert "NOT_GRANTED_CALL: This call has not been granted" in error.message


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("", "https://eu.api.ovh.com/1.0"),
        ("OVH-CA", "https://ca.api.ovh.com/1.0"),
        ("ovh-us", "https://api.us.ovhcloud.com/1.0"),
        ("https://api.example/v1/", "https://api.example/v1"),
    ],
)
def test_ovhs_endpoints(endpoint: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVH_ENDPOINT", endpoint)
    monkeypatch.setattr(Ovh, "url", "", raising=False)
    with Ovh() as server:
        server.url = ""
        assert account_of("ovh", server).provider.endpoint == url


def test_duck_dns_has_one_value(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one would replace the first, which a challenge still needs."""
    duckdns.STANDING.reset()
    with DuckDns(zones=("mine.duckdns.org",)) as server:
        account = account_of("duckdns", server)
        account.provider.publish(context, account.name, ONE)
        error = account.error(context, TWO)
        assert error.errorcode == ("TOSSL", "DNS", "duckdns", "record")
        assert "Duck DNS has one TXT value for mine.duckdns.org" in error.message
        assert account.provider.remove(context, account.name, TWO) == []
        assert server.txt(account.name) == [ONE]
        assert account.provider.remove(context, account.name, ONE) == [ONE]
        account.provider.publish(context, f"_acme-challenge.www.{account.zone}", TWO)
        monkeypatch.setattr(duckdns, "seen_texts", lambda *_: (TWO,))
        duckdns.STANDING.reset()  # as another process, which learns from the DNS what stands
        assert account.provider.remove(context, account.name, ONE) == []
        assert server.txt(account.name) == [TWO]
        assert account.provider.remove(context, account.name, TWO) == [TWO]
        assert server.held == []
