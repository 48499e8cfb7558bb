"""The DNS zones of Hetzner's Cloud API.

https://docs.hetzner.cloud/reference/cloud#tag/zone-rrsets (2026-07-21)

The older DNS API (dns.hetzner.com) was shut down in May 2026; its tokens are of no use here.
"""

from __future__ import annotations

from typing import Any

from ...context import Backoff, Context
from ...errors import DnsError, after_change
from ..api import CREATING, DELETING, NO_ZONE, ApiStyle, JsonApi, bearer, context_of
from ..hosted import HostedZone, HostedZones, RecordPlace, ascii_name
from ..provider import Credential, Habits, ProviderAccess
from ..records import add_record, remove_records
from ..txt import quoted_txt

ENDPOINT = "https://api.hetzner.cloud/v1"
#: Seconds; the least that Hetzner accepts.
TTL_SECONDS = 60

#: Seconds between two looks at a running action: the first and the longest.
_POLL_SECONDS = (0.05, 2.0)


class Hetzner:
    """api_key is a Cloud API token with read and write permission, of the project that has the zone."""

    name = "hetzner"
    credentials = (
        Credential(
            "api_key",
            "a Cloud API token with read and write permission, of the project with the zone",
            ("HETZNER_API_TOKEN", "HCLOUD_TOKEN"),
        ),
    )
    habits = Habits(side_by_side=True)

    def __init__(self, access: ProviderAccess) -> None:
        style = ApiStyle(self.name, "Hetzner", bearer(access.values["api_key"]), _words)
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
        """Returns each TXT content at the place, which is its own id."""
        status, answer = self._api.call(context, "GET", _set_path(place), also=(404,))
        if status == 404:
            return []
        records = self._api.objects(self._api.object(answer, "rrset"), "records")
        return [(str(record.get("value", "")), str(record.get("value", ""))) for record in records]

    def create(self, context: Context, place: RecordPlace, value: str) -> None:
        """Adds a TXT value to the set of the name, which is created if there is none.

        Sends the TTL for a new set only: an existing one keeps its own.
        """
        change: dict[str, Any] = {"records": [{"value": quoted_txt(value)}]}
        if not self.listed(context, place):
            change["ttl"] = TTL_SECONDS
        self._change(context, place, "add_records", change)

    def delete(self, context: Context, place: RecordPlace, record_id: str) -> None:
        """Removes a TXT content. Succeeds if it is gone already."""
        self._change(context, place, "remove_records", {"records": [{"value": record_id}]}, also=(404,))

    def _zone(self, context: Context, name: str) -> HostedZone | None:
        status, answer = self._api.call(context, "GET", f"/zones/{name}", also=NO_ZONE)
        if status in NO_ZONE:
            return None
        zone = self._api.object(answer, "zone")
        if zone.get("mode") == "secondary":
            cause = f"the zone {name} is a secondary one at Hetzner: publish at its primary name servers"
            raise DnsError(self.name, "zone", cause)
        return HostedZone(ascii_name(zone.get("name")) or name, self._api.number(zone))

    def _change(
        self, context: Context, place: RecordPlace, action: str, change: dict[str, Any], also: tuple[int, ...] = ()
    ) -> None:
        """Changes a set, and waits until it is changed."""
        path = f"{_set_path(place)}/actions/{action}"
        status, answer = self._api.call(context, "POST", path, change, also, once=not also)
        backoff = Backoff(*_POLL_SECONDS)
        while status not in also:
            state = self._api.object(answer, "action")
            if state.get("status") == "success":
                return
            if state.get("status") != "running":
                raise DnsError(self.name, "refused", f"Hetzner's action {action} failed: {_words(state)}")
            path = f"/actions/{self._api.number(state)}"
            with after_change():
                context.sleep(backoff.next(), "provider")
                status, answer = self._api.call(context, "GET", path)


def _set_path(place: RecordPlace) -> str:
    return f"/zones/{place.zone.id}/rrsets/{place.relative()}/TXT"


def _words(answer: Any) -> str:
    """Returns the text of an answer's or an action's error."""
    error = answer.get("error") if isinstance(answer, dict) else None
    found = [error.get("message"), error.get("code")] if isinstance(error, dict) else []
    message, code = [one if isinstance(one, str) else "" for one in found] or ["", ""]
    return f"{message} ({code})" if code else message


PROVIDER = Hetzner
