"""The names of an order are proven side by side, over a few connections."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.certs import Certificates
from tests.servers.scripted_ca import Script, ScriptedCa
from tests.servers.web import Reply, Request, json_reply
from tossl_acme.acme.account import NewAccount, new_account
from tossl_acme.acme.authorization import Challenge
from tossl_acme.acme.client import Client
from tossl_acme.acme.jws import AccountKey
from tossl_acme.acme.order import NewOrder, new_order
from tossl_acme.acme.server import Server
from tossl_acme.certificates.kept import Attempt
from tossl_acme.certificates.sharing import SharedAnswers
from tossl_acme.certificates.solve import deactivate_pending, get_authorizations, solve
from tossl_acme.context import Context, farewell
from tossl_acme.context.farewell import end_process, in_script, owe
from tossl_acme.errors import AcmeError, Cancelled
from tossl_acme.http.client import HttpClient
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.keys import generate_private_key, private_pem

#: Requests that a call has under way at most.
WIDTH = 8


class SlowCa(ScriptedCa):
    """Validates after it has answered; names that begin with "bad" are refused, with "slow" never validated.

    meeting: answers requests for authorizations and challenges only when so many of them are there.
    """

    def __init__(self, certificates: Certificates) -> None:
        self.meeting = threading.Barrier(1)
        self.under_way: Counter[str] = Counter()
        self.most = 0
        self._counting = threading.Lock()
        super().__init__(certificates, Script())

    def _take(self, request: Request) -> Reply:
        kind = request.path.split("/")[1]
        with self._counting:
            self.under_way[kind] += 1
            self.most = max(self.most, self.under_way[kind])
        if kind in ("authorization", "challenge"):
            self.meeting.wait(20)
        try:
            return super()._take(request)
        finally:
            with self._counting:
                self.under_way[kind] -= 1

    def _post_challenge(self, signed: Any) -> Reply:
        if self.script.validated == "valid":
            return super()._post_challenge(signed)
        authorization = self.objects[f"{self.tls_origin}/authorization/{signed.path.split('/')[2]}"]
        challenge = authorization["challenges"][int(signed.path.rpartition("/")[2])]
        challenge["status"] = "processing"
        answer = json_reply(challenge)
        name = authorization["identifier"]["value"]
        if not name.startswith("slow"):
            authorization["status"] = challenge["status"] = "invalid" if name.startswith("bad") else "valid"
        return answer


class Presented:
    """Presents nothing; notes what is cleaned up."""

    challenge_type = "http-01"

    def __init__(self) -> None:
        self.cleaned_up: list[str] = []

    def describe(self, challenge: Challenge) -> dict[str, object]:
        return {}

    def place_of(self, challenge: Challenge) -> dict[str, str]:
        return {}

    def present(self, context: Context, challenge: Challenge) -> None:
        pass

    def wait(self, context: Context, challenge: Challenge) -> None:
        pass

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        self.cleaned_up.append(challenge.identifier.value)


@pytest.fixture
def ca(certificates: Certificates) -> Iterator[SlowCa]:
    with SlowCa(certificates) as server:
        server.script.validated = "later"
        yield server


@pytest.fixture
def client(ca: SlowCa, certificates: Certificates) -> Client:
    key = AccountKey.from_pem(private_pem(generate_private_key("ec")))
    client = Client(Server(ca.directory, HttpClient(ConnectionOptions(ca_bundle=str(certificates.ca_bundle)))), key)
    new_account(client, Context(20).begin(), NewAccount())
    return client


def prove(client: Client, context: Context, *names: str, solver: Presented | None = None) -> None:
    identifiers = parse_identifiers(names)
    order = new_order(client, context, NewOrder(identifiers))
    found = get_authorizations(client, context, order)
    assert [one.url for one in found] == list(order.authorizations)
    solvers = dict.fromkeys(identifiers, (solver or Presented(),))
    solve(client, context, found, solvers, Attempt(None, {}), SharedAnswers(None))


def names(count: int) -> list[str]:
    return [f"n{number}.example.com" for number in range(count)]


def test_authorizations_are_fetched_answered_and_polled_side_by_side(ca: SlowCa, client: Client) -> None:
    """The CA answers none of these requests before the others are there too; steps come in the caller's thread."""
    ca.meeting = threading.Barrier(WIDTH)
    told: list[tuple[str, threading.Thread]] = []
    context = Context(60).begin(listener=lambda step: told.append((str(step["step"]), threading.current_thread())))
    prove(client, context, *names(WIDTH))
    shown = [step for step, _thread in told if step in ("presented", "answered", "validated", "cleaned_up")]
    assert shown == [step for step in ("presented", "answered", "validated", "cleaned_up") for _ in range(WIDTH)]
    assert {thread for _step, thread in told} == {threading.current_thread()}
    assert len(ca.payloads("authorization")) == 2 * WIDTH
    assert len(ca.payloads("challenge")) == WIDTH


