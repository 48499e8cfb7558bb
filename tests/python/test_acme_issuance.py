"""From newOrder to the certificate at CAs whose replicas lag, whose statuses differ, and whose answers get lost."""

from __future__ import annotations

import pytest

from tests.servers import actions
from tests.servers.faults import FaultProxy
from tests.servers.pebble import Pebble
from tests.servers.scripted_ca import Refused, Script, ScriptedCa
from tests.servers.web import Reply
from tests.tclhost import Tcl, new_key
from tossl_acme.acme.clients import client_for
from tossl_acme.acme.directory import Directory
from tossl_acme.acme.retries import REPLICA_PAUSES_SECONDS
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.http.response import Response


def obtain(tcl: Tcl, directory: str, **options: object) -> dict[str, str]:
    """A certificate by a challenge that needs nothing presented."""
    given = {"account_key": new_key(), "challenge": "tls-alpn-01", "tls_port": 0, "store": "", **options}
    return tcl.dict("obtain_certificate", ["a.example"], directory=directory, **given)


# Replicas


@pytest.mark.parametrize("lag", [1, 2])
def test_what_the_ca_named_just_now_is_asked_for_again(tcl: Tcl, scripted_ca: ScriptedCa, lag: int) -> None:
    """As at Let's Encrypt: account, order, authorization, finalize URL and certificate are unknown for a moment."""
    scripted_ca.script = Script(lag=lag, finalized="valid")
    assert obtain(tcl, scripted_ca.directory)["domains"] == "a.example"
    assert len(scripted_ca.payloads("new-account")) == len(scripted_ca.payloads("new-order")) == 1
    for kind in ("authorization", "finalize", "certificate"):
        assert len(scripted_ca.payloads(kind)) > lag


