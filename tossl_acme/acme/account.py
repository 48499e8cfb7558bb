"""Accounts (RFC 8555 section 7.3): create, look up, update, change the key, deactivate, external binding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..context import Context
from ..errors import AcmeError, ArgumentError, TosslError
from ..http.response import Response
from ..http.urls import shown_url
from ..text import Secret, clean, quoted
from .answer import Answer
from .client import Client
from .encoding import b64url_bytes
from .jws import AccountKey, hmac_signed
from .known_keys import check_account_key
from .mailed_binding import mailed_binding, may_be_mailed, unusable_binding
from .public_cas import binding_url, needs_binding

#: Of an external account binding's signature (section 7.3.4): a MAC-based JWS.
BINDING_ALGORITHMS = ("HS256", "HS384", "HS512")
#: Refusals after which no binding is used again: CAs do not agree on that of one that they do not know.
_OF_BINDING = ("externalAccountRequired", "malformed", "unauthorized")
_MAILTO = "mailto:"


@dataclass(frozen=True, eq=False, repr=False)
class Account:
    """An account object (section 7.1.2); `raw` is the CA's whole object.

    orders: the URL of its list of orders, empty at many CAs.
    """

    url: str
    status: str
    contact: tuple[str, ...]
    orders: str
    raw: Mapping[str, Any]

    def as_dict(self) -> dict[str, object]:
        return {**self.raw, "url": self.url, "status": self.status, "contact": list(self.contact)}


@dataclass(frozen=True, repr=False)
class ExternalAccountBinding:
    """A key from the CA's website (section 7.3.4); hmac_key is base64url, as CAs show it."""

    kid: str
    hmac_key: Secret
    alg: str = "HS256"

    @classmethod
    def parse(cls, kid: str, hmac_key: Secret | None, alg: str) -> ExternalAccountBinding:
        """Returns the binding for three words. Raises ArgumentError eab_kid, eab_hmac_key or eab_alg."""
        kid = kid.strip()  # as read from a file, with the end of its line
        if alg not in BINDING_ALGORITHMS:
            raise ArgumentError("eab_alg", f"-eab_alg must be one of {', '.join(BINDING_ALGORITHMS)}")
        if not kid:
            raise ArgumentError("eab_kid", "-eab_hmac_key needs -eab_kid")
        if not hmac_key or not hmac_key.value.strip():
            raise ArgumentError("eab_hmac_key", "-eab_kid needs -eab_hmac_key")
        if not (kid.isascii() and kid.isprintable()) or " " in kid:
            cause = "white space, a control character or one that is not ASCII"
            raise ArgumentError("eab_kid", f"-eab_kid contains {cause} (RFC 8555 section 7.3.4)")
        hmac_key = Secret(hmac_key.value.strip(), file=hmac_key.file, env=hmac_key.env)
        try:
            b64url_bytes(hmac_key.value)
        except ValueError:
            raise ArgumentError("eab_hmac_key", "-eab_hmac_key is not base64url") from None
        return cls(kid, hmac_key, alg)

    def signed(self, url: str, key: AccountKey) -> dict[str, str]:
        """Returns the JWS with which newAccount at `url` binds the account of this key."""
        return hmac_signed(b64url_bytes(self.hmac_key.value), self.alg, {"kid": self.kid, "url": url}, key.jwk)


@dataclass(frozen=True, repr=False)
class NewAccount:
    """The payload of newAccount (section 7.3): contacts as URLs, agreement to the CA's terms, an external binding.

    shared_key: whether the key may be one that is known at another CA or in a certificate (section 11.1).
    """

    contact: tuple[str, ...] = ()
    agree_tos: bool = True
    binding: ExternalAccountBinding | None = None
    shared_key: bool = False

    def payload(self, url: str, key: AccountKey) -> dict[str, object]:
        payload: dict[str, object] = {"termsOfServiceAgreed": True} if self.agree_tos else {}
        if self.contact:
            payload["contact"] = list(self.contact)
        if self.binding:
            payload["externalAccountBinding"] = self.binding.signed(url, key)
        return payload


def ensure_account(client: Client, context: Context, wanted: NewAccount) -> None:
    """Calls new_account() unless this process knows that the account exists with these contacts."""
    if not client.has_account(wanted.contact):
        new_account(client, context, wanted)


