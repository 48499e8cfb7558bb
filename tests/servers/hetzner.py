"""A look-alike of Hetzner's Cloud API for DNS zones and their record sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .certs import Certificates
from .dnsapi import DnsApi, unquoted, wanted
from .sinks import TxtSink
from .web import Reply, Request, json_reply


class Hetzner(DnsApi):
    """Changes are actions: running at first, a success when they are looked at once more.

    ``secondary`` zones cannot be changed. ``broken_actions`` ends every action with an error.
    """

    prefix = "/v1"
    token = "tosslTestToken0123456789" + "a" * 40

    def __init__(
        self,
        sink: TxtSink | None = None,
        *,
        zones: Sequence[str] = ("example.com", "example.org"),
        page_size: int | None = None,
        certificates: Certificates | None = None,
        secondary: Sequence[str] = (),
        broken_actions: bool = False,
    ) -> None:
        self.secondary, self.broken_actions = secondary, broken_actions
        self._looks: dict[str, int] = {}
        super().__init__(sink, zones=zones, page_size=page_size, certificates=certificates)

    def refusal(self, status: int, code: str, message: str) -> Reply:
        """The envelope: an error with code, message and details."""
        return json_reply({"error": {"code": code, "message": message, "details": {}}}, status)

    def route(self, request: Request, parts: list[str]) -> Reply:
        """Answer a request of the documented ones."""
        match request.method, parts:
            case "GET", ["zones", zone]:
                return json_reply({"zone": self._shown_zone(self._zone(zone))})
            case "GET", ["zones", zone, "rrsets", name, "TXT"]:
                return json_reply({"rrset": self._shown_set(self._zone(zone), name)})
            case "POST", ["zones", zone, "rrsets", name, "TXT", "actions", action]:
                return self._change(self._zone(zone), name, action, wanted(request))
            case "GET", ["actions", number] if number in self._looks:
                self._looks[number] += 1
                return json_reply({"action": self._shown_action(number)})
        raise self.refuse(404, "not_found", "not found")

    def _zone(self, given: str) -> str:
        for number, name in enumerate(self.zones, 42):
            if given in (name, str(number)):
                return name
        raise self.refuse(404, "not_found", f"zone with ID or name '{given}' not found")

    def _shown_zone(self, name: str) -> dict[str, object]:
        mode = "secondary" if name in self.secondary else "primary"
        number = 42 + self.zones.index(name)
        return {
            "id": number,
            "name": self.shown_name(name),
            "mode": mode,
            "ttl": 3600,
            "labels": {},
            "status": "ok",
            "record_count": 0,
        }

    def _shown_set(self, zone: str, name: str) -> dict[str, object]:
        found = self.found(zone, "TXT", _full(name, zone))
        if not found:
            raise self.refuse(404, "not_found", f"rrset with ID '{name}/TXT' not found")
        records = [{"value": one.content, "comment": ""} for one in found]
        return {"zone": 42, "id": f"{name}/TXT", "name": name, "type": "TXT", "ttl": found[0].ttl, "records": records}

    def _change(self, zone: str, name: str, action: str, change: dict[str, Any]) -> Reply:
        if zone in self.secondary:
            raise self.refuse(422, "incorrect_zone_mode", "zone is in secondary mode")
        records = change.get("records")
        values = [one.get("value") for one in records if isinstance(one, dict)] if isinstance(records, list) else []
        if not values or not all(isinstance(one, str) and one[:1] == one[-1:] == '"' for one in values):
            raise self.refuse(422, "invalid_input", "invalid input in field 'records': TXT values must be quoted")
        if not self.broken_actions:
            apply = {"add_records": self._add, "remove_records": self._remove}.get(action)
            if apply is None:
                raise self.refuse(404, "not_found", "not found")
            apply(zone, _full(name, zone), [str(one) for one in values], change.get("ttl"))
        number = str(len(self._looks) + 1)
        self._looks[number] = 0
        return json_reply({"action": self._shown_action(number)}, 201)

    def _add(self, zone: str, name: str, values: list[str], ttl: object) -> None:
        found = self.found(zone, "TXT", name)
        if ttl is not None and (not isinstance(ttl, int) or ttl < 60 or (found and ttl != found[0].ttl)):
            raise self.refuse(422, "invalid_input", "invalid input in field 'ttl'")
        if {unquoted(one.content) for one in found} & {unquoted(value) for value in values}:
            raise self.refuse(409, "uniqueness_error", "record already exists")
        for value in values:
            self.add(zone, name, value, ttl=found[0].ttl if found else int(str(ttl or 3600)))

    def _remove(self, zone: str, name: str, values: list[str], _ttl: object) -> None:
        found = [one for one in self.found(zone, "TXT", name) if one.content in values]
        if len(found) != len(values):
            raise self.refuse(404, "not_found", "record not found")
        for one in found:
            self.drop(one)

    def _shown_action(self, number: str) -> dict[str, object]:
        ended = "error" if self.broken_actions else "success"
        error = {"code": "action_failed", "message": "Action failed"} if self.broken_actions else None
        is_running = self._looks[number] < 1
        return {
            "id": int(number),
            "command": "change_rrset",
            "status": "running" if is_running else ended,
            "progress": 0 if is_running else 100,
            "started": "2026-01-30T23:55:00Z",
            "finished": None if is_running else "2026-01-30T23:55:01Z",
            "resources": [{"id": 42, "type": "zone"}],
            "error": None if is_running else error,
        }


def _full(name: str, zone: str) -> str:
    return zone if name == "@" else f"{name}.{zone}"
