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
from .polling import NamedUrls
from .problem import problem_error
from .retries import ca_retries, replica_retries
from .server import LANGUAGE, Server

#: A bad nonce costs one more request; even a CA that refuses every second one is outlasted.
_MAX_BAD_NONCES = 30
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
        self._named = NamedUrls()

    def directory(self, context: Context) -> Directory:
        return self.server.directory(context)

    def account_url(self, context: Context) -> str:
        """The "kid" of every request but newAccount; one request where it is not known yet (section 7.3.1)."""
        return self._account_url or _account_url(self.find_account(context))

    def find_account(self, context: Context) -> Response:
        """The CA's answer about the account that the key has already, which is known from then on (section 7.3.1).

        Raises AcmeError accountDoesNotExist.
        """
        url = self.directory(context).url_of("newAccount")
        response = self.post(context, url, {"onlyReturnExisting": True}, signer=self.key)
        self.know_account(response)
        return response

    def know_account(self, response: Response, contact: tuple[str, ...] | None = None) -> str:
        """Keeps the account URL that newAccount answered with, and the contacts that the account has."""
        self._account_url = _account_url(response)
        self._contact = contact
        self.expect(self._account_url)
        return self._account_url

    def take_account(self, url: str, contact: tuple[str, ...]) -> None:
        """Takes the account that an earlier process has seen, unless one is known by now. The CA's answers check it."""
        if not self._account_url:
            self._account_url, self._contact = url, contact

    @property
    def known_account(self) -> tuple[str, tuple[str, ...] | None]:
        """The account's URL, empty where it is not known, and its contacts where these are known."""
        return self._account_url, self._contact

    def know_contact(self, contact: tuple[str, ...]) -> None:
        """Keeps the contacts that the account has from now on."""
        self._contact = contact

    def forget_account(self, url: str = "") -> None:
        """After the account was deactivated, its key changed, or the CA does not know it any more.

        With `url` only if that is the account still: another thread may have found the key's next one meanwhile.
        """
        if url in ("", self._account_url):
            self._account_url = ""
            self._contact = None

    def expect(self, *urls: str) -> None:
        """Has what the CA named just now asked for again, where a replica of the CA does not know it yet."""
        self._named.add(*urls)

    def expects(self, url: str) -> bool:
        """Whether the CA named this just now."""
        return url in self._named

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
        signer: AccountKey | None = None,
        media_type: str = "",
    ) -> Response:
        """A signed POST, sent again where that helps; payload None is POST-as-GET (section 6.3).

        Any 2xx is an answer: CAs differ in which they give. All else is raised as the CA's own error. `signer` signs
        with its jwk in place of the account's kid: the account key itself for newAccount, a certificate's key for
        revokeCert.
        """
        response = self._exchange(context, _Request(url, payload, signer, media_type), lambda: False)
        assert response is not None
        return response

    def post_once(self, context: Context, url: str, payload: object, is_done: Callable[[], bool]) -> Response | None:
        """A signed POST of what must not be done twice.

        is_done is asked before each further attempt: an answer may have been lost. Returns None where it is done.
        """
        return self._exchange(context, _Request(url, payload, None, ""), is_done)

    def post_as_get(self, context: Context, url: str, media_type: str = "") -> Response:
        """RFC 8555 section 6.3."""
        return self.post(context, url, None, media_type=media_type)

    def _exchange(self, context: Context, request: _Request, is_done: Callable[[], bool]) -> Response | None:
        retries, early_retries, bad_nonces = ca_retries(context), replica_retries(context), 0
        while True:
            # What signing itself has to ask for (a nonce, the account's URL) has retries of its own.
            kid, body = self._signed(context, request)
            try:
                response = self._send(context, request, body)
            except HttpError as error:
                if not retries.pause(error):
                    raise
            else:
                if response.status // 100 == 2:
                    return response
                refused = _refusal(response)
                if _is(refused, "badNonce") and bad_nonces < _MAX_BAD_NONCES:
                    bad_nonces += 1
                    continue
                if self._is_early(response, refused, request.url, kid) and early_retries.pause(response):
                    continue
                if not retries.pause(response):
                    if _is(refused, "accountDoesNotExist"):
                        self.forget_account(kid)
                    raise refused
            if is_done():
                return None

    def _is_early(self, response: Response, refused: TosslError, url: str, kid: str) -> bool:
        """Whether the CA does not know what it named just now: it was written to one replica, and read from another."""
        if _is(refused, "accountDoesNotExist"):
            return self.expects(kid)
        return response.status == 404 and self.expects(url)

    def _send(self, context: Context, request: _Request, body: bytes) -> Response:
        headers = _HEADERS | ({"Accept": request.media_type} if request.media_type else {})
        response = self.server.http.exchange(context, HttpRequest("POST", request.url, headers, body))
        self.server.keep_nonce(response)
        return response

    def _signed(self, context: Context, request: _Request) -> tuple[str, bytes]:
        """The account's URL by which the request is signed, empty for another signer, and the request (section 6.2)."""
        signer = request.signer or self.key
        kid = "" if request.signer else self.account_url(context)
        who: dict[str, Any] = {"kid": kid} if kid else {"jwk": signer.jwk}
        # Exactly as the CA gave it: the CA compares it with the URL that was asked for (section 6.4).
        protected = {"alg": signer.alg, **who, "nonce": self.server.nonce(context), "url": request.url}
        return kid, json.dumps(signer.sign(protected, request.payload)).encode("ascii")


def _account_url(response: Response) -> str:
    """The account's URL in an answer of newAccount, which need not have the account in its body."""
    return Answer(response, {}).location("account")


def _refusal(response: Response) -> TosslError:
    """The CA's error, with where its terms of service are, if they have changed (section 7.3.3)."""
    refused = problem_error(response)
    terms = links(response, "terms-of-service")
    if terms:
        refused.details["terms_of_service"] = terms[0]
    return refused


def _is(error: TosslError, kind: str) -> bool:
    return isinstance(error, AcmeError) and error.kind == kind