def new_account(client: Client, context: Context, wanted: NewAccount) -> Account:
    """Creates the account, or finds the key's account (section 7.3), and sets its contacts to `contact`.

    Sends one request. If the CA requires an external binding, or an agreement that is not given, first looks for the
    key's account (section 7.3.1): an existing account needs neither, and a binding often serves only one account.
    Sends one more if an existing account's contacts differ, but not at a CA that shows none. Raises ArgumentError
    account_key, eab_kid or agree_tos.
    """
    directory = client.directory(context)
    client.take_binding(wanted.binding)
    terms = "" if wanted.agree_tos else directory.terms_of_service
    refused = None if wanted.shared_key else _second_use(client)
    if directory.needs_eab or wanted.binding or terms or refused:
        found = _existing_account(client, context)
        if found is not None:
            return _brought_up_to_date(client, context, found, wanted)
    if refused:
        raise refused
    if terms:
        text = f"the CA requires agreement to its terms of service; read them, then give -agree_tos 1: {clean(terms)}"
        raise ArgumentError("agree_tos", text)
    if directory.needs_eab and wanted.binding is None:
        wanted = replace(wanted, binding=_mailed_binding(client, context, wanted.contact))
    url = directory.url_of("newAccount")

    def post(contact: tuple[str, ...]) -> Response:
        named = replace(wanted, contact=contact)
        return client.post(context, url, named.payload(url, client.key), signer=client.key)

    try:
        response = _with_contacts(context, wanted.contact, post)
    except AcmeError as error:
        if error.kind in _OF_BINDING:
            client.forget_binding()
        if error.kind == "externalAccountRequired" and wanted.binding is None:
            raise error.within("the CA wants an external account binding; give -eab_kid and -eab_hmac_key") from None
        raise
    account = _read_account(response, client.know_account(directory, response, wanted.contact))
    context.tell("account", url=account.url, status=account.status)
    return _brought_up_to_date(client, context, account, wanted) if response.status == 200 else account


def _mailed_binding(client: Client, context: Context, contact: Sequence[str]) -> ExternalAccountBinding:
    """Returns the binding that the CA gives for the account's mail address; it is kept nowhere.

    One that this process has for the key is taken again: a CA gives few in a day. Raises ArgumentError eab_kid where
    the CA gives none for that, or there is no address.
    """
    url = client.server.url
    if isinstance(client.binding, ExternalAccountBinding):
        return client.binding
    if not may_be_mailed(url, contact):
        raise _unbound(url)
    kid, key = mailed_binding(context, client.server.http, url, contact)
    try:
        binding = ExternalAccountBinding.parse(kid, Secret(key), "HS256")
    except ArgumentError:
        raise unusable_binding(url) from None
    client.take_binding(binding)
    return binding


def _with_contacts(
    context: Context, contact: tuple[str, ...], post: Callable[[tuple[str, ...]], Response]
) -> Response:
    """Returns the answer to a request with these contacts; without those that no CA need support (section 7.3).

    Every CA that supports contacts supports mailto.
    """
    try:
        return post(contact)
    except AcmeError as error:
        left = tuple(one for one in contact if one.lower().startswith(_MAILTO))
        if error.kind != "unsupportedContact" or left == contact:
            raise
        response = post(left)
        out = " ".join(clean(one) for one in contact if one not in left)
        context.warn("warning", warning="contact", message=f"left out of the account: {out}: {error.message}")
        return response


def _second_use(client: Client) -> ArgumentError | None:
    """Returns why the key may not have a new account; None if it may."""
    try:
        check_account_key(client.key.spki, client.server.url)
    except ArgumentError as error:
        return error
    return None


def check_binding(directory: str, account: NewAccount) -> None:
    """Raises ArgumentError eab_kid if a new key's account is known to need a binding that is missing.

    The CA may give one for the account's mail address. Sends nothing. `directory` is the directory's URL.
    """
    if account.binding is None and needs_binding(directory) and not may_be_mailed(directory, account.contact):
        raise _unbound(directory)


def _unbound(directory: str) -> ArgumentError:
    email = "-email, for which it gives one, or " if binding_url(directory) else ""
    cause = f"requires an external account binding for a new account; give {email}-eab_kid and -eab_hmac_key"
    return ArgumentError("eab_kid", f"{shown_url(directory)} {cause}")


def _existing_account(client: Client, context: Context) -> Account | None:
    """Returns the key's account at the CA, else None (section 7.3.1).

    Asks at the account's URL where that is known: some CAs want a binding for each newAccount, look-ups too.
    """
    try:
        if client.knows_account:
            return get_account(client, context)
        response = client.find_account(context)
    except AcmeError as error:
        if error.kind == "externalAccountRequired" and not client.knows_account:
            return None  # the CA looks for none without a binding, and finds it with newAccount itself
        if error.kind != "accountDoesNotExist":
            raise
        return None
    return _told(context, _read_account(response, client.account_url(context)))


