"""ZeroSSL's API that gives a binding for a mail address, by its documented answers.

https://zerossl.com/documentation/acme/generate-eab-credentials and .../acme/error-codes (2026-11-26). The path and the
form's field are those that acme.sh and Caddy send.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from urllib.parse import parse_qs

from .certs import Certificates
from .web import LookAlike, Reply, Request, json_reply

PATH = "/acme/eab-credentials-email"
ERRORS: Mapping[int, str] = {
    2902: "failed_creating_eab_account",
    2903: "failed_saving_eab_account",
    2904: "too_many_eab_credentials_created_today",
    2905: "too_many_eab_credentials_created_for_user",
    2977: "caddy_legacy_user_removed",
}


class ZeroSslApi(LookAlike):
    """Gives the bindings of a CA, by key id; `most` of them to one address a day. `answers` are given before."""

    def __init__(self, bindings: Mapping[str, str], certificates: Certificates, most: int = 3) -> None:
        self.bindings = dict(bindings)
        self.most = most
        self.given: Counter[str] = Counter()
        self.answers: deque[Reply] = deque()
        super().__init__(certificates)
        self.url = f"{self.tls_origin}{PATH}"

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if self.answers:
            return self.answers.popleft()
        if request.path != PATH or request.method != "POST":
            return json_reply({"success": False, "error": {"code": 104, "type": "invalid_api_function"}}, 404)
        (email,) = parse_qs(request.body.decode()).get("email") or [""]
        if "@" not in email:
            return json_reply({"success": False, "error": {"code": 2900, "type": "invalid_email"}})
        if self.given[email] >= self.most:
            return refused(2904)
        self.given[email] += 1
        kid, key = next(iter(self.bindings.items()))
        return json_reply({"success": True, "eab_kid": kid, "eab_hmac_key": key})


def refused(code: int) -> Reply:
    """The answer with one of its error codes; its status is 200."""
    return json_reply({"success": False, "error": {"code": code, "type": ERRORS[code]}})
