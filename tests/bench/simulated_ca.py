"""The CA of a simulated fleet: Let's Encrypt's published limits, in the process, by the simulation's clock.

It answers in the place of HttpClient.exchange, takes every name for proven, and notes what must not happen.
"""

from __future__ import annotations

import json
import math
import time
from base64 import urlsafe_b64decode
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography import x509

from tests.servers.issuer import Issuer
from tossl_acme.acme.renewal import cert_id
from tossl_acme.context import Context
from tossl_acme.http.client import HttpRequest
from tossl_acme.http.response import Response
from tossl_acme.pki.chain import read_certificate

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
BEGAN = 2_000_000_000.0
ORIGIN = "https://ca.example"
LOOK_SECONDS = 20 * MINUTE
RENEWAL = f"{ORIGIN}/renewal/"
#: A renewal that begins so long behind the CA's window is late.
LATE_SECONDS = 15 * MINUTE
PROBLEM = "urn:ietf:params:acme:error:"


class Clock(Protocol):
    """The time of the simulation. at: epoch seconds; last_issued: when the CA has issued last."""

    at: float
    last_issued: float


@dataclass
class Limit:
    """A token bucket, as Boulder has them. wording: what it says; scope: of all orders, a domain's, or a set's."""

    count: int
    seconds: float
    wording: str
    #: By subject: tokens, and when they were counted.
    tokens: dict[str, tuple[float, float]] = field(default_factory=dict)
    #: By subject, until when nobody is to ask.
    refused_until: dict[str, float] = field(default_factory=dict)

    def wait(self, subject: str, at: float) -> float:
        """Seconds until there is a token."""
        tokens, counted = self.tokens.get(subject, (float(self.count), at))
        tokens = min(self.count, tokens + (at - counted) * self.count / self.seconds)
        self.tokens[subject] = (tokens, at)
        return 0.0 if tokens >= 1 - 1e-9 else (1 - tokens) * self.seconds / self.count

    def spend(self, subject: str) -> None:
        tokens, at = self.tokens[subject]
        self.tokens[subject] = (tokens - 1, at)


@dataclass(frozen=True)
class World:
    """What may differ from Let's Encrypt for a short run. look_seconds: how often a node is looked at in any case."""

    life: float = 90 * DAY
    ari_seconds: float = 6 * HOUR
    orders: int = 300
    orders_seconds: float = 3 * HOUR
    look_seconds: float = LOOK_SECONDS


@dataclass
class Asked:
    """What the CA suggests for a certificate, its window, and when somebody has asked last."""

    answer: bytes
    issued_at: float
    begins: float
    ends: float
    at: float


