"""What the look-alikes of DNS providers share: records in zones, wrong tokens, scripted faults, delays."""

from __future__ import annotations

import hmac
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from .certs import Certificates
from .sinks import TxtSink
from .web import LookAlike, Reply, Request, json_reply

_PAGE = b"<!DOCTYPE html><html><body><h1>502 Bad gateway</h1></body></html>"


class Refusal(Exception):
    """An answer other than success, raised wherever a look-alike finds the fault."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True)
class Held:
    """One record of a zone, its content as the API shows it."""

    id: int
    zone: str
    type: str
    name: str
    content: str
    ttl: int

    @property
    def relative(self) -> str:
        """The name without the zone's; empty at the apex."""
        return self.name.removesuffix(self.zone).removesuffix(".")


class DnsApi(LookAlike):
    """The account of a provider. ``url`` is its endpoint for clients. TXT records are published in ``sink``.

    ``page_size`` makes pages smaller than asked for, so that few records need several pages.
    Without a client at hand: POST /control/fail?what=429&times=2, POST /control/slow?seconds=0.5 for every request,
    POST /control/clear, GET /control/requests.

    Subclasses define ``prefix``, ``token``, ``refusal`` (the provider's envelope of an error) and ``route``.
    """

    prefix = ""
    token = ""
    #: Of the Authorization header.
    scheme = "Bearer"
    #: Seconds that an answer of 429 asks for.
    retry_after = "1"
    #: So many changes are made but answered with an error.
    lose_changes = 0
    #: Names are shown as people write them.
    shows_unicode = False

    def __init__(
        self,
        sink: TxtSink | None = None,
        *,
        zones: Sequence[str] = ("example.com", "example.org"),
        page_size: int | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self.sink = sink
        self.zones = list(zones)
        self.page_size = page_size
        self.held: list[Held] = []
        self._faults: deque[str] = deque()
        self._seconds = 0.0
        self._stopped = threading.Event()
        self._numbers = iter(range(1_000_001, 1 << 30))
        super().__init__(certificates)
        self.url = self.origin + self.prefix

    def refusal(self, status: int, code: str, message: str) -> Reply:
        """The provider's answer for an error."""
        raise NotImplementedError

    def route(self, request: Request, parts: list[str]) -> Reply:
        """Answer a request that came with the right token; ``parts`` are of the path below ``prefix``."""
        raise NotImplementedError

    def authenticate(self, request: Request) -> None:
        """Raise Refusal without the right credentials."""
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"{self.scheme} {self.token}".encode()):
            raise Refusal(self.unauthorised())

    def unauthorised(self) -> Reply:
        """The answer to a wrong token."""
        return self.refusal(401, "unauthorized", "unable to authenticate")

    def refuse(self, status: int, code: str, message: str) -> Refusal:
        """The provider's error, to be raised."""
        return Refusal(self.refusal(status, code, message))

    def txt(self, name: str) -> list[str]:
        """Return the TXT values that the world sees at the name."""
        with self.lock:
            return sorted(unquoted(one.content) for one in self.held if one.type == "TXT" and one.name == name)

    def add(self, zone: str, name: str, content: str, *, kind: str = "TXT", ttl: int = 3600) -> Held:
        """Add a record as somebody else would, and publish it."""
        with self.lock:
            record = Held(next(self._numbers), zone, kind, name, content, ttl)
            self.held.append(record)
            self.publish(record)
            return record

    def drop(self, record: Held) -> None:
        """Remove a record, and what is published of it."""
        with self.lock:
            self.held.remove(record)
            self.retract(record)

    def shown_name(self, name: str) -> str:
        """A name as the API shows it."""
        labels = name.encode().split(b".")
        return ".".join(one.decode("idna") for one in labels) if self.shows_unicode else name

    def publish(self, record: Held) -> None:
        """Show a TXT record to the world."""
        if record.type == "TXT" and self.sink is not None:
            self.sink.add_txt(record.name, unquoted(record.content))

    def retract(self, record: Held) -> None:
        """Hide a TXT record from the world."""
        if record.type == "TXT" and self.sink is not None:
            self.sink.remove_txt(record.name, unquoted(record.content))

    def found(self, zone: str, kind: str, name: str) -> list[Held]:
        """Return the records of a name and type in a zone."""
        return [one for one in self.held if (one.zone, one.type, one.name) == (zone, kind, name)]

    def misbehave(self, *faults: str) -> None:
        """Answer the next requests wrongly, one fault each: a status such as ``429``, or ``html``."""
        for fault in faults:
            if not (fault == "html" or (fault.isdigit() and 400 <= int(fault) < 600)):
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

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path.startswith("/control/"):
            self.requests.pop()
            return self._control(request)
        if self._faults:
            return self._misbehaviour(self._faults.popleft())
        reply = self._answered(request)
        if self.lose_changes and request.method != "GET" and reply.status < 300:
            self.lose_changes -= 1
            return self._misbehaviour("500")
        return reply

    def _answered(self, request: Request) -> Reply:
        try:
            if not request.path.startswith(f"{self.prefix}/"):
                return json_reply({"error": "no such API"}, 404)
            self.authenticate(request)
            return self.route(request, request.path.removeprefix(f"{self.prefix}/").split("/"))
        except Refusal as refused:
            return refused.reply

    def _take(self, request: Request) -> Reply:
        if self._seconds and not request.path.startswith("/control/"):
            self._stopped.wait(self._seconds)
        return super()._take(request)

    def _misbehaviour(self, fault: str) -> Reply:
        if fault == "html":
            return Reply(502, _PAGE, {"Content-Type": "text/html; charset=UTF-8"})
        status = int(fault)
        code, message = "server_error", "Try again later"
        if status == 429:
            code, message = "too_many_requests", "Please wait and consider throttling your request speed"
        reply = self.refusal(status, code, message)
        return Reply(
            status, reply.body, {**reply.headers, **({"Retry-After": self.retry_after} if status == 429 else {})}
        )

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

    def page_of(self, found: Sequence[object], number: int, size: int) -> tuple[Sequence[object], int]:
        """Return one page, and how many there are."""
        size = max(1, min(size, self.page_size or size))
        return found[(number - 1) * size : number * size], -(-len(found) // size)


def unquoted(content: str) -> str:
    """Return a TXT content without its quotes and escapes."""
    if not content.startswith('"'):
        return content
    return "".join(part.replace("\\", "") for part in content[1:-1].split('" "'))


def wanted(request: Request) -> dict[str, object]:
    """Return a request's JSON object, empty if it has none."""
    try:
        value = request.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
