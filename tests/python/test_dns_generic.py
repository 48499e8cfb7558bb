"""The generic provider against a receiver for lego's httpreq form."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.providers import provider_at
from tests.servers.httpreq import HttpReq
from tests.servers.web import Reply, Request
from tossl_acme.context import Context
from tossl_acme.dns.provider import Provider
from tossl_acme.errors import DnsError

NAME = "_acme-challenge.example.com"
VALUE = "v" * 43


@pytest.fixture
def receiver() -> Iterator[HttpReq]:
    with HttpReq() as server:
        yield server


def provider(receiver: HttpReq, api_key: str | None = None, path: str = "") -> Provider:
    return provider_at(receiver.url + path, receiver.token if api_key is None else api_key, "generic")


def test_the_two_requests(receiver: HttpReq, context: Context) -> None:
    provider(receiver, path="/").publish(context, NAME, VALUE)
    assert provider(receiver).remove(context, NAME, VALUE) == [VALUE]
    assert [(r.method, r.path) for r in receiver.requests] == [("POST", "/present"), ("POST", "/cleanup")]
    for request in receiver.requests:
        assert json.loads(request.body) == {"fqdn": f"{NAME}.", "value": VALUE}
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["Authorization"] == f"Bearer {receiver.token}"


def test_without_a_key(receiver: HttpReq, context: Context) -> None:
    with pytest.raises(DnsError) as caught:
        provider(receiver, "").publish(context, NAME, VALUE)
    assert "Authorization" not in receiver.requests[0].headers
    assert caught.value.errorcode == ("TOSSL", "DNS", "generic", "credentials")


def test_a_wrong_key_is_not_shown(receiver: HttpReq, context: Context) -> None:
    with pytest.raises(DnsError) as caught:
        provider(receiver, "not-the-right-key").remove(context, NAME, VALUE)
    assert caught.value.message.startswith("Failed to delete DNS record: ")
    assert "answered 401" in caught.value.message
    assert "not-the-right-key" not in caught.value.message


def test_a_path_that_is_not_there(receiver: HttpReq, context: Context) -> None:
    with pytest.raises(DnsError) as caught:
        provider(receiver, path="/nowhere").publish(context, NAME, VALUE)
    assert caught.value.errorcode[-1] == "refused"
    assert "/nowhere/present answered 404" in caught.value.message


def test_a_value_is_needed_to_remove(receiver: HttpReq, context: Context) -> None:
    with pytest.raises(DnsError) as caught:
        provider(receiver).remove(context, NAME, None)
    assert "give the value to delete with -value" in caught.value.message
    assert receiver.requests == []


class Moved(HttpReq):
    def answer(self, request: Request) -> Reply:
        return Reply(302, b"", {"Location": "http://127.0.0.1:1/"})


def test_redirects_are_not_followed(context: Context) -> None:
    with Moved() as receiver, pytest.raises(DnsError) as caught:
        provider(receiver).publish(context, NAME, VALUE)
    assert "answered 302: no reason given" in caught.value.message
    assert len(receiver.requests) == 1


class Busy(HttpReq):
    """Fails twice, then works."""

    def answer(self, request: Request) -> Reply:
        return Reply(503, b"busy") if len(self.requests) < 3 else super().answer(request)


def test_passing_troubles_are_outlasted(context: Context) -> None:
    with Busy() as receiver:
        provider(receiver).publish(context, NAME, VALUE)
        assert len(receiver.requests) == 3
