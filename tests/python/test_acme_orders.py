"""Orders and authorizations: what is asked for, and answers that are legal but rare."""

from __future__ import annotations

import time

import pytest
from cryptography import x509

from tests.servers.issuer import ROOTS
from tests.servers.pebble import Pebble
from tests.servers.scripted_ca import Refused, Script, ScriptedCa
from tests.tclhost import Tcl, new_key
from tossl_acme.acme.encoding import b64url_bytes
from tossl_acme.pki.chain import read_chain

CERT_ID = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


@pytest.fixture
def key(tcl: Tcl, scripted_ca: ScriptedCa) -> str:
    """The key of an account at the scripted CA."""
    pem = new_key()
    tcl.acme("create_account", scripted_ca.directory, pem, "")
    return pem


def obtain(tcl: Tcl, ca: ScriptedCa, key: str, *names: str, **options: object) -> dict[str, str]:
    """A certificate by a challenge that needs nothing presented."""
    chosen = {"challenge": "tls-alpn-01", "tls_port": 0, "store": "", **options}
    return tcl.dict("obtain_certificate", names, directory=ca.directory, account_key=key, **chosen)


def fresh_directory(ca: ScriptedCa) -> str:
    """The directory under a URL that this process has not read yet."""
    return f"{ca.directory}?fresh"


# what an order says


