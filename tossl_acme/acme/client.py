"""Requests of one account: three nested steps, retry -> sign -> send (as in golang.org/x/crypto/acme)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..context import Context
from ..errors import AcmeError, HttpError, TosslError
from ..http.client import HttpRequest
from ..http.response import Response
from .answer import Answer
from .directory import Directory
from .jws import AccountKey
from .links import links
from .problem import problem_error
from .retries import ca_retries
from .server import LANGUAGE, Server

#: A bad nonce costs one more request; even a CA that refuses every second one is outlasted.
_BAD_NONCE_RETRIES = 30
_HEADERS = {"Content-Type": "application/jose+json", **LANGUAGE}


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

    def directory(self, context: Context) -> Directory:
        return self.server.directory(context)

    def account_url(self, context: Context) -> str:
        """The "kid" of every request but newAccount; one request where it is not known yet (section 7.3.1)."""
        if not self._account_url:
            url = self.directory(context).url_of("newAccount")
            self.know_account(self.post(context, url, {"onlyReturnExisting": True}, signer=self.key))
        return self._account_url

    def know_account(self, response: Response, contact: tuple[str, ...] | None = None) -> str:
        """Keeps the account URL that newAccount answered with, and the contacts that the account has."""
        self._account_url = Answer.of(response).location("account")
        self._contact = contact
        return self._account_url

    def know_contact(self, contact: tuple[str, ...]) -> None:
        """Keeps the contacts that the account has from now on."""
        self._contact = contact

    def forget_account(self) -> None:
        """After the account was deactivated, its key changed, or the CA does not know it any more."""
        self._account_url = ""
        self._contact = None

    @property
    def knows_account(self) -> bool:
        """Whether this process has seen that the key has an account."""
        return bool(self._account_url)

    def has_account(self, contact: tuple[str, ...]) -> bool:
        """Whether the account is known to exist with these contacts."""
        return bool(self._account_url) and self._contact == contact

    def post(
        self,
        context: Context,
        url: str,
        payload: object | None,
        *,
        accept: tuple[int, ...] = (200,),
        signer: AccountKey | None = None,
        media_type: str = "",
        look: Callable[[], Response | None] | None = None,
    ) -> Response:
        """A signed POST, sent again where that helps; payload None is POST-as-GET (section 6.3).

        A status that is not in `accept` is raised as the CA's own error. `signer` signs with its jwk in place of the
        account's kid: the account key itself for newAccount, a certificate's key for revokeCert. `look` is for what
        must not be done twice: it is called before each further attempt, and what it finds is the answer.
        """
        request = _Request(url, payload, signer, media_type)
        retries = ca_retries(context)
        nonce_retries = _BAD_NONCE_RETRIES
        while True:
            # What signing itself has to ask for (a nonce, the account's URL) has a retries of its own.
            body = self._signed(context, request)
            try:
                response = self._send(context, request, body)
            except HttpError as error:
                if not retries.pause(error):
                    raise
            else:
                if response.status in accept:
                    return response
                refused = self._refusal(response)
                if isinstance(refused, AcmeError) and refused.kind == "badNonce" and nonce_retries:
                    nonce_retries -= 1
                    continue
                if not retries.pause(response):
                    raise refused
            done = look() if look else None
            if done is not None:
                return done

    def post_as_get(self, context: Context, url: str, media_type: str = "") -> Response:
        """RFC 8555 section 6.3."""
        return self.post(context, url, None, media_type=media_type)

    def _refusal(self, response: Response) -> TosslError:
        refused = problem_error(response)
        if isinstance(refused, AcmeError) and refused.kind == "accountDoesNotExist":
            self.forget_account()
        terms = links(response, "terms-of-service")
        if terms:
            refused.details["terms_of_service"] = terms[0]
        return refused

    def _send(self, context: Context, request: _Request, body: bytes) -> Response:
        headers = _HEADERS | ({"Accept": request.media_type} if request.media_type else {})
        response = self.server.http.exchange(context, HttpRequest("POST", request.url, headers, body))
        self.server.keep_nonce(response)
        return response

    def _signed(self, context: Context, request: _Request) -> bytes:
        signer = request.signer or self.key
        who: dict[str, Any] = {"jwk": signer.jwk} if request.signer else {"kid": self.account_url(context)}
        protected = {"alg": signer.alg, **who, "nonce": self.server.nonce(context), "url": request.url}
        return json.dumps(signer.sign(protected, request.payload)).encode("ascii")

