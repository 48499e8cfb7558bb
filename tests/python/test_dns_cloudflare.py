"""Cloudflare's provider against the look-alike."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator

import pytest

from tests.providers import provider_at
from tests.servers.certs import Certificates
from tests.servers.cloudflare import Cloudflare as Account
from tests.servers.web import LookAlike, Reply, Request, json_reply
from tossl_acme.context import Context
from tossl_acme.dns import api, hosted
from tossl_acme.dns.provider import Provider
from tossl_acme.errors import Cancelled, DnsError, HttpError, TosslError

NAME = "_acme-challenge.example.com"
ONE, TWO = "1" * 43, "2" * 43


@pytest.fixture(autouse=True)
def _silent_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zones are found in the account alone."""
    monkeypatch.setattr(hosted, "zone_name", lambda *_: None)


@pytest.fixture
def account() -> Iterator[Account]:
    with Account(zones=("example.com", "sub.example.com", "example.org")) as server:
        yield server


def provider(account: Account, api_key: str = "", zone_id: str = "") -> Provider:
    return provider_at(account.url, api_key or account.token, zone_id=zone_id)


def refused(error: TosslError, account: Account) -> DnsError:
    assert isinstance(error, DnsError)
    assert account.token not in f"{error} {error.details}"
    assert account.key not in f"{error} {error.details}"
    return error


def test_two_values_at_one_name(account: Account, context: Context) -> None:
    cloudflare = provider(account)
    cloudflare.publish(context, NAME, ONE)
    cloudflare.publish(context, NAME, TWO)
    assert account.txt(NAME) == [ONE, TWO]
    assert cloudflare.remove(context, NAME, ONE) == [ONE]
    assert account.txt(NAME) == [TWO]
    assert cloudflare.remove(context, NAME, TWO) == [TWO]
    assert account.txt(NAME) == []


def test_what_is_sent(account: Account, context: Context) -> None:
    provider(account).publish(context, NAME, ONE)
    *asked, created = account.requests
    assert {(request.method, request.path) for request in asked} == {("GET", "/client/v4/zones")}
    assert [request.query["name"] for request in asked] == [NAME, "example.com"]
    assert created.path == f"/client/v4/zones/{account.zone_id('example.com')}/dns_records"
    assert json.loads(created.body) == {"type": "TXT", "name": NAME, "content": f'"{ONE}"', "ttl": 120}


def test_the_closest_zone_is_found(account: Account, context: Context) -> None:
    name = "_acme-challenge.a.b.sub.example.com"
    provider(account).publish(context, name, ONE)
    asked = [r.query["name"] for r in account.requests if r.path.endswith("/zones")]
    assert asked == [name, "a.b.sub.example.com", "b.sub.example.com", "sub.example.com"]
    assert account.txt(name) == [ONE]


def test_a_given_zone_saves_the_search(account: Account, context: Context) -> None:
    provider(account, zone_id=account.zone_id("example.com")).publish(context, NAME, ONE)
    assert [r.method for r in account.requests] == ["POST"]


def test_clean_up_does_without_the_search(account: Account, context: Context) -> None:
    cloudflare = provider(account)
    cloudflare.publish(context, NAME, ONE)
    account.requests.clear()
    assert cloudflare.remove(context, NAME, ONE) == [ONE]
    assert [request.method for request in account.requests] == ["GET", "DELETE"]


def test_no_zone(account: Account, context: Context) -> None:
    with pytest.raises(DnsError) as caught:
        provider(account).publish(context, "_acme-challenge.www.example.net", ONE)
    assert refused(caught.value, account).errorcode == ("TOSSL", "DNS", "cloudflare", "zone")
    assert caught.value.message.startswith("Failed to create DNS record: ")
    assert "looked for _acme-challenge.www.example.net, www.example.net, example.net" in caught.value.message


def test_published_already_is_well(account: Account, context: Context) -> None:
    provider(account).publish(context, NAME, ONE)
    provider(account).publish(context, NAME, ONE)
    assert account.txt(NAME) == [ONE]


def test_a_global_key(account: Account, context: Context) -> None:
    provider(account, f"{account.email}:{account.key}").publish(context, NAME, ONE)
    assert account.txt(NAME) == [ONE]
    assert all("Authorization" not in request.headers for request in account.requests)


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("page_size", [None, 1])
def test_all_are_removed_from_every_page(context: Context, quoted: bool, page_size: int | None) -> None:
    with Account(quote_txt=quoted, page_size=page_size) as account:
        cloudflare = provider(account)
        for value in (ONE, TWO, "3" * 43):
            cloudflare.publish(context, NAME, value)
        cloudflare.publish(context, "_acme-challenge.www.example.com", ONE)
        assert sorted(cloudflare.remove(context, NAME, None)) == [ONE, TWO, "3" * 43]
        assert account.txt(NAME) == []
        assert account.txt("_acme-challenge.www.example.com") == [ONE]


