"""Name servers as they are: what each does in the field, and that a record is proven all the same, or not."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.rrset
import dns.update
import pytest

from tests.servers.bind import Bind
from tests.servers.scripted_dns import Answers, ScriptedDns, of_zone, shows
from tossl_acme.context import Context
from tossl_acme.dns import resolver, texts
from tossl_acme.dns.propagation import PropagationCheck, propagation_check
from tossl_acme.dns.texts import seen_texts
from tossl_acme.errors import ArgumentError, WaitTimeout

ONE = "1" * 43
NAME = "_acme-challenge.example.com"
A, AAAA, NS, SOA, TXT, CNAME = (dns.rdatatype.from_text(kind) for kind in ("A", "AAAA", "NS", "SOA", "TXT", "CNAME"))

Query, Response = dns.message.Message, dns.message.Message


def prove(context: Context, name: str = NAME, *, timeout: float = 5.0, value: str = ONE) -> None:
    """Waits for the value at the zone's servers. What is waited for here too long is a failure."""
    PropagationCheck(timeout=timeout).wait(context, [(name, value)])


def kind_of(query: Query) -> dns.rdatatype.RdataType:
    return query.question[0].rdtype


def answered(query: Query, kind: str, *texts: str) -> Response:
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    response.answer.append(dns.rrset.from_text(query.question[0].name, 1, "IN", kind, *texts))
    return response


def with_code(query: Query, code: dns.rcode.Rcode) -> Response:
    response = dns.message.make_response(query)
    response.set_rcode(code)
    return response


def showing(query: Query, _by_tcp: bool = False) -> Response:
    """Has the record."""
    return shows(query, ONE) if kind_of(query) == TXT else of_zone(query)


@pytest.fixture(autouse=True)
def _less_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is waited out for half as long as usual."""
    monkeypatch.setattr(resolver, "LOOKUP_SECONDS", 2.0)
    monkeypatch.setattr(texts, "QUERY_SECONDS", 1.0)


Serve = Callable[..., ScriptedDns]


@pytest.fixture
def serve(ask_at: Callable[[int], None]) -> Iterator[Serve]:
    """Starts a server in the place of the machine's resolver, and of a zone's servers; others get its port."""
    opened: list[ScriptedDns] = []

    def start(answers: Answers, host: str = "127.0.0.1") -> ScriptedDns:
        server = ScriptedDns(answers, host, opened[0].port if opened else 0)
        opened.append(server)
        ask_at(opened[0].port)
        return server

    yield start
    for server in opened:
        server.__exit__()


# ---- addresses and hosts ----


def test_one_address_is_silent_while_the_other_shows_the_value(serve: Serve, context: Context) -> None:
    def answer(query: Query, _by_tcp: bool) -> Response:
        return answered(query, "AAAA", "::1") if kind_of(query) == AAAA else showing(query)

    serve(answer)
    serve(lambda _query, _by_tcp: None, "::1")
    prove(context)
    assert context.warnings == []


def two_hosts(query: Query, second: str = "127.0.0.2") -> Response:
    if kind_of(query) == NS:
        return answered(query, "NS", "ns1.example.com.", "ns2.example.com.")
    if kind_of(query) == A and query.question[0].name.labels[0] == b"ns2":
        return answered(query, "A", second)
    return showing(query)


def test_every_address_that_answers_has_to_show_it(serve: Serve, context: Context) -> None:
    serve(lambda query, _by_tcp: answered(query, "AAAA", "::1") if kind_of(query) == AAAA else showing(query))
    serve(lambda query, _by_tcp: of_zone(query), "::1")
    with pytest.raises(WaitTimeout) as caught:
        prove(context, timeout=0.5)
    assert "ns.example.com. (::1) shows no TXT record" in caught.value.message
    assert "127.0.0.1" not in caught.value.message


@pytest.mark.parametrize("kind", ["silent", "SERVFAIL", "NXDOMAIN", "no address"])
def test_the_look_up_of_one_servers_host_name_fails(serve: Serve, context: Context, kind: str) -> None:
    def answer(query: Query, _by_tcp: bool) -> Response | None:
        if query.question[0].name.labels[0] != b"ns2":
            return two_hosts(query)
        if kind == "silent":
            return None
        return with_code(query, dns.rcode.NOERROR if kind == "no address" else dns.rcode.from_text(kind))

    serve(answer)
    prove(context, timeout=8)


@pytest.mark.parametrize("code", ["REFUSED", "SERVFAIL", "NOTAUTH", "silent", "lame"])
def test_a_server_that_tells_nothing_is_waited_for_a_little(serve: Serve, context: Context, code: str) -> None:
    """The CA's resolver asks the others; so the call goes on, and the result has a warning."""

    def second(query: Query, _by_tcp: bool) -> Response | None:
        if code in ("silent", "lame"):
            return None if code == "silent" else dns.message.make_response(query)
        return with_code(query, dns.rcode.from_text(code))

    serve(lambda query, _by_tcp: two_hosts(query))
    serve(second, "127.0.0.2")
    prove(context, timeout=1.2)
    (warning,) = context.told("warning")
    assert warning["warning"] == "dns_server"
    assert str(warning["message"]).startswith("ns2.example.com. (127.0.0.2) gave no answer while the other DNS servers")