def _brought_up_to_date(client: Client, context: Context, account: Account, wanted: NewAccount) -> Account:
    """Returns the account with the wanted contacts. Sends no change to a CA that shows no contacts (Let's Encrypt).

    Raises AcmeError unauthorized for an account that has ended.
    """
    from .ended import ENDED, ended_account

    if account.status in ENDED:
        client.forget_account()
        raise ended_account(account.url, account.status)
    shows_contacts = isinstance(account.raw.get("contact"), list)
    if wanted.contact and shows_contacts and set(account.contact) != set(wanted.contact):
        return update_account(client, context, wanted.contact)
    client.know_contact(wanted.contact)
    return account


def get_account(client: Client, context: Context) -> Account:
    """Returns the account of this key (section 7.3.1). Raises AcmeError accountDoesNotExist."""
    was_known = client.knows_account
    url = client.account_url(context)
    try:
        return _told(context, _read_account(client.post_as_get(context, url), url))
    except AcmeError as error:
        if error.kind != "accountDoesNotExist" or not was_known:
            raise
    # What was known is gone; the key may have another account.
    url = client.account_url(context)
    return _told(context, _read_account(client.post_as_get(context, url), url))


def _told(context: Context, account: Account) -> Account:
    context.tell("account", url=account.url, status=account.status)
    return account


def update_account(client: Client, context: Context, contact: Sequence[str]) -> Account:
    """Replaces the contacts (section 7.3.2)."""
    url = client.account_url(context)
    response = _with_contacts(
        context, tuple(contact), lambda contact: client.post(context, url, {"contact": list(contact)})
    )
    account = _read_account(response, url)
    client.know_contact(tuple(contact))
    return _told(context, account)


def deactivate_account(client: Client, context: Context) -> Account:
    """Deactivates the account for good (section 7.3.6)."""
    url = client.account_url(context)
    account = _read_account(client.post(context, url, {"status": "deactivated"}), url)
    client.forget_account()
    return _told(context, account)


def change_key(client: Client, context: Context, new_key: AccountKey) -> str:
    """Changes the account's key (section 7.3.5); returns the account URL.

    From then on only the new key is valid: the caller needs a client with it.
    """
    url = client.directory(context).url_of("keyChange")
    account = client.account_url(context)
    inner = new_key.sign(
        {"alg": new_key.alg, "jwk": new_key.jwk, "url": url}, {"account": account, "oldKey": client.key.jwk}
    )
    try:
        client.post(context, url, inner)
    except TosslError:
        # If the answer to the first attempt was lost, the second is refused: the old key is unknown by then.
        if _account_of(client, context, new_key) != account:
            raise
    client.forget_account()
    return account


def _account_of(client: Client, context: Context, key: AccountKey) -> str:
    try:
        return Client(client.server, key).account_url(context)
    except TosslError:
        return ""


def list_orders(client: Client, context: Context, most: int) -> list[str]:
    """Returns the URLs of the account's orders, over all pages, `most` at most (section 7.1.2.1)."""
    from .orders_list import read_order_urls

    account = get_account(client, context)
    if not account.orders:
        cause = f"the CA offers no list of orders for the account {shown_url(account.url)}"
        raise AcmeError(cause, "notOffered", 0)
    return read_order_urls(client, context, account.orders, most)


def contact_urls(email: str, contact: Sequence[str] = ()) -> tuple[str, ...]:
    """Returns contacts as URLs (section 7.3); a bare address becomes mailto:. Raises ArgumentError email, contact."""
    found = [_mailto(email, "email")] if email.strip() else []
    for item in contact:
        scheme = item.partition(":")[0].lower()
        if any(char.isspace() or not char.isprintable() for char in item):
            raise ArgumentError("contact", "contact contains white space or a control character")
        found.append(item if ":" in item and scheme != "mailto" else _mailto(item, "contact"))
    return tuple(dict.fromkeys(found))


def _mailto(given: str, argument: str) -> str:
    address = given[len(_MAILTO) :] if given.lower().startswith(_MAILTO) else given
    local, _, domain = address.rpartition("@")
    bad = any(char.isspace() or not char.isprintable() or char in ',?<>"' for char in address)
    if bad or not local or not domain or "@" in local:
        raise ArgumentError(argument, f"{argument} is not one mail address: {quoted(address)}")
    return f"{_MAILTO}{address}"


def _read_account(response: Response, url: str) -> Account:
    answer = Answer.of(response)
    orders = answer.optional_url("orders")
    return Account(url, answer.text("status", "valid"), answer.texts("contact"), orders, answer.raw)
