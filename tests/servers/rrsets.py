"""Look-alikes of the APIs that write a whole record set at once: Gandi's LiveDNS v5 and deSEC's API v1."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from .dnsapi import DnsApi, Held, Refusal, wanted
from .web import Reply, Request, json_reply


class RecordSetApi(DnsApi):
    """Keeps sets of records.

    ``before_write`` is called before each write, with nothing locked by the caller: another program may write then.
    """

    def before_write(self) -> None:
        """Do nothing."""

    def replace(self, zone: str, name: str, contents: Sequence[str], ttl: int) -> None:
        """Make these contents the TXT set of the name."""
        for one in self.found(zone, "TXT", name):
            self.drop(one)
        for content in contents:
            self.add(zone, name, content, ttl=ttl)

    def contents(self, value: object) -> list[str]:
        """Return the contents of a request, an empty list for anything else."""
        return list(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else []


class Gandi(RecordSetApi):
    """Puts quotes around what was sent without; refuses a TTL below 300."""

    prefix = "/v5/livedns"
    token = "pat_0123456789abcdefghijklmnopqrstuvwxyz"

    def refusal(self, status: int, code: str, message: str) -> Reply:
        """The envelope: cause, code, message and object."""
        return json_reply({"cause": code, "code": status, "message": message, "object": f"HTTP{code}"}, status)

    def unauthorised(self) -> Reply:
        """The answer to a wrong token."""
        message = "The server could not verify that you authorized to access the document you requested."
        return self.refusal(401, "Unauthorized", message)

    def route(self, request: Request, parts: list[str]) -> Reply:
        """Answer a request of the documented ones."""
        match request.method, parts:
            case "GET", ["domains", zone] if zone in self.zones:
                return json_reply({"fqdn": zone, "automatic_snapshots": False})
            case method, ["domains", zone, "records", name, "TXT"] if zone in self.zones:
                return self._set(method, zone, zone if name == "@" else f"{name}.{zone}", wanted(request))
        raise self.refuse(404, "Not Found", "The resource could not be found.")

    def _set(self, method: str, zone: str, name: str, change: dict[str, Any]) -> Reply:
        if method != "GET":
            self.before_write()
        found = self.found(zone, "TXT", name)
        if method == "GET" and found:
            return json_reply(_gandi_set(found))
        if method == "DELETE":
            self.replace(zone, name, (), 0)
            return Reply(204)
        if method == "POST" and found:
            raise self.refuse(409, "Conflict", "A DNS record of this name and type exists already")
        if method in ("PUT", "POST"):
            values, ttl = self.contents(change.get("rrset_values")), change.get("rrset_ttl", 10800)
            if not values or not isinstance(ttl, int) or not 300 <= ttl <= 2592000:
                raise self.refuse(400, "Bad Request", "rrset_ttl must be between 300 and 2592000")
            self.replace(zone, name, [one if one.startswith('"') else f'"{one}"' for one in values], ttl)
            return json_reply({"message": "DNS Record Created"}, 201)
        raise self.refuse(404, "Not Found", f"Can't find the DNS record {name}/TXT in the zone")


def _gandi_set(found: list[Held]) -> dict[str, object]:
    values = [one.content for one in found]
    name = found[0].relative or "@"
    return {"rrset_name": name, "rrset_type": "TXT", "rrset_ttl": found[0].ttl, "rrset_values": values}


class Desec(RecordSetApi):
    """Refuses TXT contents without quotes, and a TTL below ``minimum_ttl``.

    ``writes_per_second`` limits the writes of a domain; it answers 429 with Retry-After then.
    """

    prefix = "/api/v1"
    token = "i-T3b1h_OI-H9ab8tRS98stGtURe"
    scheme = "Token"
    minimum_ttl = 3600
    writes_per_second: int | None = None
    _writes: Sequence[float] = ()

    def refusal(self, status: int, code: str, message: str) -> Reply:
        """The envelope: a detail, or the fields with their errors."""
        return json_reply({"detail": message} if code == "detail" else {code: [message]}, status)

    def unauthorised(self) -> Reply:
        """The answer to a wrong token."""
        return self.refusal(401, "detail", "Invalid token.")

    def route(self, request: Request, parts: list[str]) -> Reply:
        """Answer a request of the documented ones. Every path ends with a slash."""
        match request.method, parts:
            case "GET", ["domains", ""]:
                return self._owners(request.query.get("owns_qname", ""))
            case "POST", ["domains", zone, "rrsets", ""] if zone in self.zones:
                return self._create(zone, wanted(request))
            case method, ["domains", zone, "rrsets", sub, "TXT", ""] if zone in self.zones:
                return self._set(method, zone, zone if sub == "@" else f"{sub}.{zone}", wanted(request))
        raise self.refuse(404, "detail", "Not found.")

    def _owners(self, name: str) -> Reply:
        owners = sorted((zone for zone in self.zones if name == zone or name.endswith(f".{zone}")), key=len)[-1:]
        return json_reply([{"name": self.shown_name(zone), "minimum_ttl": self.minimum_ttl} for zone in owners])

    def _create(self, zone: str, change: dict[str, Any]) -> Reply:
        self._before_change()
        sub = change.get("subname", "")
        name = f"{sub}.{zone}" if sub else zone
        if self.found(zone, "TXT", name):
            message = "Another RRset with the same subdomain and type exists for this domain."
            raise self.refuse(400, "non_field_errors", message)
        if sub == "@" or change.get("type") != "TXT":
            raise self.refuse(400, "subname", "Subname can only use (lowercase) a-z, 0-9, ., -, and _.")
        self._write(zone, name, change.get("records"), change.get("ttl"))
        return json_reply(self._shown(zone, name), 201)

    def _set(self, method: str, zone: str, name: str, change: dict[str, Any]) -> Reply:
        if method != "GET":
            self._before_change()
        found = self.found(zone, "TXT", name)
        if method == "DELETE":
            self.replace(zone, name, (), 0)
            return Reply(204)
        if not found or method not in ("GET", "PATCH"):
            raise self.refuse(404, "detail", "Not found.")
        if method == "PATCH":
            self._write(zone, name, change.get("records"), change.get("ttl", found[0].ttl))
        return json_reply(self._shown(zone, name))

    def _write(self, zone: str, name: str, records: object, ttl: object) -> None:
        contents = self.contents(records)
        if not isinstance(ttl, int) or not self.minimum_ttl <= ttl <= 86400:
            least = f"Ensure this value is greater than or equal to {self.minimum_ttl}."
            raise self.refuse(400, "ttl", least)
        if not contents or not all(len(one) > 1 and one[0] == one[-1] == '"' for one in contents):
            raise self.refuse(400, "records", "Record content of TXT records must be given in quotation marks.")
        self.replace(zone, name, sorted(contents), ttl)

    def _shown(self, zone: str, name: str) -> dict[str, object]:
        found = self.found(zone, "TXT", name)
        records = [one.content for one in found]
        return {"domain": zone, "name": f"{name}.", "type": "TXT", "ttl": found[0].ttl, "records": records}

    def _before_change(self) -> None:
        self.before_write()
        if self.writes_per_second is None:
            return
        now = time.monotonic()
        self._writes = [at for at in self._writes if now - at < 1]
        if len(self._writes) >= self.writes_per_second:
            reply = self.refusal(429, "detail", "Request was throttled. Expected available in 1 second.")
            raise Refusal(Reply(429, reply.body, {**reply.headers, "Retry-After": "1"}))
        self._writes = [*self._writes, now]
