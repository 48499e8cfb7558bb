"""A look-alike of DigitalOcean's API v2 for domains and their records."""

from __future__ import annotations

from .dnsapi import DnsApi, Held, wanted
from .web import Reply, Request, json_reply

_PAGE, _PAGE_MAX = 20, 200


class DigitalOcean(DnsApi):
    """Contents stay as they were sent, names are relative; records are listed in pages."""

    prefix = "/v2"
    token = "dop_v1_" + "0123456789abcdef" * 4

    def refusal(self, status: int, code: str, message: str) -> Reply:
        """The envelope: an id and a message."""
        limits = {"ratelimit_limit": "5000", "ratelimit_remaining": "4999", "ratelimit_reset": "1444931833"}
        return json_reply({"id": code, "message": message, "request_id": "4d9d8375-3c56"}, status, **limits)

    def unauthorised(self) -> Reply:
        """The answer to a wrong token."""
        return self.refusal(401, "unauthorized", "Unable to authenticate you.")

    def route(self, request: Request, parts: list[str]) -> Reply:
        """Answer a request of the documented ones."""
        match request.method, parts:
            case "GET", ["domains", name] if name in self.zones:
                return json_reply({"domain": {"name": name, "ttl": 1800, "zone_file": ""}})
            case "GET", ["domains", name, "records"] if name in self.zones:
                return self._list(name, request)
            case "POST", ["domains", name, "records"] if name in self.zones:
                return self._create(name, wanted(request))
            case "DELETE", ["domains", name, "records", number] if name in self.zones:
                for record in self.held:
                    if record.zone == name and str(record.id) == number:
                        self.drop(record)
                        return Reply(204)
        raise self.refuse(404, "not_found", "The resource you were accessing could not be found.")

    def _list(self, zone: str, request: Request) -> Reply:
        kind, name = request.query.get("type"), request.query.get("name")
        found = [
            _shown(one)
            for one in self.held
            if one.zone == zone and kind in (None, one.type) and name in (None, one.name)
        ]
        number = int(request.query.get("page", "1"))
        page, pages = self.page_of(found, number, min(int(request.query.get("per_page", _PAGE)), _PAGE_MAX))
        more = {"next": f"{self.url}/domains/{zone}/records?page={number + 1}"} if number < pages else {}
        return json_reply(
            {"domain_records": page, "links": {"pages": more} if more else {}, "meta": {"total": len(found)}}
        )

    def _create(self, zone: str, record: dict[str, object]) -> Reply:
        name, data, ttl = record.get("name"), record.get("data"), record.get("ttl", 1800)
        if not isinstance(name, str) or not isinstance(data, str) or not data or record.get("type") != "TXT":
            raise self.refuse(422, "unprocessable_entity", "Name, type and data can't be blank.")
        if not isinstance(ttl, int) or ttl < 30:
            raise self.refuse(422, "unprocessable_entity", "TTL must be greater than or equal to 30.")
        full = zone if name == "@" else f"{name}.{zone}"
        return json_reply({"domain_record": _shown(self.add(zone, full, data, ttl=ttl))}, 201)


def _shown(record: Held) -> dict[str, object]:
    empty = dict.fromkeys(("priority", "port", "weight", "flags", "tag"))
    return {
        "id": record.id,
        "type": record.type,
        "name": record.relative or "@",
        "data": record.content,
        "ttl": record.ttl,
        **empty,
    }
