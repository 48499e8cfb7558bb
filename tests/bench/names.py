"""How long one name and forty names of one certificate take until their records are published and seen.

The DNS provider takes 100 ms for each request, and its servers show a record after a second.
"""

from __future__ import annotations

import io
import secrets
import tempfile
import time
from pathlib import Path

import dns.resolver

from tests.providers import provider_at
from tests.servers.bind import Bind
from tests.servers.certs import make_certificates
from tests.servers.cloudflare import Cloudflare
from tests.servers.pebble import Pebble
from tests.servers.sinks import DelayedSink
from tossl_acme.acme.account import NewAccount, new_account
from tossl_acme.acme.client import Client
from tossl_acme.acme.jws import AccountKey
from tossl_acme.acme.order import NewOrder, new_order
from tossl_acme.acme.server import Server
from tossl_acme.certificates.kept import Attempt
from tossl_acme.certificates.sharing import SharedAnswers
from tossl_acme.certificates.solve import get_authorizations, solve
from tossl_acme.challenges.dns01 import Dns01
from tossl_acme.context import Context
from tossl_acme.dns import resolver
from tossl_acme.dns.propagation import PropagationCheck
from tossl_acme.dns.zones import zones_through
from tossl_acme.http.client import HttpClient
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.keys import generate_private_key, private_pem

_REQUEST_SECONDS = 0.1
_SHOWN_AFTER_SECONDS = 1.0
_COUNTS = (1, 40)
_RUNS = 3


def measure() -> dict[int, float]:
    """Returns the seconds of each count."""
    with tempfile.TemporaryDirectory() as name, Bind() as bind:
        certificates = make_certificates(Path(name))
        ask_at(bind.port)
        sink = DelayedSink(bind, _SHOWN_AFTER_SECONDS)
        with Pebble(dns=bind.address, certificates=certificates, nonce_reject=0) as pebble, Cloudflare(sink) as account:
            account.slow_down(_REQUEST_SECONDS)
            client = client_at(pebble)
            took = {count: min(published(client, account, count) for _ in range(_RUNS)) for count in _COUNTS}
            time.sleep(2 * _SHOWN_AFTER_SECONDS)  # the last removals are on their way to the DNS server
    return took


def published(client: Client, account: Cloudflare, count: int) -> float:
    """Seconds until the DNS servers show all records of an order, so that the CA is asked to look."""
    done: list[float] = []

    def listen(step: dict[str, object]) -> None:
        if step["step"] == "answered" and not done:
            done.append(time.perf_counter())

    context = Context(120).begin(listener=listen)
    identifiers = parse_identifiers([f"{secrets.token_hex(4)}.example.com" for _ in range(count)])
    order = new_order(client, context, NewOrder(identifiers))
    authorizations = get_authorizations(client, context, order)
    solver = Dns01(provider_at(account.url, account.token), PropagationCheck(), zones=zones_through())
    began = time.perf_counter()
    solvers = dict.fromkeys(identifiers, (solver,))
    solve(client, context, authorizations, solvers, Attempt(None, {}), SharedAnswers(None))
    return done[0] - began


def client_at(pebble: Pebble) -> Client:
    key = AccountKey.from_pem(private_pem(generate_private_key("ec")))
    client = Client(Server(pebble.directory, HttpClient(ConnectionOptions(ca_bundle=pebble.ca_bundle))), key)
    new_account(client, Context(20).begin(), NewAccount())
    return client


def ask_at(port: int) -> None:
    """Puts the DNS server at a port of this machine in the place of its resolver and of every zone's servers."""
    real = dns.resolver.Resolver.read_resolv_conf
    dns.resolver.Resolver.read_resolv_conf = lambda self, _path: real(self, io.StringIO("nameserver 127.0.0.1\n"))
    resolver.DNS_PORT = port
