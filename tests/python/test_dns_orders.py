"""Orders proven through the DNS by a real CA and BIND: a domain, its wildcard and a delegated name together."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.orders import proven_order
from tests.servers.bind import Bind
from tests.servers.certs import Certificates
from tests.servers.pebble import Pebble
from tests.servers.scripted_dns import ScriptedDns
from tossl_acme.acme.account import NewAccount, new_account
from tossl_acme.acme.authorization import Challenge
from tossl_acme.acme.client import Client
from tossl_acme.acme.jws import AccountKey
from tossl_acme.acme.server import Server
from tossl_acme.certificates.crew import side_by_side
from tossl_acme.challenges.dns01 import Dns01
from tossl_acme.context import Context
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.dns.propagation import PropagationCheck
from tossl_acme.dns.provider import Habits, Provider
from tossl_acme.dns.registry import open_provider
from tossl_acme.dns.resolver import resolver_for
from tossl_acme.dns.zones import Zones
from tossl_acme.errors import AcmeError, Cancelled, DnsError
from tossl_acme.http.client import HttpClient
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.pki.keys import generate_private_key, private_pem
from tossl_acme.text import Secret

END, FOREIGN = "www.acme.example.org", "f" * 43


@pytest.fixture(scope="module")
def delegating() -> Iterator[Bind]:
    with Bind(recursive=True) as server:
        server.add_txt(END, FOREIGN)
        yield server


@dataclass
class Domain:
    """A domain of one test: Pebble may take another's as proven. A name below it is delegated."""

    name: str
    bind: Bind

    @property
    def names(self) -> tuple[str, ...]:
        return self.name, f"*.{self.name}", f"www.{self.name}"

    @property
    def record(self) -> str:
        return f"_acme-challenge.{self.name}"

    @property
    def is_clean(self) -> bool:
        """Whether nothing is there but what somebody else put there."""
        return self.bind.txt(self.record) == self.bind.txt(END) == [FOREIGN]


@pytest.fixture
def domain(delegating: Bind) -> Domain:
    found = Domain(f"{secrets.token_hex(4)}.example.com", delegating)
    delegating.add(f"_acme-challenge.www.{found.name}", "CNAME", f"{END}.")
    delegating.add_txt(found.record, FOREIGN)
    return found


@pytest.fixture(scope="module")
def client(delegating: Bind, certificates: Certificates) -> Iterator[Client]:
    with Pebble(dns=delegating.address, certificates=certificates, nonce_reject=0, authz_reuse=0) as pebble:
        key = AccountKey.from_pem(private_pem(generate_private_key("ec")))
        found = Client(Server(pebble.directory, HttpClient(ConnectionOptions(ca_bundle=pebble.ca_bundle))), key)
        new_account(found, Context(20).begin(), NewAccount())
        yield found


@pytest.fixture
def zones(delegating: Bind, ask_at: Callable[[int], None]) -> Zones:
    ask_at(delegating.port)
    return Zones(resolver_for())


@pytest.fixture
def rfc2136(delegating: Bind) -> Provider:
    given = {"server": delegating.address, "key_name": delegating.key_name, "key_secret": delegating.key_secret}
    return open_provider(ProviderOptions("rfc2136", {field: Secret(value) for field, value in given.items()}))


def test_a_domain_its_wildcard_and_a_delegated_name(
    client: Client, rfc2136: Provider, zones: Zones, domain: Domain, context: Context
) -> None:
    assert proven_order(client, context, Dns01(rfc2136, PropagationCheck(), zones=zones), domain.names) == "ready"
    assert domain.is_clean


def test_nothing_is_left_where_publishing_fails(
    client: Client, rfc2136: Provider, domain: Domain, context: Context
) -> None:
    """The CNAME is not followed, and no record can be beside it."""
    with pytest.raises(DnsError):
        proven_order(client, context, Dns01(rfc2136, PropagationCheck()), domain.names)
    assert domain.is_clean


def test_nothing_is_left_where_the_ca_refuses(
    client: Client, rfc2136: Provider, zones: Zones, domain: Domain, context: Context
) -> None:
    class Losing(Dns01):
        """Loses one record before the CA looks."""

        def wait_all(self, context: Context, challenges: Sequence[Challenge]) -> None:
            super().wait_all(context, challenges)
            lost = next(challenge for challenge in challenges if self.published_name(challenge) == END)
            domain.bind.remove_txt(END, self.record(lost)[1])

    with pytest.raises(AcmeError):
        proven_order(client, context, Losing(rfc2136, PropagationCheck(), zones=zones), domain.names)
    assert domain.is_clean


def test_nothing_is_left_after_a_cancelled_wait(
    client: Client, rfc2136: Provider, zones: Zones, domain: Domain
) -> None:
    def listen(step: dict[str, object]) -> None:
        if step["step"] == "dns_wait":
            assert len(domain.bind.txt(domain.record)) == 3
            context.cancel()

    context = Context(20).begin(listener=listen)
    with ScriptedDns(lambda _query, _by_tcp: None) as silent, pytest.raises(Cancelled):
        proven_order(client, context, Dns01(rfc2136, PropagationCheck((silent.address,)), zones=zones), domain.names)
    assert domain.is_clean


# ---- side by side ----


class Meeting:
    """Publishes through another provider once as many are at it as there are to come."""

    name, endpoint = "meeting", "https://dns.example"

    def __init__(self, provider: Provider, parties: int, *, side_by_side: bool) -> None:
        self.habits = Habits(side_by_side=side_by_side)
        self._provider = provider
        self._barrier = threading.Barrier(parties)

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        self._barrier.wait(10)
        self._provider.publish(context, fqdn, value)

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        return self._provider.remove(context, fqdn, value)


@pytest.mark.parametrize("width", [1, 10])
def test_side_by_side_where_the_provider_allows_it(client: Client, rfc2136: Provider, zones: Zones, width: int) -> None:
    """All are published before any is awaited, and the wait is one for all. Steps come in the call's own thread."""
    steps: list[str] = []

    def listen(step: dict[str, object]) -> None:
        assert threading.current_thread() is this_thread
        steps.append(str(step["step"]))

    this_thread = threading.current_thread()
    names = [f"{secrets.token_hex(4)}.example.com" for _ in range(10)]
    context = Context(20).begin(listener=listen)
    provider = Meeting(rfc2136, width, side_by_side=width > 1)
    assert proven_order(client, context, Dns01(provider, PropagationCheck(), zones=zones), names) == "ready"
    shown = [step for step in steps if step in ("presented", "dns_wait", "answered", "cleaned_up")]
    assert shown == [step for step in ("presented", "dns_wait", "answered", "cleaned_up") for _ in names]


def test_after_an_error_nothing_is_begun_and_all_has_ended() -> None:
    may_end, begun, ended = threading.Event(), [], []

    def work(_context: Context, item: int) -> None:
        begun.append(item)
        if item == 1:
            may_end.set()
            raise ValueError(item)
        assert may_end.wait(10)
        ended.append(item)

    with pytest.raises(ValueError, match="1"):
        side_by_side(Context(20).begin(), work, range(100), 2)
    assert sorted(begun) == [0, 1]
    assert ended == [0]
