"""A receiver for lego's "httpreq" form of DNS provider: POST {"fqdn", "value"} to /present and /cleanup."""

from __future__ import annotations

import hmac

from .certs import Certificates
from .sinks import TxtSink
from .web import LookAlike, Reply, Request, json_reply


class HttpReq(LookAlike):
    """``url`` is the URL for clients; requests need ``Authorization: Bearer TOKEN``."""

    def __init__(
        self,
        sink: TxtSink | None = None,
        *,
        token: str = "httpreq-test-token",
        certificates: Certificates | None = None,
    ) -> None:
        self.sink = sink
        self.token = token
        super().__init__(certificates)
        self.url = self.origin

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            return json_reply({"error": "unauthorized"}, 401, www_authenticate="Bearer")
        if request.path not in ("/present", "/cleanup"):
            return json_reply({"error": "not found"}, 404)
        if request.method != "POST":
            return json_reply({"error": "method not allowed"}, 405, allow="POST")
        try:
            record = request.json()
            name, value = str(record["fqdn"]).rstrip("."), str(record["value"])
        except (ValueError, KeyError, TypeError):
            return json_reply({"error": "the body must be an object with fqdn and value"}, 400)
        if self.sink is not None:
            change = self.sink.add_txt if request.path == "/present" else self.sink.remove_txt
            change(name, value)
        return json_reply({"fqdn": f"{name}.", "value": value})
