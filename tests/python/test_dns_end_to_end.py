"""A certificate through each DNS provider: its look-alike, Pebble, and a DNS server that Pebble asks."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.providers import account_words
from tests.servers.bind import Bind
from tests.servers.certs import Certificates
from tests.servers.cloudflare import Cloudflare
from tests.servers.digitalocean import DigitalOcean
from tests.servers.dnsapi import DnsApi
from tests.servers.duckdns import DuckDns
from tests.servers.hetzner import Hetzner
from tests.servers.ovh import Ovh
from tests.servers.pebble import Pebble
from tests.servers.powerdns import PowerDns
from tests.servers.rrsets import Desec, Gandi
from tests.tclhost import Tcl
from tossl_acme.dns.providers import duckdns

KINDS: dict[str, type[DnsApi]] = {
    "cloudflare": Cloudflare,
    "desec": Desec,
    "digitalocean": DigitalOcean,
    "gandi": Gandi,
    "hetzner": Hetzner,
    "lexicon:powerdns": PowerDns,
    "ovh": Ovh,
}


COMMON: dict[str, object] = {"store": "", "challenge": "dns-01", "agree_tos": 1, "propagation_timeout": 20}


@dataclass
class Order:
    """What a certificate is asked with, and where its records are to be."""

    server: DnsApi
    names: list[str]
    published: set[str]
    words: dict[str, object]

    def records(self) -> list[str]:
        """The names of all TXT records that the account holds."""
        return [one.name for one in self.server.held]


@pytest.fixture(scope="module")
def world() -> Iterator[Bind]:
    """The DNS as the CA and this machine see it."""
    with Bind(zones=("example.com", "example.org", "mine.duckdns.org"), recursive=True) as server:
        yield server


@pytest.fixture(scope="module")
def authority(world: Bind, certificates: Certificates) -> Iterator[Pebble]:
    """A CA that asks it, in strict mode."""
    with Pebble(dns=world.address, certificates=certificates, nonce_reject=0, authz_reuse=0) as server:
        yield server


@pytest.fixture(autouse=True)
def _asking(world: Bind, ask_at: Callable[[int], None]) -> None:
    ask_at(world.port)


@pytest.fixture(params=[(name, True) for name in KINDS], ids=list(KINDS))
def order(request: pytest.FixtureRequest, world: Bind, authority: Pebble) -> Iterator[Order]:
    """For a name, its wildcard, and a name whose record is delegated to another zone of the account."""
    kind, is_seen = request.param
    host = f"{secrets.token_hex(6)}.example.com"
    target = f"{secrets.token_hex(6)}.proofs.example.org"
    world.add(f"_acme-challenge.www.{host}", "CNAME", f"{target}.")
    with KINDS[kind](world if is_seen else None) as server:
        words = {"directory": authority.directory, **COMMON, **account_words(kind, server)}
        yield Order(server, [host, f"*.{host}", f"www.{host}"], {f"_acme-challenge.{host}", target}, words)
    assert world.txt(f"_acme-challenge.{host}") == world.txt(target) == []


unseen = pytest.mark.parametrize("order", [(name, False) for name in KINDS], ids=list(KINDS), indirect=True)


def test_a_name_its_wildcard_and_a_delegated_one(
    tcl: Tcl, order: Order, world: Bind, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: set[tuple[str, str]] = set()
    add = world.add_txt

    def added(name: str, value: str) -> None:
        published.add((name, value))
        add(name, value)

    monkeypatch.setattr(world, "add_txt", added)
    result = tcl.dict("obtain_certificate", order.names, **order.words)
    assert result["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert {name for name, _value in published} == order.published
    assert len(published) == 3
    assert order.records() == []


@unseen
def test_nothing_is_left_after_a_failure(tcl: Tcl, order: Order) -> None:
    """The CA does not find the records."""
    failure = tcl.failure("obtain_certificate", order.names, **{**order.words, "propagation_timeout": 0})
    assert failure.code[:2] == ("TOSSL", "ACME"), failure
    assert order.records() == []


@unseen
def test_nothing_is_left_after_a_cancelled_wait(tcl: Tcl, order: Order) -> None:
    tcl.eval(
        """
        proc cancel facts {
            if {[dict get $facts step] eq "dns_wait"} {
                lappend ::waited [dict get $facts record]
                tossl::job::cancel $::job
            }
        }
        """
    )
    words = {**order.words, "command": "list", "progress": "cancel"}
    tcl.eval(f"set job {{{tcl.acme('obtain_certificate', order.names, **words)}}}")
    assert tcl.eval("tossl::job::wait $job; tossl::job::status $job") == "cancelled"
    assert tcl.eval("info exists ::waited") == "1"
    assert order.records() == []


def test_duck_dns(tcl: Tcl, world: Bind, authority: Pebble) -> None:
    """One name at a time: a name and its wildcard need two values."""
    duckdns.STANDING.reset()
    zone = "mine.duckdns.org"
    with DuckDns(world, zones=(zone,)) as server:
        words = {"directory": authority.directory, **COMMON, **account_words("duckdns", server)}
        failure = tcl.failure("obtain_certificate", [zone, f"*.{zone}"], **words)
        assert failure.code == ("TOSSL", "DNS", "duckdns", "record")
        assert server.held == []
        for name in (zone, f"*.{zone}"):
            assert "certificate" in tcl.dict("obtain_certificate", [name], **words)
            assert server.held == []
