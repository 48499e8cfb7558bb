"""rfc2136 against the real BIND and the real Knot."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.servers.bind import Bind
from tests.servers.knot import Knot
from tests.servers.process import ServerError
from tossl_acme.context import Context
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.dns.provider import Provider
from tossl_acme.dns.registry import open_provider
from tossl_acme.errors import ArgumentError, Cancelled, DnsError, WaitTimeout
from tossl_acme.text import Secret

VALUE = "v" * 43


@pytest.fixture(scope="module")
def knot() -> Iterator[Knot]:
    try:
        server = Knot(zones=("example.com", "example.org", "sub.example.com"))
    except ServerError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(params=["bind", "knot"])
def server(request: pytest.FixtureRequest) -> Bind | Knot:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Bind | Knot)
    return found


def options(**given: str) -> ProviderOptions:
    return ProviderOptions("rfc2136", {field: Secret(value) for field, value in given.items()})


def provider(server: Bind | Knot, **given: str) -> Provider:
    words = {"server": server.address, "key_name": server.key_name, "key_secret": server.key_secret}
    return open_provider(options(**{**words, "key_algorithm": server.algorithm, **given}))


def test_values_live_side_by_side_and_go_one_by_one(server: Bind | Knot, context: Context) -> None:
    name, mine = "_acme-challenge.side.example.com", provider(server)
    mine.publish(context, name, "first")
    provider(server).publish(context, name, "second")
    mine.publish(context, name, "second")  # it is there already
    assert server.txt(name) == ["first", "second"]
    assert mine.remove(context, name, "first") == ["first"]
    assert server.txt(name) == ["second"]
    assert mine.remove(context, name, "first") == []
    assert server.txt(name) == ["second"]
    assert mine.remove(context, name, None) == ["second"]
    assert server.txt(name) == []
    assert mine.remove(context, name, None) == []


@pytest.mark.parametrize("value", ['a "b" and \\', "long" * 100, "\u00fcml\u00e4ut"], ids=["quotes", "long", "utf8"])
def test_values_that_are_quoted_or_split(server: Bind | Knot, context: Context, value: str) -> None:
    name, mine = "_acme-challenge.odd.example.org", provider(server)
    mine.publish(context, name, value)
    mine.publish(context, name, VALUE)
    assert server.txt(name) == sorted([value, VALUE])
    assert mine.remove(context, name, value) == [value]
    assert mine.remove(context, name, VALUE) == [VALUE]
    assert server.txt(name) == []


def test_a_value_that_somebody_split_is_the_same_value(bind: Bind, context: Context) -> None:
    name = "_acme-challenge.split.example.com"
    bind.add_txt(name, 'one" "two')  # closes the string, and opens a second one
    assert provider(bind).remove(context, name, 'one" "two') == ['one" "two']
    assert bind.txt(name) == []


def test_the_zone_is_the_closest_one(knot: Knot, context: Context) -> None:
    for name in ("_acme-challenge.sub.example.com", "_acme-challenge.a.b.sub.example.com", "sub.example.com"):
        provider(knot).publish(context, name, VALUE)
        assert knot.txt(name) == [VALUE]
        provider(knot).remove(context, name, VALUE)


def test_a_name_whose_zone_is_not_there(server: Bind | Knot, context: Context) -> None:
    with pytest.raises(DnsError) as caught:
        provider(server).publish(context, "_acme-challenge.elsewhere.test", VALUE)
    assert caught.value.errorcode == ("TOSSL", "DNS", "rfc2136", "zone")
    assert caught.value.message == (
        f"Failed to create DNS record: dns://{server.address} has no zone for _acme-challenge.elsewhere.test"
    )


def test_a_zone_on_other_servers_is_named(bind: Bind, context: Context) -> None:
    bind.update("deleg.example.com", lambda update, at: update.add(at, 1, "NS", "ns.elsewhere.test."))
    try:
        with pytest.raises(DnsError) as caught:
            provider(bind).publish(context, "_acme-challenge.x.deleg.example.com", VALUE)
    finally:
        bind.update("deleg.example.com", lambda update, at: update.delete(at, "NS"))
    assert caught.value.errorcode[-1] == "zone"
    assert "the zone deleg.example.com is on other servers (ns.elsewhere.test)" in caught.value.message


def test_an_alias_is_not_written_into(bind: Bind, context: Context) -> None:
    """The server would ignore the update and say that all is well."""
    name = "_acme-challenge.alias.example.com"
    bind.update(name, lambda update, at: update.add(at, 1, "CNAME", "x.elsewhere.test."))
    try:
        with pytest.raises(DnsError) as caught:
            provider(bind).publish(context, name, VALUE)
    finally:
        bind.update(name, lambda update, at: update.delete(at, "CNAME"))
    assert caught.value.errorcode[-1] == "record"
    assert f"{name} is an alias of x.elsewhere.test" in caught.value.message


OTHER = "c2VjcmV0IHRoYXQgaXMgd3Jvbmcgc2VjcmV0IHRoYXQgaXMgd3Jvbmc="


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"key_secret": OTHER}, "has another secret for this TSIG key"),
        ({"key_name": "nobody"}, "knows no TSIG key of this name"),
        ({"key_algorithm": "hmac-sha224"}, "knows no TSIG key of this name and algorithm"),
    ],
    ids=["secret", "name", "algorithm"],
)
def test_wrong_keys(server: Bind | Knot, context: Context, given: dict[str, str], words: str) -> None:
    name, well = "_acme-challenge.example.com", provider(server)
    well.publish(context, name, VALUE)
    try:
        for act, value in (("publish", f"{VALUE}2"), ("remove", VALUE)):
            with pytest.raises(DnsError) as caught:
                getattr(provider(server, **given), act)(context, name, value)
            assert caught.value.errorcode == ("TOSSL", "DNS", "rfc2136", "credentials")
            assert OTHER not in caught.value.message
            assert server.key_secret not in caught.value.message
    finally:
        well.remove(context, name, VALUE)
    # Knot does not tell all of these apart.
    assert words in caught.value.message or isinstance(server, Knot)


def test_an_update_without_a_key_is_refused(server: Bind | Knot, context: Context) -> None:
    unsigned = open_provider(options(server=server.address))
    with pytest.raises(DnsError) as caught:
        unsigned.publish(context, "_acme-challenge.example.com", VALUE)
    assert caught.value.errorcode[-1] in ("credentials", "zone")
    assert "answered REFUSED: " in caught.value.message or "answered NOTAUTH: " in caught.value.message


def test_the_key_in_a_file(bind: Bind, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """As nsupdate -k takes it."""
    name = "_acme-challenge.file.example.com"
    monkeypatch.setenv("RFC2136_TSIG_FILE", str(bind.key_file))
    monkeypatch.setenv("RFC2136_NAMESERVER", bind.address)
    mine = open_provider(options())
    mine.publish(context, name, VALUE)
    assert mine.remove(context, name, VALUE) == [VALUE]


def test_wrong_options(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("no key")
    given = {"server": "127.0.0.1:53", "key_name": "k", "key_secret": OTHER}
    for wrong, field in [
        ({"server": ""}, "server"),
        ({"server": "two words"}, "server"),
        ({"server": "a/b"}, "server"),
        ({"key_name": ""}, "key_name"),
        ({"key_secret": ""}, "key_secret"),
        ({"key_secret": "not base64"}, "key_secret"),
        ({"key_secret": "bm90"[:3]}, "key_secret"),
        ({"key_name": "a..b"}, "key_secret"),
        ({"key_algorithm": "rot13"}, "key_algorithm"),
        ({"key_file": str(file)}, "key_file"),
        ({"key_name": "", "key_secret": "", "key_file": str(file)}, "key_file"),
        ({"key_name": "", "key_secret": "", "key_file": str(tmp_path / "nofile")}, "key_file"),
    ]:
        with pytest.raises(ArgumentError) as caught:
            open_provider(options(**{**given, **wrong}))
        assert caught.value.errorcode == ("TOSSL", "VALUE", field), wrong
        assert OTHER not in caught.value.message


class Silent:
    """A DNS server that takes every question and answers none, or answers with an rcode."""

    def __init__(self, rcodes: tuple[dns.rcode.Rcode, ...] = ()) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.asked = threading.Event()
        self.questions = 0
        self._rcodes = rcodes
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            self.questions += 1
            self.asked.set()
            if self._rcodes:
                answer = dns.message.make_response(dns.message.from_wire(data))
                answer.set_rcode(self._rcodes[min(self.questions, len(self._rcodes)) - 1])
                self._socket.sendto(answer.to_wire(), peer)


def test_a_silent_server_ends_with_the_deadline() -> None:
    silent = Silent()
    with pytest.raises((WaitTimeout, DnsError)) as caught:
        open_provider(options(server=silent.address)).publish(Context(1).begin(), "_acme-challenge.example.com", VALUE)
    assert caught.value.message.startswith("Failed to create DNS record: ")


def test_a_cancelled_call_leaves_the_silent_server_at_once() -> None:
    silent = Silent()
    context = Context(30).begin()
    threading.Thread(target=lambda: (silent.asked.wait(), context.cancel()), daemon=True).start()
    with pytest.raises(Cancelled):
        open_provider(options(server=silent.address)).publish(context, "_acme-challenge.example.com", VALUE)


def test_a_server_that_fails_is_asked_again(context: Context) -> None:
    failing = Silent((dns.rcode.SERVFAIL, dns.rcode.REFUSED))
    with pytest.raises(DnsError) as caught:
        open_provider(options(server=failing.address)).publish(context, "_acme-challenge.example.com", VALUE)
    assert caught.value.errorcode[-1] == "zone"  # it has none
    assert failing.questions > 2
