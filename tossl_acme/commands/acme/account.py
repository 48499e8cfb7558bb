"""Accounts."""

from __future__ import annotations

from ...context import Context, seconds
from ...errors import AcmeError, ArgumentError, error_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ...acme.account import NewAccount
    from ...acme.client import Client
    from ...store.protocol import Store
    from ...text import Secret
    from ..groups import Contacts


def create_account(
    client: Client,
    contacts: Contacts,
    *,
    account: NewAccount,
    return_details: bool = False,
    context: Context = seconds(60),
) -> str | dict[str, object]:
    """Creates an account for the key, agreeing to the terms of service; updates the contacts of an existing account.

    A key that has an account already needs neither binding nor agreement. RFC 8555 section 7.3.

    -return_details boolean  1 returns the account instead of the status line

    Returns "Account created successfully", also for an existing account; or the account, as get_account does.

    Errors: the CA's errors begin with "Account creation failed: ".
    """
    from dataclasses import replace

    from ...acme.account import new_account
    from ...certificates.accounts import keep_own_account
    from ...certificates.keys_apart import learn_keys
    from ...certificates.known import default_store

    if not client.knows_account:
        learn_keys(None)
    wanted = replace(account, contact=contacts)
    with error_context("Account creation failed", AcmeError):
        created = new_account(client, context, wanted)
    keep_own_account(context, default_store(), client)
    return created.as_dict() if return_details else "Account created successfully"


def get_account(client: Client, *, context: Context = seconds(60)) -> dict[str, object]:
    """Gets the account of the key.

    RFC 8555 section 7.3.1.

    Returns a dict with the CA's whole object:

    url      the account's URL
    status   valid, deactivated or revoked
    contact  a list of URLs
    orders   the URL of its list of orders; missing at many CAs

    Errors:
    TOSSL ACME accountDoesNotExist 400  the CA does not know the key
    """
    from ...acme import account

    return account.get_account(client, context).as_dict()


def update_account(
    client: Client,
    contacts: Contacts,
    *,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Replaces the account's contacts.

    Removes all if email and contact are empty. RFC 8555 section 7.3.2.

    Returns the account, as get_account does.

    Errors: the CA's errors begin with "Account update failed: ".
    """
    from ...acme import account

    with error_context("Account update failed", AcmeError):
        return account.update_account(client, context, contacts).as_dict()


def change_account_key(
    client: Client,
    new_key: Secret,
    *,
    store: Store | None,
    shared_key: bool = False,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Changes the account's key to another, of any type; the old key is useless from then on.

    Where the store keeps the old key for this CA, it keeps the new one from then on: that is there as next.pem before
    the CA is asked, and takes the place of key.pem when the CA has taken it. Where the process died in between, or
    heard no answer, the next call of this command, obtain_certificate or get_account_key asks the CA which key it has,
    and finishes. RFC 8555 section 7.3.5.

    new_key        the new private key, PEM text; it must not have an account
    -store folder  the store of obtain_certificate, with the same default; empty changes no store
    -shared_key boolean
                   whether new_key may be known at another CA or as a certificate's; create_account says what is known

    Returns the account as get_account does, with the new key.

    Errors: the CA's errors begin with "Account key change failed: ".
    TOSSL VALUE new_key  it is the account's present key, or known to have another account, here or at another CA, or as
                         a certificate's
    TOSSL VALUE store    not a writable folder
    """
    from ...acme import account
    from ...acme.clients import account_key_of, client_of
    from ...acme.known_keys import check_account_key
    from ...certificates.accounts import account_key, complete_key_change
    from ...certificates.keys_apart import learn_keys

    if store is not None:
        complete_key_change(store, context, client.server)
    successor = client_of(client.server, account_key_of(new_key.value))
    if successor.key.thumbprint == client.key.thumbprint:
        raise ArgumentError("new_key", "new_key is the key that the account has already")
    if store is not None and account_key(store, client.server.url) == new_key.value:
        return _fresh_account(successor, context)  # an earlier call died when the CA had taken it
    if successor.knows_account:
        raise ArgumentError("new_key", "new_key has another account; give a new key (RFC 8555 section 11.1)")
    if not shared_key:
        learn_keys(store)
        check_account_key(successor.key.spki, client.server.url, "new_key")
    with error_context("Account key change failed", AcmeError):
        with _kept(context, store, client, new_key.value):
            account.change_key(client, context, successor.key)
        return _fresh_account(successor, context)


def deactivate_account(client: Client, *, store: Store | None, context: Context = seconds(60)) -> str:
    """Ends the account of the key for good: the CA takes nothing from it any more, and no CA undoes this.

    Its certificates stay valid. Where the store keeps the key for this CA, it is put aside there, as key-<time>.pem:
    the next obtain_certificate makes another account. RFC 8555 section 7.3.6.

    -store folder  the store of obtain_certificate, found as there; empty leaves it alone

    Returns "Account deactivated successfully".

    Errors: what the CA says is led by "Account deactivation failed: ".
    TOSSL VALUE store  the account has ended, and the store cannot be written to
    """
    from ...acme import account
    from ...certificates.accounts import put_key_aside

    with error_context("Account deactivation failed", AcmeError):
        account.deactivate_account(client, context)
    if store is not None:
        put_key_aside(store, context, client.server.url, client.key.thumbprint)
    return "Account deactivated successfully"


def list_orders(
    client: Client,
    *,
    limit: int = 1000,
    context: Context = seconds(120),
) -> list[str]:
    """Lists the URLs of the account's orders, for get_order.

    Sends a request for each page of the CA's list. Several CAs, such as Let's Encrypt, do not offer it. RFC 8555
    section 7.1.2.1.

    -limit count  maximum number of URLs

    Returns a list of URLs.

    Errors:
    TOSSL ACME notOffered 0  the CA does not offer the list
    TOSSL VALUE limit        less than 1
    """
    from ...acme import account

    if limit < 1:
        raise ArgumentError("limit", "-limit: must be at least 1")
    return account.list_orders(client, context, limit)


def _kept(context: Context, store: Store | None, client: Client, new_key: str) -> AbstractContextManager[None]:
    """Has the store keep new_key when the block ends well, if it is the client's key that it keeps."""
    from contextlib import nullcontext

    from ...acme.clients import account_key_of
    from ...certificates import accounts

    kept = accounts.account_key(store, client.server.url) if store else ""
    if store is None or not kept or account_key_of(kept).thumbprint != client.key.thumbprint:
        return nullcontext()
    return accounts.changing_account_key(store, context, client.server.url, new_key, client.account_url(context))


def _fresh_account(client: Client, context: Context) -> dict[str, object]:
    from ...acme import account

    client.forget_account()
    return account.get_account(client, context).as_dict()


COMMANDS = (create_account, get_account, update_account, change_account_key, deactivate_account, list_orders)
