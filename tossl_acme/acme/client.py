"""Requests of one account: three nested steps, retry -> sign -> send (as in golang.org/x/crypto/acme)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..context import Backoff, Context
from ..errors import AcmeError, HttpError, TosslError
from ..http.client import HttpRequest
from ..http.response import Response
from ..http.urls import shown_url
from ..log import DEBUG
from ..text import clean
from .answer import Answer
from .directory import Directory
from .jws import AccountKey
from .known_keys import know_account_key, other_ca_of
from .links import links
from .polling import NamedUrls
from .problem import problem_error
from .retries import ca_retries, replica_retries
from .server import LANGUAGE, Server

#: Refusals of a nonce after which each further one is waited for, a second at most: time bounds them, no number.
_BAD_NONCES_AT_ONCE = 40
_HEADERS = {"Content-Type": "application/jose+json", **LANGUAGE}


#: Before the refusal of a look-up.
_UNBOUND = "the CA wants an external account binding to look up the account; give -eab_kid and -eab_hmac_key"


class Binding(Protocol):
    """An external account binding (section 7.3.4)."""

    def signed(self, url: str, key: AccountKey) -> dict[str, str]: ...


@dataclass(frozen=True, eq=False, repr=False)
class _SignedPost:
    url: str
    payload: object | None
    signer: AccountKey | None
    media_type: str

    @property
    def changes(self) -> bool:
        """Returns whether it may change something at the CA: POST-as-GET and the search for an account do not."""
        is_search = isinstance(self.payload, dict) and "onlyReturnExisting" in self.payload
        return self.payload is not None and not is_search

    def names(self, account: str) -> bool:
        """Returns whether the request is about this account, beside being from it."""
        return self.url == account or (isinstance(self.payload, dict) and "protected" in self.payload)


class Client:
    """One account key at one CA. It remembers the account URL: an order on a known account costs one request."""

    def __init__(self, server: Server, key: AccountKey) -> None:
        self.server = server
        self.key = key
        self._account_url = ""
        self._contact: tuple[str, ...] | None = None
        #: Whether an earlier process has seen the account, and the CA has not confirmed it yet.
        self._is_taken = False
        self._binding: Binding | None = None
        self._named = NamedUrls()

    def directory(self, context: Context) -> Directory:
        return self.server.directory(context)

    def account_url(self, context: Context) -> str:
        """Returns the "kid" of all requests but newAccount; sends one request if it is not known (section 7.3.1)."""
        return self._account_url or _account_url(self.find_account(context))

    def find_account(self, context: Context) -> Response:
        """Returns the CA's answer about the key's account, and remembers the account (section 7.3.1).

        Some CAs want a binding for that too (section 7.3.4); it is sent only where they do.
        Raises AcmeError accountDoesNotExist.
        """
        directory = self.directory(context)
        url = directory.url_of("newAccount")
        look: dict[str, object] = {"onlyReturnExisting": True}
        try:
            response = self.post(context, url, look, signer=self.key)
        except AcmeError as error:
            if error.kind != "externalAccountRequired":
                raise
            if self._binding is None:
                raise error.within(_UNBOUND) from None
            bound = look | {"externalAccountBinding": self._binding.signed(url, self.key)}
            response = self.post(context, url, bound, signer=self.key)
        self.know_account(directory, response)
        return response

    @property
    def binding(self) -> Binding | None:
        """Returns the binding that was taken last, if one was."""
        return self._binding

    def take_binding(self, binding: Binding | None) -> None:
        """Takes the binding with which the account is looked up where the CA refuses that without one."""
        self._binding = binding or self._binding

    def forget_binding(self) -> None:
        """Forgets the binding: the CA has refused it."""
        self._binding = None

    def know_account(self, directory: Directory, response: Response, contact: tuple[str, ...] | None = None) -> str:
        """Remembers the account URL in newAccount's answer, and the account's contacts.

        Raises HttpError malformed for an account of another CA.
        """
        url = _account_url(response)
        directory.check_own(url, "account", "newAccount")
        if other := other_ca_of(self.key.spki, self.server.url, url):
            cause = f"{shown_url(self.server.url)} leads to the account that this key has at another CA, {clean(other)}"
            raise HttpError("malformed", cause)
        self._account_url = url
        self._contact = contact
        self._is_taken = False
        know_account_key(self.key.spki, self.server.url)
        self.expect(self._account_url)
        return self._account_url

    def take_account(self, url: str, contact: tuple[str, ...]) -> None:
        """Takes the account that an earlier process has seen, unless one is known by now. The CA's answers check it."""
        if not self._account_url:
            self._account_url, self._contact, self._is_taken = url, contact, True

    @property
    def known_account(self) -> tuple[str, tuple[str, ...] | None]:
        """Returns the account's URL, empty where it is not known, and its contacts where these are known."""
        return self._account_url, self._contact

    def know_contact(self, contact: tuple[str, ...]) -> None:
        """Remembers the account's new contacts."""
        self._contact = contact

    def forget_account(self, url: str = "") -> None:
        """Forgets an account that was deactivated, whose key was changed, or that the CA no longer knows.

        url: forgets only this account; another thread may have found the key's next account meanwhile.
        """
        if url in ("", self._account_url):
            self._account_url = ""
            self._contact = None
            self._is_taken = False

    def expect(self, *urls: str) -> None:
        """Allows repeated requests for URLs that the CA has just sent: a replica of the CA may not know them yet."""
        self._named.add(*urls)

    def expects(self, url: str) -> bool:
        """Returns whether the CA has just sent this URL."""
        return url in self._named

    @property
    def knows_account(self) -> bool:
        """Returns whether this process knows the key's account."""
        return bool(self._account_url)

    def has_account(self, contact: tuple[str, ...]) -> bool:
        """Returns whether the account is known to exist with these contacts."""
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
        """Sends a signed POST, again after a temporary failure; payload None is POST-as-GET (section 6.3).

        Returns any 2xx answer: CAs differ in the status. Raises any other answer as the CA's error. `signer` signs with
        its jwk instead of the account's kid: the account key for newAccount, a certificate's key for revokeCert.
        """
        response = self._exchange(context, _SignedPost(url, payload, signer, media_type), lambda: False)
        assert response is not None
        return response

    def post_once(self, context: Context, url: str, payload: object, is_done: Callable[[], bool]) -> Response | None:
        """Sends a signed POST that must not take effect twice.

        Calls is_done before each further attempt, for an answer may have been lost. Returns None if it is done.
        """
        return self._exchange(context, _SignedPost(url, payload, None, ""), is_done)

    def post_as_get(self, context: Context, url: str, media_type: str = "") -> Response:
        """Sends a POST-as-GET (RFC 8555 section 6.3) and returns the answer."""
        return self.post(context, url, None, media_type=media_type)

    def _exchange(self, context: Context, request: _SignedPost, is_done: Callable[[], bool]) -> Response | None:
        retries, early_retries, nonces = ca_retries(context), replica_retries(context), _NonceRetries(context)
        while True:
            # Signing may send requests too (a nonce, the account's URL), with their own retries.
            kid, body = self._signed(context, request, nonces.take())
            try:
                response = self._send(context, request, body)
            except HttpError as error:
                if not retries.pause(error):
                    raise
            else:
                if response.status // 100 == 2:
                    self.server.keep_nonce(response)
                    return response
                refused = _refusal(response)
                context.event("tossl.acme", DEBUG, f"the CA refuses: {refused.message}", url=request.url)
                if _is(refused, "badNonce") and nonces.pause(self.server.nonce_of(response)):
                    continue
                self.server.keep_nonce(response)
                if self._is_early(response, refused, request.url, kid) and early_retries.pause(response):
                    continue
                if _is(refused, "accountDoesNotExist"):
                    was_taken = self._is_taken and kid == self._account_url
                    self.forget_account(kid)
                    if was_taken and not request.names(kid):
                        continue  # what an earlier process has seen is gone; the key may have another account
                    raise refused
                if not retries.pause(response):
                    raise refused
            if is_done():
                return None

    def _is_early(self, response: Response, refused: TosslError, url: str, kid: str) -> bool:
        """Returns whether the CA does not know its own new URL yet: another replica than the first may answer."""
        if _is(refused, "accountDoesNotExist"):
            return self.expects(kid)
        return response.status == 404 and self.expects(url)

    def _send(self, context: Context, request: _SignedPost, body: bytes) -> Response:
        if request.changes:
            context.note_sent()
        headers = _HEADERS | ({"Accept": request.media_type} if request.media_type else {})
        return self.server.http.exchange(context, HttpRequest("POST", request.url, headers, body))

    def _signed(self, context: Context, request: _SignedPost, nonce: str) -> tuple[str, bytes]:
        """Returns the account URL in the signature, empty for another signer, and the signed request (section 6.2).

        nonce: empty for one of those kept, or a new one.
        """
        signer = request.signer or self.key
        kid = "" if request.signer else self.account_url(context)
        who: dict[str, Any] = {"kid": kid} if kid else {"jwk": signer.jwk}
        # Exactly as the CA gave it: the CA compares it with the request's URL (section 6.4).
        protected = {"alg": signer.alg, **who, "nonce": nonce or self.server.nonce(context), "url": request.url}
        return kid, json.dumps(signer.sign(protected, request.payload)).encode("ascii")


