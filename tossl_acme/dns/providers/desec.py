"""deSEC's API v1.

https://desec.readthedocs.io/en/latest/dns/rrsets.html (2026-08-18)

It accepts two writes a second and 15 a minute for each domain; then it answers 429 with Retry-After, which is obeyed.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from ...context import Context
from ...errors import DnsError
from ..api import CREATING, DELETING, ApiStyle, JsonApi, bearer, context_of
from ..hosted import HostedZone, HostedZones, RecordPlace, ascii_name
from ..provider import Credential, Habits, ProviderAccess
from ..records import RecordSet, add_to_set, remove_from_set

ENDPOINT = "https://desec.io/api/v1"
#: Seconds; the least that deSEC accepts for most domains.
TTL_SECONDS = 3600


class Desec:
    """api_key is a token; a policy may limit it to the TXT records of one name."""

    name = "desec"
    credentials = (Credential("api_key", "a token that may write the domain's TXT records", ("DESEC_TOKEN",)),)
    habits = Habits(side_by_side=False)

    def __init__(self, access: ProviderAccess) -> None:
        style = ApiStyle(self.name, "deSEC", bearer(access.values["api_key"], "Token"), _words)
        self._api = JsonApi(access, style, access.endpoint or ENDPOINT)
        self.endpoint = self._api.endpoint
        self._zones = HostedZones(self.name, self.endpoint, self._zone, access)

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
        return RecordSet(self._api.texts(found, "records"), int(self._api.number(found, "ttl")))

    def write(self, context: Context, place: RecordPlace, held: RecordSet, contents: tuple[str, ...]) -> None:
        """Replaces the set that was read; without contents, deletes it. A set that is new meanwhile is left alone."""
        if not contents:
            self._api.call(context, "DELETE", _set_path(place))
        elif held.contents:
            self._api.call(context, "PATCH", _set_path(place), {"records": contents}, also=(404,))
        else:
            self._create(context, place, contents)

    def _create(self, context: Context, place: RecordPlace, contents: tuple[str, ...]) -> None:
        ttl = place.zone.least_ttl or TTL_SECONDS
        change = {"subname": place.relative(apex=""), "type": "TXT", "ttl": ttl, "records": contents}
        try:
            self._api.call(context, "POST", f"/domains/{place.zone.id}/rrsets/", change)
        except DnsError as error:
            if error.details.get("status") != 400 or not self.read(context, place).contents:
                raise

    def _zone(self, context: Context, name: str) -> HostedZone | None:
        """Returns the zone for a name; deSEC finds it itself."""
        _status, answer = self._api.call(context, "GET", "/domains/?" + urlencode({"owns_qname": name}))
        for domain in self._api.objects(answer):
            zone = ascii_name(domain.get("name"))
            if not zone:
                raise self._api.unusable("answered with an unusable name")
            least = domain.get("minimum_ttl")
            return HostedZone(zone, zone, least if isinstance(least, int) and 0 < least <= 86400 else 0)
        return None


def _set_path(place: RecordPlace) -> str:
    return f"/domains/{place.zone.id}/rrsets/{place.relative()}/TXT/"


def _words(answer: Any) -> str:
    """Returns the texts of an error: {"detail": text}, or lists of texts by field."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, dict):
        return "; ".join(words if name == "detail" else f"{name}: {words}" for name, words in _members(answer))
    if isinstance(answer, list):
        return " ".join(filter(None, map(_words, answer[:5])))
    return ""


def _members(answer: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(name, _words(value)) for name, value in list(answer.items())[:5]]
    return [(name, words) for name, words in found if words]


PROVIDER = Desec
