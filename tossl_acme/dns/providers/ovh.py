"""OVHcloud's API, whose requests are signed.

https://eu.api.ovh.com/console/?section=%2Fdomain (2026-11-26)
https://docs.ovh.com/gb/en/customer/first-steps-with-ovh-api/ (2026-11-26)
"""

from __future__ import annotations

import hashlib
import time
from typing import Any
from urllib.parse import urlencode

from ...context import Context
from ...errors import DnsError, after_change
from ..api import CREATING, DELETING, NO_ZONE, ApiStyle, JsonApi, context_of, words_of
from ..hosted import HostedZone, HostedZones, RecordPlace, ascii_name
from ..provider import Credential, Habits, ProviderAccess
from ..records import add_record, remove_records
from ..txt import quoted_txt

#: The APIs by the names that OVHcloud's own tools use.
ENDPOINTS = {
    "ovh-eu": "https://eu.api.ovh.com/1.0",
    "ovh-ca": "https://ca.api.ovh.com/1.0",
    "ovh-us": "https://api.us.ovhcloud.com/1.0",
}
#: Seconds; the least that OVHcloud accepts.
TTL_SECONDS = 60

#: TXT records at one name, each read by a request.
_MOST_RECORDS = 200
#: Codes of errors about the keys: unknown, revoked, or of another account.
_DENIALS = (
    "INVALID_KEY",
    "INVALID_CREDENTIAL",
    "INVALID_SIGNATURE",
    "NOT_CREDENTIAL",
    "NOT_GRANTED_CALL",
    "QUERY_TIME_OUT",
)
_TIME_PATH = "/auth/time"


class Ovh:
    """An application's key and secret, and a consumer key that may GET, POST and DELETE below /domain/zone/."""

    name = "ovh"
    credentials = (
        Credential("application_key", "the application key", ("OVH_APPLICATION_KEY",), secret=False),
        Credential("application_secret", "the application secret", ("OVH_APPLICATION_SECRET",)),
        Credential(
            "consumer_key",
            "a consumer key that may GET, POST and DELETE /domain/zone/*",
            ("OVH_CONSUMER_KEY",),
        ),
        Credential(
            "endpoint", "ovh-eu (the default), ovh-ca, ovh-us or a URL", ("OVH_ENDPOINT",), secret=False, required=False
        ),
    )
    habits = Habits(side_by_side=True)

    def __init__(self, access: ProviderAccess) -> None:
        self._keys = access.values
        #: Seconds by which OVHcloud's clock is ahead, once it was asked.
        self._ahead: int | None = None
        #: The zones of which a record was deleted, and that were not refreshed since.
        self._changed: set[str] = set()
        style = ApiStyle(self.name, "OVHcloud", self._signature, words_of("errorCode", "message"), denials=_DENIALS)
        endpoint = access.endpoint or "ovh-eu"
        self._api = JsonApi(access, style, ENDPOINTS.get(endpoint.lower(), endpoint))
        self.endpoint = self._api.endpoint
        self._zones = HostedZones(self.name, self.endpoint, self._zone, access, forbids=True)

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Adds one TXT value beside the existing ones. Succeeds if the value exists already."""
        with context_of(CREATING), self._zones.locked(context, fqdn) as place:
            add_record(context, self, place, value)
            with after_change():
                self._apply(context, place)

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Deletes this TXT value, or with None every TXT value at the name. Returns the deleted values."""
        with context_of(DELETING), self._zones.locked(context, fqdn) as place:
            removed = remove_records(context, self, place, value)
            if place.zone.id in self._changed:
                self._apply(context, place)
            return removed

    def listed(self, context: Context, place: RecordPlace) -> list[tuple[str, str]]:
        """Returns (id, content) of each TXT record at the place."""
        query = urlencode({"fieldType": "TXT", "subDomain": place.relative(apex="")})
        ids = self._call(context, "GET", f"{_records_path(place)}?{query}")
        if not isinstance(ids, list) or len(ids) > _MOST_RECORDS:
            raise self._api.unusable(f"answered without a list of {_MOST_RECORDS} records at most")
        found = []
        for record_id in [self._api.number({"id": one}) for one in ids]:
            record = self._api.object(self._call(context, "GET", f"{_records_path(place)}/{record_id}", also=404))
            name = ascii_name(record.get("subDomain")) or "@"
            if record.get("fieldType") == "TXT" and name == place.relative():
                found.append((record_id, str(record.get("target", ""))))
        return found

    def create(self, context: Context, place: RecordPlace, value: str) -> None:
        """Creates a TXT record, which counts when the zone is refreshed."""
        target = value if value.replace("-", "").replace("_", "").isalnum() and len(value) < 256 else quoted_txt(value)
        change = {"fieldType": "TXT", "subDomain": place.relative(apex=""), "target": target, "ttl": TTL_SECONDS}
        self._call(context, "POST", _records_path(place), change, once=True)

    def delete(self, context: Context, place: RecordPlace, record_id: str) -> None:
        """Deletes a record. Succeeds if it is gone already."""
        self._changed.add(place.zone.id)
        self._call(context, "DELETE", f"{_records_path(place)}/{record_id}", also=404)

    def _apply(self, context: Context, place: RecordPlace) -> None:
        """Makes the name servers take the zone as it is now."""
        self._call(context, "POST", f"/domain/zone/{place.zone.id}/refresh")
        self._changed.discard(place.zone.id)

    def _zone(self, context: Context, name: str) -> HostedZone | None:
        try:
            answer = self._call(context, "GET", f"/domain/zone/{name}", also=404)
        except DnsError as error:
            if error.details.get("status") in NO_ZONE and error.errorcode[-1] != "credentials":
                return None
            raise
        found = ascii_name(self._api.object(answer).get("name"))
        return HostedZone(name, name) if found == name else None

    def _call(
        self, context: Context, method: str, path: str, value: object = None, *, also: int = 0, once: bool = False
    ) -> Any:
        if self._ahead is None:
            _status, theirs = self._api.call(context, "GET", _TIME_PATH)
            self._ahead = int(self._api.number({"time": theirs}, "time")) - int(time.time())
        return self._api.call(context, method, path, value, (also,), once=once)[1]

    def _signature(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """Returns the headers that sign a request, by OVHcloud's clock. Its clock itself is for everybody."""
        if url.endswith(_TIME_PATH):
            return {}
        now = str(int(time.time()) + (self._ahead or 0))
        secret, consumer = self._keys["application_secret"], self._keys["consumer_key"]
        signed = "+".join((secret, consumer, method, url, body.decode(), now))
        # The API asks for SHA-1.
        digest = hashlib.sha1(signed.encode(), usedforsecurity=False).hexdigest()
        return {
            "X-Ovh-Application": self._keys["application_key"],
            "X-Ovh-Consumer": consumer,
            "X-Ovh-Timestamp": now,
            "X-Ovh-Signature": f"$1${digest}",
        }


def _records_path(place: RecordPlace) -> str:
    return f"/domain/zone/{place.zone.id}/record"


PROVIDER = Ovh
