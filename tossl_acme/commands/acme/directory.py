"""The directory of a CA."""

from __future__ import annotations

from ...context import Scope


def directory(
    directory_url: str, *, ca_bundle: str = "", proxy: str = "", scope: Scope = Scope(60)
) -> dict[str, object]:
    """Gets the CA's directory: where it takes requests, and its meta data.

    Returns a dict with the members of RFC 8555 section 7.1.1, of which the CA may have more:

    newNonce newAccount newOrder revokeCert keyChange  URLs
    newAuthz renewalInfo  URLs, where the CA offers them
    meta  a dict, perhaps with termsOfService, website, caaIdentities, externalAccountRequired, profiles
    """
    from ...http.client import Route
    from ..session import SESSION

    return SESSION.server(directory_url, Route(ca_bundle, proxy)).directory(scope).as_dict()
