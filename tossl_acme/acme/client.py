"""Requests of one account: three nested steps, retry -> sign -> send (as in golang.org/x/crypto/acme)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..errors import AcmeError, HttpError, TosslError
from ..scope import Scope
from ..wire import Reply, shown_url
from .directory import Directory, server_url
from .jws import AccountKey
from .problem import problem_error, retry_after
from .server import Server

#: A bad nonce costs one more request; even a CA that refuses every second one is outlasted.
_BAD_NONCE_RETRIES = 30
#: 5xx and connection loss: these pauses in seconds, then the error is the caller's.
_FAILURE_PAUSES = (0.1, 0.2, 0.4, 0.8)
_HEADERS = {"Content-Type": "application/jose+json", "Accept-Language": "en"}


@dataclass(frozen=True)
class _Request:
    url: str
    payload: object | None
    signer: AccountKey | None
    media_type: str


class Client:
    """One account key at one CA. The account URL is kept, so that an order on a known account costs one request."""

    def __init__(self, server: Server, key: AccountKey) -> None:
        self.server = server
        self.key = key
        self._account_url = ""
        self._contact: tuple[str, ...] | None = None

    def directory(self, scope: Scope) -> Directory:
        return self.server.directory(scope)

    def account_url(self, scope: Scope) -> str:
        """The "kid" of every request but newAccount; one request where it is not known yet (section 7.3.1)."""
        if not self._account_url:
            url = self.directory(scope).where("newAccount")
            self.know_account(self.post(scope, url, {"onlyReturnExisting": True}, signer=self.key))
        return self._account_url

    def know_account(self, reply: Reply, contact: tuple[str, ...] | None = None) -> str:
        """Keeps the account URL that newAccount answered with, and the contacts that the account has."""
        self._account_url = location(reply, "account")
        self._contact = contact
        return self._account_url

    def forget_account(self) -> None:
        """After the account was deactivated, its key changed, or the CA does not know it any more."""
        self._account_url = ""
        self._contact = None

    def has_account(self, contact: tuple[str, ...]) -> bool:
        """Whether the account is known to exist with these contacts."""
        return bool(self._account_url) and self._contact == contact

    def post(
        self,
        scope: Scope,
        url: str,
        payload: object | None,
        *,
        accept: tuple[int, ...] = (200,),
        signer: AccountKey | None = None,
        media_type: str = "",
    ) -> Reply:
        """A signed POST, sent again where that helps; payload None is POST-as-GET (section 6.3).

        A status that is not in `accept` is raised as the CA's own error. `signer` signs with its jwk in place of the
        account's kid: the account key itself for newAccount, a certificate's key for revokeCert.
        """
        request = _Request(url, payload, signer, media_type)
        pauses = list(_FAILURE_PAUSES)
        nonce_retries = _BAD_NONCE_RETRIES
        while True:
            error, wanted_pause = self._attempt(scope, request, accept)
            if isinstance(error, Reply):
                return error
            if _is_bad_nonce(error) and nonce_retries:
                nonce_retries -= 1
            elif wanted_pause is not None and pauses and (pause := max(wanted_pause, pauses[0])) < scope.remaining():
                pauses.pop(0)
                scope.sleep(pause, "request")
            else:
                raise error

    def post_as_get(self, scope: Scope, url: str, media_type: str = "") -> Reply:
        """RFC 8555 section 6.3."""
        return self.post(scope, url, None, media_type=media_type)

    def _attempt(
        self, scope: Scope, request: _Request, accept: tuple[int, ...]
    ) -> tuple[Reply | TosslError, float | None]:
        """An accepted reply, or an error and the least pause after which another attempt makes sense."""
        try:
            reply = self._send(scope, request)
        except HttpError as error:
            return error, 0.0 if error.kind in ("reset", "connect") else None
        if reply.status in accept:
            return reply, None
        refused = problem_error(reply)
        if isinstance(refused, AcmeError) and refused.kind == "accountDoesNotExist":
            self.forget_account()
        return refused, (retry_after(reply.headers) or 0.0) if reply.status >= 500 else None

    def _send(self, scope: Scope, request: _Request) -> Reply:
        headers = _HEADERS | ({"Accept": request.media_type} if request.media_type else {})
        body = json.dumps(self._signed(scope, request)).encode("ascii")
        reply = self.server.web.exchange(scope, "POST", request.url, headers=headers, data=body)
        self.server.keep_nonce(reply)
        return reply

    def _signed(self, scope: Scope, request: _Request) -> dict[str, str]:
        signer = request.signer or self.key
        who: dict[str, Any] = {"jwk": signer.jwk} if request.signer else {"kid": self.account_url(scope)}
        protected = {"alg": signer.alg, **who, "nonce": self.server.nonce(scope), "url": request.url}
        return signer.sign(protected, request.payload)


def location(reply: Reply, what: str) -> str:
    """The URL of the object that an answer created."""
    return server_url(reply.headers.get("Location"), f"{what} URL", reply.url)


def expect_text(value: Any, name: str, reply: Reply) -> str:
    """A member that must be a non-empty string. HttpError "malformed" names it."""
    if not isinstance(value, str) or not value:
        raise HttpError("malformed", f"{shown_url(reply.url)} answered without a usable {name}")
    return value


def _is_bad_nonce(error: TosslError) -> bool:
    return isinstance(error, AcmeError) and error.kind == "badNonce"
