"""DigitalOcean's API v2.

https://docs.digitalocean.com/reference/api/digitalocean/#tag/Domain-Records (2026-08-07)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from ...context import Context
from ..api import CREATING, DELETING, NO_ZONE, ApiStyle, JsonApi, bearer, context_of, words_of
from ..hosted import HostedZone, HostedZones, RecordPlace, ascii_name
from ..provider import Credential, Habits, ProviderAccess
from ..records import add_record, remove_records

ENDPOINT = "https://api.digitalocean.com/v2"
#: Seconds; the least that DigitalOcean accepts is 30.
TTL_SECONDS = 60

#: The largest page that DigitalOcean allows.
_PER_PAGE = 200
_MOST_PAGES = 50


class DigitalOcean:
    """api_key is a personal access token that may read domains, and create and delete their records."""

    name = "digitalocean"
    credentials = (
        Credential(
            "api_key",
            "a personal access token with the scopes domain:read, domain:create and domain:delete",
            ("DO_AUTH_TOKEN", "DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"),
        ),
    )
    habits = Habits(side_by_side=True)

    def __init__(self, access: ProviderAccess) -> None:
        style = ApiStyle(self.name, "DigitalOcean", bearer(access.values["api_key"]), words_of("id", "message"))
        self._api = JsonApi(access, style, access.endpoint or ENDPOINT)
        self.endpoint = self._api.endpoint
        self._zones = HostedZones(self.name, self.endpoint, self._zone, access)

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Adds one TXT value beside the existing ones. Succeeds if the value exists already."""
        with context_of(CREATING), self._zones.locked(context, fqdn) as place:
            add_record(context, self, place, value)

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Deletes this TXT value, or with None every TXT value at the name. Returns the deleted values."""
        with context_of(DELETING), self._zones.locked(context, fqdn) as place:
            return remove_records(context, self, place, value)

    def listed(self, context: Context, place: RecordPlace) -> list[tuple[str, str]]:
        """Returns (id, content) of each TXT record at the place."""
        return [
            (self._api.number(record), str(record.get("data", "")))
            for record in self._pages(context, place)
            if record.get("type") == "TXT" and _full_name(record, place) == place.fqdn
        ]

    def create(self, context: Context, place: RecordPlace, value: str) -> None:
        """Creates a TXT record."""
        record = {"type": "TXT", "name": place.relative(), "data": value, "ttl": TTL_SECONDS}
        self._api.call(context, "POST", f"/domains/{place.zone.id}/records", record, once=True)

    def delete(self, context: Context, place: RecordPlace, record_id: str) -> None:
        """Deletes a record. Succeeds if it is gone already."""
        self._api.call(context, "DELETE", f"/domains/{place.zone.id}/records/{record_id}", also=(404,))

    def _zone(self, context: Context, name: str) -> HostedZone | None:
        status, _answer = self._api.call(context, "GET", f"/domains/{name}", also=NO_ZONE)
        return None if status in NO_ZONE else HostedZone(name, name)

    def _pages(self, context: Context, place: RecordPlace) -> Iterator[dict[str, Any]]:
        for page in range(1, _MOST_PAGES + 1):
            query = urlencode({"type": "TXT", "name": place.fqdn, "page": page, "per_page": _PER_PAGE})
            _status, answer = self._api.call(context, "GET", f"/domains/{place.zone.id}/records?{query}")
            records = self._api.objects(answer, "domain_records")
            yield from records
            links = answer.get("links")
            pages = links.get("pages") if isinstance(links, dict) else None
            if not records or not isinstance(pages, dict) or not pages.get("next"):
                return
        raise self._api.unusable(f"answered with more than {_MOST_PAGES} pages")


def _full_name(record: dict[str, Any], place: RecordPlace) -> str:
    relative = ascii_name(record.get("name"))
    return place.zone.name if relative == "@" else f"{relative}.{place.zone.name}"


PROVIDER = DigitalOcean
