"""Which challenge proves which name, and showing the proofs."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.providers import provider_at
from tests.servers.faults import RESOURCES, FaultProxy
from tests.servers.httpreq import HttpReq
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.process import free_port
from tests.servers.scripted_ca import Refused, Script, ScriptedCa
from tests.servers.sinks import ChallTestSrvSink
from tests.servers.web import Reply, Request
from tests.tclhost import Tcl, new_key
from tossl_acme.challenges import dns_account01
from tossl_acme.challenges.dns01 import validation_value
from tossl_acme.challenges.standing import standing_value
from tossl_acme.dns.published import PUBLISHED

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"


def records_at(httpreq: HttpReq) -> dict[str, object]:
    """The options with which records are published there."""
    return {"provider": "generic", "endpoint": httpreq.url, "api_key": httpreq.token, "propagation_timeout": 0}


def answered(proxy: FaultProxy, tcl: Tcl, key: str) -> dict[str, str]:
    """The type of the challenge that proved each name of the account's last order."""
    url = proxy.url + RESOURCES["order"] + proxy.seen("finalize")[-1].path.rpartition("/")[2]
    order = tcl.dict("get_order", proxy.directory, key, url)
    return {
        tcl.as_dict(authorization["identifier"])["value"]: challenge["type"]
        for authorization in tcl.dicts(order["authorizations"])
        for challenge in tcl.dicts(authorization["challenges"])
        if challenge["status"] == "valid"
    }


@pytest.mark.parametrize(
    ("challenge", "proven"),
    [
        ("http-01", {"a.example": "http-01", "b.example": "http-01"}),
        ("tls-alpn-01", {"a.example": "tls-alpn-01", "b.example": "tls-alpn-01"}),
        (["tls-alpn-01", "http-01"], {"a.example": "tls-alpn-01", "b.example": "tls-alpn-01"}),
        (["dns-persist-01", "http-01"], {"a.example": "http-01", "b.example": "http-01"}),
        (["a.example", "http-01", "b.example", "tls-alpn-01"], {"a.example": "http-01", "b.example": "tls-alpn-01"}),
        (["B.example", ["dns-persist-01", "http-01"], "default", "tls-alpn-01"],
         {"a.example": "tls-alpn-01", "b.example": "http-01"}),
    ],
)  # fmt: skip
def test_a_challenge_is_chosen_by_preference_and_by_name(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, challenge: object, proven: dict[str, str]
) -> None:
    """A list of types is a preference, a list that begins with a name is a dict."""
    key = new_key()
    tcl.dict(
        "obtain_certificate", ["a.example", "b.example"], directory=calm_proxy.directory, account_key=key, store="",
        challenge=challenge, port=calm_pebble.http_port, tls_port=calm_pebble.tls_port,
    )  # fmt: skip
    assert answered(calm_proxy, tcl, key) == proven


def test_an_apex_and_its_wildcard_are_proven_apart(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, httpreq: HttpReq
) -> None:
    """A dict tells *.example.net from example.net; RFC 8555 section 7.1.4: the wildcard's identifier has no star."""
    key = new_key()
    got = tcl.dict(
        "obtain_certificate", ["example.net", "*.example.net"], directory=calm_proxy.directory, account_key=key,
        challenge=["example.net", "http-01", "*.example.net", "dns-01"], port=calm_pebble.http_port, store="",
        provider="generic", endpoint=httpreq.url, api_key=httpreq.token, propagation_timeout=0,
    )  # fmt: skip
    assert sorted(got["domains"].split()) == ["*.example.net", "example.net"]


@pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01"])
def test_an_address_is_proven(tcl: Tcl, calm_pebble: Pebble, kind: str) -> None:
    """RFC 8738, beside a name."""
    got = tcl.dict(
        "obtain_certificate", ["127.0.0.1", "addr.example"], directory=calm_pebble.directory, account_key=new_key(),
        challenge=kind, port=calm_pebble.http_port, tls_port=calm_pebble.tls_port, store="",
    )  # fmt: skip
    assert sorted(got["domains"].split()) == ["127.0.0.1", "addr.example"]


