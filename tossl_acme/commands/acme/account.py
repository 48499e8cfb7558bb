"""Accounts."""

from __future__ import annotations

from ...context import Context, seconds
from ...errors import ArgumentError
from .shared import DEFAULT_STORE, binding_for, client_for, leading, store_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ...acme.client import Client
    from ...files import FilePath


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
    context: Context = seconds(60),
) -> str | dict[str, object]:
    """Creates an account for the key, agreeing to the terms of service; a known key's contacts are brought up to date.

    RFC 8555 section 7.3.

    -return_details boolean  1 returns the account in place of the status line

    Returns "Account created successfully", for a key that the CA knows already too; or the account, as get_account
    does.

    Errors: what the CA says is led by "Account creation failed: ".
    """
    from ...acme.account import NewAccount, contact_urls, new_account

    contacts = contact_urls(email, contact)
    binding = binding_for(directory_url, eab_kid, eab_hmac_key, eab_alg)
    client = client_for(directory_url, account_key, ca_bundle, proxy)
    with leading("Account creation failed"):
        account = new_account(client, context, NewAccount(contacts, agree_tos, binding))
    return account.as_dict() if return_details else "Account created successfully"


def get_account(
    directory_url: str, account_key: str, *, ca_bundle: str = "", proxy: str = "", context: Context = seconds(60)
) -> dict[str, object]:
    """Gets the account of the key.

    RFC 8555 section 7.3.1.

    Returns a dict with all that the CA says of the account:

    url      the account's URL
    status   valid, deactivated or revoked
    contact  a list of URLs
    orders   where its orders are listed; many CAs do not say

    Errors:
    TOSSL ACME accountDoesNotExist 400  the CA does not know the key
    """
    from ...acme import account

    return account.get_account(client_for(directory_url, account_key, ca_bundle, proxy), context).as_dict()


def update_account(
    directory_url: str,
    account_key: str,
    email: str,
    contact: list[str] = [],  # noqa: B006 - only read
    *,
    ca_bundle: str = "",
    proxy: str = "",
    context: Context = seconds(60),
) -> dict[str, object]:
    """Replaces the account's contacts.

    Without email and contact, all are removed. RFC 8555 section 7.3.2.

    Returns the account, as get_account does.

    Errors: what the CA says is led by "Account update failed: ".
    """
    from ...acme import account

    contacts = account.contact_urls(email, contact)
    client = client_for(directory_url, account_key, ca_bundle, proxy)
    with leading("Account update failed"):
        return account.update_account(client, context, contacts).as_dict()


def change_account_key(
    directory_url: str,
    account_key: str,
    new_key: str,
    *,
    store: FilePath = DEFAULT_STORE,
    ca_bundle: str = "",
    proxy: str = "",
    context: Context = seconds(60),
) -> dict[str, object]:
    """Gives the account another key, of any type; the old one is of no use from then on.

    Where the store keeps the old key for this CA, it keeps the new one from then on: that is there as next.pem before
    the CA is asked, and takes the place of key.pem when the CA has taken it. After a failure next.pem stays. RFC 8555
    section 7.3.5.

    new_key        the new private key, PEM text: not the account's own, and not that of another account
    -store folder  the store of obtain_certificate, found as there; empty leaves it alone

    Returns the account as the new key sees it, as get_account does.

    Errors: what the CA says is led by "Account key change failed: ".
    TOSSL VALUE new_key  it is the key that the account has already, or known to have another
    TOSSL VALUE store    not a folder that can be written to
    """
    from ...acme import account

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    successor = client_for(directory_url, new_key, ca_bundle, proxy)
    if successor.key.thumbprint == client.key.thumbprint:
        raise ArgumentError("new_key", "new_key is the key that the account has already")
    if successor.knows_account:
        raise ArgumentError("new_key", "new_key has an account of its own (RFC 8555 section 11.1)")
    with leading("Account key change failed"):
        with _kept(context, store, client, new_key):
            account.change_key(client, context, successor.key)
        return _fresh_account(successor, context)


def deactivate_account(
    directory_url: str, account_key: str, *, ca_bundle: str = "", proxy: str = "", context: Context = seconds(60)
) -> str:
    """Ends the account of the key for good: the CA takes nothing from it any more, and no CA undoes this.

    Its certificates stay valid. RFC 8555 section 7.3.6.

    Returns "Account deactivated successfully".

    Errors: what the CA says is led by "Account deactivation failed: ".
    """
    from ...acme import account

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    with leading("Account deactivation failed"):
        account.deactivate_account(client, context)
    return "Account deactivated successfully"


def list_orders(
    directory_url: str,
    account_key: str,
    *,
    limit: int = 1000,
    ca_bundle: str = "",
    proxy: str = "",
    context: Context = seconds(120),
) -> list[str]:
    """Lists the URLs of the account's orders, as get_order takes them.

    A request for each page that the CA makes of them. Several CAs (Let's Encrypt is one) do not offer it. RFC 8555
    section 7.1.2.1.

    -limit count  how many at most

    Returns a list of URLs.

    Errors:
    TOSSL ACME notOffered 0  the CA has no such list
    TOSSL VALUE limit        less than 1
    """
    from ...acme import account

    if limit < 1:
        raise ArgumentError("limit", "limit must be at least 1")
    return account.list_orders(client_for(directory_url, account_key, ca_bundle, proxy), context, limit)


def _kept(context: Context, store: FilePath, client: Client, new_key: str) -> AbstractContextManager[None]:
    """Has the store keep new_key when the block ends well, if it is the client's key that it keeps."""
    from contextlib import nullcontext

    from ...acme.clients import account_key_of
    from ...certificates import accounts

    folder = store_in(store)
    kept = accounts.account_key(folder, client.server.url) if folder else ""
    if folder is None or not kept or account_key_of(kept).thumbprint != client.key.thumbprint:
        return nullcontext()
    return accounts.changing_account_key(folder, context, client.server.url, new_key)


def _fresh_account(client: Client, context: Context) -> dict[str, object]:
    from ...acme import account

    client.forget_account()
    return account.get_account(client, context).as_dict()
