"""A small CA whose answers are legal, but not those that other test CAs give.

It checks of a request what the protocol demands (nonce, url, kid or jwk, content type) but no signature: real CAs do
that in other tests. It validates nothing; an answered challenge is as good as its script says.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import secrets
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509

from .certs import Certificates
from .issuer import Issuer
from .web import LookAlike, Reply, Request, json_reply

_PROBLEM = "urn:ietf:params:acme:error:"


@dataclass
class Script:
    """How this CA behaves. Everything here is allowed to a CA."""

    new_authz: bool = True
    profiles: Mapping[str, str] | None = None
    terms: str = ""
    caa_identities: tuple[str, ...] = ()
    eab_required: bool = False
    eab_once: bool = False
    #: Whether it wants a binding with each newAccount, look-ups too.
    eab_always: bool = False
    #: Whether it takes no contacts but mail addresses.
    mail_alone: bool = False
    #: Status of a new order, of a new authorization, of an authorization once its challenge was answered, and of an
    #: order after finalize. "processing" orders are valid when they are looked at next; "ready" and "pending" ones have
    #: to be finalized once more, "stuck" ones for ever.
    order: str = "pending"
    authorization: str = "pending"
    validated: str = "valid"
    finalized: str = "processing"
    #: Whether an authorization stays pending though its challenge has failed, as step-ca's does.
    stays_pending: bool = False
    #: Whether it has a domain above a name proven, where the order names it (RFC 9444); "always": or does not name it.
    ancestors: bool | str = False
    #: Types of challenges; a mapping is a complete challenge.
    challenges: tuple[str | Mapping[str, object], ...] = ("http-01", "dns-01", "tls-alpn-01")
    #: How many of the next good nonces are refused, by the first part of the request's path.
    bad_nonces: dict[str, int] = field(default_factory=dict)
    page_size: int = 2
    #: How often a replica does not know yet what was made; the account too.
    lag: int = 0
    #: Whether an order's lists come in another order than they were asked for.
    reversed: bool = False
    #: Statuses of good answers by the first part of their path.
    statuses: Mapping[str, int] = field(default_factory=dict)
    #: Whether to leave out optional members, and whether to add unknown ones.
    sparse: bool = False
    unknown: bool = False
    refuse_replaces: str = ""
    #: A Link header for certificates, in which {url} is the alternate's.
    link: str = '<{url}>;rel="alternate"'
    retry_after: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Whether it has renewal information.
    renewal: bool = True
    #: Begin and end of the certificates that it issues now, and the window of renewal information; epoch seconds.
    life: Callable[[], tuple[float, float]] | None = None
    window: Callable[[], tuple[float, float]] | None = None


class Refused(Exception):
    """A problem document."""

    def __init__(self, status: int, kind: str, detail: str, **members: object) -> None:
        document = {"type": _PROBLEM + kind, "detail": detail, "status": status, **members}
        self.reply = Reply(status, json.dumps(document).encode(), {"Content-Type": "application/problem+json"})


@dataclass
class _Signed:
    """A signed request, read."""

    kind: str
    path: str
    header: Mapping[str, Any]
    payload: Any
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)


class ScriptedCa(LookAlike):
    """``script`` may be changed at any time; ``answers[path]`` are given before anything else is done."""

    def __init__(self, certificates: Certificates, script: Script | None = None) -> None:
        self.script = script or Script()
        self.answers: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self.signed: list[_Signed] = []
        self.issuer = Issuer()
        self.objects: dict[str, dict[str, Any]] = {}
        self._unknown: dict[str, int] = {}
        self._nonces: set[str] = set()
        #: All nonces that it has given.
        self.nonces: set[str] = set()
        self._numbers = iter(range(1, 1 << 30))
        #: The https://HOST:PORT of a proxy in front of it, whose URLs it names.
        self.front = ""
        super().__init__(certificates)

    @property
    def tls_origin(self) -> str:
        return self.front or super().tls_origin

    @property
    def directory(self) -> str:
        """The directory URL."""
        return f"{self.tls_origin}/directory"

    def payloads(self, kind: str) -> list[Any]:
        """The payloads of the signed requests whose path starts with /kind, in order; None is POST-as-GET."""
        return [signed.payload for signed in self.signed if signed.kind == kind]

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        try:
            reply = self._answer(request)
        except Refused as refused:
            reply = refused.reply
        if request.method == "GET":
            return Reply(reply.status, reply.body, {**self.script.headers, **reply.headers})
        nonce = secrets.token_urlsafe(12)
        self._nonces.add(nonce)
        self.nonces.add(nonce)
        return Reply(reply.status, reply.body, {"Replay-Nonce": nonce, **self.script.headers, **reply.headers})

    def _answer(self, request: Request) -> Reply:
        if self.answers[request.path]:
            return self.answers[request.path].popleft()
        kind = request.path.split("/")[1]
        if request.method in ("GET", "HEAD"):
            if kind == "directory":
                return json_reply(self._directory())
            if kind == "renewal":
                return self._renewal(request.path)
            return Reply(200 if kind == "nonce" else 404)
        signed = self._read(request, kind)
        self.signed.append(signed)
        self._check_lag(signed.header["url"], 404, "malformed")
        reply: Reply = getattr(self, f"_post_{kind.replace('-', '_')}")(signed)
        status = self.script.statuses.get(kind, reply.status) if reply.status < 300 else reply.status
        return Reply(status, reply.body, reply.headers)

    def _check_lag(self, url: str, status: int, kind: str) -> None:
        """Refuse what a replica does not know yet."""
        if self._unknown.get(url, 0) > 0:
            self._unknown[url] -= 1
            raise Refused(status, kind, "not known here yet")

    def _directory(self) -> dict[str, object]:
        script = self.script
        names = {"newNonce": "nonce", "newAccount": "new-account", "newOrder": "new-order", "revokeCert": "revoke"}
        names |= {"keyChange": "key-change"} | ({"renewalInfo": "renewal"} if script.renewal else {})
        names |= {"newAuthz": "new-authz"} if script.new_authz else {}
        meta: dict[str, object] = {"termsOfService": script.terms} if script.terms else {}
        meta |= {"profiles": dict(script.profiles)} if script.profiles is not None else {}
        meta |= {"caaIdentities": list(script.caa_identities)} if script.caa_identities else {}
        meta |= {"subdomainAuthAllowed": True} if script.ancestors is True else {}
        meta |= {"externalAccountRequired": True} if script.eab_required else {}
        urls: dict[str, object] = {name: f"{self.tls_origin}/{path}" for name, path in names.items()}
        urls |= {"newThing": f"{self.tls_origin}/thing", "odd": 7} if script.unknown else {}
        return urls | ({"meta": meta} if meta else {})

    def _read(self, request: Request, kind: str) -> _Signed:
        if request.headers.get("Content-Type") != "application/jose+json":
            raise Refused(415, "malformed", "not application/jose+json")
        body = request.json()
        header = _unpacked(body["protected"])
        if header.get("url") != f"{self.tls_origin}{_with_query(request)}":
            raise Refused(401, "unauthorized", "url is not this one")
        if ("kid" in header) == ("jwk" in header) or "signature" not in body:
            raise Refused(400, "malformed", "either kid or jwk")
        if header.get("nonce") not in self._nonces:
            raise Refused(400, "badNonce", "unknown nonce")
        self._nonces.discard(header["nonce"])
        if self.script.bad_nonces.get(kind, 0) > 0:
            self.script.bad_nonces[kind] -= 1
            raise Refused(400, "badNonce", "a good nonce, refused")
        payload = _unpacked(body["payload"]) if body["payload"] else None
        signed = _Signed(kind, _with_query(request), header, payload, dict(request.headers.items()))
        if "kid" in header:
            self._check_lag(header["kid"], 400, "accountDoesNotExist")
        if "kid" in header and header["kid"] not in self.objects:
            raise Refused(400, "accountDoesNotExist", "unknown account")
        if "kid" in header and self.objects[header["kid"]].get("status") in ("deactivated", "revoked"):
            raise Refused(401, "unauthorized", "no such account here")
        return signed

    # accounts

    def _post_new_account(self, signed: _Signed) -> Reply:
        url = self._account_url(signed.header["jwk"])
        if self.script.eab_always and "externalAccountBinding" not in signed.payload:
            raise Refused(403, "externalAccountRequired", "no binding")
        self._check_contacts(signed.payload)
        if url in self.objects:
            return self._object(url, 200)
        if signed.payload.get("onlyReturnExisting"):
            raise Refused(400, "accountDoesNotExist", "no account with this key")
        if self.script.eab_required and "externalAccountBinding" not in signed.payload:
            raise Refused(403, "externalAccountRequired", "no binding")
        if self.script.eab_once and len(self._accounts()) > 0:
            raise Refused(403, "unauthorized", "the binding has been used")
        account = {"status": "valid", "contact": signed.payload.get("contact", []), "orders": f"{url}/orders"}
        self.objects[url] = {} if self.script.sparse else account
        self._unknown[url] = self.script.lag
        self.objects[f"{url}/orders"] = {"orders": []}
        return self._object(url, 201)

    def _check_contacts(self, payload: Mapping[str, Any] | None) -> None:
        odd = [one for one in (payload or {}).get("contact", []) if not one.startswith("mailto:")]
        if odd and self.script.mail_alone:
            raise Refused(400, "unsupportedContact", f"not supported: {odd[0]}")

    def _post_account(self, signed: _Signed) -> Reply:
        path, _, query = signed.path.partition("?page=")
        url = f"{self.tls_origin}{path}"
        if path.endswith("/orders"):
            return self._page(url, int(query or 0))
        self._check_contacts(signed.payload)
        self.objects[url].update(signed.payload or {})
        return self._object(url)

    def _page(self, url: str, page: int) -> Reply:
        orders, size = self.objects[url]["orders"], self.script.page_size
        following = {"Link": f'<{url}?page={page + 1}>;rel="next"'} if (page + 1) * size < len(orders) else {}
        return json_reply({"orders": orders[page * size : (page + 1) * size]}, **following)

    def _post_key_change(self, signed: _Signed) -> Reply:
        inner = _unpacked(signed.payload["protected"])
        payload = _unpacked(signed.payload["payload"])
        if inner["url"] != signed.header["url"] or "nonce" in inner or payload["account"] != signed.header["kid"]:
            raise Refused(400, "malformed", "inner JWS")
        return Reply(200, b"{}")

    # orders and authorizations

    def _post_new_order(self, signed: _Signed) -> Reply:
        script = self.script
        if signed.payload.get("replaces") and script.refuse_replaces:
            raise Refused(409, script.refuse_replaces, "that certificate has been replaced already")
        url = self._new("order")
        self._unknown[url.replace("/order/", "/finalize/")] = script.lag
        names = signed.payload["identifiers"]
        order: dict[str, Any] = {
            "status": script.order,
            "identifiers": names,
            "authorizations": [self._new_authorization(name) for name in names],
            "finalize": f"{self.tls_origin}/finalize/{url.rpartition('/')[2]}",
        }
        if script.reversed:
            order |= {name: order[name][::-1] for name in ("identifiers", "authorizations")}
        order |= {} if script.sparse else {"expires": "2099-01-01T00:00:00Z"}
        order |= {name: signed.payload[name] for name in ("notBefore", "notAfter", "profile") if name in signed.payload}
        order |= {"x-colour": ["blue"]} if script.unknown else {}
        self.objects[url] = order
        self.objects[f"{signed.header['kid']}/orders"]["orders"].append(url)
        return self._object(url, 201)

    def _post_order(self, signed: _Signed) -> Reply:
        url = f"{self.tls_origin}{signed.path}"
        order = self.objects[url]
        states = {self.objects[authorization]["status"] for authorization in order["authorizations"]}
        if order["status"] == "pending" and states == {"valid"}:
            order["status"] = "ready"
        elif order["status"] == "pending" and states - {"pending", "valid"}:
            order["status"] = "invalid"
        reply = self._object(url)
        if order["status"] == "processing":
            self._issue(order)
        return reply

    def _post_finalize(self, signed: _Signed) -> Reply:
        url = f"{self.tls_origin}/order/{signed.path.rpartition('/')[2]}"
        order = self.objects[url]
        self._post_order(_Signed("order", url.removeprefix(self.tls_origin), {}, None))
        if order["status"] != "ready":
            raise Refused(403, "orderNotReady", f"the order is {order['status']}")
        csr = base64.urlsafe_b64decode(signed.payload["csr"] + "==")
        is_first, order["csr"] = "csr" not in order, base64.b64encode(csr).decode()
        if self.script.finalized == "stuck" or (is_first and self.script.finalized in ("ready", "pending")):
            order["status"] = "ready" if self.script.finalized == "stuck" else self.script.finalized
            return self._object(url)
        order["status"] = "processing"
        if self.script.finalized == "valid":
            self._issue(order)
        return self._object(url)

    def _issue(self, order: dict[str, Any]) -> None:
        order["certificate"] = self._new("certificate")
        csr = x509.load_der_x509_csr(base64.b64decode(order["csr"]))
        life = self.script.life() if self.script.life else None
        self.objects[order["certificate"]] = {"chains": self.issuer.issue(csr, life=life)}
        order["status"] = "valid"

    def _post_new_authz(self, signed: _Signed) -> Reply:
        return self._object(self._new_authorization(signed.payload["identifier"]), 201)

    def _post_authorization(self, signed: _Signed) -> Reply:
        url = f"{self.tls_origin}{signed.path}"
        if signed.payload:
            self.objects[url].update(status=signed.payload["status"])
        return self._object(url)

    def _post_challenge(self, signed: _Signed) -> Reply:
        authorization = self.objects[f"{self.tls_origin}/authorization/{signed.path.split('/')[2]}"]
        challenge = authorization["challenges"][int(signed.path.rpartition("/")[2])]
        status = self.script.validated
        challenge["status"] = status
        if not (self.script.stays_pending and status == "invalid"):
            authorization["status"] = status
        if status == "invalid":
            challenge["error"] = {"type": _PROBLEM + "incorrectResponse", "detail": "nothing there", "status": 403}
        return json_reply(challenge)

    def _new_authorization(self, name: Mapping[str, str]) -> str:
        if self.script.ancestors == "always":
            name = {"type": "dns", "value": name["value"].removeprefix("*.").partition(".")[2]}
        elif self.script.ancestors and "ancestorDomain" in name:
            name = {"type": "dns", "value": name["ancestorDomain"]}
        url = self._new("authorization")
        number = url.rpartition("/")[2]
        wildcard = name["value"].startswith("*.")
        authorization: dict[str, Any] = {
            "status": self.script.authorization,
            "identifier": {"type": name["type"], "value": name["value"].removeprefix("*.")},
            "challenges": [
                self._challenge(kind, f"{self.tls_origin}/challenge/{number}/{index}")
                for index, kind in enumerate(self.script.challenges)
            ],
        }
        self.objects[url] = authorization | ({"wildcard": True} if wildcard else {})
        return url

    def _challenge(self, kind: str | Mapping[str, object], url: str) -> dict[str, object]:
        if not isinstance(kind, str):
            return {"url": url, "status": "pending", **kind}
        optional = {} if self.script.sparse else {"status": "pending"}
        return {"type": kind, "url": url, "token": secrets.token_urlsafe(16), **optional}

    # certificates

    def _post_certificate(self, signed: _Signed) -> Reply:
        path, _, number = signed.path.partition("?page=")
        url = f"{self.tls_origin}{path}"
        chain = self.objects[url]["chains"][int(number or 0)]
        link = {"Link": self.script.link.format(url=f"{url}?page=1")}
        return Reply(200, chain.encode(), {"Content-Type": "application/pem-certificate-chain", **link})

    def _post_revoke(self, signed: _Signed) -> Reply:
        return Reply(200)

    def _renewal(self, path: str) -> Reply:
        window = {"start": "2030-01-01T00:00:00Z", "end": "2030-01-02T00:00:00+00:00"}
        if self.script.window:
            moments = map(_rfc3339, self.script.window())
            window = dict(zip(("start", "end"), moments, strict=True))
        document = {"suggestedWindow": window, "explanationURL": "https://ca.example/why"}
        after = self.script.retry_after
        return json_reply(document, **({"retry_after": after} if after else {}))

    # what all have in common

    def _new(self, kind: str) -> str:
        url = f"{self.tls_origin}/{kind}/{next(self._numbers)}"
        self._unknown[url] = self.script.lag
        return url

    def _accounts(self) -> list[str]:
        return [url for url in self.objects if "/account/" in url]

    def _account_url(self, jwk: Mapping[str, str]) -> str:
        digest = hashlib.sha256(json.dumps(jwk, sort_keys=True).encode()).hexdigest()[:16]
        return f"{self.tls_origin}/account/{digest}"

    def _object(self, url: str, status: int = 200) -> Reply:
        shown = {name: value for name, value in self.objects[url].items() if name != "csr"}
        after = {"retry_after": self.script.retry_after} if self.script.retry_after else {}
        return json_reply(shown, status, location=url, **after)


def _rfc3339(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat()


def _with_query(request: Request) -> str:
    query = "&".join(f"{name}={value}" for name, value in request.query.items())
    return f"{request.path}?{query}" if query else request.path


def _unpacked(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
