"""Several servers started together, and the environment that tells a command where they are."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from .certs import make_certificates
from .pebble import ChallTestSrv, Pebble
from .program import ServerProgram

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
        self._certificates = make_certificates(self._folder / "tls")
        self._export(ca_bundle=self._certificates.ca_bundle)
        if self._options.pebble:
            self._start_pebble(self._start_challtestsrv())
        # Each was started without waiting, so that they come up side by side.
        for program in self._programs:
            program.wait_ready()

    def _start_challtestsrv(self) -> ChallTestSrv:
        server = self._launch(ChallTestSrv(folder=self._folder / "challtestsrv"))
        self._export(dns=server.dns, challtestsrv=server.management)
        return server

    def _start_pebble(self, dns: ChallTestSrv) -> Pebble:
        options = self._options
        server = self._launch(
            Pebble(
                dns=dns.dns,
                certificates=self._certificates,
                folder=self._folder / "pebble",
                binary=options.pebble_binary,
                strict=not options.not_strict,
                nonce_reject=options.nonce_reject,
                authz_reuse=options.authz_reuse,
                alternate_roots=options.alternate_roots,
                chain_length=options.chain_length,
                validity=options.validity,
            )
        )
        self._export(
            directory=server.directory,
            pebble_management=server.management,
            http_port=server.http_port,
            tls_port=server.tls_port,
        )
        return server

    def _launch(self, program: _Program) -> _Program:
        program.launch()
        self._exits.callback(program.stop)
        self._programs.append(program)
        return program

    def _export(self, **values: object) -> None:
        self.environment.update({f"TOSSL_TEST_{name.upper()}": str(value) for name, value in values.items()})