def test_no_more_than_a_few_requests_are_under_way(ca: SlowCa, client: Client) -> None:
    count = 2 * WIDTH
    ca.meeting = threading.Barrier(WIDTH)
    prove(client, Context(60).begin(), *names(count))
    assert ca.most == WIDTH
    nonces = sum(request.method == "HEAD" for request in ca.requests)
    assert nonces <= WIDTH  # each connection begins with a nonce; then the answers' serve


def test_an_answer_that_says_valid_spares_the_poll(ca: SlowCa, client: Client) -> None:
    ca.script.validated = "valid"
    told: list[str] = []
    prove(client, Context(60).begin(listener=lambda step: told.append(str(step["step"]))), *names(3))
    assert ca.payloads("authorization") == [None] * 3
    assert [step for step in told if step in ("answered", "validated")] == ["answered"] * 3 + ["validated"] * 3


def test_the_first_refusal_ends_the_wait_for_the_others(ca: SlowCa, client: Client) -> None:
    """The error is the refused name's, at once: not when the CA has made up its mind about the others."""
    solver, context = Presented(), Context(600).begin()
    asked = ["slow1.example.com", "bad.example.com", "slow2.example.com"]
    with pytest.raises(AcmeError, match=r"^bad\.example\.com"):
        prove(client, context, *asked, solver=solver)
    assert sorted(solver.cleaned_up) == sorted(asked)
    assert context.remaining() > 500
    assert not context.is_cancelled


def test_cancelling_ends_every_wait_and_cleans_up(ca: SlowCa, client: Client) -> None:
    context = Context(600)

    def listen(step: dict[str, object]) -> None:
        if step["step"] == "waiting":
            running.cancel()

    running, solver = context.begin(listener=listen), Presented()
    with pytest.raises(Cancelled):
        prove(client, running, "slow1.example.com", "slow2.example.com", solver=solver)
    assert len(solver.cleaned_up) == 2


def test_an_error_of_the_listener_is_raised_after_all_has_ended(ca: SlowCa, client: Client) -> None:
    def listen(step: dict[str, object]) -> None:
        if step["step"] == "answered":
            raise LookupError("the listener's")

    solver = Presented()
    with pytest.raises(LookupError):
        prove(client, Context(600).begin(listener=listen), "slow1.example.com", "slow2.example.com", solver=solver)
    assert len(solver.cleaned_up) == 2


def test_what_is_given_up_is_deactivated_side_by_side(ca: SlowCa, client: Client) -> None:
    context = Context(60).begin()
    order = new_order(client, context, NewOrder(parse_identifiers(names(WIDTH))))
    ca.meeting = threading.Barrier(WIDTH)
    assert deactivate_pending(client, context, order)
    assert {ca.objects[url]["status"] for url in order.authorizations} == {"deactivated"}


class InOrder(Presented):
    """Presents one challenge after the other, and notes them."""

    def __init__(self) -> None:
        super().__init__()
        self.presented: list[str] = []

    def present(self, context: Context, challenge: Challenge) -> None:
        self.presented.append(challenge.identifier.value)


def test_nothing_is_presented_once_the_end_of_the_process_has_settled_it(client: Client) -> None:
    """The script that a step calls lets the process end elsewhere, and returns to its call meanwhile."""
    solver = InOrder()

    def listener(step: dict[str, object]) -> None:
        if step["step"] == "presented":
            with in_script():
                ending = threading.Thread(target=end_process)
                ending.start()
                ending.join(20)

    try:
        with pytest.raises(Cancelled):
            prove(client, Context(60).begin(listener=listener), *names(3), solver=solver)
    finally:
        farewell.reset()
    assert len(solver.presented) == 1
    assert set(solver.presented) <= set(solver.cleaned_up)


def test_the_end_of_the_process_waits_for_what_a_thread_is_about_to_present() -> None:
    """Else it would be removed before it is there."""
    may_present, presenting, log = threading.Event(), threading.Event(), list[str]()
    debt = owe(lambda _context: log.append("removed"))

    def present() -> None:
        debt.begin()
        presenting.set()
        assert may_present.wait(20)
        log.append("presented")
        debt.end()

    thread = threading.Thread(target=present)
    thread.start()
    assert presenting.wait(20)
    ending = threading.Thread(target=end_process)
    try:
        with in_script():
            ending.start()
            ending.join(0.1)
            may_present.set()
            ending.join(20)
    finally:
        farewell.reset()
    thread.join(20)
    assert log == ["presented", "removed"]