def test_an_address_is_never_proven_through_the_dns(tcl: Tcl, scripted_ca: ScriptedCa, httpreq: HttpReq) -> None:
    """RFC 8738 section 7, whatever the CA offers."""
    scripted_ca.script = Script(challenges=("dns-01",))
    key = new_key()
    dns = {"provider": "generic", "endpoint": httpreq.url, "api_key": httpreq.token, "propagation_timeout": 0}
    failure = tcl.failure(
        "obtain_certificate", ["192.0.2.1"], directory=scripted_ca.directory, account_key=key, store="", **dns
    )
    assert failure.code[2] == "unsupportedChallenge"
    failure = tcl.failure("dns01_challenge", "192.0.2.1", TOKEN, key, "generic", httpreq.token, endpoint=httpreq.url)
    assert failure.code == ("TOSSL", "VALUE", "domain")
    assert httpreq.requests == []


def test_a_name_step_by_step_by_tls_alpn(tcl: Tcl, calm_pebble: Pebble) -> None:
    """tls_alpn01_challenge, answer_challenge, wait_authorization, cleanup_challenge, finalize_order."""
    directory, key, leaf = calm_pebble.directory, new_key(), new_key("rsa")
    tcl.acme("create_account", directory, key, "")
    order = tcl.dict("create_order", directory, key, ["step.example"], return_details=1)
    authorization = tcl.dicts(order["authorizations"])[0]
    challenge = next(c for c in tcl.dicts(authorization["challenges"]) if c["type"] == "tls-alpn-01")
    shown = tcl.dict("tls_alpn01_challenge", "step.example", challenge["token"], key, port=calm_pebble.tls_port)
    assert (shown["server_name"], shown["port"]) == ("step.example", str(calm_pebble.tls_port))
    tcl.acme("answer_challenge", directory, key, challenge["url"])
    tcl.acme("wait_authorization", directory, key, authorization["url"])
    done = tcl.acme("cleanup_challenge", "step.example", challenge["token"], key)
    assert done == "Challenge cleaned up successfully"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", calm_pebble.tls_port)).close()
    tcl.acme("finalize_order", directory, key, order["url"], key=leaf)
    valid = tcl.dict("wait_order", directory, key, order["url"])
    assert tcl.dict("download_certificate", directory, key, valid["certificate"])["domains"] == "step.example"


@pytest.mark.parametrize("how", ["valid", "invalid", "refused"])
@pytest.mark.parametrize("kind", ["http-01", "dns-01", "dns-account-01"])
def test_what_was_presented_is_removed_at_the_end(
    tcl: Tcl, scripted_ca: ScriptedCa, httpreq: HttpReq, tmp_path: Path, kind: str, how: str
) -> None:
    """RFC 8555 sections 8.3 and 8.4, dns-account-01 section 3.3: valid or not; section 7.5.1: an answer is refused."""
    scripted_ca.script = Script(challenges=(kind,), validated="invalid" if how == "invalid" else "valid")
    if how == "refused":
        # The authorization has the number 2, after the order.
        scripted_ca.answers["/challenge/2/0"].append(Refused(400, "malformed", "not so").reply)
    options: dict[str, object] = {"webroot": tmp_path} if kind == "http-01" else records_at(httpreq)
    options |= {"directory": scripted_ca.directory, "challenge": kind, "account_key": new_key(), "store": ""}
    result = tcl.try_acme("obtain_certificate", ["end.example"], **options)
    assert isinstance(result, str) is (how == "valid")
    assert list(tmp_path.iterdir()) == []
    asked = [request.path for request in httpreq.requests]
    assert asked == ([] if kind == "http-01" else ["/present", "/cleanup"])
    assert len(scripted_ca.payloads("challenge")) == (0 if how == "refused" else 1)


