"""Cloudflare's API v4.

https://developers.cloudflare.com/api/resources/dns/subresources/records/ (2026-11-26)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from ...context import Context
from ...errors import ArgumentError, DnsError, HttpError
from ...http.client import HttpRequest
from ...http.response import Response
from ..api import CREATING, DELETING, context_of, endpoint_url, exchange, provider_refusal
from ..hosted import HostedZone, HostedZones, RecordPlace, ascii_name
from ..provider import Credential, Habits, ProviderAccess
from ..records import remove_records
from ..txt import quoted_txt

ENDPOINT = "https://api.cloudflare.com/client/v4"
#: Seconds; the least that Cloudflare accepts on every plan is 60.
TTL_SECONDS = 120

#: "Record already exists." and "An identical record already exists."
_ALREADY_THERE = {81057, 81058}
#: "Record does not exist."
_ALREADY_GONE = {81044}
#: Wrong headers, wrong or unknown key, no permission.
_UNAUTHORISED = {6003, 6111, 9103, 9106, 9109, 10000}
#: The largest page that Cloudflare allows for a list of zones.
_PER_PAGE = 50
_MOST_PAGES = 20
_ID = r"[A-Za-z0-9_-]{1,64}"


class Cloudflare:
    """api_key is an API token that may edit DNS (and read zones, if no zone_id is given), or "email:global-key"."""

    name = "cloudflare"
    credentials = (
        Credential("api_key", "an API token, or email:global-key", ("CLOUDFLARE_API_TOKEN", "CF_DNS_API_TOKEN")),
    )
    habits = Habits(side_by_side=True)

    def __init__(self, access: ProviderAccess) -> None:
        self._access = access
        self.endpoint = endpoint_url(access.endpoint or ENDPOINT)
        self._headers = _authorization(access.values["api_key"])
        self._zones = HostedZones(self.name, self.endpoint, self._zone, access)

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Adds one TXT value beside the existing ones. Succeeds if the value exists already."""
        with context_of(CREATING), self._zones.locked(context, fqdn) as place:
            self.create(context, place, value)

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Deletes this TXT value, or with None every TXT value at the name. Returns the deleted values."""
        with context_of(DELETING), self._zones.locked(context, fqdn) as place:
            return remove_records(context, self, place, value)

    def listed(self, context: Context, place: RecordPlace) -> list[tuple[str, str]]:
        """Returns (id, content) of each TXT record at the place."""
        return [
            (self._id(record), str(record.get("content", "")))
            for record in self._pages(context, _records_path(place), {"type": "TXT", "name.exact": place.fqdn})
            if record.get("type") == "TXT" and ascii_name(record.get("name")) == place.fqdn
        ]

    def create(self, context: Context, place: RecordPlace, value: str) -> None:
        """Creates a TXT record. Succeeds if there is an identical one.

        Cloudflare takes a name that is not in the zone for one relative to it: such a record is deleted again.
        """
        record = {"type": "TXT", "name": place.fqdn, "content": quoted_txt(value), "ttl": TTL_SECONDS}
        answer = self._call(context, "POST", _records_path(place), json.dumps(record).encode(), well=_ALREADY_THERE)
        made = answer.get("result")
        if isinstance(made, dict) and ascii_name(made.get("name")) != place.fqdn:
            self.delete(context, place, self._id(made))
            raise DnsError(self.name, "zone", f"{place.fqdn} is not in the zone of this zone_id")

    def delete(self, context: Context, place: RecordPlace, record_id: str) -> None:
        """Deletes a record. Succeeds if it is gone already."""
        self._call(context, "DELETE", f"{_records_path(place)}/{record_id}", well=_ALREADY_GONE)

    def _zone(self, context: Context, name: str) -> HostedZone | None:
        if self._access.zone_id:
            return HostedZone("", self._access.zone_id)
        zones = [
            zone for zone in self._pages(context, "/zones", {"name": name}) if ascii_name(zone.get("name")) == name
        ]
        # A domain may be moving between accounts: the active zone comes first.
        for zone in sorted(zones, key=lambda z: z.get("status") != "active"):
            return HostedZone(name, self._id(zone))
        return None

    def _id(self, item: Mapping[str, Any]) -> str:
        """Returns the id of a zone or record, fit to be part of a path."""
        found = item.get("id")
        if not isinstance(found, str) or not re.fullmatch(_ID, found):
            raise DnsError(self.name, "answer", f"{self.endpoint} answered with an unusable id")
        return found

    def _pages(self, context: Context, path: str, filters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        for page in range(1, _MOST_PAGES + 1):
            query = urlencode({**filters, "page": page, "per_page": _PER_PAGE})
            answer = self._call(context, "GET", f"{path}?{query}")
            items = answer.get("result")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise DnsError(self.name, "answer", f"{self.endpoint}{path} answered without a list")
            yield from items
            info = answer.get("result_info")
            pages = info.get("total_pages") if isinstance(info, dict) else None
            if not items or (page >= pages if isinstance(pages, int) else len(items) < _PER_PAGE):
                return
        raise DnsError(self.name, "answer", f"{self.endpoint}{path} has more than {_MOST_PAGES} pages")

    def _call(
        self, context: Context, method: str, path: str, data: bytes | None = None, well: set[int] | None = None
    ) -> dict[str, Any]:
        """Returns the answer's envelope. An error whose codes are all in `well` counts as success."""
        headers = {**self._headers, "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        response = exchange(self._access.http, context, HttpRequest(method, self.endpoint + path, headers, data))
        try:
            envelope = response.json_object()
        except HttpError as error:
            if response.status in (401, 403):  # a page of what stands before the API
                raise provider_refusal(self._access, self.name, "Cloudflare", response, response.media_type) from None
            unusable = DnsError(self.name, "answer", error.cause)
            unusable.details["status"] = response.status
            raise unusable from None
        if 200 <= response.status < 300 and envelope.get("success") is True:
            return envelope
        errors = _errors(envelope.get("errors"))
        if errors and {code for code, _message in errors} <= (well or set()):
            return envelope
        raise self._refusal(response, errors)

    def _refusal(self, response: Response, errors: list[tuple[int, str]]) -> DnsError:
        words = "; ".join(f"{message} (code {code})" for code, message in errors)
        unauthorised = any(code in _UNAUTHORISED for code, _message in errors)
        return provider_refusal(self._access, self.name, "Cloudflare", response, words, is_unauthorised=unauthorised)


def _authorization(api_key: str) -> dict[str, str]:
    mail, colon, key = api_key.partition(":")
    if not colon:
        return {"Authorization": f"Bearer {api_key}"}
    if "@" not in mail or not key:
        raise ArgumentError("api_key", "cloudflare takes an API token, or email:global-key")
    return {"X-Auth-Email": mail, "X-Auth-Key": key}


def _errors(value: object) -> list[tuple[int, str]]:
    """Returns (code, message) of each error, with the messages of its error_chain, which often have the cause."""
    found = []
    for error in value if isinstance(value, list) else []:
        if isinstance(error, dict):
            chain = error.get("error_chain")
            causes = [c.get("message") for c in chain if isinstance(c, dict)] if isinstance(chain, list) else []
            code = error.get("code")
            words = ": ".join(str(part) for part in (error.get("message"), *causes) if part)
            found.append((code if isinstance(code, int) else 0, words))
    return found


def _records_path(place: RecordPlace) -> str:
    return f"/zones/{place.zone.id}/dns_records"


PROVIDER = Cloudflare
