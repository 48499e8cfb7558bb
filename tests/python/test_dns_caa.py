"""CAA records (RFC 8659, RFC 8657): found at BIND, judged, and looked at before an order is placed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import dns.update
import pytest

from tests.servers.bind import Bind
from tests.servers.certs import Certificates
from tests.servers.scripted_ca import ScriptedCa
from tests.servers.scripted_dns import ScriptedDns
from tests.tclhost import Failure, Tcl
from tossl_acme.acme import clients
from tossl_acme.certificates import permission
from tossl_acme.context import Context
from tossl_acme.dns.caa import CaaProperty, CaaRequest, CaaSet, caa_refusal, caa_sets
from tossl_acme.dns.resolver import resolver_for

ACCOUNT = "https://ca.example/acct/1"
CA = "letsencrypt.org"

RECORDS = {
    "example.com": [("CAA", '0 issue "letsencrypt.org"')],
    "open.example.com": [("CAA", '0 iodef "mailto:x@example.com"')],
    "none.example.com": [("CAA", '0 issue ";"')],
    "upper.example.com": [("CAA", '0 ISSUE "LetsEncrypt.ORG"')],
    "other.example.com": [("CAA", '0 issue "other.example"')],
    "alias.example.com": [("CNAME", "other.example.com.")],
    "apart.example.com": [("CNAME", "www.example.org.")],
    "below.example.com": [("DNAME", "other.example.com.")],
    "x.other.example.com": [("CAA", '0 issue "third.example"')],
}


@pytest.fixture(scope="module")
def with_caa() -> Iterator[Bind]:
    def add(update: dns.update.UpdateMessage, _at: dns.name.Name) -> None:
        for name, records in RECORDS.items():
            for kind, value in records:
                update.add(dns.name.from_text(name), 1, kind, value)

    with Bind() as server:
        server.update("example.com", add)
        yield server


@pytest.mark.parametrize(
    ("domain", "at", "values"),
    [
        ("example.com", "example.com", ["letsencrypt.org"]),
        ("a.b.example.com", "example.com", ["letsencrypt.org"]),
        ("deep.none.example.com", "none.example.com", [";"]),
        # A set without a property that restricts ends the search, too.
        ("open.example.com", "open.example.com", ["mailto:x@example.com"]),
        ("alias.example.com", "alias.example.com", ["other.example"]),
        # Only the aliased name's own records count, not those above the target (RFC 8659 section 7).
        ("apart.example.com", "example.com", ["letsencrypt.org"]),
        ("x.below.example.com", "x.below.example.com", ["third.example"]),
        ("example.org", "", []),
    ],
)
def test_the_tree_is_climbed(with_caa: Bind, context: Context, domain: str, at: str, values: list[str]) -> None:
    # BIND refuses what it is not authoritative for, as no resolver does for a top-level domain.
    def answer(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message:
        if len(query.question[0].name) > 2:
            return dns.query.udp(query, "127.0.0.1", port=with_caa.port, timeout=5)
        return dns.message.make_response(query)

    with ScriptedDns(answer) as server:
        found = caa_sets(context, resolver_for([server.address]), [domain], {})[domain]
    assert isinstance(found, CaaSet)
    assert (found.name, [each.value for each in found.properties]) == (at, values)


def test_names_share_what_is_above(with_caa: Bind, context: Context) -> None:
    asked: list[str] = []

    def answer(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message:
        asked.append(query.question[0].name.to_text())
        return dns.query.udp(query, "127.0.0.1", port=with_caa.port, timeout=5)

    domains = ["a.x.example.com", "b.x.example.com", "x.example.com"]
    with ScriptedDns(answer) as server:
        found = caa_sets(context, resolver_for([server.address]), domains, {})
    assert asked == ["a.x.example.com.", "x.example.com.", "example.com.", "b.x.example.com."]
    assert [each.name for each in found.values() if isinstance(each, CaaSet)] == ["example.com"] * 3


def test_no_answer_above_is_no_answer(context: Context) -> None:
    def answer(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.SERVFAIL if len(query.question[0].name) == 3 else dns.rcode.NXDOMAIN)
        return response

    with ScriptedDns(answer) as server:
        found = caa_sets(context, resolver_for([server.address]), ["a.example.com"], {})
    assert "SERVFAIL" in str(found["a.example.com"])


def test_a_part_of_the_records_is_no_answer(context: Context) -> None:
    """The rest may allow what these forbid, and TCP, by which it would come, is blocked (RFC 2181 section 9)."""

    def cut(query: dns.message.Message, by_tcp: bool) -> dns.message.Message | bytes:
        response = dns.message.make_response(query)
        response.answer.append(dns.rrset.from_text(query.question[0].name, 1, "IN", "CAA", '0 issue "other.example"'))
        response.flags |= dns.flags.TC
        return b"" if by_tcp else response

    with ScriptedDns(cut) as server:
        found = caa_sets(context, resolver_for([server.address]), ["a.example.com"], {})
    assert "cut" in str(found["a.example.com"])


def judged(*properties: str, wildcard: bool = False, methods: tuple[str, ...] = ("dns-01",)) -> str:
    """The refusal for properties written as in a zone file."""
    read = []
    for text in properties:
        flags, tag, value = text.split(" ", 2)
        read.append(CaaProperty(int(flags), tag, value))
    request = CaaRequest((CA, "le.example"), ACCOUNT, methods, wildcard)
    return caa_refusal(CaaSet("example.com", tuple(read)), request)


def test_a_refusal_is_bounded() -> None:
    refusal = judged(*(f"0 issue {number}{'x' * 250}.example" for number in range(500)))
    assert "and 496 more does not allow" in refusal
    assert len(refusal) < 2000
    assert len(judged(f"128 {'t' * 255} {'x' * 60000}")) < 2000


@pytest.mark.parametrize(
    ("properties", "how"),
    [
        ([], {}),
        (["0 iodef mailto:x@example.com"], {}),
        (["0 issue letsencrypt.org"], {}),
        (["0 issue le.example"], {}),
        (["0 issue other.example", "0 issue letsencrypt.org"], {}),
        (["0 issue ;", "0 issue letsencrypt.org"], {}),
        (["0 issuewild other.example"], {}),
        (["0 issuewild ;", "0 issue letsencrypt.org"], {}),
        (["0 issue letsencrypt.org"], {"wildcard": True}),
        (["0 issue ;", "0 issuewild letsencrypt.org"], {"wildcard": True}),
        (["128 issue letsencrypt.org", "128 iodef x", "1 tbs x"], {}),
        ([f"0 issue letsencrypt.org; accounturi={ACCOUNT}"], {}),
        (["0 issue letsencrypt.org; accounturi=https://x.example", f"0 issue le.example;accounturi={ACCOUNT}"], {}),
        (["0 issue letsencrypt.org; validationmethods=http-01,dns-01"], {}),
        (["0 issue letsencrypt.org; validationmethods=HTTP-01"], {"methods": ("dns-01", "http-01")}),
        (["0 issue letsencrypt.org; unknown=x"], {}),
    ],
)
def test_what_the_records_allow(properties: list[str], how: dict[str, Any]) -> None:
    assert judged(*properties, **how) == ""


@pytest.mark.parametrize(
    ("properties", "how", "wanted"),
    [
        (["0 issue ;"], {}, 'set example.com. CAA 0 issue "letsencrypt.org"'),
        (["0 issue"  " "], {}, 'set example.com. CAA 0 issue "letsencrypt.org"'),
        (["0 issue %%%%%"], {}, 'set example.com. CAA 0 issue "letsencrypt.org"'),
        (["0 issue other.example"], {}, 'CAA 0 issue "other.example" does not allow the CA; set example.com. CAA'),
        (["0 issue letsencrypt.org.evil.example"], {}, "does not allow the CA"),
        (["0 issuewild other.example", "0 issue letsencrypt.org"], {"wildcard": True}, 'CAA 0 issuewild "letsencr'),
        (["0 issue other.example"], {"wildcard": True}, 'set example.com. CAA 0 issue "letsencrypt.org"'),
        (["128 tbs x", "0 issue letsencrypt.org"], {}, 'CAA 128 tbs "x" is critical'),
        (["0 issue letsencrypt.org; accounturi=https://x.example"], {}, f'org; accounturi={ACCOUNT}"'),
        (["0 issue letsencrypt.org; validationmethods=http-01"], {}, 'validationmethods=dns-01"'),
        (["0 issue letsencrypt.org; validationmethods="], {}, "does not allow this account or challenge type"),
        (["0 issue letsencrypt.org; accounturi=a; accounturi=b"], {}, "does not allow the CA"),
    ],
)  # fmt: skip
def test_what_they_forbid_and_what_to_set(properties: list[str], how: dict[str, Any], wanted: str) -> None:
    assert wanted in judged(*properties, **how)


@pytest.mark.parametrize("flags", [1, 2, 64, 127])
def test_reserved_flags_are_ignored(flags: int) -> None:
    """RFC 8659 section 4.1: only the first bit makes a property critical."""
    assert judged(f"{flags} tbs x", f"{128 + flags} issue letsencrypt.org") == ""
    assert "is critical" in judged(f"{128 + flags} tbs x", "0 issue letsencrypt.org")


# ---- before an order ----


@pytest.fixture
def ca(scripted_ca: ScriptedCa) -> ScriptedCa:
    """Nothing has to be proven here."""
    scripted_ca.script.order = "ready"
    scripted_ca.script.caa_identities = (CA,)
    return scripted_ca


def asked(tcl: Tcl, ca: ScriptedCa, names: list[str], **options: object) -> tuple[str | Failure, list[dict[str, str]]]:
    clients.reset()
    given = {"directory": ca.directory, "challenge": "http-01", "port": 0, "store": "", **options}
    tcl.eval("set ::steps {}")
    result = tcl.try_acme("obtain_certificate", names, **given, progress="lappend ::steps")
    return result, tcl.dicts(tcl.eval("set ::steps"))


def test_refused_before_the_order(tcl: Tcl, ca: ScriptedCa, with_caa: Bind) -> None:
    names = ["example.com", "other.example.com", "*.none.example.com", "127.0.0.1"]
    failure, _steps = asked(tcl, ca, names, resolvers=with_caa.address)
    assert isinstance(failure, Failure)
    assert failure.code == ("TOSSL", "ACME", "caa", "0")
    assert 'other.example.com: the CAA record other.example.com. CAA 0 issue "other.example"' in failure.message
    assert '*.none.example.com: the CAA record none.example.com. CAA 0 issue ";"' in failure.message
    assert 'set none.example.com. CAA 0 issue "letsencrypt.org"' in failure.message
    assert "; example.com:" not in failure.message
    assert ca.payloads("new-order") == []
    allowed, steps = asked(tcl, ca, ["upper.example.com", "www.example.com"], resolvers=with_caa.address)
    assert isinstance(allowed, str)
    assert "caa_unknown" not in [step["step"] for step in steps]
    unlooked, _steps = asked(tcl, ca, names, resolvers=with_caa.address, check_caa=0)
    assert isinstance(unlooked, str)


def test_who_names_no_identity_is_not_judged(tcl: Tcl, ca: ScriptedCa, with_caa: Bind) -> None:
    ca.script.caa_identities = ()
    issued, steps = asked(tcl, ca, ["other.example.com"], resolvers=with_caa.address)
    assert isinstance(issued, str)
    (unknown,) = [step for step in steps if step["step"] == "caa_unknown"]
    assert "no caaIdentities" in unknown["message"]


@pytest.mark.parametrize("how", ["silent", "failing", "unusable"])
def test_a_dns_without_an_answer_forbids_nothing(
    tcl: Tcl, ca: ScriptedCa, monkeypatch: pytest.MonkeyPatch, ask_at: Callable[[int], None], how: str,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def answer(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message | None:
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.SERVFAIL)
        return None if how == "silent" else response

    monkeypatch.setattr(permission, "CAA_SECONDS", 0.3)
    if how == "unusable":
        monkeypatch.setenv("TOSSL_RESOLVERS", "a:b:c")
    with ScriptedDns(answer) as server:
        ask_at(server.port)
        issued, steps = asked(tcl, ca, ["a.example.com", "b.example.com"])
    assert isinstance(issued, str)
    (unknown,) = [step for step in steps if step["step"] == "caa_unknown"]
    assert unknown["domains"] == "a.example.com b.example.com"
    assert how != "unusable" or "TOSSL_RESOLVERS in the environment" in unknown["message"]
    assert capfd.readouterr() == ("", "")


def test_a_ca_whose_identity_is_empty_is_not_judged(tcl: Tcl, ca: ScriptedCa, with_caa: Bind) -> None:
    ca.script.caa_identities = ("", " .")
    issued, _steps = asked(tcl, ca, ["none.example.com"], resolvers=with_caa.address)
    assert isinstance(issued, str)


def test_cancelled_while_the_dns_is_silent(
    tcl: Tcl,
    ca: ScriptedCa,
    ask_at: Callable[[int], None],
    capfd: pytest.CaptureFixture[str],
    certificates: Certificates,
) -> None:
    with ScriptedDns(lambda _query, _by_tcp: None) as server:
        ask_at(server.port)
        clients.reset()
        words = f"-directory {ca.directory} -challenge http-01 -port 0 -ca_bundle {certificates.ca_bundle}"
        tcl.eval(f"set ::job [tossl::acme::obtain_certificate a.example.com {words} -store {{}} -command {{}}]")
        assert server.asked.wait(10)
        tcl.eval("tossl::job::cancel $::job")
        tcl.eval("catch {tossl::job::wait $::job; tossl::job::result $::job} message options")
        assert tcl.eval("dict get $options -errorcode") == "TOSSL CANCELLED"
    assert ca.payloads("new-order") == []
    assert capfd.readouterr() == ("", "")
