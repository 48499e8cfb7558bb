"""How often is asked, and what is asked again: nonces, 5xx, lost connections, rate limits."""

from __future__ import annotations

import email.utils
import itertools
import json
import threading
import time
from pathlib import Path

import pytest
from requests.structures import CaseInsensitiveDict

from tests.servers import actions
from tests.servers.certs import Certificates
from tests.servers.faults import RESOURCES, FaultProxy
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.scripted_ca import ScriptedCa
from tests.servers.web import Reply, Request
from tests.tclhost import Tcl, new_key
from tossl_acme.acme import clients
from tossl_acme.acme.encoding import b64url_bytes
from tossl_acme.acme.server import Server
from tossl_acme.context import Context
from tossl_acme.http import clients as http_clients
from tossl_acme.http import sockets
from tossl_acme.http.client import HttpClient
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.http.response import Response

COLD = ["directory", "newNonce", "newAccount", "newOrder", "authorization", "challenge", "authorization", "finalize"]


def kinds(proxy: FaultProxy) -> list[str]:
    """What was asked for, in order; a series of polls counts as one."""
    found = []
    for seen in proxy.seen():
        found += [name for name, path in RESOURCES.items() if seen.path.startswith(path)][:1]
    return [kind for kind, _ in itertools.groupby(found)]


def obtain(tcl: Tcl, proxy: FaultProxy, pebble: Pebble, name: str, key: str) -> dict[str, str]:
    return tcl.dict(
        "obtain_certificate", [name], directory=proxy.directory, account_key=key, port=pebble.http_port, store=""
    )


def test_an_issuance_costs_what_the_protocol_does(tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble) -> None:
    """Ten requests with a new account; seven for the next certificate, over the same connection."""
    key = new_key()
    obtain(tcl, calm_proxy, calm_pebble, "count.example", key)
    assert [kind for kind in kinds(calm_proxy) if kind != "order"] == [*COLD, "certificate"]
    assert calm_proxy.connections == 1
    calm_proxy.clear()
    obtain(tcl, calm_proxy, calm_pebble, "count-more.example", key)
    assert [kind for kind in kinds(calm_proxy) if kind != "order"] == [*COLD[3:], "certificate"]
    assert calm_proxy.connections == 0


def test_a_new_process_knows_directory_and_account(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, tmp_path: Path
) -> None:
    """Eight requests for the first certificate, seven for the next; none for one that is held."""
    with_store = {"directory": calm_proxy.directory, "port": calm_pebble.http_port, "store": tmp_path / "store"}
    tcl.dict("obtain_certificate", ["process.example"], **with_store)
    clients.reset()
    http_clients.reset()
    calm_proxy.clear()
    tcl.dict("obtain_certificate", ["process-two.example"], **with_store)
    assert [kind for kind in kinds(calm_proxy) if kind != "order"] == ["newNonce", *COLD[3:], "certificate"]
    assert calm_proxy.connections == 1
    calm_proxy.clear()
    tcl.dict("obtain_certificate", ["process-three.example"], **with_store)
    assert [kind for kind in kinds(calm_proxy) if kind != "order"] == [*COLD[3:], "certificate"]
    calm_proxy.clear()
    tcl.dict("obtain_certificate", ["process-three.example"], **with_store)
    assert set(kinds(calm_proxy)) <= {"renewalInfo"}  # which needs no account, and is asked for once


def test_names_that_are_valid_cost_four_requests(tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path) -> None:
    with_store = {"directory": scripted_ca.directory, "port": 0, "store": tmp_path / "store"}
    tcl.dict("obtain_certificate", ["valid.example"], **with_store)
    scripted_ca.script.order, scripted_ca.script.authorization = "ready", "valid"
    scripted_ca.requests.clear()
    tcl.dict("obtain_certificate", ["valid-two.example"], **with_store)
    asked = [kind for kind, _ in itertools.groupby(request.path.split("/")[1] for request in scripted_ca.requests)]
    assert asked == ["new-order", "finalize", "order", "certificate"]
    scripted_ca.script.finalized = "valid"
    scripted_ca.requests.clear()
    tcl.dict("obtain_certificate", ["valid-three.example"], **with_store)
    assert [request.path.split("/")[1] for request in scripted_ca.requests] == ["new-order", "finalize", "certificate"]


