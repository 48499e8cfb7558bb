"""The propagation check against BIND, the mock DNS server, and a server that says what a test wants."""

from __future__ import annotations

import errno
import io
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.resolver
import dns.rrset
import dns.tsigkeyring
import dns.update
import pytest

from tests.servers.bind import Bind
from tests.servers.pebble import ChallTestSrv
from tests.servers.scripted_dns import ScriptedDns, of_zone, shows
from tossl_acme.context import Context
from tossl_acme.dns.propagation import PropagationCheck
from tossl_acme.dns.resolver import default_resolvers, parse_resolver
from tossl_acme.errors import ArgumentError, Cancelled, DnsError, WaitTimeout

ONE, TWO = "1" * 43, "2" * 43


@pytest.mark.usefixtures("asking_bind")
def test_the_zones_own_server_is_asked(bind: Bind, context: Context) -> None:
    name = "_acme-challenge.own.example.com"
    bind.add_txt(name, ONE)
    PropagationCheck().wait(context, [(name, ONE)])
    PropagationCheck().wait(context, [(name.upper() + ".", ONE)])


@pytest.mark.usefixtures("asking_bind")
def test_two_values_at_one_name(bind: Bind, context: Context) -> None:
    name = "_acme-challenge.two.example.com"
    bind.add_txt(name, ONE)
    bind.add_txt(name, TWO)
    for value in (ONE, TWO):
        PropagationCheck().wait(context, [(name, value)])
    bind.remove_txt(name, ONE)
    PropagationCheck().wait(context, [(name, TWO)])


@pytest.mark.usefixtures("asking_bind")
def test_a_value_that_comes_late(bind: Bind, context: Context) -> None:
    name = "_acme-challenge.late.example.com"
    timer = threading.Timer(0.2, bind.add_txt, (name, ONE))
    timer.start()
    before = time.monotonic()
    PropagationCheck().wait(context, [(name, ONE)])
    timer.join()
    assert 0.2 <= time.monotonic() - before < 2


@pytest.mark.usefixtures("asking_bind")
def test_a_long_answer_comes_by_tcp(bind: Bind, context: Context) -> None:
    name = "_acme-challenge.long.example.com"
    for number in range(40):
        bind.add_txt(name, f"{number:043}")
    for number in (0, 39):
        PropagationCheck().wait(context, [(name, f"{number:043}")])


@pytest.mark.usefixtures("asking_bind")
def test_aliases_are_followed_to_another_zone(bind: Bind, context: Context) -> None:
    keyring = dns.tsigkeyring.from_text({bind.key_name: bind.key_secret})
    update = dns.update.UpdateMessage("example.com", keyring=keyring, keyalgorithm=bind.algorithm)
    update.add("_acme-challenge.alias", 1, "CNAME", "elsewhere.example.org.")
    dns.query.tcp(update, "127.0.0.1", port=bind.port, timeout=5)
    bind.add_txt("elsewhere.example.org", ONE)
    PropagationCheck().wait(context, [("_acme-challenge.alias.example.com", ONE)])


@pytest.mark.usefixtures("asking_bind")
def test_over_time(bind: Bind, context: Context) -> None:
    name = "_acme-challenge.wrong.example.com"
    bind.add_txt(name, ONE)
    with pytest.raises(WaitTimeout) as caught:
        PropagationCheck(timeout=0.3).wait(context, [(name, TWO)])
    assert caught.value.errorcode == ("TOSSL", "TIMEOUT", "propagation")
    assert caught.value.message.startswith(f"DNS propagation timeout: {name} does not show '{TWO}'")
    assert f"ns.example.com. (127.0.0.1) shows '{ONE}'" in caught.value.message
    with pytest.raises(WaitTimeout) as caught:
        PropagationCheck(timeout=0.3).wait(context, [("_acme-challenge.none.example.com", TWO)])
    assert "answered NXDOMAIN" in caught.value.message


