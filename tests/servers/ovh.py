"""A look-alike of OVHcloud's API for DNS zones, which checks the signature of every request."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

from .dnsapi import DnsApi, Held, unquoted, wanted
from .web import Reply, Request, json_reply

#: Seconds by which a request's time may differ.
_TOLERANCE = 30


class Ovh(DnsApi):
    """Its clock is ``ahead`` seconds ahead. Changes are seen by the world after the zone's refresh.

    ``granted`` are the methods that the consumer key may use below /domain/zone/.
    """

    prefix = "/1.0"
    application_key = "7kbG7Bk7S9Nt7ZSV"
    application_secret = "EXEgWIz07P0HYwtQDs7cNIqCiQaWSuHF"
    token = "MtSwSrPpNjqfVSmJhLbPyr2i45lSwPU1"
    ahead = 7200
    granted = ("GET", "POST", "DELETE")

    def refusal(self, status: int, code: str, message: str) -> Reply:
        """The envelope: a class, a message, and for the keys an errorCode."""
        kind = {403: "Client::Forbidden", 404: "Client::NotFound"}.get(status, "Client::BadRequest")
        return json_reply({"class": kind, "message": message, "errorCode": code, "httpCode": str(status)}, status)

    def txt(self, name: str) -> list[str]:
        """Return the TXT values that the world sees at the name."""
        with self.lock:
            return sorted(unquoted(one.content) for one in self.shown() if one.name == name)

    def shown(self) -> list[Held]:
        """The records as they were at the last refresh."""
        return self.__dict__.setdefault("_shown", [])  # type: ignore[no-any-return]

    def publish(self, record: Held) -> None:
        """Wait for the refresh."""

    def retract(self, record: Held) -> None:
        """Wait for the refresh."""

    def authenticate(self, request: Request) -> None:
        """Check the keys and the signature."""
        if request.path.endswith("/auth/time"):
            return
        given = {name: request.headers.get(f"X-Ovh-{name}", "") for name in _HEADERS}
        if given["Application"] != self.application_key:
            raise self.refuse(403, "INVALID_KEY", "This application key is invalid")
        if given["Consumer"] != self.token:
            raise self.refuse(403, "INVALID_CREDENTIAL", "This credential does not exist")
        now = time.time() + self.ahead
        if not given["Timestamp"].isdigit() or abs(int(given["Timestamp"]) - now) > _TOLERANCE:
            raise self.refuse(400, "QUERY_TIME_OUT", "Query out of time")
        url = self.origin + request.target
        signed = (self.application_secret, self.token, request.method, url, request.body.decode(), given["Timestamp"])
        expected = "$1$" + hashlib.sha1("+".join(signed).encode()).hexdigest()
        if not hmac.compare_digest(given["Signature"].encode(), expected.encode()):
            raise self.refuse(400, "INVALID_SIGNATURE", "Invalid signature")

    def route(self, request: Request, parts: list[str]) -> Reply:
        """Answer a request of the documented ones."""
        if parts == ["auth", "time"]:
            return json_reply(int(time.time() + self.ahead))
        if request.method not in self.granted:
            raise self.refuse(403, "NOT_GRANTED_CALL", "This call has not been granted")
        match request.method, parts:
            case "GET", ["domain", "zone", zone] if zone in self.zones:
                return json_reply({"name": self.shown_name(zone), "hasDnsAnycast": False, "dnssecSupported": True})
            case "POST", ["domain", "zone", zone, "refresh"] if zone in self.zones:
                return self._refresh(zone)
            case "GET", ["domain", "zone", zone, "record"] if zone in self.zones:
                kind, sub = request.query.get("fieldType"), request.query.get("subDomain")
                found = [one for one in self.held if one.zone == zone and kind in (None, one.type)]
                return json_reply([one.id for one in found if sub in (None, one.relative)])
            case "POST", ["domain", "zone", zone, "record"] if zone in self.zones:
                return self._create(zone, wanted(request))
            case method, ["domain", "zone", zone, "record", number] if zone in self.zones:
                return self._record(method, zone, number)
        raise self.refuse(404, "", "This service does not exist")

    def _record(self, method: str, zone: str, number: str) -> Reply:
        for record in self.held:
            if record.zone == zone and str(record.id) == number:
                if method == "DELETE":
                    self.drop(record)
                    return json_reply(None)
                return json_reply(_shown(record))
        raise self.refuse(404, "", f"The requested object (id = {number}) does not exist")

    def _create(self, zone: str, record: dict[str, Any]) -> Reply:
        name, target, ttl = record.get("subDomain", ""), record.get("target"), record.get("ttl", 0)
        if record.get("fieldType") != "TXT" or not isinstance(target, str) or not target or not isinstance(name, str):
            raise self.refuse(400, "", "Invalid target")
        if name == "@" or not isinstance(ttl, int) or (ttl and ttl < 60):
            raise self.refuse(400, "", "Invalid subDomain or ttl")
        content = target if target.startswith('"') else f'"{target}"'
        return json_reply(_shown(self.add(zone, f"{name}.{zone}" if name else zone, content, ttl=ttl)))

    def _refresh(self, zone: str) -> Reply:
        shown = self.shown()
        for record in [one for one in shown if one.zone == zone and one not in self.held]:
            shown.remove(record)
            super().retract(record)
        for record in [one for one in self.held if one.zone == zone and one not in shown]:
            shown.append(record)
            super().publish(record)
        return json_reply(None)


_HEADERS = ("Application", "Consumer", "Timestamp", "Signature")


def _shown(record: Held) -> dict[str, object]:
    member = {"id": record.id, "zone": record.zone, "subDomain": record.relative, "fieldType": record.type}
    return {**member, "target": record.content, "ttl": record.ttl}