def test_nonces_of_several_names_are_fetched_side_by_side(certificates: Certificates) -> None:
    """The CA answers no request for a nonce before three are there; each that was fetched serves once."""
    meeting = threading.Barrier(3)

    class Waiting(ScriptedCa):
        def _take(self, request: Request) -> Reply:
            if request.method == "HEAD":
                meeting.wait(20)
            return super()._take(request)

    with Waiting(certificates) as ca:
        server = Server(ca.directory, HttpClient(ConnectionOptions(ca_bundle=str(certificates.ca_bundle))))
        context = Context(60).begin()
        server.fetch_nonces(context, 3)
        assert ca.requests == []  # where the CA's nonces come from is not known yet
        server.directory(context)
        server.fetch_nonces(context, 3)
        server.fetch_nonces(context, 3)
        assert len({server.nonce(context) for _ in range(3)}) == 3
        assert [request.method for request in ca.requests] == ["GET", "HEAD", "HEAD", "HEAD"]


def test_a_nonce_is_for_the_thread_that_has_fetched_it(
    certificates: Certificates, scripted_ca: ScriptedCa, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one takes each that is kept, at once."""
    server = Server(scripted_ca.directory, HttpClient(ConnectionOptions(ca_bundle=str(certificates.ca_bundle))))
    monkeypatch.setattr(Server, "keep_nonce", lambda *_: None)
    assert server.nonce(Context(60).begin())


def test_an_order_on_a_known_account_costs_one_request(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """On an account that is known to the CA alone, two and a nonce."""
    key = new_key()
    tcl.acme("create_account", calm_proxy.directory, key, "")
    calm_proxy.clear()
    tcl.acme("create_order", calm_proxy.directory, key, ["known.example"])
    assert kinds(calm_proxy) == ["newOrder"]


def test_every_request_is_signed_as_the_rfc_says(tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble) -> None:
    """RFC 8555 section 6.2: alg, nonce, url and either jwk (newAccount) or kid (all others), on flattened JSON."""
    obtain(tcl, calm_proxy, calm_pebble, "signed.example", new_key())
    posts = calm_proxy.seen(method="POST")
    for seen in posts:
        body = json.loads(seen.body)
        assert set(body) == {"protected", "payload", "signature"}
        header = json.loads(b64url_bytes(body["protected"]))
        who = "jwk" if seen.path == RESOURCES["newAccount"] else "kid"
        assert set(header) == {"alg", "nonce", "url", who}
        assert header["url"] == f"{calm_proxy.url}{seen.path}"
    nonces = [json.loads(b64url_bytes(json.loads(seen.body)["protected"]))["nonce"] for seen in posts]
    assert len(set(nonces)) == len(nonces)
    assert {seen.path for seen in calm_proxy.seen(method="GET")} == {RESOURCES["directory"]}
    assert {seen.path for seen in calm_proxy.seen(method="HEAD")} == {RESOURCES["newNonce"]}
    fetched = {seen.path for seen in posts if json.loads(seen.body)["payload"] == ""}
    starts = ("authorization", "order", "certificate")
    assert fetched == {path for path in fetched if path.startswith(tuple(RESOURCES[name] for name in starts))}


@pytest.mark.parametrize("nonce", ["", "a b", "a=", "é", "x" * 2000])
def test_a_nonce_that_is_none_is_ignored(tcl: Tcl, calm_proxy: FaultProxy, nonce: str) -> None:
    """RFC 8555 section 6.5.1: another one is asked for."""
    key = new_key()
    calm_proxy.fault(actions.header("Replay-Nonce", nonce), path="newAccount")
    tcl.acme("create_account", calm_proxy.directory, key, "")
    tcl.acme("create_order", calm_proxy.directory, key, ["odd.example"])
    assert [seen.status for seen in calm_proxy.seen("newOrder")] == [201]
    assert len(calm_proxy.seen("newNonce")) == 2


def test_half_of_the_nonces_refused_is_bearable(
    tcl: Tcl, challtestsrv: ChallTestSrv, certificates: Certificates
) -> None:
    """RFC 8555 section 6.5: badNonce is tried again with the nonce that it brought."""
    with (
        Pebble(dns=challtestsrv.dns, certificates=certificates, nonce_reject=50, authz_reuse=0) as pebble,
        FaultProxy(pebble.directory, certificates) as proxy,
    ):
        obtain(tcl, proxy, pebble, "nonce.example", new_key())
        assert any(seen.status == 400 for seen in proxy.seen())
        assert len(proxy.seen("newNonce")) == 1


def test_a_nonce_that_is_never_taken_is_the_cas_error(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """Retries end with the call's time, and are no flood."""
    key = new_key()
    tcl.acme("create_account", calm_proxy.directory, key, "")
    calm_proxy.fault(actions.problem(400, "badNonce", "never"), path="newOrder", times=None)
    failure = tcl.failure("create_order", calm_proxy.directory, key, ["never.example"], timeout=2)
    assert failure.code in (("TOSSL", "ACME", "badNonce", "400"), ("TOSSL", "TIMEOUT", "answer"))
    assert len(calm_proxy.seen("newOrder")) < 60


def test_nine_tenths_of_the_nonces_refused_are_bearable(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """Whatever the POST, finalize and revocation too: no number of refusals ends it."""
    scripted_ca.script.bad_nonces = dict.fromkeys(("new-account", "finalize", "revoke"), 45)
    options = {"directory": scripted_ca.directory, "account_key": (key := new_key()), "store": "", "port": 0}
    got = tcl.dict("obtain_certificate", ["nonce.example"], **options)
    tcl.acme("revoke_certificate", scripted_ca.directory, key, got["certificate"])
    assert not any(scripted_ca.script.bad_nonces.values())
    assert len(scripted_ca.payloads("finalize")) == 1


def test_a_stale_nonce_costs_one_request(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """The refusal brings the next nonce: newNonce is not asked."""
    key = new_key()
    calm_proxy.fault(actions.stale_nonce(), path="newAccount")
    tcl.acme("create_account", calm_proxy.directory, key, "")
    tcl.acme("create_order", calm_proxy.directory, key, ["stale.example"])
    assert [seen.status for seen in calm_proxy.seen("newOrder")] == [400, 201]
    assert len(calm_proxy.seen("newNonce")) == 1


def test_a_retry_uses_the_nonce_of_the_refusal(
    tcl: Tcl, scripted_ca: ScriptedCa, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8555 section 6.5: also where other threads have brought later nonces, and would take this one."""
    sent: list[str] = []
    refused: list[str] = []
    real = Server.nonce_of

    def nonce_of(server: Server, response: Response) -> str:
        """The nonce; another thread has brought one meanwhile."""
        if response.status == 400:
            server.keep_nonce(Response(server.url, 200, CaseInsensitiveDict({"Replay-Nonce": "anothers"}), b""))
            refused.append(response.headers["Replay-Nonce"])
        return real(server, response)

    tcl.acme("create_account", scripted_ca.directory, (key := new_key()), "")
    scripted_ca.script.bad_nonces = {"new-order": 3}
    monkeypatch.setattr(Server, "nonce_of", nonce_of)
    tcl.acme("create_order", scripted_ca.directory, key, ["nonce.example"], timeout=20)
    for request in scripted_ca.requests:
        if request.path == "/new-order":
            sent.append(json.loads(b64url_bytes(request.json()["protected"]))["nonce"])
    assert sent[1:] == refused
    assert len(refused) == 3


def test_an_answer_without_a_nonce_costs_one_request(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """RFC 8555 section 7.2."""
    key = new_key()
    calm_proxy.fault(actions.no_nonce(), path="newAccount")
    tcl.acme("create_account", calm_proxy.directory, key, "")
    tcl.acme("create_order", calm_proxy.directory, key, ["nononce.example"])
    assert len(calm_proxy.seen("newNonce")) == 2


@pytest.mark.parametrize("path", ["directory", "newNonce", "newAccount", "newOrder", "authorization"])
@pytest.mark.parametrize(
    "fault",
    [
        actions.problem(500),
        actions.html(503),
        actions.html(502, retry_after="0"),
        actions.reset(),
        actions.drop(),
        actions.deliver_then_drop(),
    ],
    ids=["problem", "page", "retry-after", "reset", "drop", "answer-lost"],
)
def test_what_goes_wrong_once_is_asked_again(
    tcl: Tcl, calm_proxy: FaultProxy, path: str, fault: actions.Action
) -> None:
    """5xx, and connections lost before or after the request was delivered."""
    key = new_key()
    calm_proxy.fault(fault, path=path)
    tcl.acme("create_account", calm_proxy.directory, key, "")
    order = tcl.dict("create_order", calm_proxy.directory, key, ["once.example"], return_details=1)
    assert order["status"] == "pending"
    assert len(calm_proxy.seen(path)) == 2


@pytest.mark.parametrize("path", ["finalize", "order", "certificate"])
def test_an_issuance_outlives_a_lost_answer(tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, path: str) -> None:
    """Also where the second request finds done what the first one asked for."""
    calm_proxy.fault(actions.deliver_then_reset(), path=path)
    assert obtain(tcl, calm_proxy, calm_pebble, "lost.example", new_key())["domains"] == "lost.example"


@pytest.mark.parametrize("path", ["newOrder", "authorization", "challenge", "finalize", "certificate"])
def test_an_issuance_outlives_a_connection_that_was_forgotten_on_the_way(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the bound of one request, far below its own time, and goes on over a new connection."""
    monkeypatch.setattr(sockets, "REUSED_SECONDS", 0.3)
    calm_proxy.fault(actions.deliver_then_hang(), path=path)
    assert obtain(tcl, calm_proxy, calm_pebble, "forgotten.example", new_key())["domains"] == "forgotten.example"
    assert calm_proxy.connections >= 2


def answers(proxy: FaultProxy) -> list[object]:
    """The payloads that challenges were sent; "" is a look."""
    bodies = [json.loads(seen.body)["payload"] for seen in proxy.seen("challenge")]
    return [json.loads(b64url_bytes(body)) if body else "" for body in bodies]


@pytest.mark.parametrize("loss", [actions.reset(), actions.drop()], ids=["reset", "drop"])
def test_a_challenge_is_not_answered_twice(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, loss: actions.Action
) -> None:
    """RFC 8555 section 7.5.1; the CA is asked what became of an answer whose response was lost."""

    def deliver_then_lose(exchange: actions.Exchange) -> None:
        exchange.deliver()
        exchange.ended().wait(0.5)  # Pebble shows a challenge as pending until it is validated
        loss(exchange)

    calm_proxy.fault(deliver_then_lose, path="challenge")
    obtain(tcl, calm_proxy, calm_pebble, "answered.example", new_key())
    assert answers(calm_proxy) == [{}]


@pytest.mark.parametrize("fault", [actions.reset(), actions.html(503)], ids=["reset", "503"])
def test_an_answer_that_did_not_arrive_is_given_again(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, fault: actions.Action
) -> None:
    """After a look that found the challenge pending."""
    calm_proxy.fault(fault, path="challenge")
    obtain(tcl, calm_proxy, calm_pebble, "unanswered.example", new_key())
    assert answers(calm_proxy) == [{}, {}]


def test_an_answer_is_given_again_where_the_ca_shows_no_challenge(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble
) -> None:
    """The look may be refused."""
    calm_proxy.fault(actions.reset(), path="challenge")
    calm_proxy.fault(actions.problem(405, "malformed", "no such method"), path="authorization", nth=2)
    obtain(tcl, calm_proxy, calm_pebble, "unseen.example", new_key())
    assert answers(calm_proxy) == [{}, {}]


def test_a_single_command_looks_at_the_challenge(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """answer_challenge knows no authorization."""
    key = new_key()
    tcl.acme("create_account", calm_proxy.directory, key, "")
    order = tcl.dict("create_order", calm_proxy.directory, key, ["single.example"], return_details=1)
    authorization = tcl.as_dict(tcl.as_list(order["authorizations"])[0])
    url = tcl.as_dict(tcl.as_list(authorization["challenges"])[0])["url"]
    calm_proxy.fault(actions.deliver_then_reset(), path="challenge")
    assert tcl.dict("answer_challenge", calm_proxy.directory, key, url)["url"] == url
    assert answers(calm_proxy)[:2] == [{}, ""]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "malformed"), (403, "unauthorized"), (429, "rateLimited"), (405, "malformed")]
)
def test_an_answer_that_is_refused_is_the_cas_own_error(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, status: int, kind: str
) -> None:
    """Where nobody has answered the challenge."""
    calm_proxy.fault(actions.problem(status, kind, "not so"), path="challenge")
    options = {"directory": calm_proxy.directory, "account_key": new_key(), "port": calm_pebble.http_port}
    failure = tcl.failure("obtain_certificate", ["refused.example"], **options, store="")
    assert failure.code == ("TOSSL", "ACME", kind, str(status))
    assert answers(calm_proxy) == [{}]


def test_a_lasting_5xx_is_the_cas_own_error(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """After five attempts."""
    key = new_key()
    tcl.acme("create_account", calm_proxy.directory, key, "")
    calm_proxy.fault(actions.problem(500, "serverInternal", "out of order"), path="newOrder", times=None)
    failure = tcl.failure("create_order", calm_proxy.directory, key, ["lasting.example"])
    assert failure.code == ("TOSSL", "ACME", "serverInternal", "500")
    assert failure.message == "Order creation failed: out of order [serverInternal]"
    assert len(calm_proxy.seen("newOrder")) == 5


@pytest.mark.parametrize("path", ["newNonce", "directory"])
def test_a_lasting_5xx_is_not_asked_for_over_and_over(tcl: Tcl, calm_proxy: FaultProxy, path: str) -> None:
    """Retries of what a request needs are not multiplied by its own."""
    calm_proxy.fault(actions.html(503), path=path, times=None)
    failure = tcl.failure("create_account", calm_proxy.directory, new_key(), "")
    assert failure.code == ("TOSSL", "HTTP", "status")
    assert len(calm_proxy.seen(path)) == 5


def test_a_retry_after_beyond_the_time_given_ends_it_at_once(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """RFC 8555 section 6.6 and 7.5.1: the CA is not asked before it wants to be."""
    key = new_key()
    tcl.acme("create_account", calm_proxy.directory, key, "")
    calm_proxy.fault(actions.problem(503, "serverInternal", retry_after="120"), path="newOrder", times=None)
    failure = tcl.failure("create_order", calm_proxy.directory, key, ["later.example"], timeout=30)
    assert failure.details["retry_after"] == "120"
    assert len(calm_proxy.seen("newOrder")) == 1


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("path", ["directory", "newOrder"])
def test_a_rate_limit_of_another_status_is_one_too(tcl: Tcl, calm_proxy: FaultProxy, path: str, status: int) -> None:
    """Its type says so, in the answer to a signed request or to another."""
    calm_proxy.fault(actions.problem(status, "rateLimited", "slow down", retry_after="0"), path=path)
    key = new_key()
    if path == "newOrder":
        tcl.acme("create_account", calm_proxy.directory, key, "")
    failure = tcl.failure("create_order", calm_proxy.directory, key, ["limited.example"])
    assert failure.code == ("TOSSL", "ACME", "rateLimited", str(status))
    assert len(calm_proxy.seen(path)) == 1


@pytest.mark.parametrize("as_date", [False, True])
def test_a_rate_limit_is_not_tried_again(tcl: Tcl, calm_proxy: FaultProxy, as_date: bool) -> None:
    """RFC 8555 section 6.6: the message and the -tossl return option have the time to retry."""
    key = new_key()
    tcl.acme("create_account", calm_proxy.directory, key, "")
    after = email.utils.formatdate(time.time() + 600, usegmt=True) if as_date else "600"
    calm_proxy.fault(actions.problem(429, "rateLimited", "slow down", retry_after=after), path="newOrder", times=None)
    failure = tcl.failure("create_order", calm_proxy.directory, key, ["limited.example"])
    assert failure.code == ("TOSSL", "ACME", "rateLimited", "429")
    assert 500 < int(failure.details["retry_after"]) <= 600
    assert "slow down; try again in" in failure.message
    assert len(calm_proxy.seen("newOrder")) == 1


def test_a_key_change_whose_answer_is_lost_has_happened(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """The old key is unknown then, and the second attempt refused: what the new key opens tells."""
    key, successor = new_key(), new_key()
    account = tcl.dict("create_account", calm_proxy.directory, key, "", return_details=1)
    calm_proxy.fault(actions.deliver_then_reset(), path="keyChange")
    assert tcl.dict("change_account_key", calm_proxy.directory, key, successor)["url"] == account["url"]


@pytest.fixture
def _long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the CA named, it named before these seconds."""
    monkeypatch.setattr("tossl_acme.acme.polling.NAMED_SECONDS", 0.0)


@pytest.mark.usefixtures("_long_ago")
def test_an_account_that_the_ca_has_forgotten_is_asked_for_anew(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """The account's URL is not kept when the CA says that there is no such account."""
    key = new_key()
    tcl.acme("create_account", calm_proxy.directory, key, "")
    calm_proxy.fault(actions.problem(400, "accountDoesNotExist", "who?"), path="newOrder")
    assert tcl.failure("create_order", calm_proxy.directory, key, ["a.example"]).code[2] == "accountDoesNotExist"
    calm_proxy.clear()
    tcl.acme("create_order", calm_proxy.directory, key, ["a.example"])
    assert [kind for kind in kinds(calm_proxy) if kind != "newNonce"] == ["newAccount", "newOrder"]


@pytest.mark.usefixtures("_long_ago")
def test_a_certificate_is_had_although_the_ca_has_lost_the_account(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble
) -> None:
    """A server runs for months: the account that it knew is asked for once more, and then the order is placed."""
    key = new_key()
    obtain(tcl, calm_proxy, calm_pebble, "kept.example", key)
    calm_proxy.clear()
    calm_proxy.fault(actions.problem(400, "accountDoesNotExist", "who?"), path="newOrder")
    obtain(tcl, calm_proxy, calm_pebble, "lost.example", key)
    asked = [kind for kind in kinds(calm_proxy) if kind != "newNonce"]
    assert asked[:3] == ["newOrder", "newAccount", "newOrder"]