@pytest.mark.usefixtures("asking_bind")
def test_the_scope_may_be_shorter(bind: Bind) -> None:
    with pytest.raises(WaitTimeout) as caught:
        PropagationCheck().wait(Context(0.2).begin(), [("_acme-challenge.none.example.com", TWO)])
    assert "DNS propagation timeout" in caught.value.message


@pytest.mark.usefixtures("asking_bind")
def test_a_zone_that_nobody_knows(bind: Bind, context: Context) -> None:
    # BIND refuses what it is not authoritative for.
    with pytest.raises(WaitTimeout) as caught:
        PropagationCheck(timeout=0.5).wait(context, [("_acme-challenge.example.net", ONE)])
    assert "cannot find the DNS servers of _acme-challenge.example.net" in caught.value.message


def test_named_resolvers_must_all_show_it(bind: Bind, challtestsrv: ChallTestSrv, context: Context) -> None:
    name = "_acme-challenge.both.example.com"
    bind.add_txt(name, ONE)
    check = PropagationCheck((bind.address, f"localhost:{challtestsrv.dns_port}"), timeout=0.3)
    with pytest.raises(WaitTimeout) as caught:
        check.wait(context, [(name, ONE)])
    assert "localhost (127.0.0.1)" in caught.value.message
    assert bind.address not in caught.value.message
    challtestsrv.set_txt(name, ONE)
    check.wait(context, [(name, ONE)])
    challtestsrv.clear_txt(name)