def test_nothing_to_remove(account: Account, context: Context) -> None:
    provider(account).publish(context, NAME, ONE)
    for name, value in ((NAME, TWO), ("_acme-challenge.www.example.com", None)):
        assert provider(account).remove(context, name, value) == []
    assert account.txt(NAME) == [ONE]


def test_a_zone_for_the_record_alone(context: Context) -> None:
    """A zone for the validation name alone, as with delegated validation."""
    with Account(zones=("example.com", NAME)) as account:
        provider(account).publish(context, NAME, ONE)
        created = account.requests[-1]
        assert created.path == f"/client/v4/zones/{account.zone_id(NAME)}/dns_records"


@pytest.mark.parametrize("key", ["x" * 40, "short-key", "me@example.com:" + "0" * 37, "me@example.com:wrong"])
def test_wrong_keys(account: Account, context: Context, key: str) -> None:
    with pytest.raises(DnsError) as caught:
        provider(account, key).publish(context, NAME, ONE)
    assert refused(caught.value, account).errorcode[-1] == "credentials"
    assert "(code " in caught.value.message
    assert key not in caught.value.message
    assert key.rpartition(":")[2] not in caught.value.message


def test_a_zone_of_somebody_else(account: Account, context: Context) -> None:
    with pytest.raises(DnsError) as caught:
        provider(account, zone_id="0" * 32).publish(context, NAME, ONE)
    assert "Authentication error (code 10000)" in refused(caught.value, account).message


def test_passing_troubles_are_outlasted(account: Account, context: Context) -> None:
    account.misbehave("500", "html")
    provider(account).publish(context, NAME, ONE)
    assert account.txt(NAME) == [ONE]


def test_retry_after_is_waited_for(account: Account, context: Context) -> None:
    account.misbehave("429")
    before = time.monotonic()
    provider(account).publish(context, NAME, ONE)
    assert time.monotonic() - before >= 1


def test_no_waiting_beyond_the_scope(account: Account) -> None:
    account.misbehave("429")
    before = time.monotonic()
    with pytest.raises(DnsError) as caught:
        provider(account).publish(Context(0.9).begin(), NAME, ONE)
    assert time.monotonic() - before < 0.5
    assert "Cloudflare answered 429: Please wait" in refused(caught.value, account).message


def test_cancelled_while_waiting(account: Account) -> None:
    account.misbehave("429")
    # Cancelled by the progress step just before the wait, so that nothing depends on time.
    running = Context(20).begin(listener=lambda facts: running.cancel() if facts["step"] == "dns_retry" else None)
    before = time.monotonic()
    with pytest.raises(Cancelled):
        provider(account).publish(running, NAME, ONE)
    assert time.monotonic() - before < 0.5


def test_a_page_in_place_of_json(account: Account) -> None:
    account.misbehave("html")
    with pytest.raises(DnsError) as caught:
        provider(account).publish(Context(0.2).begin(), NAME, ONE)
    assert refused(caught.value, account).errorcode[-1] == "answer"
    assert "answered 502 with text/html, which is not JSON" in caught.value.message


def test_over_tls(certificates: Certificates, context: Context) -> None:
    with Account(certificates=certificates) as account:
        endpoint = f"{account.tls_origin}/client/v4/"
        provider_at(endpoint, account.token, ca_bundle=str(certificates.ca_bundle)).publish(context, NAME, ONE)
        assert account.txt(NAME) == [ONE]
        with pytest.raises(HttpError) as caught:
            provider_at(endpoint, account.token).publish(context, NAME, ONE)
        assert caught.value.errorcode == ("TOSSL", "HTTP", "tls")
        assert caught.value.message.startswith("Failed to create DNS record: Server communication error: ")


class Scripted(LookAlike):
    """Answers every request with the same."""

    def __init__(self, response: Reply) -> None:
        self.response = response
        super().__init__()

    def answer(self, request: Request) -> Reply:
        return self.response


def scripted_error(response: Reply, key: str = "token-of-the-operator", seconds: float = 0.2) -> TosslError:
    with Scripted(response) as server, pytest.raises(TosslError) as caught:
        provider_at(server.origin, key).publish(Context(seconds).begin(), NAME, ONE)
    return caught.value


@pytest.mark.parametrize(
    "response",
    [
        json_reply([]),
        json_reply("text"),
        json_reply({"success": True, "result": {}}),
        json_reply({"success": True, "result": ["x"]}),
        json_reply({"success": True, "result": None, "errors": None}),
        Reply(200, b"\xff\xfe"),
        Reply(200, b""),
    ],
)
def test_odd_answers(response: Reply) -> None:
    assert scripted_error(response).errorcode == ("TOSSL", "DNS", "cloudflare", "answer")


@pytest.mark.parametrize("status", [401, 403])
def test_a_page_that_denies_access(status: int) -> None:
    error = scripted_error(Reply(status, b"<html>", {"Content-Type": "text/html"}))
    assert error.errorcode == ("TOSSL", "DNS", "cloudflare", "credentials")
    assert error.message.endswith(f"Cloudflare answered {status}: text/html")


