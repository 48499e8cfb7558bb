"""Knot DNS: authoritative for the given zones, updated by RFC 2136 with a TSIG key."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from .process import Process, find_program, free_port
from .program import ServerProgram

_TIMEOUT = 5.0

_CONFIG = """\
server:
    rundir: "{folder}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: "{folder}/db"
key:
  - id: {key_name}
    algorithm: {algorithm}
    secret: {secret}
acl:
  - id: update
    key: {key_name}
    action: update
template:
  - id: default
    storage: "{folder}"
    acl: update
zone:
"""
_RECORDS = """\
$TTL 1
@   IN SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 1
@   IN NS  ns.{zone}.
ns  IN A   127.0.0.1
"""


class Knot(ServerProgram):
    """An authoritative DNS server that takes updates with its key."""

    def __init__(self, *, zones: Sequence[str] = ("example.com",), folder: Path | None = None) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.zones = tuple(zones)
        self.key_name, self.algorithm = "knot-test", "hmac-sha512"
        self.key_secret = base64.b64encode(secrets.token_bytes(64)).decode()
        self._binary = find_program("knotd")

    @property
    def address(self) -> str:
        """The server's address as HOST:PORT (UDP and TCP)."""
        return f"127.0.0.1:{self.port}"

    def launch(self) -> None:
        config = _CONFIG.format(
            folder=self.folder, port=self.port, key_name=self.key_name, algorithm=self.algorithm, secret=self.key_secret
        )
        for zone in self.zones:
            config += f"  - domain: {zone}\n"
            (self.folder / f"{zone}.zone").write_text(_RECORDS.format(zone=zone))
        (self.folder / "db").mkdir(exist_ok=True)
        (self.folder / "knot.conf").write_text(config)
        argv = [self._binary, "-c", str(self.folder / "knot.conf")]
        self._process = Process(argv, self.folder / "knotd.log", cwd=self.folder)

    def wait_ready(self) -> None:
        self.process.wait_ready(self._answers)

    def txt(self, name: str) -> list[str]:
        """Return the TXT values at the name, sorted."""
        query = dns.message.make_query(name, "TXT")
        reply, _by_tcp = dns.query.udp_with_fallback(query, "127.0.0.1", port=self.port, timeout=_TIMEOUT)
        records = [record for answer in reply.answer if answer.rdtype == dns.rdatatype.TXT for record in answer]
        return sorted(b"".join(record.strings).decode() for record in records)

    def _answers(self) -> bool:
        query = dns.message.make_query(self.zones[-1], "SOA")
        with suppress(dns.exception.DNSException, OSError):
            return bool(dns.query.udp(query, "127.0.0.1", port=self.port, timeout=0.05).answer)
        return False
