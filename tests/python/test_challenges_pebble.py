"""Every solver before the eyes of a real CA: its validation authority decides."""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.orders import proven_order
from tests.providers import provider_at
from tests.servers.cloudflare import Cloudflare as Account
from tests.servers.httpreq import HttpReq
from tests.servers.pebble import ChallTestSrv, Pebble
from tossl_acme.acme.account import NewAccount, new_account
from tossl_acme.acme.authorization import Challenge
from tossl_acme.acme.client import Client
from tossl_acme.acme.jws import AccountKey
from tossl_acme.acme.order import NewOrder, new_order
from tossl_acme.acme.server import Server
from tossl_acme.certificates.kept import Attempt
from tossl_acme.certificates.sharing import SharedAnswers
from tossl_acme.certificates.solve import get_authorizations, solve
from tossl_acme.challenges.dns01 import Dns01
from tossl_acme.challenges.http01 import HttpServerSolver
from tossl_acme.challenges.responders import ResponderPool
from tossl_acme.challenges.solver import Solver
from tossl_acme.challenges.tls_alpn01 import TlsAlpn01
from tossl_acme.challenges.webroot import Webroot
from tossl_acme.context import Context
from tossl_acme.dns.propagation import PropagationCheck
from tossl_acme.errors import AcmeError
from tossl_acme.http.client import HttpClient
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.keys import generate_private_key, private_pem


@pytest.fixture(scope="module")
def client(pebble: Pebble) -> Client:
    client = Client(Server(pebble.directory, HttpClient(ConnectionOptions(ca_bundle=pebble.ca_bundle))), new_key())
    new_account(client, Context(20).begin(), NewAccount())
    return client


def new_key() -> AccountKey:
    return AccountKey.from_pem(private_pem(generate_private_key("ec")))


def new_name() -> str:
    """A name that no earlier authorization covers."""
    return f"{secrets.token_hex(4)}.example.com"


def prove(client: Client, solver: Solver, *names: str) -> str:
    return proven_order(client, Context(30).begin(), solver, names)


class Watched(HttpServerSolver):
    """Notes what is done with it, in the order in which it is done."""

    def __init__(self, responders: ResponderPool, port: int, seen: list[str]) -> None:
        super().__init__(responders, port)
        self.seen = seen

    def present(self, context: Context, challenge: Challenge) -> None:
        super().present(context, challenge)
        self.seen.append("present")

    def wait(self, context: Context, challenge: Challenge) -> None:
        super().wait(context, challenge)
        self.seen.append("wait")

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        super().clean_up(context, challenge)
        self.seen.append("clean_up")


def test_all_are_presented_then_awaited_then_answered(
    client: Client, pebble: Pebble, responders: ResponderPool
) -> None:
    """The DNS takes minutes: nothing waits for one name while another is not presented yet."""
    seen: list[str] = []

    def listen(facts: dict[str, object]) -> None:
        if facts["step"] in ("answered", "validated"):
            seen.append(str(facts["step"]))

    identifiers = parse_identifiers([new_name(), new_name()])
    context = Context(30).begin(listener=listen)
    order = new_order(client, context, NewOrder(identifiers))
    watched = dict.fromkeys(identifiers, (Watched(responders, pebble.http_port, seen),))
    solve(client, context, get_authorizations(client, context, order), watched, Attempt(None, {}), SharedAnswers(None))
    assert seen == [step for step in ("present", "wait", "answered", "validated", "clean_up") for _ in identifiers]


@pytest.mark.parametrize("names", [(new_name(),), (new_name(), new_name(), new_name()), ("127.0.0.1",)])
def test_http01_by_the_own_responder(
    client: Client, pebble: Pebble, responders: ResponderPool, names: tuple[str, ...]
) -> None:
    assert prove(client, HttpServerSolver(responders, pebble.http_port), *names) == "ready"


def test_http01_by_a_web_server(client: Client, pebble: Pebble, tmp_path: Path) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", pebble.http_port), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        assert prove(client, Webroot(tmp_path), new_name(), new_name()) == "ready"
    finally:
        server.shutdown()
        server.server_close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("names", [(new_name(),), (new_name(), new_name()), ("127.0.0.2",)])
def test_tls_alpn01(client: Client, pebble: Pebble, responders: ResponderPool, names: tuple[str, ...]) -> None:
    assert prove(client, TlsAlpn01(responders, pebble.tls_port), *names) == "ready"


def test_dns01_by_cloudflare(client: Client, challtestsrv: ChallTestSrv, cloudflare: Account) -> None:
    name = new_name()
    provider = provider_at(cloudflare.url, cloudflare.token)
    assert prove(client, Dns01(provider, PropagationCheck((challtestsrv.dns,))), name, f"*.{name}") == "ready"
    assert cloudflare.txt(f"_acme-challenge.{name}") == []


def test_dns01_by_httpreq(client: Client, challtestsrv: ChallTestSrv, httpreq: HttpReq) -> None:
    name = new_name()
    provider = provider_at(httpreq.url, httpreq.token, "generic")
    assert prove(client, Dns01(provider, PropagationCheck((challtestsrv.dns,))), name, f"*.{name}") == "ready"


def test_a_proof_of_somebody_else(client: Client, pebble: Pebble, responders: ResponderPool) -> None:
    class Wrong(HttpServerSolver):
        def present(self, context: Context, challenge: Challenge) -> None:
            super().present(context, replace(challenge, key_authorization=f"{challenge.token}.{'x' * 43}"))

    with pytest.raises(AcmeError) as caught:
        prove(client, Wrong(responders, pebble.http_port), new_name())
    assert caught.value.kind == "unauthorized"
