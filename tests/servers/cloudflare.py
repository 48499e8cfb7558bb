"""A look-alike of the Cloudflare v4 API for zones and DNS records, with its envelope, errors and pages."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .certs import Certificates
from .sinks import TxtSink
from .web import LookAlike, Reply, Request, json_reply

_PREFIX = "/client/v4"
_TOKEN_FORM = re.compile(r"[A-Za-z0-9_-]{30,}")
_KEY_FORM = re.compile(r"[0-9a-f]{37}")
_ID_FORM = re.compile(r"[0-9a-f]{32}")
_ZONE_PAGE, _ZONE_PAGE_MAX = 20, 50
_RECORD_PAGE, _RECORD_PAGE_MAX = 100, 5_000_000


@dataclass
class _Record:
    id: str
    zone: str
    type: str
    name: str
    content: str
    ttl: int
    comment: str | None = None
    proxied: bool = False
    created: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


class _Refused(Exception):
    def __init__(self, status: int, code: int, message: str, chain: tuple[int, str] | None = None) -> None:
        super().__init__(message)
        error: dict[str, object] = {"code": code, "message": message}
        if chain:
            error["error_chain"] = [{"code": chain[0], "message": chain[1]}]
        body = {"success": False, "errors": [error], "messages": [], "result": None}
        self.reply = json_reply(body, status)


class Cloudflare(LookAlike):
    """``url`` ends in /client/v4 as the real one does. TXT records are published in ``sink``.

    ``quote_txt`` returns TXT contents in quotes however they were sent, as the real service may.
    ``page_size`` makes pages smaller than asked for, so that few records need several pages.
    Without a client at hand: POST /control/fail?what=429&times=2, POST /control/slow?seconds=0.5 for every request,
    POST /control/clear, GET /control/requests.
    """

    def __init__(
        self,
        sink: TxtSink | None = None,
        *,
        zones: Sequence[str] = ("example.com", "example.org"),
        token: str = "tossl-test-token-0123456789-abcdefghijkl",
        email: str = "operator@example.com",
        key: str = "0123456789abcdef0123456789abcdef01234",
        quote_txt: bool = False,
        page_size: int | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self.sink = sink
        self.zones = {zone_id(name): name for name in zones}
        self.token, self.email, self.key = token, email, key
        self.quote_txt, self.page_size = quote_txt, page_size
        self._records: dict[str, _Record] = {}
        self._faults: deque[str] = deque()
        self._seconds = 0.0
        self._stopped = threading.Event()
        self._numbers = iter(range(1, 1 << 30))
        super().__init__(certificates)
        self.url = self.origin + _PREFIX

    def zone_id(self, name: str) -> str:
        """Return the identifier of one of the zones."""
        return zone_id(name)

    def txt(self, name: str) -> list[str]:
        """Return the TXT contents held at the name, without quotes."""
        with self.lock:
            held = [r for r in self._records.values() if r.type == "TXT" and r.name == name]
            return sorted(_unquoted(record.content) for record in held)

    @property
    def held(self) -> list[_Record]:
        """All records of the account."""
        with self.lock:
            return list(self._records.values())

    def misbehave(self, *faults: str) -> None:
        """Answer the next requests wrongly, one fault each: ``429``, ``500``, ``403`` or ``html``."""
        for fault in faults:
            if fault not in ("429", "500", "403", "html"):
                raise ValueError(f"no such fault: {fault}")
        with self.lock:
            self._faults.extend(faults)

    def slow_down(self, seconds: float) -> None:
        """Answer every request so late from now on."""
        self._seconds = seconds

    def stop(self) -> None:
        """Stop listening, and end every delay."""
        self._stopped.set()
        super().stop()

    def _take(self, request: Request) -> Reply:
        if self._seconds and not request.path.startswith("/control/"):
            self._stopped.wait(self._seconds)
        return super()._take(request)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path.startswith("/control/"):
            self.requests.pop()
            return self._control(request)
        if self._faults:
            return _misbehaviour(self._faults.popleft())
        try:
            if not request.path.startswith(_PREFIX):
                raise _no_route(request.path)
            self._authenticate(request)
            return self._route(request, request.path.removeprefix(_PREFIX).strip("/").split("/"))
        except _Refused as refused:
            return refused.reply

    def _control(self, request: Request) -> Reply:
        if request.path == "/control/fail":
            try:
                self.misbehave(*[request.query.get("what", "500")] * int(request.query.get("times", "1")))
            except ValueError as error:
                return json_reply({"error": str(error)}, 400)
        if request.path == "/control/slow":
            self.slow_down(float(request.query["seconds"]))
        if request.path == "/control/clear":
            with self.lock:
                self._faults.clear()
            self.slow_down(0)
        seen = [{"method": r.method, "path": r.path, "query": dict(r.query)} for r in self.requests]
        return json_reply({"requests": seen})

    def _authenticate(self, request: Request) -> None:
        bearer = request.headers.get("Authorization")
        if bearer is not None:
            self._authenticate_token(bearer, verifying=request.path.endswith("/user/tokens/verify"))
            return
        email, key = request.headers.get("X-Auth-Email"), request.headers.get("X-Auth-Key")
        if email is None and key is None:
            raise _Refused(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
        if email is None or "@" not in email:
            raise _bad_headers(6102, "Invalid format for X-Auth-Email header")
        if key is None or not _KEY_FORM.fullmatch(key):
            raise _bad_headers(6103, "Invalid format for X-Auth-Key header")
        if not (_same(email, self.email) and _same(key, self.key)):
            raise _Refused(403, 9103, "Unknown X-Auth-Key or X-Auth-Email")

    def _authenticate_token(self, header: str, *, verifying: bool) -> None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not _TOKEN_FORM.fullmatch(token):
            raise _bad_headers(6111, "Invalid format for Authorization header")
        if not _same(token, self.token):
            if verifying:
                raise _Refused(401, 1000, "Invalid API Token")
            raise _Refused(403, 9109, "Invalid access token")

    def _route(self, request: Request, parts: list[str]) -> Reply:
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
        if identifier not in self.zones:
            # For a token that does not cover it, a zone looks missing.
            if "Authorization" in request.headers:
                raise _Refused(403, 10000, "Authentication error")
            raise _Refused(404, 1001, "Invalid zone identifier")
        return self.zones[identifier]

    def _record(self, zone: str, identifier: str, request: Request) -> _Record:
        if not _ID_FORM.fullmatch(identifier):
            raise _no_route(request.path)
        record = self._records.get(identifier)
        if record is None or record.zone != zone:
            raise _Refused(404, 81044, "Record does not exist.")
        return record

    def _list_zones(self, query: Mapping[str, str]) -> Reply:
        wanted = query.get("name", "").lower()
        names = [name for name in self.zones.values() if not wanted or name == wanted]
        return self._page([self._zone_json(name) for name in names], query, _ZONE_PAGE, _ZONE_PAGE_MAX)

    def _list_records(self, zone: str, query: Mapping[str, str]) -> Reply:
        name = query.get("name", query.get("name.exact", "")).lower().rstrip(".")
        content = query.get("content", query.get("content.exact"))
        kind = query.get("type")
        found = [
            self._record_json(record)
            for record in self._records.values()
            if record.zone == zone
            and (not name or record.name == name)
            and (not kind or record.type == kind)
            and (content is None or _unquoted(record.content) == _unquoted(content))
        ]
        return self._page(found, query, _RECORD_PAGE, _RECORD_PAGE_MAX)

    def _create(self, zone: str, request: Request) -> Reply:
        wanted = _wanted_record(request)
        name = str(wanted["name"]).lower().rstrip(".")
        if name != zone and not name.endswith(f".{zone}"):
            # So does the real one: a name outside the zone is taken as relative to it.
            name = zone if name == "@" else f"{name}.{zone}"
        content = str(wanted["content"])
        same = (name, wanted["type"], _unquoted(content))
        if any((r.name, r.type, _unquoted(r.content)) == same for r in self._records.values()):
            raise _Refused(400, 81058, "An identical record already exists.")
        identifier = hashlib.sha256(str(next(self._numbers)).encode()).hexdigest()[:32]
        ttl, comment = int(str(wanted.get("ttl", 1))), wanted.get("comment")
        record = _Record(identifier, zone, str(wanted["type"]), name, content, ttl, str(comment) if comment else None)
        self._records[identifier] = record
        if record.type == "TXT" and self.sink is not None:
            self.sink.add_txt(name, _unquoted(content))
        return _success(self._record_json(record))

    def _delete(self, record: _Record) -> Reply:
        del self._records[record.id]
        if record.type == "TXT" and self.sink is not None:
            self.sink.remove_txt(record.name, _unquoted(record.content))
        return _success({"id": record.id})

    def _page(self, found: Sequence[object], query: Mapping[str, str], default: int, most: int) -> Reply:
        try:
            number, size = int(query.get("page", "1")), int(query.get("per_page", default))
        except ValueError:
            raise _Refused(400, 1004, "Invalid page or per_page") from None
        number, size = max(number, 1), max(1, min(size, most, self.page_size or most))
        part = found[(number - 1) * size : number * size]
        pages = -(-len(found) // size)
        info = {"page": number, "per_page": size, "count": len(part), "total_count": len(found), "total_pages": pages}
        return _success(part, result_info=info)

    def _zone_json(self, name: str) -> dict[str, object]:
        servers = ["ada.ns.cloudflare.com", "lee.ns.cloudflare.com"]
        account = {"id": zone_id("account"), "name": "tossl tests"}
        state = {"status": "active", "paused": False, "type": "full"}
        return {"id": zone_id(name), "name": name, **state, "name_servers": servers, "account": account}

    def _record_json(self, record: _Record) -> dict[str, object]:
        content = record.content
        if record.type == "TXT" and self.quote_txt:
            content = f'"{_unquoted(content)}"'
        return {
            "id": record.id,
            "name": record.name,
            "type": record.type,
            "content": content,
            "proxiable": False,
            "proxied": record.proxied,
            "ttl": record.ttl,
            "settings": {},
            "meta": {},
            "comment": record.comment,
            "tags": [],
            "created_on": record.created,
            "modified_on": record.created,
        }


def zone_id(name: str) -> str:
    """Return the identifier that a zone of this name has here."""
    return hashlib.sha256(f"zone {name}".encode()).hexdigest()[:32]


def _wanted_record(request: Request) -> dict[str, object]:
    try:
        wanted = request.json()
    except ValueError:
        raise _Refused(400, 9207, "Request body is invalid.") from None
    if not isinstance(wanted, dict):
        raise _Refused(400, 9207, "Request body is invalid.")
    for field_name, code in (("name", 9000), ("type", 9001), ("content", 9005)):
        if not isinstance(wanted.get(field_name), str) or not wanted[field_name]:
            problem = (code, f"DNS record has an invalid {field_name}.")
            raise _Refused(400, 1004, "DNS Validation Error", problem)
    ttl = wanted.get("ttl", 1)
    if not isinstance(ttl, int) or not (ttl == 1 or 60 <= ttl <= 86400):
        problem = (9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.")
        raise _Refused(400, 1004, "DNS Validation Error", problem)
    return wanted


def _success(result: object, messages: Iterable[object] = (), **more: object) -> Reply:
    return json_reply({"result": result, "success": True, "errors": [], "messages": list(messages), **more})


def _bad_headers(code: int, message: str) -> _Refused:
    return _Refused(400, 6003, "Invalid request headers", (code, message))


def _no_route(path: str) -> _Refused:
    return _Refused(404, 7003, f"Could not route to {path}, perhaps your object identifier is invalid?")


def _misbehaviour(fault: str) -> Reply:
    if fault == "429":
        error = {"code": 971, "message": "Please wait and consider throttling your request speed"}
        body = {"success": False, "errors": [error], "messages": [], "result": None}
        return json_reply(body, 429, retry_after="1", ratelimit='"default";r=0;t=1')
    if fault == "403":
        return _Refused(403, 10000, "Authentication error").reply
    if fault == "500":
        return _Refused(500, 1000, "Internal server error").reply
    page = b"<!DOCTYPE html><html><body><h1>502 Bad gateway</h1></body></html>"
    return Reply(502, page, {"Content-Type": "text/html; charset=UTF-8"})


def _unquoted(content: str) -> str:
    if len(content) > 1 and content.startswith('"') and content.endswith('"'):
        return content[1:-1]
    return content


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
