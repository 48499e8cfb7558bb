"""Several servers started together, and the environment that tells a command where they are."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

from .bind import Bind
from .certs import make_certificates
from .cloudflare import Cloudflare
from .dnsfront import DnsFront
from .faults import FaultProxy
from .httpreq import HttpReq
from .pebble import ChallTestSrv, Pebble
from .program import ServerProgram
from .sinks import ChallTestSrvSink, DelayedSink, TxtSink

_Program = TypeVar("_Program", bound=ServerProgram)


class Stack:
    """The servers that the runner's options name, wired to one another."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.environment: dict[str, str] = {}
        self._options = options
        self._folder = folder
        self._exits = ExitStack()
        self._programs: list[ServerProgram] = []

    def __enter__(self) -> Self:
        with ExitStack() as exits:
            self._exits = exits
            self._start()
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def _start(self) -> None:
        options = self._options
        self._certificates = make_certificates(self._folder / "tls")
        self._export(ca_bundle=self._certificates.ca_bundle)
        mock = self._start_challtestsrv() if _needs_mock_dns(options) else None
        bind = self._start_bind() if options.bind else None
        dns = self._choose_dns(mock, bind)
        pebble = self._start_pebble(dns) if options.pebble or options.proxy else None
        if options.postgresql:
            self._start_postgresql()
        # Each was started without waiting, so that they come up side by side.
        for program in self._programs:
            program.wait_ready()
        sink = self._sink(mock)
        cloudflare = self._start_cloudflare(sink) if options.cloudflare else None
        if options.httpreq:
            httpreq = self._exits.enter_context(HttpReq(sink))
            self._export(httpreq=httpreq.url, httpreq_token=httpreq.token)
        if pebble is not None and options.proxy:
            self._start_proxy(pebble, cloudflare)

    def _start_challtestsrv(self) -> ChallTestSrv:
        server = self._launch(ChallTestSrv(folder=self._folder / "challtestsrv"))
        self._export(challtestsrv=server.management)
        return server

    def _start_bind(self) -> Bind:
        zones = self._options.bind_zone or ["example.com", "example.org"]
        server = self._launch(Bind(zones=zones, folder=self._folder / "bind"))
        self._export(
            bind=server.address,
            bind_zones=" ".join(server.zones),
            bind_key_name=server.key_name,
            bind_key_secret=server.key_secret,
            bind_key_algorithm=server.algorithm,
            bind_key_file=server.key_file,
        )
        return server

    def _choose_dns(self, mock: ChallTestSrv | None, bind: Bind | None) -> str | None:
        addresses = ([bind.address] if bind else []) + ([mock.dns] if mock else [])
        if not addresses:
            return None
        dns = addresses[0]
        if len(addresses) > 1:
            dns = self._exits.enter_context(DnsFront(addresses)).address
        self._export(dns=dns)
        return dns

    def _start_pebble(self, dns: str | None) -> Pebble:
        options = self._options
        server = self._launch(
            Pebble(
                dns=dns,
                certificates=self._certificates,
                folder=self._folder / "pebble",
                binary=options.pebble_binary,
                strict=not options.not_strict,
                nonce_reject=options.nonce_reject,
                authz_reuse=options.authz_reuse,
                alternate_roots=options.alternate_roots,
                chain_length=options.chain_length,
                validity=options.validity,
                eab=dict(pair.split("=", 1) for pair in options.eab),
            )
        )
        self._export(
            directory=server.directory,
            pebble_management=server.management,
            http_port=server.http_port,
            tls_port=server.tls_port,
        )
        return server

    def _start_postgresql(self) -> None:
        from .postgresql import PgBouncer, PostgreSQL  # psycopg is not needed else

        server = self._launch(PostgreSQL())
        pooled = self._launch(PgBouncer(server))
        self._export(
            postgresql=server.bare_url_of(server.port),
            postgresql_password=server.password,
            postgresql_pooled=server.bare_url_of(pooled.port),
        )

    def _sink(self, mock: ChallTestSrv | None) -> TxtSink | None:
        if mock is None:
            return None
        sink = ChallTestSrvSink(mock)
        return DelayedSink(sink, self._options.dns_delay) if self._options.dns_delay else sink

    def _start_cloudflare(self, sink: TxtSink | None) -> Cloudflare:
        server = self._exits.enter_context(Cloudflare(sink, certificates=self._certificates))
        self._export(
            cloudflare=server.url,
            cloudflare_token=server.token,
            cloudflare_email=server.email,
            cloudflare_key=server.key,
            cloudflare_zone_id=server.zone_id("example.com"),
        )
        return server

    def _start_proxy(self, pebble: Pebble, cloudflare: Cloudflare | None) -> None:
        routes = {}
        if cloudflare is not None:
            routes["api.cloudflare.com:443"] = urlsplit(cloudflare.tls_origin).netloc
        server = self._exits.enter_context(FaultProxy(pebble.directory, self._certificates, routes=routes))
        self._export(proxy=server.directory, connect_proxy=server.connect_url)
        if self._options.impersonate:
            bundle = str(self._certificates.ca_bundle)
            self.environment |= {"HTTPS_PROXY": server.connect_url, "https_proxy": server.connect_url}
            self.environment |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
            self.environment |= {"REQUESTS_CA_BUNDLE": bundle, "CURL_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle}

    def _launch(self, program: _Program) -> _Program:
        program.launch()
        self._exits.callback(program.stop)
        self._programs.append(program)
        return program

    def _export(self, **values: object) -> None:
        self.environment.update({f"TOSSL_TEST_{name.upper()}": str(value) for name, value in values.items()})


def _needs_mock_dns(options: argparse.Namespace) -> bool:
    return bool(options.pebble or options.proxy or options.cloudflare or options.httpreq)