def test_servers_that_all_tell_nothing(serve: Serve, context: Context) -> None:
    serve(lambda query, _by_tcp: with_code(query, dns.rcode.REFUSED) if kind_of(query) == TXT else of_zone(query))
    with pytest.raises(WaitTimeout) as caught:
        prove(context, timeout=0.5)
    assert "ns.example.com. (127.0.0.1) answered REFUSED" in caught.value.message


# ---- BIND: one behind the other, aliases, referrals ----


@pytest.fixture(scope="module")
def first() -> Iterator[Bind]:
    """The first of a zone's two servers."""

    def add(update: dns.update.UpdateMessage, _at: dns.name.Name) -> None:
        for name, kind, value in (
            ("example.com", "NS", "ns2.example.com."),
            ("ns2.example.com", "AAAA", "::1"),
            ("*.wild.example.com", "CNAME", "hoster.example.org."),
            ("below.example.com", "DNAME", "acme.example.org."),
        ):
            update.add(dns.name.from_text(name), 1, kind, value)

    with Bind() as server:
        server.update("example.com", add)
        yield server


@pytest.fixture(scope="module")
def second(first: Bind) -> Iterator[Bind]:
    with Bind(zones=("example.com",), host="::1", port=first.port) as server:
        yield server


@pytest.fixture
def asking_both(first: Bind, second: Bind, ask_at: Callable[[int], None]) -> None:
    ask_at(first.port)


@pytest.mark.usefixtures("asking_both")
def test_the_second_server_lags_behind(first: Bind, second: Bind, context: Context) -> None:
    name = "_acme-challenge.lagging.example.com"
    first.add_txt(name, ONE)
    with pytest.raises(WaitTimeout) as caught:
        prove(context, name, timeout=0.4)
    assert "ns2.example.com. (::1) answered NXDOMAIN" in caught.value.message
    assert "ns.example.com." not in caught.value.message
    timer = threading.Timer(0.2, second.add_txt, (name, ONE))
    timer.start()
    prove(context, name)
    timer.join()
    assert second.txt(name) == [ONE]


@pytest.mark.usefixtures("asking_both")
def test_a_wildcard_alias_until_the_record_is_there(first: Bind, second: Bind, context: Context) -> None:
    """The first look leads to the hoster, whose servers never have the record."""
    name = "_acme-challenge.wild.example.com"

    def publish() -> None:
        for server in (first, second):
            server.add_txt(name, ONE)

    timer = threading.Timer(0.3, publish)
    timer.start()
    prove(context, name)
    timer.join()


@pytest.mark.usefixtures("asking_both")
def test_an_alias_by_dname(first: Bind, second: Bind, context: Context) -> None:
    second.add("below.example.com", "DNAME", "acme.example.org.")
    first.add_txt("_acme-challenge.a.acme.example.org", ONE)
    prove(context, "_acme-challenge.a.below.example.com")
    assert seen_texts(context, "_acme-challenge.a.below.example.com") == (ONE,)


