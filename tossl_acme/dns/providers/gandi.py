"""Gandi's LiveDNS API v5.

https://api.gandi.net/docs/livedns/ (2026-11-26)
"""

from __future__ import annotations

from typing import Any

from ...context import Context
from ..api import CREATING, DELETING, NO_ZONE, ApiStyle, JsonApi, bearer, context_of
from ..hosted import HostedZone, HostedZones, RecordPlace
from ..provider import Credential, Habits, ProviderAccess
from ..records import RecordSet, add_to_set, remove_from_set

ENDPOINT = "https://api.gandi.net/v5/livedns"
#: Seconds; the least that Gandi accepts.
TTL_SECONDS = 300


class Gandi:
    """api_key is a personal access token that may manage the domain's technical configuration."""

    name = "gandi"
    credentials = (
        Credential(
            "api_key",
            "a personal access token that may manage domain name technical configurations",
            ("GANDIV5_PERSONAL_ACCESS_TOKEN", "GANDI_PERSONAL_ACCESS_TOKEN", "GANDI_PAT"),
        ),
    )
    habits = Habits(side_by_side=True)

    def __init__(self, access: ProviderAccess) -> None:
        style = ApiStyle(self.name, "Gandi", bearer(access.values["api_key"]), _words)
        self._api = JsonApi(access, style, access.endpoint or ENDPOINT)
        self.endpoint = self._api.endpoint
        self._zones = HostedZones(self.name, self.endpoint, self._zone, access, forbids=True)

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Adds one TXT value beside the existing ones. Succeeds if the value exists already."""
        with context_of(CREATING), self._zones.locked(context, fqdn) as place:
            add_to_set(context, self, place, value)

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Deletes this TXT value, or with None every TXT value at the name. Returns the deleted values."""
        with context_of(DELETING), self._zones.locked(context, fqdn) as place:
            return remove_from_set(context, self, place, value)

    def read(self, context: Context, place: RecordPlace) -> RecordSet:
        """Returns the TXT set of the place."""
        status, answer = self._api.call(context, "GET", _set_path(place), also=(404,))
        if status == 404:
            return RecordSet()
        found = self._api.object(answer)
        return RecordSet(self._api.texts(found, "rrset_values"), int(self._api.number(found, "rrset_ttl")))

    def write(self, context: Context, place: RecordPlace, held: RecordSet, contents: tuple[str, ...]) -> None:
        """Replaces the set that was read; without contents, deletes it. A set that is new meanwhile is left alone."""
        if not contents:
            self._api.call(context, "DELETE", _set_path(place), also=(404,))
            return
        method = "PUT" if held.contents else "POST"
        change = {"rrset_values": contents, "rrset_ttl": held.ttl or TTL_SECONDS}
        self._api.call(context, method, _set_path(place), change, also=(409,))

    def _zone(self, context: Context, name: str) -> HostedZone | None:
        status, _answer = self._api.call(context, "GET", f"/domains/{name}", also=NO_ZONE)
        return None if status in NO_ZONE else HostedZone(name, name)


def _set_path(place: RecordPlace) -> str:
    return f"/domains/{place.zone.id}/records/{place.relative()}/TXT"


def _words(answer: Any) -> str:
    """Returns the message of an error, and the descriptions of its parts."""
    if not isinstance(answer, dict):
        return ""
    parts = answer.get("errors")
    causes = [one.get("description") for one in parts if isinstance(one, dict)] if isinstance(parts, list) else []
    return ": ".join(one for one in (answer.get("message"), *causes) if isinstance(one, str) and one)


PROVIDER = Gandi