def test_the_name_of_an_accounts_record_is_from_its_own_url(
    tcl: Tcl, scripted_ca: ScriptedCa, httpreq: HttpReq
) -> None:
    """draft-ietf-acme-dns-account-label section 3.4: not from what the CA says beside the challenge."""
    said = {"type": "dns-account-01", "token": TOKEN, "accounturi": "https://ca.example/another"}
    scripted_ca.script = Script(challenges=(said,))
    key = new_key()
    account = tcl.dict("create_account", scripted_ca.directory, key, "", return_details=1)
    options = {"directory": scripted_ca.directory, "challenge": "dns-account-01", "account_key": key, "store": ""}
    tcl.acme("obtain_certificate", ["acct.example"], **options, **records_at(httpreq))
    name = dns_account01.account_validation_name("acct.example", account["url"])
    assert httpreq.requests[0].json()["fqdn"].rstrip(".") == name


@pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01"])
def test_a_challenge_that_failed_ends_the_wait(tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path, kind: str) -> None:
    """Also where the authorization stays pending (step-ca). The next call places another order."""
    scripted_ca.script.stays_pending, scripted_ca.script.validated = True, "invalid"
    options = {"directory": scripted_ca.directory, "store": str(tmp_path), "challenge": kind, "timeout": 20}
    options |= {"port": 0} if kind == "http-01" else {"tls_port": 0}
    failure = tcl.failure("obtain_certificate", ["step.example"], **options)
    assert failure.code == ("TOSSL", "ACME", "incorrectResponse", "403")
    assert "step.example" in failure.message
    assert kind in failure.message
    scripted_ca.script.validated = "valid"
    assert tcl.dict("obtain_certificate", ["step.example"], **options)["domains"] == "step.example"
    assert len(scripted_ca.payloads("new-order")) == 2