def test_a_referral_to_other_servers(serve: Serve, context: Context) -> None:
    """The zone's servers refer to those of a zone below, of which nothing but TXT is known."""

    def above(query: Query, _by_tcp: bool) -> Response:
        if query.question[0].name != dns.name.from_text(NAME):
            return two_hosts(query)
        response = dns.message.make_response(query)
        response.authority.append(dns.rrset.from_text(NAME + ".", 1, "IN", "NS", "ns2.example.com."))
        return response

    def below(query: Query, _by_tcp: bool) -> Response:
        return shows(query, ONE) if kind_of(query) == TXT else with_code(query, dns.rcode.SERVFAIL)

    serve(above)
    serve(below, "127.0.0.2")
    prove(context)
    assert seen_texts(context, NAME) == (ONE,)


# ---- answers ----


@pytest.mark.parametrize("kind", [CNAME, SOA], ids=["CNAME", "SOA"])
def test_servfail_to_all_but_txt(serve: Serve, context: Context, kind: dns.rdatatype.RdataType) -> None:
    def answer(query: Query, _by_tcp: bool) -> Response:
        at_record = query.question[0].name == dns.name.from_text(NAME)
        return with_code(query, dns.rcode.SERVFAIL) if at_record and kind_of(query) == kind else showing(query)

    serve(answer)
    prove(context)


@pytest.mark.parametrize("how", ["FORMERR", "NOTIMP", "BADVERS", "silent", "header"])
def test_edns_is_a_fault_to_the_server(serve: Serve, context: Context, how: str) -> None:
    def answer(query: Query, _by_tcp: bool) -> Response | bytes | None:
        if query.edns < 0:
            return showing(query)
        if how == "header":  # and no more than the header comes back
            return struct.pack("!HHHHHH", query.id, 0x8000 | dns.rcode.FORMERR, 0, 0, 0, 0)
        if how == "silent":
            return None if kind_of(query) == TXT else showing(query)
        return with_code(query, dns.rcode.from_text(how))

    serve(answer)
    prove(context)


@pytest.mark.parametrize("who", ["the resolver", "the zone's server"])
@pytest.mark.parametrize("how", ["closes", "half"])
def test_a_connection_that_breaks(
    serve: Serve, context: Context, capfd: pytest.CaptureFixture[str], who: str, how: str
) -> None:
    """The first answer is cut, and TCP brings no other; the next one is whole."""
    broken: list[bool] = []

    def answer(query: Query, by_tcp: bool) -> Response | bytes:
        response = showing(query)
        if (kind_of(query) == TXT) == (who == "the resolver") or (broken and not by_tcp):
            return response
        if by_tcp:
            broken.append(True)
            return b"" if how == "closes" else response.to_wire()[:20]
        response.flags |= dns.flags.TC
        response.answer.clear()
        return response

    serve(answer)
    prove(context)
    assert broken
    assert capfd.readouterr() == ("", "")


def test_a_cut_answer_that_has_the_value_already(serve: Serve, context: Context) -> None:
    def answer(query: Query, by_tcp: bool) -> Response | bytes:
        response = showing(query)
        response.flags |= dns.flags.TC if kind_of(query) == TXT else 0
        return b"" if by_tcp else response

    serve(answer)
    prove(context)


def test_a_server_that_answers_by_tcp_alone(serve: Serve, context: Context) -> None:
    serve(lambda query, by_tcp: showing(query) if by_tcp or kind_of(query) != TXT else None)
    prove(context)


@pytest.mark.parametrize("how", ["another id", "another question", "not DNS", "a query"])
def test_foreign_answers_before_the_servers_own(context: Context, ask_at: Callable[[int], None], how: str) -> None:
    def answer(query: Query, by_tcp: bool) -> Response | bytes:
        if kind_of(query) != TXT or by_tcp:
            return showing(query)
        return foreign(query) if query.edns >= 0 else showing(query)

    def foreign(query: Query) -> bytes:
        response = shows(query, "0" * 43)
        if how == "not DNS":
            return b"\xff" * 30
        if how == "another id":
            response.id ^= 1
        if how == "another question":
            response.question[0].name = dns.name.from_text("x.example.com")
        return query.to_wire() if how == "a query" else response.to_wire()

    with ScriptedDns(answer) as server:
        ask_at(server.port)
        assert seen_texts(context, NAME) == (ONE,)