class LetsEncrypt:
    """The CA: answers requests in the process, and remembers what must not have happened."""

    def __init__(self, now: Clock, world: World) -> None:
        self.now, self.world = now, world
        self.issuer = Issuer()
        self.requests: Counter[str] = Counter()
        self.orders: dict[str, dict[str, Any]] = {}
        #: The certificates in force: their lives, by the names that ARI has for them, and by the name in them.
        self.lives: dict[str, tuple[float, float]] = {}
        self.latest: dict[str, tuple[str, float]] = {}
        self.asked: dict[str, Asked] = {}
        self._ari_headers = {"Content-Type": "application/json", "Retry-After": str(round(world.ari_seconds))}
        self.replaced: set[str] = set()
        self.issued: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.limits = {
            "account": Limit(
                world.orders, world.orders_seconds, "too many new orders (300) from this account in the last 3h0m0s"
            ),
            "domain": Limit(50, 7 * DAY, 'too many certificates (50) already issued for "{}" in the last 168h0m0s'),
            "set": Limit(5, 7 * DAY, "too many certificates (5) already issued for this exact set of identifiers"),
        }
        self._numbers = 0

    def exchange(self, _client: object, _context: Context, request: HttpRequest) -> Response:
        """Takes the place of HttpClient.exchange."""
        if request.url.startswith(RENEWAL):
            return self._suggested(request.url, request.url.removeprefix(RENEWAL))
        kind, _, name = request.url.removeprefix(f"{ORIGIN}/").partition("/")
        self.requests[kind] += 1
        payload = None
        if request.data is not None:
            coded = json.loads(request.data)["payload"]
            payload = json.loads(_decoded(coded)) if coded else None
        status, body, headers = getattr(self, f"_{kind.replace('-', '_')}")(name, payload)
        self._numbers += 1
        headers = {"Replay-Nonce": f"n{self._numbers:019}", "Content-Type": "application/json", **headers}
        return Response(request.url, status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())

    def _directory(self, _name: str, _payload: object) -> tuple[int, object, dict[str, str]]:
        names = {"newNonce": "nonce", "newAccount": "account", "newOrder": "new-order", "revokeCert": "revoke"}
        return 200, {name: f"{ORIGIN}/{path}" for name, path in {**names, "renewalInfo": "renewal"}.items()}, {}

    def _nonce(self, _name: str, _payload: object) -> tuple[int, object, dict[str, str]]:
        return 200, b"", {}

    def _account(self, _name: str, _payload: object) -> tuple[int, object, dict[str, str]]:
        return 201, {"status": "valid"}, {"Location": f"{ORIGIN}/account/1"}

    def _new_order(self, _name: str, payload: Any) -> tuple[int, object, dict[str, str]]:
        at, name = self.now.at, str(payload["identifiers"][0]["value"])
        replaces = str(payload.get("replaces") or "")
        before, ends = self.latest.get(name, ("", 0.0))
        if replaces in self.replaced or (before and replaces != before and at < ends):
            self.wrong.append(f"{name} is issued twice, {at - BEGAN:.0f} s after the begin")
        if not replaces:
            refused = self._refused(name)
            if refused is not None:
                return refused
        self.requests["orders placed"] += 1
        url = f"{ORIGIN}/order/{self._numbers}"
        self.orders[url] = {
            "status": "ready", "expires": "2099-01-01T00:00:00Z", "identifiers": payload["identifiers"],
            "authorizations": [], "finalize": f"{ORIGIN}/finalize/{self._numbers}", "replaces": replaces,
        }  # fmt: skip
        return 201, self.orders[url], {"Location": url}

    def _refused(self, name: str) -> tuple[int, object, dict[str, str]] | None:
        """What the limits say to an order that replaces nothing."""
        at = self.now.at
        subjects = {"account": "", "domain": name.partition(".")[2], "set": name}
        for scope, subject in subjects.items():
            limit = self.limits[scope]
            if at < limit.refused_until.get(subject, 0.0):
                self.wrong.append(f"{scope} {subject} is asked for before its Retry-After is over")
            wait = math.ceil(limit.wait(subject, at))
            if wait > 0:
                limit.refused_until[subject] = at + wait
                self.requests["orders refused"] += 1
                detail = f"{limit.wording.format(subject)}, retry after a while"
                problem = {"type": f"{PROBLEM}rateLimited", "detail": detail, "status": 429}
                return 429, problem, {"Retry-After": str(wait), "Content-Type": "application/problem+json"}
        for scope, subject in subjects.items():
            self.limits[scope].spend(subject)
        return None

    def _order(self, name: str, _payload: object) -> tuple[int, object, dict[str, str]]:
        return 200, self.orders[f"{ORIGIN}/order/{name}"], {}

    def _finalize(self, number: str, payload: Any) -> tuple[int, object, dict[str, str]]:
        order = self.orders[f"{ORIGIN}/order/{number}"]
        csr = x509.load_der_x509_csr(_decoded(payload["csr"]))
        begin, end = self.now.at - HOUR, self.now.at - HOUR + self.world.life
        chain = self.issuer.issue(csr, life=(begin, end))[0]
        name, ari = str(order["identifiers"][0]["value"]), cert_id(read_certificate(chain))
        before, ends = self.latest.get(name, ("", math.inf))
        if self.now.at >= ends:
            self.wrong.append(f"{name} has expired")
        if before:
            asked = self.asked.pop(before)
            self.look_at(before, asked)
            if self.now.at > asked.ends + LATE_SECONDS + self.world.look_seconds:
                self.wrong.append(f"{name} is renewed {self.now.at - asked.ends:.0f} s behind the CA's window")
            if self.now.at < asked.begins:
                self.wrong.append(f"{name} is issued twice: {asked.begins - self.now.at:.0f} s before the CA's window")
            self.replaced.add(before)
            self.lives.pop(before)
        self.note_issued(name, ari, begin, end)
        self.issued["renewed" if before else "first"] += 1
        self.now.last_issued = self.now.at
        order |= {"status": "valid", "certificate": f"{ORIGIN}/certificate/{number}", "chain": chain}
        return 200, {key: value for key, value in order.items() if key != "chain"}, {}

    def _certificate(self, number: str, _payload: object) -> tuple[int, object, dict[str, str]]:
        order = self.orders.pop(f"{ORIGIN}/order/{number}")
        return 200, order["chain"].encode(), {"Content-Type": "application/pem-certificate-chain"}

    def _suggested(self, url: str, ari: str) -> Response:
        """Answers a question for renewal information."""
        at, before = self.now.at, self.asked[ari]
        self.requests["renewal"] += 1
        if before.at and at < before.at + self.world.ari_seconds:
            self.wrong.append(f"ARI is asked for {ari} after {at - before.at:.0f} s")
        self.look_at(ari, before)
        before.at = at
        return Response(url, 200, self._ari_headers, before.answer)

    def look_at(self, ari: str, asked: Asked) -> None:
        """Notes where nobody has asked for a certificate for too long."""
        at = self.now.at
        # A new certificate waits for the others of its bucket, for one pause at most.
        if at > (asked.at or asked.issued_at) + 2 * self.world.ari_seconds + 2 * self.world.look_seconds + HOUR:
            self.wrong.append(f"ARI is not asked for {ari} from {asked.at - BEGAN:.0f} to {at - BEGAN:.0f} s")

    def note_issued(self, name: str, ari: str, begin: float, end: float, asked_at: float = 0.0) -> None:
        """Notes a certificate that is in force from now on."""
        self.lives[ari], self.latest[name] = (begin, end), (ari, end)
        first, last = window_of(begin, end)
        window = json.dumps({"suggestedWindow": {"start": _time(first), "end": _time(last)}}).encode()
        self.asked[ari] = Asked(window, self.now.at, first, last, asked_at)


def window_of(begin: float, end: float) -> tuple[float, float]:
    """Returns the window in which the CA wants a certificate with this life to be renewed."""
    middle, half = begin + (end - begin) * 2 / 3, (end - begin) / 90
    return middle - half, middle + half


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