class _NonceRetries:
    """Repeats a request whose nonce was refused, which the CA has not looked at (RFC 8555 section 6.5).

    It must be repeated with the nonce in the refusal, which is kept here: another thread would take it from the server.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._left = _BAD_NONCES_AT_ONCE
        self._backoff = Backoff(0.02, 1.0)
        self._nonce = ""

    def take(self) -> str:
        """Returns the nonce in the last refusal, once; else empty."""
        nonce, self._nonce = self._nonce, ""
        return nonce

    def pause(self, nonce: str) -> bool:
        """Returns whether to send it again, with this nonce; False without time, so that the CA's refusal is told."""
        self._nonce = nonce
        if self._left:
            self._left -= 1
            return True
        seconds = self._backoff.next()
        if seconds >= self._context.remaining():
            return False
        self._context.tell("retry", seconds=round(seconds, 3), message="the CA refuses its own nonces")
        self._context.sleep(seconds, "request")
        return True


def _account_url(response: Response) -> str:
    """Returns the account's URL in newAccount's answer, whose body need not contain the account."""
    return Answer(response, {}).location("account")


def _refusal(response: Response) -> TosslError:
    """Returns the CA's error, with the URL of its terms of service if these have changed (section 7.3.3)."""
    refused = problem_error(response)
    terms = links(response, "terms-of-service")
    if terms:
        refused.details["terms_of_service"] = terms[0]
    return refused


def _is(error: TosslError, kind: str) -> bool:
    return isinstance(error, AcmeError) and error.kind == kind
