"""The servers of ``tests.servers`` as fixtures, started once for all tests, on loopback."""

from __future__ import annotations

import gc
import io
import itertools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import dns.resolver
import pytest

from tests.servers.bind import Bind
from tests.servers.certs import Certificates, make_certificates
from tests.servers.cloudflare import Cloudflare
from tests.servers.debian import program_of
from tests.servers.faults import FaultProxy
from tests.servers.httpreq import HttpReq
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.process import ServerError
from tests.servers.scripted_ca import Script, ScriptedCa
from tests.servers.sinks import ChallTestSrvSink
from tests.tclhost import Tcl
from tossl_acme.acme import clients
from tossl_acme.challenges.responders import ResponderPool
from tossl_acme.context import Context
from tossl_acme.dns import resolver
from tossl_acme.dns.registry import provider_credentials

if TYPE_CHECKING:
    from tests.earth import Earth
    from tests.servers.postgresql import PgBouncer, PostgreSQL  # psycopg loads slowly

_FROM_OUTSIDE = (
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    *(
        variable
        for credentials in provider_credentials().values()
        for credential in credentials
        for variable in credential.environment
    ),
)


def pytest_collection_finish() -> None:
    """Keep 7,000 tests, which live as long as the process, out of every garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Keep the machine's proxies and CA bundles out of all tests; names folders for their certificate stores."""
    for name in _FROM_OUTSIDE:
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)
    folder = tmp_path_factory.mktemp("homes")
    return (f"{folder}/{number}" for number in itertools.count())


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, _homes: Iterator[str]) -> None:
    """Keep the machine's certificate store, and the one of another test, out of every test."""
    monkeypatch.setenv("TOSSL_HOME", next(_homes))


@pytest.fixture(scope="session", autouse=True)
def _no_slow_disk() -> Iterator[None]:
    """No test here outlives the power of this machine: fsync only checks its file. In other processes it is real."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """PostgreSQL with one database, which all tests share: empty() it. Whoever stops it makes one of its own."""
    from tests.servers.postgresql import PostgreSQL
    from tossl_acme.store.postgresql import database

    with PostgreSQL() as server:
        yield server
        database.reset()


@pytest.fixture(scope="session")
def pgbouncer(postgresql: PostgreSQL) -> Iterator[PgBouncer]:
    """pgbouncer in front of it, which lends connections by transactions."""
    from tests.servers.postgresql import PgBouncer
    from tossl_acme.store.postgresql import database

    with PgBouncer(postgresql) as server:
        yield server
        database.reset()


@pytest.fixture
def own_postgresql() -> Iterator[PostgreSQL]:
    """A server of the test's own, which it may end."""
    from tests.servers.postgresql import PostgreSQL
    from tossl_acme.store.postgresql import database

    with PostgreSQL() as server:
        yield server
        database.reset()


@pytest.fixture
def database_url(postgresql: PostgreSQL) -> str:
    """The URL, with a password in it, of a database without any set."""
    postgresql.empty()
    return postgresql.url


@pytest.fixture
def context() -> Context:
    """A running context of 20 seconds."""
    return Context(20).begin()


