"""Accounts."""

from __future__ import annotations

from ...errors import ArgumentError
from ...scope import Scope
from .shared import binding_for, client_for, leading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.client import Client


def create_account(
    directory_url: str,
    account_key: str,
    email: str,
    contact: list[str] = [],  # noqa: B006 - only read
    *,
    eab_kid: str = "",
    eab_hmac_key: str = "",
    eab_alg: str = "HS256",
    agree_tos: bool = True,
    return_details: bool = False,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(60),
) -> str | dict[str, object]:
    """Creates an account for the key, agreeing to the terms of service; a known key's contacts are brought up to date.

    email may be empty; contact is a list of further contacts (mail addresses, or URLs such as tel:).
    -eab_kid and -eab_hmac_key (base64url, as the CA shows it) bind the account to one at the CA (RFC 8555 section
    7.3.4), with -eab_alg HS256, HS384 or HS512; a CA that wants them (zerossl, google, sslcom, ... or any whose
    directory says so) is not asked without. -agree_tos 0 does not agree to the terms, whose URL is termsOfService in
    the directory's meta; a CA that has such terms is then not asked.
    Returns "Account created successfully", or with -return_details 1 the account object. RFC 8555 section 7.3.
    Errors: "Account creation failed: ..." TOSSL ACME type status; TOSSL KEY kind; TOSSL VALUE email, contact,
    agree_tos, eab_kid, eab_hmac_key, eab_alg.
    """
    from ...acme.account import contact_urls, new_account

    contacts = contact_urls(email, contact)
    binding = binding_for(directory_url, eab_kid, eab_hmac_key, eab_alg)
    client = client_for(directory_url, account_key, ca_bundle, proxy)
    with leading("Account creation failed"):
        account = new_account(client, scope, contacts, agree_tos=agree_tos, binding=binding)
    return account.as_dict() if return_details else "Account created successfully"


def get_account(
    directory_url: str, account_key: str, *, ca_bundle: str = "", proxy: str = "", scope: Scope = Scope(60)
) -> dict[str, object]:
    """The account of the key: url status contact, and orders and whatever else the CA says of it.

    RFC 8555 section 7.3.1. Errors: TOSSL ACME accountDoesNotExist status, where the CA does not know the key.
    """
    from ...acme import account

    return account.get_account(client_for(directory_url, account_key, ca_bundle, proxy), scope).as_dict()


def update_account(
    directory_url: str,
    account_key: str,
    email: str,
    contact: list[str] = [],  # noqa: B006 - only read
    *,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(60),
) -> dict[str, object]:
    """Replaces the account's contacts by email and contact, which are as in create_account; none of both removes all.

    Returns the account. RFC 8555 section 7.3.2.
    Errors: "Account update failed: ..." TOSSL ACME type status; TOSSL VALUE email, contact.
    """
    from ...acme import account

    contacts = account.contact_urls(email, contact)
    client = client_for(directory_url, account_key, ca_bundle, proxy)
    with leading("Account update failed"):
        return account.update_account(client, scope, contacts).as_dict()


def change_account_key(
    directory_url: str,
    account_key: str,
    new_key: str,
    *,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(60),
) -> dict[str, object]:
    """Gives the account another key, of any type; account_key is of no use from then on.

    Both keys are PEM texts, and new_key must be new: not the account's own, and not that of another account.
    Returns the account as the new key sees it. RFC 8555 section 7.3.5.
    Errors: "Account key change failed: ..." TOSSL ACME type status; TOSSL KEY kind; TOSSL VALUE new_key.
    """
    from ...acme import account

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    successor = client_for(directory_url, new_key, ca_bundle, proxy)
    if successor.key.thumbprint == client.key.thumbprint:
        raise ArgumentError("new_key", "new_key is the key that the account has already")
    with leading("Account key change failed"):
        account.change_key(client, scope, successor.key)
        return _fresh_account(successor, scope)


def deactivate_account(
    directory_url: str, account_key: str, *, ca_bundle: str = "", proxy: str = "", scope: Scope = Scope(60)
) -> str:
    """Ends the account of the key for good: the CA takes nothing from it any more, and no CA undoes this.

    Its certificates stay valid. Returns "Account deactivated successfully". RFC 8555 section 7.3.6.
    Errors: "Account deactivation failed: ..." TOSSL ACME type status.
    """
    from ...acme import account

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    with leading("Account deactivation failed"):
        account.deactivate_account(client, scope)
    return "Account deactivated successfully"


def list_orders(
    directory_url: str,
    account_key: str,
    *,
    limit: int = 1000,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(120),
) -> list[str]:
    """The URLs of the account's orders, as get_order takes them; -limit of them at most.

    A request for each page that the CA makes of them. RFC 8555 section 7.1.2.1; several CAs (Let's Encrypt is one)
    do not offer it. Errors: TOSSL ACME notOffered 0 where the CA has no such list; TOSSL VALUE limit.
    """
    from ...acme import account

    if limit < 1:
        raise ArgumentError("limit", "limit must be at least 1")
    return account.list_orders(client_for(directory_url, account_key, ca_bundle, proxy), scope, limit)


def _fresh_account(client: Client, scope: Scope) -> dict[str, object]:
    from ...acme import account

    client.forget_account()
    return account.get_account(client, scope).as_dict()
