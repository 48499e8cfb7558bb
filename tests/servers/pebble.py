"""Pebble, Let's Encrypt's test CA, and pebble-challtestsrv, its mock DNS server."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from .certs import Certificates, make_certificates
from .process import Process, find_program, free_port, tcp_answers
from .program import ServerProgram, local_session

_TIMEOUT = 10.0


class ChallTestSrv(ServerProgram):
    """The mock DNS server: any A query gets ``default_ipv4`` unless a record was set.

    Host names may be given with or without the final dot.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        default_ipv4: str = "127.0.0.1",
        default_ipv6: str = "",
        http_port: int | None = None,
        tls_port: int | None = None,
        https_port: int | None = None,
        binary: str | Path = "pebble-challtestsrv",
    ) -> None:
        super().__init__(folder)
        self._session = local_session()
        self.dns_port = free_port()
        self.management_port = free_port()
        self.management = f"http://127.0.0.1:{self.management_port}"
        listen = {"-http01": http_port, "-tlsalpn01": tls_port, "-https01": https_port}
        self._argv = [find_program(str(binary)), "-management", f"127.0.0.1:{self.management_port}"]
        self._argv += ["-dns01", f"127.0.0.1:{self.dns_port}"]
        self._argv += ["-defaultIPv4", default_ipv4, "-defaultIPv6", default_ipv6]
        for flag, port in listen.items():
            self._argv += [flag, f"127.0.0.1:{port}" if port else ""]

    @property
    def dns(self) -> str:
        """The DNS server's address as HOST:PORT (UDP and TCP)."""
        return f"127.0.0.1:{self.dns_port}"

    def launch(self) -> None:
        self._process = Process(self._argv, self.folder / "challtestsrv.log")

    def wait_ready(self) -> None:
        self.process.wait_ready(lambda: tcp_answers(self.dns_port) and tcp_answers(self.management_port))

    def set_txt(self, host: str, value: str) -> None:
        """Add one TXT value; values set before stay."""
        self.post("set-txt", host=_dotted(host), value=value)

    def clear_txt(self, host: str) -> None:
        """Remove every TXT value of the host."""
        self.post("clear-txt", host=_dotted(host))

    def add_a(self, host: str, *addresses: str) -> None:
        """Answer A queries for the host with these addresses."""
        self.post("add-a", host=_dotted(host), addresses=addresses)

    def clear_a(self, host: str) -> None:
        """Answer A queries for the host with the default again."""
        self.post("clear-a", host=_dotted(host))

    def add_aaaa(self, host: str, *addresses: str) -> None:
        """Answer AAAA queries for the host with these addresses."""
        self.post("add-aaaa", host=_dotted(host), addresses=addresses)

    def clear_aaaa(self, host: str) -> None:
        """Answer AAAA queries for the host with the default again."""
        self.post("clear-aaaa", host=_dotted(host))

    def add_cname(self, host: str, target: str) -> None:
        """Make the host an alias; TXT queries for it follow the alias too."""
        self.post("set-cname", host=_dotted(host), target=_dotted(target))

    def clear_cname(self, host: str) -> None:
        """Remove the alias."""
        self.post("clear-cname", host=_dotted(host))

    def add_caa(self, host: str, issuer: str, tag: str = "issue") -> None:
        """Answer CAA queries for the host with one property."""
        self.post("add-caa", host=_dotted(host), policies=[{"tag": tag, "value": issuer}])

    def clear_caa(self, host: str) -> None:
        """Remove the host's CAA properties."""
        self.post("clear-caa", host=_dotted(host))

    def set_servfail(self, host: str) -> None:
        """Answer every query for the host with SERVFAIL."""
        self.post("set-servfail", host=_dotted(host))

    def clear_servfail(self, host: str) -> None:
        """Answer queries for the host again."""
        self.post("clear-servfail", host=_dotted(host))

    def add_http01(self, token: str, content: str) -> None:
        """Serve an http-01 answer (needs ``http_port``)."""
        self.post("add-http01", token=token, content=content)

    def del_http01(self, token: str) -> None:
        """Stop serving an http-01 answer."""
        self.post("del-http01", token=token)

    def dns_history(self, host: str) -> list[dict[str, Any]]:
        """The DNS questions asked about the host, oldest first."""
        # Here alone the name is without its dot.
        history: list[dict[str, Any]] = self.post("dns-request-history", host=host.rstrip(".")).json() or []
        return history

    def post(self, action: str, **body: object) -> requests.Response:
        """Call the management API."""
        answer = self._session.post(f"{self.management}/{action}", json=body, timeout=_TIMEOUT)
        answer.raise_for_status()
        return answer


