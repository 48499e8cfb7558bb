"""A look-alike of Duck DNS: one TXT value for each domain, whichever name below it is asked for."""

from __future__ import annotations

import hmac

from .dnsapi import DnsApi, Refusal
from .web import Reply, Request

_SHOWN = "_acme-challenge"


class DuckDns(DnsApi):
    """``zones`` are domains below duckdns.org. The value is published at the validation name of the domain."""

    token = "a7c4d0ad-114e-40ef-ba1d-d217904a50f2"

    def refusal(self, status: int, code: str, message: str) -> Reply:
        """It knows no envelope."""
        return Reply(status, f"{message}\n".encode(), {"Content-Type": "text/plain"})

    def unauthorised(self) -> Reply:
        """The answer to a wrong token, and to a domain of somebody else."""
        return Reply(200, b"KO", {"Content-Type": "text/plain"})

    def authenticate(self, request: Request) -> None:
        """Check the token, which is in the query."""
        if not hmac.compare_digest(request.query.get("token", "").encode(), self.token.encode()):
            raise Refusal(self.unauthorised())

    def route(self, request: Request, parts: list[str]) -> Reply:
        """Answer /update, the only request."""
        zone = request.query.get("domains", "").removesuffix(".duckdns.org") + ".duckdns.org"
        if parts != ["update"]:
            raise self.refuse(404, "", "not found")
        if zone not in self.zones or "txt" not in request.query:
            raise Refusal(self.unauthorised())
        for record in self.found(zone, "TXT", f"{_SHOWN}.{zone}"):
            self.drop(record)
        if request.query.get("clear") != "true" and request.query["txt"]:
            self.add(zone, f"{_SHOWN}.{zone}", request.query["txt"])
        return Reply(200, b"OK", {"Content-Type": "text/plain"})