def test_answers_in_another_case(serve: Serve, context: Context) -> None:
    """A server that writes names in upper case, and its zone's, its hosts' and its aliases' names too."""

    def upper(query: Query, _by_tcp: bool) -> bytes:
        response = showing(query)
        if kind_of(query) == TXT and query.question[0].name.labels[0].lower() == b"_acme-challenge":
            response = answered(query, "CNAME", "END.EXAMPLE.COM.")
        for section in (response.question, response.answer, response.authority):
            for found in section:
                found.name = dns.name.from_text(found.name.to_text().upper())
        return response.to_wire()

    serve(upper)
    prove(context, "_ACME-challenge.Example.com")


def test_many_values_and_values_in_several_strings(serve: Serve, context: Context) -> None:
    parts = (ONE[:20].encode(), b"", ONE[20:].encode())

    def answer(query: Query, by_tcp: bool) -> Response:
        if kind_of(query) != TXT:
            return of_zone(query)
        response = shows(query, *(f"{number:0200}" for number in range(200 if by_tcp else 0)))
        response.flags |= 0 if by_tcp else dns.flags.TC
        if by_tcp:
            record = dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, TXT, parts)
            response.answer[0].add(record, 1)
        return response

    serve(answer)
    prove(context)


def test_a_zone_that_moved_meanwhile(serve: Serve, context: Context) -> None:
    """NXDOMAIN with the SOA record of another zone, of which the name is none."""

    def answer(query: Query, _by_tcp: bool) -> Response:
        if kind_of(query) == SOA and query.question[0].name != dns.name.from_text("example.com"):
            response = with_code(query, dns.rcode.NXDOMAIN)
            response.authority.append(dns.rrset.from_text("example.net.", 1, "IN", "SOA", "ns. h. 1 2 3 4 5"))
            return response
        return showing(query)

    serve(answer)
    prove(context, "_acme-challenge.a.b.example.com")


# ---- modes ----


def test_the_time_of_a_negative_answer_is_respected(context: Context) -> None:
    """A resolver would give the same answer until then."""
    asked: list[float] = []

    def answer(query: Query, _by_tcp: bool) -> Response:
        asked.append(time.monotonic())
        if len(asked) > 1:
            return shows(query, ONE)
        response = with_code(query, dns.rcode.NXDOMAIN)
        response.authority.append(dns.rrset.from_text("example.com.", 60, "IN", "SOA", "ns. h. 1 2 3 4 1"))
        return response

    with ScriptedDns(answer) as server:
        PropagationCheck((server.address,), timeout=20).wait(context, [(NAME, ONE)])
    assert asked[1] - asked[0] >= 1


def test_recursive_asks_the_machines_resolvers(serve: Serve, context: Context) -> None:
    def answer(query: Query, _by_tcp: bool) -> Response:
        assert query.flags & dns.flags.RD
        return shows(query, ONE)

    serve(answer)
    PropagationCheck(timeout=5, mode="recursive").wait(context, [(NAME, ONE)])


def test_authoritative_finds_the_zone_through_named_resolvers(serve: Serve, context: Context) -> None:
    zone = serve(lambda query, _by_tcp: showing(query))
    with ScriptedDns(lambda query, _by_tcp: of_zone(query)) as resolver:
        assert resolver.port != zone.port
        check = PropagationCheck((resolver.address,), timeout=5, mode="authoritative")
        check.wait(context, [(NAME, ONE)])


def test_wait_asks_nobody(context: Context) -> None:
    before = time.monotonic()
    PropagationCheck(("127.0.0.1:1",), timeout=0.2, mode="wait").wait(context, [(NAME, ONE)])
    assert time.monotonic() - before >= 0.2
    with pytest.raises(WaitTimeout):
        PropagationCheck(timeout=60, mode="wait").wait(Context(0.1).begin(), [(NAME, ONE)])


def test_which_check_a_mode_makes() -> None:
    assert propagation_check("none", (), 300) is None
    assert propagation_check("authoritative", (), 0) is None
    for mode, resolvers, made in (("", (), "authoritative"), ("", ("192.0.2.1",), "recursive"), ("wait", (), "wait")):
        check = propagation_check(mode, resolvers, 300)
        assert check is not None
        assert check.mode == made
    for arguments, name in ((("all", (), 300), "propagation"), (("", (), -1), "propagation_timeout")):
        with pytest.raises(ArgumentError) as caught:
            propagation_check(*arguments)
        assert caught.value.errorcode == ("TOSSL", "VALUE", name)
