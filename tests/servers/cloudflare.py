"""A look-alike of the Cloudflare v4 API for zones and DNS records, with its envelope, errors and pages."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence

from .certs import Certificates
from .dnsapi import DnsApi, Held, Refusal, unquoted
from .sinks import TxtSink
from .web import Reply, Request, json_reply

_TOKEN_FORM = re.compile(r"[A-Za-z0-9_-]{30,}")
_KEY_FORM = re.compile(r"[0-9a-f]{37}")
_ID_FORM = re.compile(r"[0-9a-f]{32}")
_ZONE_PAGE, _ZONE_PAGE_MAX = 20, 50
_RECORD_PAGE, _RECORD_PAGE_MAX = 100, 5_000_000
#: The codes of the usual errors by status.
_CODES = {403: 10000, 429: 971}
_CREATED = "2026-01-30T23:55:00.000000Z"


class Cloudflare(DnsApi):
    """``url`` ends in /client/v4 as the real one does.

    ``quote_txt`` returns TXT contents in quotes however they were sent, as the real service may.
    """

    prefix = "/client/v4"
    token = "tossl-test-token-0123456789-abcdefghijkl"
    email = "operator@example.com"
    key = "0123456789abcdef0123456789abcdef01234"

    def __init__(
        self,
        sink: TxtSink | None = None,
        *,
        zones: Sequence[str] = ("example.com", "example.org"),
        quote_txt: bool = False,
        page_size: int | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self.ids = {zone_id(name): name for name in zones}
        self.quote_txt = quote_txt
        super().__init__(sink, zones=zones, page_size=page_size, certificates=certificates)

    def zone_id(self, name: str) -> str:
        """Return the identifier of one of the zones."""
        return zone_id(name)

    def refusal(self, status: int, code: str, message: str) -> Reply:
        """The envelope: a list of errors with code, message and perhaps what caused it."""
        number = int(code) if code.isdigit() else _CODES.get(status, 1000)
        return _failure(status, number, message)

    def authenticate(self, request: Request) -> None:
        """Check the token, or the mail address with the global key."""
        bearer = request.headers.get("Authorization")
        if bearer is not None:
            self._check_token(bearer, verifying=request.path.endswith("/user/tokens/verify"))
            return
        email, key = request.headers.get("X-Auth-Email"), request.headers.get("X-Auth-Key")
        if email is None and key is None:
            raise _refused(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
        if email is None or "@" not in email:
            raise _bad_headers(6102, "Invalid format for X-Auth-Email header")
        if key is None or not _KEY_FORM.fullmatch(key):
            raise _bad_headers(6103, "Invalid format for X-Auth-Key header")
        if not (_same(email, self.email) and _same(key, self.key)):
            raise _refused(403, 9103, "Unknown X-Auth-Key or X-Auth-Email")

    def _check_token(self, header: str, *, verifying: bool) -> None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not _TOKEN_FORM.fullmatch(token):
            raise _bad_headers(6111, "Invalid format for Authorization header")
        if not _same(token, self.token):
            if verifying:
                raise _refused(401, 1000, "Invalid API Token")
            raise _refused(403, 9109, "Invalid access token")

    def route(self, request: Request, parts: list[str]) -> Reply:
        """Answer a request of the documented ones."""
        match request.method, parts:
            case "GET", ["user", "tokens", "verify"]:
                return self._verify()
            case "GET", ["zones"]:
                return self._list_zones(request.query)
            case "GET", ["zones", zone]:
                return _success(self._zone_json(self._zone(zone, request)))
            case "GET", ["zones", zone, "dns_records"]:
                return self._list_records(self._zone(zone, request), request.query)
            case "POST", ["zones", zone, "dns_records"]:
                return self._create(self._zone(zone, request), request)
            case "GET", ["zones", zone, "dns_records", record]:
                return _success(self._record_json(self._record(self._zone(zone, request), record, request)))
            case "DELETE", ["zones", zone, "dns_records", record]:
                return self._delete(self._record(self._zone(zone, request), record, request))
        raise _no_route(request.path)

    def _verify(self) -> Reply:
        message = {"code": 10000, "message": "This API Token is valid and active", "type": None}
        return _success({"id": zone_id("token"), "status": "active"}, messages=[message])

    def _zone(self, identifier: str, request: Request) -> str:
        if not _ID_FORM.fullmatch(identifier):
            raise _no_route(request.path)
        if identifier not in self.ids:
            # For a token that does not cover it, a zone looks missing.
            if "Authorization" in request.headers:
                raise _refused(403, 10000, "Authentication error")
            raise _refused(404, 1001, "Invalid zone identifier")
        return self.ids[identifier]

    def _record(self, zone: str, identifier: str, request: Request) -> Held:
        if not _ID_FORM.fullmatch(identifier):
            raise _no_route(request.path)
        for record in self.held:
            if record.zone == zone and _record_id(record) == identifier:
                return record
        raise _refused(404, 81044, "Record does not exist.")

    def _list_zones(self, query: Mapping[str, str]) -> Reply:
        wanted = query.get("name", "").lower()
        names = [name for name in self.zones if not wanted or name == wanted]
        return self._page_reply([self._zone_json(name) for name in names], query, _ZONE_PAGE, _ZONE_PAGE_MAX)

    def _list_records(self, zone: str, query: Mapping[str, str]) -> Reply:
        name = query.get("name", query.get("name.exact", "")).lower().rstrip(".")
        content = query.get("content", query.get("content.exact"))
        kind = query.get("type")
        found = [
            self._record_json(record)
            for record in self.held
            if record.zone == zone
            and (not name or record.name == name)
            and (not kind or record.type == kind)
            and (content is None or unquoted(record.content) == unquoted(content))
        ]
        return self._page_reply(found, query, _RECORD_PAGE, _RECORD_PAGE_MAX)

    def _create(self, zone: str, request: Request) -> Reply:
        asked = _wanted_record(request)
        name = str(asked["name"]).lower().rstrip(".")
        if name != zone and not name.endswith(f".{zone}"):
            # So does the real one: a name outside the zone is taken as relative to it.
            name = zone if name == "@" else f"{name}.{zone}"
        content = str(asked["content"])
        if any(unquoted(one.content) == unquoted(content) for one in self.found(zone, str(asked["type"]), name)):
            raise _refused(400, 81058, "An identical record already exists.")
        record = self.add(zone, name, content, kind=str(asked["type"]), ttl=int(str(asked.get("ttl", 1))))
        return _success(self._record_json(record))

    def _delete(self, record: Held) -> Reply:
        self.drop(record)
        return _success({"id": _record_id(record)})

    def _page_reply(self, found: Sequence[object], query: Mapping[str, str], default: int, most: int) -> Reply:
        try:
            number, size = int(query.get("page", "1")), int(query.get("per_page", default))
        except ValueError:
            raise _refused(400, 1004, "Invalid page or per_page") from None
        part, pages = self.page_of(found, max(number, 1), max(1, min(size, most)))
        size = min(size, self.page_size or size)
        info = {
            "page": max(number, 1),
            "per_page": size,
            "count": len(part),
            "total_count": len(found),
            "total_pages": pages,
        }
        return _success(part, result_info=info)

    def _zone_json(self, name: str) -> dict[str, object]:
        servers = ["ada.ns.cloudflare.com", "lee.ns.cloudflare.com"]
        account = {"id": zone_id("account"), "name": "tossl tests"}
        state = {"status": "active", "paused": False, "type": "full"}
        return {
            "id": zone_id(name),
            "name": self.shown_name(name),
            **state,
            "name_servers": servers,
            "account": account,
        }

    def _record_json(self, record: Held) -> dict[str, object]:
        content = record.content
        if record.type == "TXT" and self.quote_txt:
            content = f'"{unquoted(content)}"'
        return {
            "id": _record_id(record),
            "name": self.shown_name(record.name),
            "type": record.type,
            "content": content,
            "proxiable": False,
            "proxied": False,
            "ttl": record.ttl,
            "settings": {},
            "meta": {},
            "comment": None,
            "tags": [],
            "created_on": _CREATED,
            "modified_on": _CREATED,
        }


def zone_id(name: str) -> str:
    """Return the identifier that a zone of this name has here."""
    return hashlib.sha256(f"zone {name}".encode()).hexdigest()[:32]


def _wanted_record(request: Request) -> dict[str, object]:
    try:
        wanted = request.json()
    except ValueError:
        raise _refused(400, 9207, "Request body is invalid.") from None
    if not isinstance(wanted, dict):
        raise _refused(400, 9207, "Request body is invalid.")
    for field_name, code in (("name", 9000), ("type", 9001), ("content", 9005)):
        if not isinstance(wanted.get(field_name), str) or not wanted[field_name]:
            problem = (code, f"DNS record has an invalid {field_name}.")
            raise _refused(400, 1004, "DNS Validation Error", problem)
    ttl = wanted.get("ttl", 1)
    if not isinstance(ttl, int) or not (ttl == 1 or 60 <= ttl <= 86400):
        problem = (9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.")
        raise _refused(400, 1004, "DNS Validation Error", problem)
    return wanted


def _success(result: object, messages: Iterable[object] = (), **more: object) -> Reply:
    return json_reply({"result": result, "success": True, "errors": [], "messages": list(messages), **more})


def _bad_headers(code: int, message: str) -> Refusal:
    return _refused(400, 6003, "Invalid request headers", (code, message))


def _no_route(path: str) -> Refusal:
    return _refused(404, 7003, f"Could not route to {path}, perhaps your object identifier is invalid?")


def _failure(status: int, code: int, message: str, chain: tuple[int, str] | None = None) -> Reply:
    error: dict[str, object] = {"code": code, "message": message}
    if chain:
        error["error_chain"] = [{"code": chain[0], "message": chain[1]}]
    return json_reply({"success": False, "errors": [error], "messages": [], "result": None}, status)


def _refused(status: int, code: int, message: str, chain: tuple[int, str] | None = None) -> Refusal:
    return Refusal(_failure(status, code, message, chain))


def _record_id(record: Held) -> str:
    return hashlib.sha256(str(record.id).encode()).hexdigest()[:32]


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