def test_a_script_hears_of_a_challenge_that_failed(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """wait_authorization, which is not told which challenge was answered."""
    scripted_ca.script.stays_pending, scripted_ca.script.validated = True, "invalid"
    directory, key = scripted_ca.directory, new_key()
    tcl.acme("create_account", directory, key, "")
    order = tcl.dict("create_order", directory, key, ["step.example"], return_details=1)
    authorization = tcl.dicts(order["authorizations"])[0]
    tcl.acme("answer_challenge", directory, key, tcl.dicts(authorization["challenges"])[1]["url"])
    failure = tcl.failure("wait_authorization", directory, key, authorization["url"], timeout=20)
    assert failure.code == ("TOSSL", "ACME", "incorrectResponse", "403")


@pytest.mark.parametrize(
    ("domain", "name"), [("Tls.example", "tls.example"), ("192.0.2.1", "1.2.0.192.in-addr.arpa"), ("*.tls.example", "")]
)
def test_a_proof_by_tls_alpn_can_be_seen(tcl: Tcl, domain: str, name: str) -> None:
    """RFC 8737 section 3 and RFC 8738 section 6: acme-tls/1 and the name, or the address's reverse name."""
    key = new_key()
    shown = tcl.dict("tls_alpn01_challenge", domain, TOKEN, key, port=0)
    name = name or "tls.example"
    assert shown["server_name"] == name
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["acme-tls/1"])
    with (
        socket.create_connection(("127.0.0.1", int(shown["port"])), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        assert secure.selected_alpn_protocol() == "acme-tls/1"
    tcl.acme("cleanup_challenge", domain, TOKEN, key)


class SlowToPresent(HttpReq):
    """Publishes at once, and says so later."""

    def answer(self, request: Request) -> Reply:
        response = super().answer(request)
        if request.path == "/present":
            time.sleep(2)
        return response


def test_a_record_whose_publishing_took_too_long_is_removed(tcl: Tcl) -> None:
    with SlowToPresent() as service:
        failure = tcl.failure(
            "dns01_challenge", "slow.example", TOKEN, new_key(), "generic", service.token, endpoint=service.url,
            timeout=0.5,
        )  # fmt: skip
        assert failure.code[:2] == ("TOSSL", "TIMEOUT")
        assert [request.path for request in service.requests] == ["/present", "/cleanup"]


def test_a_record_that_is_refused_is_not_removed(tcl: Tcl, httpreq: HttpReq) -> None:
    failure = tcl.failure(
        "dns01_challenge", "refused.example", TOKEN, new_key(), "generic", "wrong", endpoint=httpreq.url
    )
    assert failure.code == ("TOSSL", "DNS", "generic", "credentials")
    assert [request.path for request in httpreq.requests] == ["/present"]


def test_what_a_certificate_needs_in_the_dns_is_known_meanwhile(
    tcl: Tcl, calm_pebble: Pebble, challtestsrv: ChallTestSrv
) -> None:
    """So cleanup_dns takes that at most, and nothing that another process needs there."""

    class Watching(HttpReq):
        known: tuple[str, ...] = ()

        def answer(self, request: Request) -> Reply:
            if request.path == "/cleanup":
                known = PUBLISHED.values(provider_at(self.url, name="generic"), "_acme-challenge.known.example")
                self.known += known
            return super().answer(request)

    with Watching(ChallTestSrvSink(challtestsrv)) as httpreq:
        tcl.acme(
            "obtain_certificate", ["known.example"], directory=calm_pebble.directory, account_key=new_key(), store="",
            provider="generic", endpoint=httpreq.url, api_key=httpreq.token, propagation_timeout=0,
        )  # fmt: skip
        shown = tuple(request.json()["value"] for request in httpreq.requests if request.path == "/present")
        assert httpreq.known == shown
        assert len(shown) == 1
        assert PUBLISHED.values(provider_at(httpreq.url, name="generic"), "_acme-challenge.known.example") == ()


def test_a_challenge_can_be_presented_again(tcl: Tcl, tmp_path: Path) -> None:
    """What stands then is the new one, whose clean-up leaves nothing."""
    key = new_key()
    for _ in range(2):
        shown = tcl.dict("http01_challenge", "again.example", TOKEN, key, webroot=tmp_path)
    assert Path(shown["file"]).read_text() == shown["key_authorization"]
    tcl.acme("cleanup_challenge", "again.example", TOKEN, key)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["http01_challenge", "tls_alpn01_challenge"])
def test_a_challenge_is_cleaned_up_with_another_key(tcl: Tcl, tmp_path: Path, name: str) -> None:
    """The account can have got another key since."""
    port = free_port()
    tcl.acme(name, "rolled.example", TOKEN, new_key(), port=port)
    socket.create_connection(("127.0.0.1", port)).close()
    tcl.acme("cleanup_challenge", "rolled.example", TOKEN, new_key())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
    shown = tcl.dict("http01_challenge", "rolled.example", TOKEN, new_key(), webroot=tmp_path)
    tcl.acme("cleanup_challenge", "rolled.example", TOKEN, new_key())
    assert not Path(shown["file"]).exists()


def test_a_challenge_is_cleaned_up_once(tcl: Tcl, tmp_path: Path) -> None:
    """Of whatever type; what another process left in a folder as well."""
    key, port = new_key(), free_port()
    for name, options in (("tls_alpn01_challenge", {"port": port}), ("http01_challenge", {"webroot": tmp_path})):
        tcl.acme(name, "once.example", TOKEN, key, **options)
        assert tcl.acme("cleanup_challenge", "once.example", TOKEN, key) == "Challenge cleaned up successfully"
        failure = tcl.failure("cleanup_challenge", "once.example", TOKEN, key)
        assert failure.code == ("TOSSL", "VALUE", "token")
    assert list(tmp_path.iterdir()) == []


def test_an_address_has_its_brackets_in_a_url(tcl: Tcl, tmp_path: Path) -> None:
    """RFC 8738 section 4."""
    key = new_key()
    shown = tcl.dict("http01_challenge", "2001:DB8::1", TOKEN, key, webroot=tmp_path)
    assert shown["url"] == f"http://[2001:db8::1]/.well-known/acme-challenge/{TOKEN}"
    tcl.acme("cleanup_challenge", "2001:db8::1", TOKEN, key)


# dns-account-01


def test_an_accounts_label_is_that_of_the_draft() -> None:
    """draft-ietf-acme-dns-account-label section 3.1."""
    url = "https://example.com/acme/acct/ExampleAccount"
    assert dns_account01.account_label(url) == "_ujmmovf2vn55tgye"
    name = "_ujmmovf2vn55tgye._acme-challenge.example.org"
    assert dns_account01.account_validation_name("*.Example.org.", url) == name


def test_an_accounts_record_is_published_and_removed(tcl: Tcl, httpreq: HttpReq) -> None:
    """dns_account01_challenge; cleanup_dns takes its name."""
    shown = tcl.dict(
        "dns_account01_challenge", "*.example.org", TOKEN, new_key(), "generic", httpreq.token,
        account_url="https://example.com/acme/acct/ExampleAccount", endpoint=httpreq.url, propagation_timeout=0,
    )  # fmt: skip
    assert (shown["type"], shown["dns_record_name"]) == (
        "dns-account-01",
        "_ujmmovf2vn55tgye._acme-challenge.example.org",
    )
    assert shown["dns_record_value"] == validation_value(shown["key_authorization"])
    name = shown["dns_record_name"]
    tcl.acme("cleanup_dns", "example.org", name, "generic", httpreq.token, endpoint=httpreq.url)
    assert [request.path.rpartition("/")[2] for request in httpreq.requests] == ["present", "cleanup"]
    assert {request.json()["fqdn"].rstrip(".") for request in httpreq.requests} == {name}


def test_an_account_proves_at_its_own_name(tcl: Tcl, scripted_ca: ScriptedCa, httpreq: HttpReq) -> None:
    """In one call; the record goes again."""
    scripted_ca.script = Script(challenges=("dns-01", "dns-account-01"))
    key = new_key()
    account = tcl.dict("create_account", scripted_ca.directory, key, "", return_details=1)
    dns = {"provider": "generic", "endpoint": httpreq.url, "api_key": httpreq.token, "propagation_timeout": 0}
    tcl.dict(
        "obtain_certificate", ["*.acct.example"], directory=scripted_ca.directory, account_key=key, store="",
        challenge="dns-account-01", **dns,
    )  # fmt: skip
    name = dns_account01.account_validation_name("acct.example", account["url"])
    assert [request.json()["fqdn"].rstrip(".") for request in httpreq.requests] == [name, name]


def test_a_real_ca_takes_an_accounts_record(
    tcl: Tcl, newer_pebble: Pebble, challtestsrv: ChallTestSrv, httpreq: HttpReq
) -> None:
    """Debian 13's Pebble asks at the name of an earlier draft, which an alias leads to the present one."""
    key = new_key()
    url = tcl.dict("create_account", newer_pebble.directory, key, "", return_details=1)["url"]
    label = dns_account01.account_label(url)
    name = dns_account01.account_validation_name("real.example", url)
    challtestsrv.add_cname(f"{label}._acme-host-challenge.real.example", name)
    dns = {"provider": "generic", "endpoint": httpreq.url, "api_key": httpreq.token, "propagation_timeout": 0}
    got = tcl.dict(
        "obtain_certificate", ["real.example"], directory=newer_pebble.directory, account_key=key, store="",
        challenge=["dns-account-01", "dns-01"], **dns,
    )  # fmt: skip
    assert got["domains"] == "real.example"
    assert httpreq.requests[0].json()["fqdn"] == f"{label}._acme-challenge.real.example."


def test_a_ca_that_does_not_offer_it_is_named(tcl: Tcl, calm_pebble: Pebble, httpreq: HttpReq) -> None:
    """With what it does offer, and nothing published."""
    if calm_pebble.is_new():
        pytest.skip("this Pebble offers it")
    dns = {"provider": "generic", "endpoint": httpreq.url, "api_key": httpreq.token, "propagation_timeout": 0}
    failure = tcl.failure(
        "obtain_certificate", ["acct.example"], directory=calm_pebble.directory, account_key=new_key(), store="",
        challenge="dns-account-01", **dns,
    )  # fmt: skip
    assert failure.code == ("TOSSL", "ACME", "unsupportedChallenge", "0")
    assert failure.message.endswith(", not dns-account-01")
    assert httpreq.requests == []


# dns-persist-01


def test_a_standing_record_says_who_may_use_it(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """draft-ietf-acme-dns-persist section 3: one value for each name of the CA."""
    scripted_ca.script.caa_identities = ("ca.example", "CA.example.net.")
    key = new_key()
    account = tcl.dict("create_account", scripted_ca.directory, key, "", return_details=1)["url"]
    record = tcl.dict(
        "dns_persist01_record", f"{scripted_ca.directory}?fresh", key, "Persist.example", propagation_timeout=0
    )
    assert record["dns_record_name"] == "_validation-persist.persist.example"
    assert tcl.as_list(record["dns_record_values"]) == [
        f"ca.example; accounturi={account}",
        f"ca.example.net; accounturi={account}",
    ]
    wide = tcl.dict(
        "dns_persist01_record", scripted_ca.directory, key, "*.persist.example", issuer="ca.example", persist_until=7,
        propagation_timeout=0,
    )  # fmt: skip
    assert wide["dns_record_name"] == "_validation-persist.persist.example"
    value = f"ca.example; accounturi={account}; policy=wildcard; persistUntil=7"
    assert tcl.as_list(wide["dns_record_values"]) == [value]


@pytest.mark.parametrize("issuers", [{"issuer-domain-names": ["ca.example"]}, {"issuer-domain-name": "ca.example"}])
def test_a_standing_record_proves_a_name(tcl: Tcl, scripted_ca: ScriptedCa, issuers: dict[str, object]) -> None:
    """In the form of the later drafts and of the first; a challenge without a token, and nothing published."""
    scripted_ca.script = Script(challenges=({"type": "dns-persist-01", **issuers},))
    key = new_key()
    got = tcl.dict(
        "obtain_certificate", ["*.persist.example"], directory=scripted_ca.directory, account_key=key, store="",
        challenge="dns-persist-01", propagation_timeout=0,
    )  # fmt: skip
    assert got["domains"] == "*.persist.example"
    assert scripted_ca.payloads("challenge") == [{}]


@pytest.mark.parametrize(
    "issuers",
    [
        {},
        {"issuer-domain-names": []},
        {"issuer-domain-names": ["ca.example"] * 11},
        {"issuer-domain-names": ["ca.example"] * 10 + [7]},
        {"issuer-domain-names": [], "issuer-domain-name": "ca.example"},
    ],
    ids=["none", "empty", "eleven", "one of them no text", "empty beside the earlier form"],
)
def test_a_standing_record_needs_the_cas_name(tcl: Tcl, scripted_ca: ScriptedCa, issuers: dict[str, object]) -> None:
    """A challenge that names none, or more than ten, is not answered; a directory that names none needs -issuer."""
    scripted_ca.script = Script(challenges=({"type": "dns-persist-01", **issuers},))
    key = new_key()
    failure = tcl.failure(
        "obtain_certificate", ["persist.example"], directory=scripted_ca.directory, account_key=key, store="",
        challenge="dns-persist-01", propagation_timeout=0,
    )  # fmt: skip
    assert "not 1 to 10 issuers" in failure.message
    assert scripted_ca.payloads("challenge") == []
    failure = tcl.failure("dns_persist01_record", scripted_ca.directory, key, "persist.example")
    assert failure.code == ("TOSSL", "VALUE", "issuer")
    assert standing_value("ca.example.", "https://a/1") == "ca.example; accounturi=https://a/1"