def test_not_yet(context: Context) -> None:
    def answer(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message:
        rcode, *values = answers.pop(0)
        return shows(query, *map(str, values), rcode=dns.rcode.from_text(rcode))

    answers = [["NXDOMAIN"], ["SERVFAIL"], ["REFUSED"], ["NOERROR"], ["NOERROR", TWO, TWO[1:]], ["NOERROR", TWO, ONE]]
    with ScriptedDns(answer) as server:
        PropagationCheck((server.address,)).wait(context, [("_acme-challenge.example.com", ONE)])
    assert answers == []


def test_nonsense_is_not_an_answer(context: Context) -> None:
    def cut(query: dns.message.Message, by_tcp: bool) -> dns.message.Message | bytes:
        if by_tcp:
            return b"nonsense"
        response = shows(query)
        response.flags |= dns.flags.TC
        return response

    with ScriptedDns(cut) as server, pytest.raises(WaitTimeout) as caught:
        PropagationCheck((server.address,), timeout=0.3).wait(context, [("_acme-challenge.example.com", ONE)])
    assert "nonsense" in caught.value.message


def test_silence_is_waited_out(context: Context) -> None:
    with ScriptedDns(lambda _query, _by_tcp: None) as server:
        before = time.monotonic()
        with pytest.raises(WaitTimeout) as caught:
            PropagationCheck((server.address,), timeout=0.4).wait(context, [("_acme-challenge.example.com", ONE)])
    assert time.monotonic() - before < 2
    assert "did not answer" in caught.value.message


@pytest.mark.parametrize("searching", [False, True])
def test_cancelled_while_waiting(context: Context, searching: bool, ask_at: Callable[[int], None]) -> None:
    with ScriptedDns(lambda _query, _by_tcp: None) as server:
        ask_at(server.port)
        check = PropagationCheck() if searching else PropagationCheck((server.address,))
        raised: list[BaseException] = []

        def wait() -> None:
            try:
                check.wait(context, [("_acme-challenge.example.com", ONE)])
            except Cancelled as error:
                raised.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert server.asked.wait(5)
        before = time.monotonic()
        context.cancel()
        waiting.join(5)
        assert time.monotonic() - before < 0.5
        assert raised


def test_an_address_without_a_route_does_not_count(
    bind: Bind, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "_acme-challenge.options.example.com"
    bind.add_txt(name, ONE)
    real = dns.query.send_udp

    def without_ipv6(sock: socket.socket, *args: Any) -> Any:
        if sock.family == socket.AF_INET6:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return real(sock, *args)

    monkeypatch.setattr(dns.query, "send_udp", without_ipv6)
    PropagationCheck((bind.address, f"[::1]:{bind.port}")).wait(context, [(name, ONE)])
    with pytest.raises(WaitTimeout) as caught:
        PropagationCheck((f"[::1]:{bind.port}",), timeout=0.2).wait(context, [(name, ONE)])
    assert "Network is unreachable" in caught.value.message


def test_no_resolver_at_all(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    real = dns.resolver.Resolver.read_resolv_conf
    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", lambda self, _path: real(self, "/nonexistent"))
    with pytest.raises(DnsError) as caught:
        PropagationCheck().wait(context, [("_acme-challenge.example.com", ONE)])
    assert caught.value.errorcode == ("TOSSL", "DNS", "propagation", "zone")
    assert "/etc/resolv.conf" in caught.value.message


@pytest.mark.parametrize("configuration", ["nameserver localhost", "nameserver 127.0.0.1:53", "\xff\xfe"])
def test_a_resolver_that_cannot_be_used(context: Context, configuration: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = dns.resolver.Resolver.read_resolv_conf
    monkeypatch.setattr(
        dns.resolver.Resolver, "read_resolv_conf", lambda self, _path: real(self, io.StringIO(configuration))
    )
    with pytest.raises(DnsError) as caught:
        PropagationCheck().wait(context, [("_acme-challenge.example.com", ONE)])
    assert caught.value.errorcode == ("TOSSL", "DNS", "propagation", "zone")


def test_resolvers_of_the_environment_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOSSL_RESOLVERS", "192.0.2.1 a:b:c")
    PropagationCheck(["192.0.2.1"])
    with pytest.raises(ArgumentError) as caught:
        PropagationCheck()
    assert caught.value.errorcode == ("TOSSL", "VALUE", "resolvers")
    assert caught.value.message.startswith('TOSSL_RESOLVERS in the environment: "a:b:c" is not a DNS server')


def test_more_resolvers_than_can_be_asked() -> None:
    PropagationCheck(["192.0.2.1"] * 1000)
    with pytest.raises(ArgumentError) as caught:
        PropagationCheck([f"192.0.2.{number}" for number in range(33)])
    assert caught.value.errorcode == ("TOSSL", "VALUE", "resolvers")


def test_resolvers_of_the_environment(bind: Bind, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "_acme-challenge.environment.example.com"
    bind.add_txt(name, ONE)
    monkeypatch.setenv("TOSSL_RESOLVERS", f" {bind.address}  {bind.address} ")
    assert default_resolvers() == (bind.address, bind.address)
    PropagationCheck().wait(context, [(name, ONE)])
    monkeypatch.delenv("TOSSL_RESOLVERS")
    assert default_resolvers() == ()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.1", "192.0.2.1", 53),
        ("192.0.2.1:5353", "192.0.2.1", 5353),
        ("dns.example", "dns.example", 53),
        ("dns.example:1", "dns.example", 1),
        ("2001:db8::1", "2001:db8::1", 53),
        ("[2001:db8::1]", "2001:db8::1", 53),
        ("[2001:db8::1]:65535", "2001:db8::1", 65535),
    ],
)
def test_resolvers(text: str, host: str, port: int) -> None:
    server = parse_resolver(text)
    assert (server.host, server.port) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "host:",
        "host:0",
        "host:65536",
        "host:x",
        "[::1",
        "[::g]:53",
        "[::1]53",
        "a:b:c",
        "http://x",
        "a..b",
        ".",
        "x" * 64,
        "host:\u0665\u0663",
    ],
)
def test_wrong_resolvers(text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        PropagationCheck((text,))
    assert caught.value.errorcode == ("TOSSL", "VALUE", "resolvers")


def test_of_many_servers_some_are_named(context: Context) -> None:
    servers = tuple(f"127.0.0.{number}:1" for number in range(1, 21))
    with pytest.raises(WaitTimeout) as caught:
        PropagationCheck(servers, timeout=1).wait(context, [("_acme-challenge.example.com", ONE)])
    assert caught.value.message.endswith("; 12 more")
    assert caught.value.message.count("127.0.0.") == 8


def test_what_a_server_shows_is_cut_short(context: Context) -> None:
    def long(query: dns.message.Message, by_tcp: bool) -> dns.message.Message:
        response = shows(query, *(f"{number:0200}" for number in range(200 if by_tcp else 0)))
        response.flags |= 0 if by_tcp else dns.flags.TC
        return response

    with ScriptedDns(long) as server, pytest.raises(WaitTimeout) as caught:
        PropagationCheck((server.address,), timeout=1.5).wait(context, [("_acme-challenge.example.com", ONE)])
    assert "and 196 more" in caught.value.message
    assert len(caught.value.message) < 2000


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0",
        b"\xff" * 12,
        b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + b"\xc0\x0c" * 20,
        b"\0\0\x81\x80\0\1\xff\xff\0\0\0\0" + b"\1x\0\0\x10\0\1",
    ],
)
def test_malformed_packets(context: Context, packet: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    def answer(query: dns.message.Message, _by_tcp: bool) -> bytes:
        return query.to_wire()[:2] + packet[2:] if packet else b""

    with ScriptedDns(answer) as server, pytest.raises(WaitTimeout) as caught:
        PropagationCheck((server.address,), timeout=0.3).wait(context, [("_acme-challenge.example.com", ONE)])
    assert caught.value.errorcode == ("TOSSL", "TIMEOUT", "propagation")
    assert server.address.partition(":")[0] in caught.value.message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("names", "said"), [("ab", "lead in a circle"), ("abcdefghijklmnopqrstuvwxyz", "aliases, at")])
