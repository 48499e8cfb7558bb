"""A look-alike of the HTTP API of a PowerDNS authoritative server: zones whose record sets are replaced at once."""

from __future__ import annotations

import hmac
from typing import Any

from .dnsapi import DnsApi, Refusal, wanted
from .web import Reply, Request, json_reply

_TYPES = ("A", "AAAA", "TXT", "CNAME")


class PowerDns(DnsApi):
    """Names end with a dot, TXT contents are in quotes."""

    prefix = "/api/v1/servers/localhost"
    token = "pdns-test-key-0123456789"

    def refusal(self, status: int, code: str, message: str) -> Reply:
        """The envelope: an error."""
        return json_reply({"error": message}, status)

    def authenticate(self, request: Request) -> None:
        """Check the key."""
        if not hmac.compare_digest(request.headers.get("X-API-Key", "").encode(), self.token.encode()):
            raise Refusal(Reply(401, b"Unauthorized", {"Content-Type": "text/plain"}))

    def route(self, request: Request, parts: list[str]) -> Reply:
        """Answer a request of the documented ones."""
        match request.method, parts:
            case "GET", ["zones", zone] if zone.rstrip(".") in self.zones:
                return json_reply(self._shown(zone.rstrip(".")))
            case "PATCH", ["zones", zone] if zone.rstrip(".") in self.zones:
                return self._change(zone.rstrip("."), wanted(request))
            case "PUT", ["zones", zone, "notify"] if zone.rstrip(".") in self.zones:
                return json_reply({"result": "Notification queued"})
        raise self.refuse(404, "", "Not Found")

    def _shown(self, zone: str) -> dict[str, object]:
        names = dict.fromkeys(one.name for one in self.held if one.zone == zone)
        sets = [
            {
                "name": f"{name}.",
                "type": "TXT",
                "ttl": 3600,
                "comments": [],
                "records": [{"content": r.content, "disabled": False} for r in self.found(zone, "TXT", name)],
            }
            for name in names
        ]
        return {"id": f"{zone}.", "name": f"{zone}.", "kind": "Master", "rrsets": sets}

    def _change(self, zone: str, change: dict[str, Any]) -> Reply:
        for one in change.get("rrsets", ()):
            name, contents = one["name"], [record["content"] for record in one["records"]]
            if not name.endswith(f"{zone}.") or one["type"] not in _TYPES:
                raise self.refuse(422, "", f"RRset {name} IN {one['type']}: Name is out of zone")
            if one["type"] == "TXT" and not all(content[:1] == content[-1:] == '"' for content in contents):
                raise self.refuse(
                    422, "", f"Record {name}/TXT: Parsing record content: Data field must start with quote"
                )
            if one["changetype"] not in ("REPLACE", "DELETE"):
                raise self.refuse(422, "", "Changetype not understood")
            for held in self.found(zone, "TXT", name.rstrip(".")):
                self.drop(held)
            for content in contents if one["changetype"] == "REPLACE" else ():
                self.add(zone, name.rstrip("."), content)
        return Reply(204)