@pytest.mark.parametrize("errors", [None, {}, [1], [{}], [{"code": "x"}], [{"code": 1, "error_chain": [None]}]])
def test_odd_errors(errors: object) -> None:
    error = scripted_error(json_reply({"success": False, "errors": errors}, 400))
    assert error.errorcode == ("TOSSL", "DNS", "cloudflare", "refused")
    assert "Cloudflare answered 400: " in error.message


def test_an_answer_that_quotes_the_key() -> None:
    text = "the token token-of-the-operator\x1b[31m is unknown " + "x" * 1000
    error = scripted_error(json_reply({"success": False, "errors": [{"code": 1, "message": text}]}, 403))
    assert "token-of-the-operator" not in error.message
    assert "\x1b" not in error.message
    assert len(error.message) < 450


def test_zones_without_end() -> None:
    # A server that always promises one more page, of zones that do not match.
    info = {"total_pages": 1 << 40}
    error = scripted_error(json_reply({"success": True, "result": [{"name": "x"}], "result_info": info}), seconds=20)
    assert "more than 20 pages" in error.message


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PAUSES_SECONDS", (0.001,))
    with Account() as account:
        gone = provider(account)
    with pytest.raises(HttpError) as caught:
        gone.publish(Context(20).begin(), NAME, ONE)
    assert caught.value.errorcode == ("TOSSL", "HTTP", "connect")
    assert caught.value.message.startswith("Failed to create DNS record: ")


class OddIds(Account):
    """Names its zones and records as it likes."""

    odd: object = None

    def answer(self, request: Request) -> Reply:
        if request.method != "GET":
            return super().answer(request)
        name = "example.com" if request.path.endswith("/zones") else NAME
        item = {"name": name, "type": "TXT", "content": ONE, "id": self.odd if self.wants_odd(request) else "0" * 32}
        items = [item] if request.query.get("name", NAME) in (NAME, "example.com") else []
        return json_reply({"success": True, "result": items})

    def wants_odd(self, request: Request) -> bool:
        return request.path.endswith("/zones") == self.at_zones

    at_zones = True


@pytest.mark.parametrize("odd", ["..", "", "a/b", "?x", "x" * 65, None, ["0"], {"id": 1}, "\ud800"])
@pytest.mark.parametrize("at_zones", [True, False])
def test_ids_stay_in_their_place(context: Context, odd: object, at_zones: bool) -> None:
    """An id becomes part of a path: DELETE zones/ID/dns_records/.. would be about the zone."""
    with OddIds() as account:
        account.odd, account.at_zones = odd, at_zones
        with pytest.raises(DnsError) as caught:
            provider(account).remove(context, NAME, None)
        assert caught.value.errorcode == ("TOSSL", "DNS", "cloudflare", "answer")
        assert caught.value.message.startswith("Failed to delete DNS record: ")
        assert {request.method for request in account.requests} == {"GET"}


class Odd(LookAlike):
    """Answers as no API does: the members it should, with whatever in them."""

    def __init__(self, seed: int) -> None:
        self.source = random.Random(seed)
        super().__init__()

    def answer(self, request: Request) -> Reply:
        item = {
            name: self.value("0" * 32, NAME, "example.com", "TXT", '"a\\') for name in ("id", "name", "type", "content")
        }
        error = {name: self.value(1, 81057, "\ud800") for name in ("code", "message", "error_chain")}
        envelope = {
            "success": self.value(True, True, False),
            "result": self.value([item], [item, item], item),
            "errors": self.value([error], error),
            "result_info": self.value({"total_pages": self.value(1, -1, 1 << 70)}),
        }
        body = json.dumps(envelope).encode()
        end = self.source.choice([len(body)] * 9 + [self.source.randrange(len(body))])
        return Reply(self.source.choice([200, 200, 200, 204, 400, 403, 404]), body[:end])

    def value(self, *usual: object) -> object:
        odd = [None, True, 0, -1.5, 1 << 70, "", "\ud800", [], {}, [[]], [None], {"id": {}}]
        return self.source.choice([*usual, *usual, self.source.choice(odd)])


@pytest.mark.parametrize("seed", range(5))
def test_answers_of_all_kinds(seed: int) -> None:
    """Each ends as if the API had refused or is without sense; none as a defect."""
    with Odd(seed) as server:
        cloudflare = provider_at(server.origin, "token-of-the-operator")
        for value in [ONE, None] * 30:
            try:
                assert all(isinstance(removed, str) for removed in cloudflare.remove(Context(5).begin(), NAME, value))
                cloudflare.publish(Context(5).begin(), NAME, ONE)
            except (DnsError, HttpError) as error:
                assert error.errorcode[-1] in ("answer", "refused", "credentials", "zone", "malformed")
                assert len(error.message) < 1000
                error.message.encode()