@pytest.fixture
def responders() -> Iterator[ResponderPool]:
    """The servers of one test."""
    shared = ResponderPool()
    yield shared
    shared.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A CA of these tests and the certificate of its servers."""
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def challtestsrv() -> Iterator[ChallTestSrv]:
    """The mock DNS server which Pebble asks."""
    with ChallTestSrv() as server:
        yield server


@pytest.fixture(scope="session")
def pebble(challtestsrv: ChallTestSrv, certificates: Certificates) -> Iterator[Pebble]:
    """The CA, in strict mode, with its usual share of rejected nonces."""
    with Pebble(dns=challtestsrv.dns, certificates=certificates) as server:
        yield server


@pytest.fixture(scope="session")
def calm_pebble(challtestsrv: ChallTestSrv, certificates: Certificates) -> Iterator[Pebble]:
    """The CA in strict mode, with no surprises: every nonce is taken, every name has to be proven again."""
    server = Pebble(dns=challtestsrv.dns, certificates=certificates, nonce_reject=0, authz_reuse=0)
    with server:
        yield server


@pytest.fixture
def calm_proxy(calm_pebble: Pebble, certificates: Certificates) -> Iterator[FaultProxy]:
    """A proxy in front of that CA with no rules yet: what it logs can be counted."""
    with FaultProxy(calm_pebble.directory, certificates) as server:
        yield server


@pytest.fixture
def scripted_ca(certificates: Certificates) -> Iterator[ScriptedCa]:
    """A CA that answers by its script."""
    with ScriptedCa(certificates) as server:
        yield server


@pytest.fixture
def other_ca(certificates: Certificates) -> Iterator[ScriptedCa]:
    """Another such CA, at which nothing has to be proven."""
    with ScriptedCa(certificates, Script(order="ready")) as server:
        yield server


@pytest.fixture(scope="session")
def newer_pebble(challtestsrv: ChallTestSrv, certificates: Certificates) -> Iterator[Pebble]:
    """Debian 13's Pebble, which has renewal information."""
    try:
        binary = program_of("pebble", "usr/bin/pebble")
    except ServerError as error:
        pytest.skip(f"Debian 13's pebble cannot be had: {error}")
    server = Pebble(dns=challtestsrv.dns, certificates=certificates, nonce_reject=0, authz_reuse=0, binary=binary)
    with server:
        yield server


@pytest.fixture(scope="session")
def newest_pebble(challtestsrv: ChallTestSrv, certificates: Certificates) -> Iterator[Pebble]:
    """A later Debian's Pebble, which has dns-persist-01."""
    try:
        binary = program_of("pebble", "usr/bin/pebble", "forky")
    except ServerError as error:
        pytest.skip(f"a pebble with dns-persist-01 cannot be had: {error}")
    server = Pebble(dns=challtestsrv.dns, certificates=certificates, nonce_reject=0, authz_reuse=0, binary=binary)
    with server:
        yield server


@pytest.fixture
def tcl(certificates: Certificates) -> Tcl:
    """A Tcl interpreter with the commands, whose CAs here are trusted. Nothing is known of any CA yet."""
    # A server of an earlier test may have had the same port.
    clients.reset()
    return Tcl(str(certificates.ca_bundle))


@pytest.fixture(scope="session")
def bind() -> Iterator[Bind]:
    """An authoritative DNS server for example.com and example.org that takes signed updates."""
    with Bind() as server:
        yield server


@pytest.fixture
def ask_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Puts the DNS server at a port of this machine in the place of its resolver and of every zone's servers."""
    real = dns.resolver.Resolver.read_resolv_conf

    def ask(port: int) -> None:
        monkeypatch.setattr(
            dns.resolver.Resolver,
            "read_resolv_conf",
            lambda self, _path: real(self, io.StringIO("nameserver 127.0.0.1\n")),
        )
        monkeypatch.setattr(resolver, "DNS_PORT", port)

    return ask


@pytest.fixture
def asking_bind(bind: Bind, ask_at: Callable[[int], None]) -> None:
    """BIND is asked for every zone, and for what is in it."""
    ask_at(bind.port)


@pytest.fixture
def cloudflare(challtestsrv: ChallTestSrv) -> Iterator[Cloudflare]:
    """A Cloudflare account with no records, publishing where Pebble looks."""
    with Cloudflare(ChallTestSrvSink(challtestsrv)) as server:
        yield server


@pytest.fixture
def httpreq(challtestsrv: ChallTestSrv) -> Iterator[HttpReq]:
    """A receiver for httpreq, publishing where Pebble looks."""
    with HttpReq(ChallTestSrvSink(challtestsrv)) as server:
        yield server


@pytest.fixture
def fault_proxy(pebble: Pebble, certificates: Certificates) -> Iterator[FaultProxy]:
    """A proxy in front of the CA with no rules yet."""
    with FaultProxy(pebble.directory, certificates) as server:
        yield server


@pytest.fixture
def earth(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Earth]:
    """A machine whose clock is the test's, and a CA by the true time."""
    from tests.earth import AwayCa, Earth
    from tossl_acme.certificates import clock

    clients.reset()
    clock.reset()
    with AwayCa(certificates) as ca:
        earth = Earth(ca, certificates)
        monkeypatch.setattr(clock, "wall", earth.wall)
        monkeypatch.setattr(clock, "counted", earth.counted)
        yield earth
    clock.reset()