def test_an_order_names_hosts_and_addresses(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """RFC 8555 section 7.4 and RFC 8738 section 3; each once, as A-labels."""
    names = ["Example.com", "example.com", "bücher.example", "192.0.2.1", "2001:DB8::1"]
    order = tcl.dict("create_order", scripted_ca.directory, key, names, return_details=1)
    sent = [
        {"type": "dns", "value": "example.com"},
        {"type": "dns", "value": "xn--bcher-kva.example"},
        {"type": "ip", "value": "192.0.2.1"},
        {"type": "ip", "value": "2001:db8::1"},
    ]
    assert scripted_ca.payloads("new-order") == [{"identifiers": sent}]
    assert tcl.dicts(order["identifiers"]) == sent


def test_an_order_says_what_was_asked(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """notBefore and notAfter (RFC 8555 section 7.4), a profile, and what it replaces (RFC 9773 section 5)."""
    scripted_ca.script.profiles = {"tlsserver": "for servers"}
    terms = {"profile": "tlsserver", "not_before": "1767225600", "not_after": "2026-02-01T00:00:00Z"}
    tcl.acme("create_order", fresh_directory(scripted_ca), key, ["a.example"], replaces=CERT_ID, **terms)
    assert scripted_ca.payloads("new-order")[0] == {
        "identifiers": [{"type": "dns", "value": "a.example"}],
        "notBefore": "2026-01-01T00:00:00Z",
        "notAfter": "2026-02-01T00:00:00Z",
        "profile": "tlsserver",
        "replaces": CERT_ID,
    }


def test_pebble_takes_the_times_of_an_order(tcl: Tcl, calm_pebble: Pebble) -> None:
    """And says them back."""
    key = new_key()
    tcl.acme("create_account", calm_pebble.directory, key, "")
    now = int(time.time())
    times = {"not_before": now, "not_after": now + 86400}
    order = tcl.dict("create_order", calm_pebble.directory, key, ["t.example"], return_details=1, **times)
    assert order["notBefore"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


@pytest.mark.parametrize(
    ("offered", "said"), [({"classic": "the usual"}, "it offers classic"), ({}, "it offers none"), (None, "none")]
)
def test_a_profile_that_is_not_offered_is_not_asked_for(
    tcl: Tcl, scripted_ca: ScriptedCa, key: str, offered: dict[str, str] | None, said: str
) -> None:
    """draft-ietf-acme-profiles section 4: the order is not sent."""
    scripted_ca.script.profiles = offered
    failure = tcl.failure("create_order", fresh_directory(scripted_ca), key, ["a.example"], profile="tlsserver")
    assert failure.code == ("TOSSL", "VALUE", "profile")
    assert said in failure.message
    assert scripted_ca.payloads("new-order") == []


def test_an_order_that_replaces_is_placed_once_more_without(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """RFC 9773 section 5: what was replaced already must not stand in the way."""
    scripted_ca.script.refuse_replaces = "alreadyReplaced"
    tcl.acme("create_order", scripted_ca.directory, key, ["a.example"], replaces=CERT_ID)
    assert [payload.get("replaces") for payload in scripted_ca.payloads("new-order")] == [CERT_ID, None]


def test_what_is_replaced_is_not_said_to_a_ca_without_renewal_information(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """RFC 9773 section 5."""
    scripted_ca.script.renewal = False
    tcl.acme("create_account", scripted_ca.directory, key := new_key(), "")
    tcl.acme("create_order", scripted_ca.directory, key, ["a.example"], replaces=CERT_ID)
    assert scripted_ca.payloads("new-order") == [{"identifiers": [{"type": "dns", "value": "a.example"}]}]


def test_the_request_has_the_names_of_the_order(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """RFC 8555 section 7.4: exactly these, in its subjectAltName."""
    scripted_ca.script = Script(order="ready")
    obtain(tcl, scripted_ca, key, "b\u00fccher.example", "*.A.example", "2001:DB8::1")
    (sent,) = scripted_ca.payloads("finalize")
    csr = x509.load_der_x509_csr(b64url_bytes(sent["csr"]))
    names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = [("ip" if isinstance(name, x509.IPAddress) else "dns", str(name.value)) for name in names]
    ordered = scripted_ca.payloads("new-order")[-1]["identifiers"]
    assert found == [(named["type"], named["value"]) for named in ordered]
    assert len(found) == 3


def test_profiles_are_shown_with_their_descriptions(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """draft-ietf-acme-profiles section 3."""
    scripted_ca.script.profiles = {"classic": "the usual", "short": "6 days"}
    meta = tcl.as_dict(tcl.dict("directory", scripted_ca.directory)["meta"])
    assert tcl.as_dict(meta["profiles"]) == {"classic": "the usual", "short": "6 days"}


def test_an_order_that_is_refused_for_another_reason_is_not(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """The CA's own words, at once."""
    scripted_ca.script.refuse_replaces = "rejectedIdentifier"
    scripted_ca.answers["/new-order"].append(Refused(403, "rejectedIdentifier", "no", subproblems=[]).reply)
    failure = tcl.failure("create_order", scripted_ca.directory, key, ["a.example"], replaces=CERT_ID)
    assert failure.message == "Order creation failed: no [rejectedIdentifier]"


def test_a_certificate_in_pem_can_be_replaced(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """-replaces computes its certID; renewal_info tells the same."""
    certificate = obtain(tcl, scripted_ca, key, "a.example")["certificate"]
    info = tcl.dict("renewal_info", scripted_ca.directory, certificate)
    tcl.acme("create_order", scripted_ca.directory, key, ["a.example"], replaces=certificate)
    assert scripted_ca.payloads("new-order")[-1]["replaces"] == info["cert_id"]


# odd but legal answers


def test_an_order_may_come_back_ready(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """RFC 8555 section 7.1.6: no authorization is looked at."""
    scripted_ca.script = Script(order="ready")
    assert obtain(tcl, scripted_ca, key, "a.example")["domains"] == "a.example"
    assert scripted_ca.payloads("authorization") == []


def test_authorizations_may_be_valid_at_once(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """RFC 8555 section 7.4: an earlier proof holds; nothing is answered."""
    scripted_ca.script = Script(authorization="valid")
    assert obtain(tcl, scripted_ca, key, "a.example", "b.example")["domains"] == "a.example b.example"
    assert scripted_ca.payloads("challenge") == []


@pytest.mark.parametrize("finalized", ["valid", "processing"])
def test_finalize_may_answer_valid_or_processing(
    tcl: Tcl, scripted_ca: ScriptedCa, key: str, finalized: str
) -> None:
    """RFC 8555 section 7.4: a valid order is not asked for again."""
    scripted_ca.script = Script(finalized=finalized)
    obtain(tcl, scripted_ca, key, "a.example")
    polls = {"valid": 0, "processing": 2}
    assert len(scripted_ca.payloads("order")) == polls[finalized]


def test_what_is_optional_may_be_missing(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """No meta, no expires, no account members, no status in a challenge."""
    scripted_ca.script = Script(sparse=True)
    key = new_key()
    account = tcl.dict("create_account", scripted_ca.directory, key, "", return_details=1)
    assert (account["status"], account["contact"]) == ("valid", "")
    scripted_ca.objects[f"{account['url']}/orders"] = {"orders": []}
    order = tcl.dict("create_order", scripted_ca.directory, key, ["a.example"], return_details=1)
    challenges = tcl.dicts(tcl.dicts(order["authorizations"])[0]["challenges"])
    assert {challenge["status"] for challenge in challenges} == {"pending"}
    assert obtain(tcl, scripted_ca, key, "a.example")["domains"] == "a.example"


def test_what_nobody_knows_is_kept_and_ignored(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """RFC 8555 sections 7.1 and 8: unknown members and challenge types, even without a URL or token."""
    odd = {"type": "telepathy-07", "url": "", "spirit": "world", "token": 7}
    scripted_ca.script = Script(unknown=True, challenges=(odd, "tls-alpn-01"))
    key = new_key()
    tcl.acme("create_account", scripted_ca.directory, key, "")
    order = tcl.dict("create_order", scripted_ca.directory, key, ["a.example"], return_details=1)
    assert order["x-colour"] == "blue"
    first = tcl.dicts(tcl.dicts(order["authorizations"])[0]["challenges"])[0]
    assert (first["type"], first["spirit"], first["token"]) == ("telepathy-07", "world", "")
    assert "newThing" in tcl.dict("directory", scripted_ca.directory)
    assert obtain(tcl, scripted_ca, key, "a.example")["domains"] == "a.example"


def test_an_order_is_polled_when_the_ca_says(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """RFC 8555 section 7.4: Retry-After is kept; one beyond the time given ends in TIMEOUT, not in a request."""
    scripted_ca.script = Script(retry_after="30", finalized="processing", order="ready")
    started = len(scripted_ca.payloads("order"))
    failure = tcl.failure(
        "obtain_certificate", ["a.example"], directory=scripted_ca.directory, account_key=key, store="",
        challenge="tls-alpn-01", timeout=1.0,
    )  # fmt: skip
    assert failure.code == ("TOSSL", "TIMEOUT", "certificate")
    assert len(scripted_ca.payloads("order")) - started <= 2


def test_a_finalized_order_that_was_not_ready_is_waited_for(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """RFC 8555 section 7.4: orderNotReady is no end."""
    # The first order of this CA has the number 1.
    scripted_ca.answers["/finalize/1"].append(Refused(403, "orderNotReady", "wait a moment").reply)
    assert obtain(tcl, scripted_ca, key, "a.example")["domains"] == "a.example"
    assert not scripted_ca.answers["/finalize/1"]


def test_identifiers_and_authorizations_come_in_any_order(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """RFC 8555 section 7.4: each is proven as what it says."""
    scripted_ca.script.reversed = True
    names = ["a.example", "*.b.example", "c.example"]
    assert tcl.as_list(obtain(tcl, scripted_ca, key, *names)["domains"]) == names


def test_the_reason_why_an_order_is_invalid_is_told(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """RFC 8555 section 7.1.3: error; without one, that it is invalid."""
    order = tcl.dict("create_order", scripted_ca.directory, key, ["a.example"], return_details=1)
    held = scripted_ca.objects[order["url"]]
    held["status"] = "invalid"
    assert tcl.failure("wait_order", scripted_ca.directory, key, order["url"]).code[2] == "orderInvalid"
    held["error"] = {"type": "urn:ietf:params:acme:error:caa", "detail": "CAA forbids it", "status": 403}
    failure = tcl.failure("wait_order", scripted_ca.directory, key, order["url"])
    assert failure.code == ("TOSSL", "ACME", "caa", "403")
    assert failure.message == "CAA forbids it [caa]"


# certificates


@pytest.mark.parametrize(
    "link",
    [
        '<{url}>;rel="alternate"',
        '  <{url}>  ;   rel  =  "alternate"  ',
        '<https://ca.example/dir>;rel="index" , <{url}>;title="a, b; c";rel=alternate',
    ],
)
def test_a_chain_is_chosen_by_its_issuer(tcl: Tcl, scripted_ca: ScriptedCa, key: str, link: str) -> None:
    """RFC 8555 section 7.4.2; the first chain where no other has such an issuer."""
    scripted_ca.script = Script(link=link)
    for preferred, root in ((ROOTS[1], ROOTS[1]), (ROOTS[0], ROOTS[0]), ("Nobody", ROOTS[0]), ("", ROOTS[0])):
        fullchain = obtain(tcl, scripted_ca, key, "a.example", preferred_chain=preferred)["fullchain"]
        assert read_chain(fullchain).parsed[1].issuer.rfc4514_string() == f"CN={root}"


def test_alternates_are_told(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """download_certificate gives their URLs."""
    order = tcl.dict("create_order", scripted_ca.directory, key, ["a.example"], return_details=1)
    scripted_ca.objects[order["url"]]["status"] = "ready"
    tcl.dict("finalize_order", scripted_ca.directory, key, order["url"], key=new_key())
    done = tcl.dict("wait_order", scripted_ca.directory, key, order["url"])
    found = tcl.dict("download_certificate", scripted_ca.directory, key, done["certificate"])
    assert found["alternates"] == f"{done['certificate']}?page=1"
    other = tcl.dict("download_certificate", scripted_ca.directory, key, found["alternates"])
    assert (other["certificate"], other["chain"] == found["chain"]) == (found["certificate"], False)
    sent = [signed for signed in scripted_ca.signed if signed.kind == "certificate"]
    assert {signed.headers["Accept"] for signed in sent} == {"application/pem-certificate-chain"}


# authorizations by themselves


def test_a_name_is_authorized_before_there_is_an_order(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """RFC 8555 section 7.4.1: newAuthz, and then proven in the usual way."""
    made = tcl.dict("create_authorization", scripted_ca.directory, key, "a.example")
    assert scripted_ca.payloads("new-authz") == [{"identifier": {"type": "dns", "value": "a.example"}}]
    challenge = tcl.dicts(made["challenges"])[0]
    tcl.acme("answer_challenge", scripted_ca.directory, key, challenge["url"])
    assert tcl.dict("wait_authorization", scripted_ca.directory, key, made["url"])["status"] == "valid"
    ended = tcl.dict("deactivate_authorization", scripted_ca.directory, key, made["url"])
    assert ended["status"] == "deactivated"
    assert scripted_ca.payloads("authorization")[-1] == {"status": "deactivated"}


def test_a_ca_without_pre_authorization_says_so(tcl: Tcl, calm_pebble: Pebble) -> None:
    """Before anything is signed."""
    failure = tcl.failure("create_authorization", calm_pebble.directory, new_key(), "a.example")
    assert failure.code == ("TOSSL", "ACME", "notOffered", "0")
    assert "newAuthz" in failure.message


def test_pebble_deactivates_an_authorization(tcl: Tcl, calm_pebble: Pebble) -> None:
    """RFC 8555 section 7.5.2, on a real CA."""
    key = new_key()
    tcl.acme("create_account", calm_pebble.directory, key, "")
    order = tcl.dict("create_order", calm_pebble.directory, key, ["d.example"], return_details=1)
    url = tcl.dicts(order["authorizations"])[0]["url"]
    assert tcl.dict("deactivate_authorization", calm_pebble.directory, key, url)["status"] == "deactivated"
    failure = tcl.failure("wait_authorization", calm_pebble.directory, key, url)
    assert failure.message == "d.example: the authorization is deactivated"
    assert failure.code == ("TOSSL", "ACME", "unauthorized", "0")


def test_what_is_pending_is_given_up_when_an_issuance_fails(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """Rate limits count pending authorizations; the error is that of the name that failed."""
    scripted_ca.script = Script(validated="invalid")
    names = ["a.example", "b.example", "c.example"]
    failure = tcl.failure(
        "obtain_certificate", names, directory=scripted_ca.directory, account_key=key, store="",
        challenge=["a.example", "tls-alpn-01", "b.example", "dns-persist-01", "default", "tls-alpn-01"], tls_port=0,
        propagation_timeout=0,
    )  # fmt: skip
    assert failure.code[2] == "unsupportedChallenge"
    assert "b.example: the CA offers the challenges http-01, dns-01, tls-alpn-01, not dns-persist-01" in failure.message
    states = [value["status"] for url, value in scripted_ca.objects.items() if "/authorization/" in url]
    assert states == ["deactivated"] * 3
    assert scripted_ca.payloads("challenge") == []


def test_a_failed_validation_is_told_with_its_name(tcl: Tcl, scripted_ca: ScriptedCa, key: str) -> None:
    """RFC 8555 section 7.1.4: the error stands in the challenge."""
    scripted_ca.script = Script(validated="invalid")
    failure = tcl.failure(
        "obtain_certificate", ["a.example"], directory=scripted_ca.directory, account_key=key, store="",
        challenge="tls-alpn-01", tls_port=0,
    )  # fmt: skip
    assert failure.message == "Certificate not obtained: a.example (tls-alpn-01): nothing there [incorrectResponse]"
    assert failure.code == ("TOSSL", "ACME", "incorrectResponse", "403")
