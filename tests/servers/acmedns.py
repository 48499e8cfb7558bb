"""A look-alike of acme-dns: accounts that hold two TXT values each, the older of which the next one replaces."""

from __future__ import annotations

import ipaddress
import re
import secrets
import uuid
from dataclasses import dataclass, field

from .certs import Certificates
from .sinks import TxtSink
from .web import LookAlike, Reply, Request, json_reply


@dataclass
class AcmeDnsAccount:
    """One account, with its last two values, the older first."""

    username: str
    password: str
    subdomain: str
    fulldomain: str
    allow_from: list[str]
    values: list[str] = field(default_factory=list)


class AcmeDns(LookAlike):
    """``url`` is the URL for clients. Accounts are at names below ``zone``; their values are published in ``sink``.

    ``failures`` are statuses to answer the next requests with, ``retry_after`` what a server before it adds to them.
    """

    def __init__(
        self, sink: TxtSink | None = None, *, zone: str = "auth.example.org", certificates: Certificates | None = None
    ) -> None:
        self.sink = sink
        self.zone = zone
        self.accounts: list[AcmeDnsAccount] = []
        self.failures: list[int] = []
        self.retry_after = ""
        super().__init__(certificates)
        self.url = self.origin

    def register(self, allow_from: list[str] | None = None) -> AcmeDnsAccount:
        """Make an account."""
        name = str(uuid.uuid4())
        account = AcmeDnsAccount(
            str(uuid.uuid4()), secrets.token_urlsafe(30), name, f"{name}.{self.zone}", allow_from or []
        )
        self.accounts.append(account)
        return account

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if self.failures:
            headers = {"Retry-After": self.retry_after} if self.retry_after else {}
            return Reply(self.failures.pop(0), b'{"error": "db_error"}', headers)
        if request.method != "POST":
            return json_reply({}, 200 if request.path == "/health" else 405)
        try:
            body = request.json() if request.body else {}
        except ValueError:
            return json_reply({"error": "malformed_json_payload"}, 400)
        if request.path == "/register":
            return self._register(body)
        return self._update(request, body) if request.path == "/update" else Reply(404, b"404 page not found")

    def _register(self, body: dict[str, object]) -> Reply:
        given = body.get("allowfrom", [])
        try:
            networks = [str(ipaddress.ip_network(one)) for one in given] if isinstance(given, list) else []
        except ValueError:
            return json_reply({"error": "invalid_allowfrom_cidr"}, 400)
        made = self.register(networks)
        shown = {name: getattr(made, name) for name in ("username", "password", "fulldomain", "subdomain")}
        return json_reply({**shown, "allowfrom": networks}, 201)

    def _update(self, request: Request, body: dict[str, object]) -> Reply:
        user, key = request.headers.get("X-Api-User", ""), request.headers.get("X-Api-Key", "")
        given = f"{user} {key}".encode()
        found = [a for a in self.accounts if secrets.compare_digest(f"{a.username} {a.password}".encode(), given)]
        here = ipaddress.ip_address("127.0.0.1")
        if not found or found[0].subdomain != body.get("subdomain"):
            return json_reply({"error": "forbidden"}, 401)
        account, value = found[0], str(body.get("txt"))
        if account.allow_from and not any(here in ipaddress.ip_network(one) for one in account.allow_from):
            return json_reply({"error": "forbidden"}, 401)
        if not re.fullmatch("[A-Za-z0-9_-]{43}", value):
            return json_reply({"error": "bad_txt"}, 400)
        if len(account.values) == 2:
            old = account.values.pop(0)
            if self.sink is not None and old not in account.values:
                self.sink.remove_txt(account.fulldomain, old)
        account.values.append(value)
        if self.sink is not None:
            self.sink.add_txt(account.fulldomain, value)
        return json_reply({"txt": value})