class Pebble(ServerProgram):
    """The CA. ``http_port`` and ``tls_port`` are where its validation authority connects to.

    Without ``dns`` (HOST:PORT) it asks the system's resolver. ``eab`` (key id -> base64url MAC key)
    makes external account binding required. ``binary`` may name a newer Pebble.
    """

    def __init__(
        self,
        *,
        dns: str | None = None,
        certificates: Certificates | None = None,
        folder: Path | None = None,
        binary: str | Path = "pebble",
        strict: bool = True,
        nonce_reject: int = 5,
        authz_reuse: int = 50,
        alternate_roots: int = 0,
        chain_length: int = 1,
        orders_per_page: int = 3,
        eab: Mapping[str, str] | None = None,
        http_port: int | None = None,
        tls_port: int | None = None,
        va_nosleep: bool = True,
        va_always_valid: bool = False,
        domain_blocklist: Sequence[str] = ("blocked-domain.example",),
        validity: int | None = None,
        extra_config: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(folder)
        self._session = local_session()
        self.dns = dns
        self.certificates = certificates or make_certificates(self.folder / "tls")
        self.port, self.management_port = free_port(), free_port()
        self.http_port, self.tls_port = http_port or free_port(), tls_port or free_port()
        self.eab = dict(eab or {})
        self.config_path = self.folder / "pebble.json"
        self._binary = find_program(str(binary))
        self._strict = strict
        self._environment = {
            "PEBBLE_WFE_NONCEREJECT": str(nonce_reject),
            "PEBBLE_AUTHZREUSE": str(authz_reuse),
            "PEBBLE_ALTERNATE_ROOTS": str(alternate_roots),
            "PEBBLE_CHAIN_LENGTH": str(chain_length),
            "PEBBLE_WFE_ORDERS_PER_PAGE": str(orders_per_page),
            "PEBBLE_VA_NOSLEEP": str(int(va_nosleep)),
            "PEBBLE_VA_ALWAYS_VALID": str(int(va_always_valid)),
        }
        config = self._config(list(domain_blocklist), validity)
        self.config_path.write_text(json.dumps({"pebble": {**config, **(extra_config or {})}}))

    @property
    def directory(self) -> str:
        """The directory URL."""
        return f"https://127.0.0.1:{self.port}/dir"

    @property
    def management(self) -> str:
        """The base URL of the management interface."""
        return f"https://127.0.0.1:{self.management_port}"

    @property
    def ca_bundle(self) -> str:
        """The PEM file that verifies the API's own certificate (not the certificates it issues)."""
        return str(self.certificates.ca_bundle)

    def is_new(self) -> bool:
        """Whether this is Pebble 2.5 or later, which has renewal information and dns-account-01."""
        return "renewalInfo" in self._session.get(self.directory, verify=self.ca_bundle, timeout=_TIMEOUT).json()

    def root(self, number: int = 0) -> str:
        """The PEM of the root that its issued certificates chain to (0 is the default chain)."""
        return self.manage(f"roots/{number}").text

    def intermediate(self, number: int = 0) -> str:
        """The PEM of an issuing certificate."""
        return self.manage(f"intermediates/{number}").text

    def certificate_status(self, serial: int) -> dict[str, Any]:
        """What the CA holds of a certificate: Status, Reason, RevokedAt, Certificate."""
        status: dict[str, Any] = self.manage(f"cert-status-by-serial/{serial:x}").json()
        return status

    def manage(self, path: str) -> requests.Response:
        """GET from the management interface."""
        answer = self._session.get(f"{self.management}/{path}", verify=self.ca_bundle, timeout=_TIMEOUT)
        answer.raise_for_status()
        return answer

    def launch(self) -> None:
        argv = [self._binary, "-config", str(self.config_path), f"-strict={str(self._strict).lower()}"]
        argv += ["-dnsserver", self.dns] if self.dns else []
        self._process = Process(argv, self.folder / "pebble.log", env=self._environment)

    def wait_ready(self) -> None:
        self.process.wait_ready(lambda: tcp_answers(self.port) and tcp_answers(self.management_port))

    def _config(self, blocklist: list[str], validity: int | None) -> dict[str, object]:
        config: dict[str, object] = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.management_port}",
            "certificate": str(self.certificates.cert),
            "privateKey": str(self.certificates.key),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": bool(self.eab),
            "externalAccountMACKeys": self.eab,
            "domainBlocklist": blocklist,
        }
        if validity is not None:
            config["certificateValidityPeriod"] = validity
        return config


def new_eab_key() -> str:
    """A MAC key for external account binding, as Pebble's configuration wants it."""
    return secrets.token_urlsafe(48)


def _dotted(host: str) -> str:
    return host.rstrip(".") + "."