def test_aliases_without_end(context: Context, ask_at: Callable[[int], None], names: str, said: str) -> None:
    def answer(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message:
        name = query.question[0].name
        response = of_zone(query)
        if query.question[0].rdtype == dns.rdatatype.TXT:
            at = names.find(name.labels[0].decode()) + 1
            target = f"{names[at % len(names)]}.example.com."
            response.answer.append(dns.rrset.from_text(name, 0, "IN", "CNAME", target))
        return response

    with ScriptedDns(answer) as server, pytest.raises(WaitTimeout) as caught:
        ask_at(server.port)
        PropagationCheck(timeout=2.0).wait(context, [("_acme-challenge.example.com", ONE)])
    assert said in caught.value.message


def test_a_zone_with_a_thousand_servers(context: Context, ask_at: Callable[[int], None]) -> None:
    """Those of which no address is known do not hinder; no more are looked for than any zone needs."""
    asked = []

    def answer(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message:
        question, response = query.question[0], dns.message.make_response(query)
        response.flags |= dns.flags.AA
        name, kind = question.name, question.rdtype
        if kind == dns.rdatatype.SOA and len(name) == 3:
            response.answer.append(dns.rrset.from_text(name, 0, "IN", "SOA", "ns. h. 1 2 3 4 5"))
        elif kind == dns.rdatatype.NS:
            hosts = (f"ns{number:04}.example.com." for number in range(1000))
            response.answer.append(dns.rrset.from_text(name, 0, "IN", "NS", *hosts))
        elif kind == dns.rdatatype.A:
            asked.append(str(name))
            if str(name) != "ns0007.example.com.":
                response.set_rcode(dns.rcode.REFUSED)
            else:
                response.answer.append(dns.rrset.from_text(name, 0, "IN", "A", "127.0.0.1"))
        elif kind == dns.rdatatype.TXT:
            return shows(query, ONE)
        return response

    with ScriptedDns(answer) as server:
        ask_at(server.port)
        PropagationCheck().wait(context, [("_acme-challenge.example.com", ONE)])
    assert 1 <= len(set(asked)) <= 32