def test_the_single_commands_ask_again_too(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    scripted_ca.script = Script(lag=1)
    key = new_key()
    tcl.acme("create_account", scripted_ca.directory, key, "")
    order = tcl.dict("create_order", scripted_ca.directory, key, ["a.example"], return_details=1)
    assert order["status"] == "pending"
    made = tcl.dict("create_authorization", scripted_ca.directory, key, "b.example")
    assert tcl.dict("get_authorization", scripted_ca.directory, key, made["url"])["status"] == "pending"


def test_what_stays_unknown_is_an_error_soon(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """The CA's own, after as many attempts as there are pauses."""
    scripted_ca.script = Script(lag=100)
    key = new_key()
    tcl.acme("create_account", scripted_ca.directory, key, "")
    scripted_ca.script.lag = 0
    failure = tcl.failure("create_order", scripted_ca.directory, key, ["a.example"], timeout=0.9)
    assert failure.code == ("TOSSL", "ACME", "accountDoesNotExist", "400")
    assert scripted_ca.payloads("new-order") == []


def test_a_url_of_the_users_is_asked_for_once(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """Nobody named it just now: it is wrong, or old."""
    key = new_key()
    tcl.acme("create_account", scripted_ca.directory, key, "")
    for command, path in (("get_order", "order/99"), ("get_authorization", "authorization/99")):
        scripted_ca.answers[f"/{path}"].extend([Refused(404, "malformed", "no such thing").reply] * 2)
        failure = tcl.failure(command, scripted_ca.directory, key, f"{scripted_ca.tls_origin}/{path}")
        assert failure.code == ("TOSSL", "ACME", "malformed", "404")
        assert len(scripted_ca.answers[f"/{path}"]) == 1


def test_the_pauses_for_a_replica_are_brief(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """A CA that wants more is not waited for."""
    assert sum(REPLICA_PAUSES_SECONDS) <= 2.0
    key = new_key()
    tcl.acme("create_account", scripted_ca.directory, key, "")
    refused = Refused(404, "malformed", "come back tomorrow").reply
    refused = Reply(404, refused.body, {**refused.headers, "Retry-After": "86400"})
    scripted_ca.answers["/authorization/2"].append(refused)
    failure = tcl.failure("create_order", scripted_ca.directory, key, ["a.example"], return_details=1)
    assert failure.code == ("TOSSL", "ACME", "malformed", "404")
    assert failure.details["retry_after"] == "86400"


def test_an_account_that_was_found_meanwhile_is_not_forgotten(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """A thread's answer about its deactivated account does not make the client forget the key's next account."""
    pem = new_key()
    url = tcl.dict("create_account", scripted_ca.directory, pem, "", return_details=1)["url"]
    client = client_for(scripted_ca.directory, pem, ConnectionOptions())
    answer = Response(scripted_ca.directory, 200, {"Location": url}, b"")
    client.know_account(Directory(scripted_ca.directory, {}), answer)
    client.forget_account(f"{url}/before")
    assert client.knows_account
    client.forget_account(url)
    assert not client.knows_account


# Statuses


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_2xx_with_the_object_is_success(tcl: Tcl, scripted_ca: ScriptedCa, status: int) -> None:
    """Telesec and Nexus answer finalize with 201 or 202; another CA may do so anywhere."""
    kinds = ("new-order", "order", "authorization", "challenge", "finalize", "certificate", "account", "revoke")
    scripted_ca.script = Script(statuses=dict.fromkeys(kinds, status))
    key = new_key()
    got = obtain(tcl, scripted_ca.directory, account_key=key)
    assert got["domains"] == "a.example"
    assert tcl.dict("get_account", scripted_ca.directory, key)["status"] == "valid"
    revoked = tcl.acme("revoke_certificate", scripted_ca.directory, key, got["certificate"])
    assert revoked == "Certificate revoked successfully"


@pytest.mark.parametrize("status", ["ready", "pending"])
def test_an_order_that_is_not_finalized_yet_is_finalized_again(
    tcl: Tcl, scripted_ca: ScriptedCa, status: str
) -> None:
    """RFC 8555 section 7.4: finalize answers 200 with ready, or with pending, which is polled on first."""
    scripted_ca.script = Script(finalized=status)
    assert obtain(tcl, scripted_ca.directory)["domains"] == "a.example"
    sent = scripted_ca.payloads("finalize")
    assert len(sent) == 2
    assert sent[0] == sent[1]


def test_an_order_that_is_never_finalized_is_an_error(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """Not an endless loop: five attempts."""
    scripted_ca.script = Script(finalized="stuck")
    failure = tcl.failure(
        "obtain_certificate", ["a.example"], directory=scripted_ca.directory, account_key=new_key(),
        challenge="tls-alpn-01", tls_port=0, store="",
    )  # fmt: skip
    assert failure.code == ("TOSSL", "HTTP", "malformed")
    assert "is ready though finalized" in failure.message
    assert len(scripted_ca.payloads("finalize")) == 5


# Lost answers


@pytest.mark.parametrize(
    "loss",
    [actions.deliver_then_reset(), actions.deliver_then_drop(), actions.body("[]"), actions.cut_body()],
    ids=["reset", "drop", "not an order", "cut"],
)
def test_a_lost_answer_to_finalize_loses_no_certificate(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, loss: actions.Action
) -> None:
    """The order tells what became of it: it is not finalized twice."""
    calm_proxy.fault(loss, path="finalize")
    options = {"challenge": "http-01", "port": calm_pebble.http_port}
    assert obtain(tcl, calm_proxy.directory, **options)["domains"] == "a.example"
    assert len(calm_proxy.seen("finalize")) <= 2
    assert len([seen for seen in calm_proxy.seen("finalize") if seen.status == 200]) <= 1


@pytest.mark.parametrize("status", [500, 503])
def test_a_finalize_that_did_not_arrive_is_sent_again(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, status: int
) -> None:
    calm_proxy.fault(actions.html(status), path="finalize")
    options = {"challenge": "http-01", "port": calm_pebble.http_port}
    assert obtain(tcl, calm_proxy.directory, **options)["domains"] == "a.example"
    assert [seen.status for seen in calm_proxy.seen("finalize")] == [status, 200]


def test_a_refused_request_is_the_cas_own_error(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """badCSR is not asked again; the order is looked at once."""
    scripted_ca.answers["/finalize/1"].append(Refused(400, "badCSR", "no such key").reply)
    failure = tcl.failure(
        "obtain_certificate", ["a.example"], directory=scripted_ca.directory, account_key=new_key(),
        challenge="tls-alpn-01", tls_port=0, store="",
    )  # fmt: skip
    assert failure.code == ("TOSSL", "ACME", "badCSR", "400")
    assert scripted_ca.payloads("finalize") == []


@pytest.mark.parametrize(
    "fault",
    [
        actions.html(503),
        actions.reset(),
        actions.deliver_then_drop(),
        actions.cut_body(),
        actions.answer(202, b"", headers={"Retry-After": "0"}),
        actions.body("-----BEGIN CERTIFICATE-----\nMIIB"),
        actions.body(""),
    ],
    ids=["503", "reset", "drop", "cut", "202", "half", "empty"],
)
def test_a_certificate_that_did_not_come_whole_is_asked_for_again(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, fault: actions.Action
) -> None:
    calm_proxy.fault(fault, path="certificate")
    options = {"challenge": "http-01", "port": calm_pebble.http_port}
    assert obtain(tcl, calm_proxy.directory, **options)["domains"] == "a.example"
    assert len(calm_proxy.seen("certificate")) == 2


def test_a_certificate_that_never_comes_whole_is_an_error(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """After four attempts."""
    key = new_key()
    tcl.acme("create_account", scripted_ca.directory, key, "")
    scripted_ca.answers["/certificate/9"].extend([Reply(200, b"-----BEGIN CERTIFICATE-----")] * 9)
    failure = tcl.failure(
        "download_certificate", scripted_ca.directory, key, f"{scripted_ca.tls_origin}/certificate/9"
    )
    assert failure.code == ("TOSSL", "HTTP", "malformed")
    assert len(scripted_ca.answers["/certificate/9"]) == 5
