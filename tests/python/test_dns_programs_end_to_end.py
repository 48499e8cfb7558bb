"""A certificate through a DNS server's updates, Route 53 and a script: a name, its wildcard and a delegated one.

As test_dns_end_to_end.py, for what is no look-alike of an HTTP API in this process.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from tests.servers.bind import Bind
from tests.servers.certs import Certificates
from tests.servers.pebble import Pebble
from tests.servers.route53 import Route53
from tests.servers.sinks import TxtReceiver
from tests.tclhost import Tcl
from tossl_acme.acme import clients
from tossl_acme.dns import registered

ZONES = ("example.com", "example.org")
COMMON: dict[str, object] = {"store": "", "agree_tos": 1}

@dataclass
class Order:
    """What a certificate is asked with. left: the names of the records that are there."""

    names: list[str]
    words: dict[str, object]
    left: Callable[[], list[str]]


@pytest.fixture(scope="module")
def world() -> Iterator[Bind]:
    """The DNS as the CA and this machine see it."""
    with Bind(zones=ZONES, recursive=True) as server:
        yield server


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Bind]:
    """A DNS server that nobody asks."""
    with Bind(zones=ZONES) as server:
        yield server


@pytest.fixture(scope="module")
def authority(world: Bind, certificates: Certificates) -> Iterator[Pebble]:
    with Pebble(dns=world.address, certificates=certificates, nonce_reject=0, authz_reuse=0) as server:
        yield server


@pytest.fixture(scope="module")
def receiver() -> Iterator[TxtReceiver]:
    with TxtReceiver() as server:
        yield server


@pytest.fixture(scope="module")
def amazon(receiver: TxtReceiver) -> Iterator[Route53]:
    with Route53(sink=receiver.url) as server:
        aws = boto3.Session("another", "secret", region_name="us-east-1").client("route53", endpoint_url=server.url)
        for zone in ZONES:
            aws.create_hosted_zone(Name=zone, CallerReference=zone)
        yield server


@pytest.fixture(autouse=True)
def _asking(world: Bind, ask_at: Callable[[int], None]) -> Iterator[None]:
    ask_at(world.port)
    yield
    registered.reset()


def by_updates(request: pytest.FixtureRequest, names: set[str], *, is_seen: bool) -> tuple[dict[str, object], object]:
    server: Bind = request.getfixturevalue("world" if is_seen else "elsewhere")
    fields = ["server", server.address, "key_name", server.key_name, "key_secret", server.key_secret]
    return {"provider": "rfc2136", "credentials": fields}, lambda: [name for name in names if server.txt(name)]


def by_route53(request: pytest.FixtureRequest, names: set[str], *, is_seen: bool) -> tuple[dict[str, object], object]:
    receiver: TxtReceiver = request.getfixturevalue("receiver")
    receiver.sink = request.getfixturevalue("world") if is_seen else None
    server: Route53 = request.getfixturevalue("amazon")
    fields = ["access_key_id", "AKIDEXAMPLE", "secret_access_key", "hush"]
    words = {"provider": "route53", "credentials": fields, "endpoint": server.url}
    return words, lambda: [name for name in names if receiver.values.get(name)]


def by_script(request: pytest.FixtureRequest, names: set[str], *, is_seen: bool) -> tuple[dict[str, object], object]:
    tcl: Tcl = request.getfixturevalue("tcl")
    world: Bind = request.getfixturevalue("world")
    held: list[str] = []

    def change(what: str, name: str, value: str) -> None:
        assert name in names
        (held.append if what == "present" else held.remove)(name)
        if is_seen:
            (world.add_txt if what == "present" else world.remove_txt)(name, value)

    tcl.create("change", change)
    tcl.eval("tossl::dns::register mine -present {change present} -cleanup {change cleanup}")
    return {"provider": "mine"}, lambda: list(held)


KINDS = {"rfc2136": by_updates, "route53": by_route53, "script": by_script}


@pytest.fixture(params=[(name, True) for name in KINDS], ids=list(KINDS))
def order(request: pytest.FixtureRequest, world: Bind, authority: Pebble) -> Order:
    kind, is_seen = request.param
    host = f"{secrets.token_hex(6)}.example.com"
    target = f"{secrets.token_hex(6)}.proofs.example.org"
    world.add(f"_acme-challenge.www.{host}", "CNAME", f"{target}.")
    words, left = KINDS[kind](request, {f"_acme-challenge.{host}", target}, is_seen=is_seen)
    words |= {"directory": authority.directory, "propagation_timeout": 20, **COMMON}
    return Order([host, f"*.{host}", f"www.{host}"], words, left)  # type: ignore[arg-type]


unseen = pytest.mark.parametrize("order", [(name, False) for name in KINDS], ids=list(KINDS), indirect=True)


def test_a_name_its_wildcard_and_a_delegated_one(tcl: Tcl, order: Order) -> None:
    result = tcl.dict("obtain_certificate", order.names, **order.words)
    assert result["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert order.left() == []


@pytest.mark.parametrize("form", ["options", "dict"])
def test_a_servers_name_and_a_keys_file_are_enough_to_renew(
    form: str, tcl: Tcl, world: Bind, authority: Pebble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are no secrets, and are kept. The file's path is of the folder in which the certificate was asked for."""
    (tmp_path / "tsig.key").write_text(world.key_file.read_text())
    (tmp_path / "elsewhere").mkdir()
    name, store = f"{secrets.token_hex(6)}.example.com", tmp_path / "store"
    fields = {"server": world.address, "key_file": "tsig.key"}
    words: dict[str, object] = {"credentials": [word for pair in fields.items() for word in pair]}
    if form == "options":
        words = dict(fields)
    common = {"directory": authority.directory, "propagation_timeout": 20, **COMMON, "store": store}
    tcl.eval(f"cd {{{tmp_path}}}")
    monkeypatch.chdir(tmp_path)
    assert tcl.dict("obtain_certificate", name, provider="rfc2136", **words, **common)["renewable"] == "1"
    tcl.eval(f"cd {{{tmp_path / 'elsewhere'}}}")
    monkeypatch.chdir(tmp_path / "elsewhere")
    clients.reset()
    assert tcl.dict("renew_certificate", name, store=store, force=1)["issued"] == "1"


@unseen
def test_nothing_is_left_after_a_failure(tcl: Tcl, order: Order) -> None:
    """The CA does not find the records."""
    failure = tcl.failure("obtain_certificate", order.names, **{**order.words, "propagation_timeout": 0})
    assert failure.code[:2] == ("TOSSL", "ACME"), failure
    assert order.left() == []


@unseen
def test_nothing_is_left_after_a_cancelled_wait(tcl: Tcl, order: Order) -> None:
    tcl.eval("proc cancel facts {if {[dict get $facts step] eq {dns_wait}} {incr ::waited; tossl::job::cancel $::job}}")
    words = {**order.words, "command": "list", "progress": "cancel"}
    tcl.eval(f"set job {{{tcl.acme('obtain_certificate', order.names, **words)}}}")
    assert tcl.eval("tossl::job::wait $job; tossl::job::status $job") == "cancelled"
    assert tcl.eval("info exists ::waited") == "1"
    assert order.left() == []
