"""Accounts."""

from __future__ import annotations

from ...scope import Scope
from .shared import client_for, leading


def create_account(
    directory_url: str,
    account_key: str,
    email: str,
    contact: list[str] = [],  # noqa: B006 - only read
    *,
    return_details: bool = False,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(60),
) -> str | dict[str, object]:
    """Creates an account for the key, agreeing to the terms of service; a known key's contacts are brought up to date.

    email may be empty; contact is a list of further contacts (mail addresses, or URLs such as tel:).
    Returns "Account created successfully", or with -return_details 1 the account object. RFC 8555 section 7.3.
    Errors: "Account creation failed: ..." TOSSL ACME type status; TOSSL KEY kind; TOSSL VALUE email.
    """
    from ...acme.account import contact_urls, new_account

    contacts = contact_urls(email, contact)
    client = client_for(directory_url, account_key, ca_bundle, proxy)
    with leading("Account creation failed"):
        account = new_account(client, scope, contacts)
    return account.as_dict() if return_details else "Account created successfully"
