"""BIND's named: authoritative for the given zones, updated by RFC 2136 with a TSIG key."""

from __future__ import annotations

import base64
import secrets
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.tsig
import dns.tsigkeyring
import dns.update

from .process import Process, ServerError, find_program, free_port
from .program import ServerProgram

_TIMEOUT = 5.0
_APPARMOR = (Path("/sys/module/apparmor/parameters/enabled"), Path("/etc/apparmor.d/usr.sbin.named"))

_CONFIG = """\
options {{
    directory "{folder}";
    listen-on port {port} {{ {ipv4}; }};
    listen-on-v6 port {port} {{ {ipv6}; }};
    pid-file none;
    {only_old}
    session-keyfile "{folder}/session.key";
    recursion {recursion};
    dnssec-validation no;
    empty-zones-enable no;
    notify no;
    allow-transfer {{ none; }};
    allow-query {{ 127.0.0.0/8; ::1; }};
    tcp-clients 64;
}};
controls {{ }};
include "{key_file}";
"""
_KEY = 'key "{name}" {{ algorithm {algorithm}; secret "{secret}"; }};\n'
_ZONE = 'zone "{zone}" {{ type primary; file "{zone}.zone"; allow-update {{ key "{key}"; }}; }};\n'
_RECORDS = """\
$TTL 1
@   IN SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 1
@   IN NS  ns.{zone}.
@   IN A   127.0.0.1
ns  IN A   127.0.0.1
www IN A   127.0.0.1
"""


class Bind(ServerProgram):
    """An authoritative DNS server. ``key_file`` is what ``nsupdate -k`` reads.

    ``recursive``: it follows aliases from one of its zones into another, as the resolver of a CA does.
    """

    def __init__(
        self,
        *,
        zones: Sequence[str] = ("example.com", "example.org"),
        folder: Path | None = None,
        key_name: str = "tossl-test",
        algorithm: str = "hmac-sha256",
        binary: str | Path = "named",
        recursive: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(folder)
        self.folder = self.folder.resolve()
        self.host, self.port = host, port or free_port()
        self.zones = tuple(zones)
        # Nothing is asked outside this machine.
        self._recursion = "yes; forward only; forwarders { 127.0.0.1 port 1; }" if recursive else "no"
        self.key_name, self.algorithm = key_name, algorithm
        self.key_secret = base64.b64encode(secrets.token_bytes(32)).decode()
        self.key_file = self.folder / "update.key"
        self._config = self.folder / "named.conf"
        self._binary = self._unconfined(find_program(str(binary)))

    @property
    def address(self) -> str:
        """The server's address as HOST:PORT (UDP and TCP)."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def _listening(self) -> dict[str, str]:
        is_ipv6 = ":" in self.host
        return {"ipv4": "none" if is_ipv6 else self.host, "ipv6": self.host if is_ipv6 else "none"}

    def launch(self) -> None:
        self._write_files()
        # One thread, in the foreground, logging to standard error.
        argv = [self._binary, "-g", "-n", "1", "-c", str(self._config)]
        self._process = Process(argv, self.folder / "named.log", cwd=self.folder)

    def wait_ready(self) -> None:
        self.process.wait_ready(self._answers)

    def add(self, name: str, kind: str, value: str) -> None:
        """Add one record by a signed update."""
        self.update(name, lambda update, at: update.add(at, 1, kind, value))

    def remove(self, name: str, kind: str) -> None:
        """Remove all records of a kind by a signed update."""
        self.update(name, lambda update, at: update.delete(at, kind))

    def add_txt(self, name: str, value: str) -> None:
        """Add one TXT value by a signed update."""
        self.update(name, lambda update, at: update.add(at, 1, "TXT", _quoted(value)))

    def remove_txt(self, name: str, value: str) -> None:
        """Remove one TXT value by a signed update."""
        self.update(name, lambda update, at: update.delete(at, "TXT", _quoted(value)))

    def txt(self, name: str) -> list[str]:
        """Return the TXT values at the name, sorted."""
        query = dns.message.make_query(name, "TXT")
        reply, _by_tcp = dns.query.udp_with_fallback(query, self.host, port=self.port, timeout=_TIMEOUT)
        records = [record for answer in reply.answer if answer.rdtype == dns.rdatatype.TXT for record in answer]
        return sorted(b"".join(record.strings).decode() for record in records)

    def zone_of(self, name: str) -> str:
        """Return the zone of this server that holds the name."""
        host = dns.name.from_text(name)
        held = [zone for zone in self.zones if host.is_subdomain(dns.name.from_text(zone))]
        if not held:
            raise ServerError(f"no zone here holds {name}")
        return max(held, key=len)

    def update(self, name: str, change: Callable[[dns.update.UpdateMessage, dns.name.Name], None]) -> None:
        """Change what is at the name by a signed update."""
        zone = self.zone_of(name)
        keyring = dns.tsigkeyring.from_text({self.key_name: self.key_secret})
        update = dns.update.UpdateMessage(zone, keyring=keyring, keyalgorithm=self.algorithm)
        change(update, dns.name.from_text(name))
        reply = dns.query.tcp(update, self.host, port=self.port, timeout=_TIMEOUT)
        if reply.rcode() != dns.rcode.NOERROR:
            raise ServerError(f"update of {name}: {dns.rcode.to_text(reply.rcode())}")

    def _version(self) -> tuple[int, ...]:
        text = subprocess.run([self._binary, "-v"], capture_output=True, text=True, check=True).stdout
        return tuple(map(int, text.split()[1].split(".")[:2]))

    def _answers(self) -> bool:
        query = dns.message.make_query(self.zones[-1], "SOA")
        with suppress(dns.exception.DNSException, OSError):
            return bool(dns.query.udp(query, self.host, port=self.port, timeout=0.05).answer)
        return False

    def _write_files(self) -> None:
        key = _KEY.format(name=self.key_name, algorithm=self.algorithm, secret=self.key_secret)
        self.key_file.touch(mode=0o600)
        self.key_file.write_text(key)
        # BIND 9.20 has no lock file any more, nor the option to have none.
        only_old = "lock-file none;" if self._version() < (9, 20) else ""
        words = {"folder": self.folder, "port": self.port, "key_file": self.key_file}
        config = _CONFIG.format(**words, **self._listening, only_old=only_old, recursion=self._recursion)
        for zone in self.zones:
            config += _ZONE.format(zone=zone, key=self.key_name)
            (self.folder / f"{zone}.zone").write_text(_RECORDS.format(zone=zone))
            (self.folder / f"{zone}.zone.jnl").unlink(missing_ok=True)
        self._config.write_text(config)

    def _unconfined(self, binary: str) -> str:
        # AppArmor's profile keeps /usr/sbin/named out of temporary folders. It is bound to the path, so a copy is free.
        enabled, profile = _APPARMOR
        if not (profile.exists() and enabled.exists() and enabled.read_text().startswith("Y")):
            return binary
        return str(shutil.copy(binary, str(self.folder / "named")))


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
