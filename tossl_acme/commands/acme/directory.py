"""The directory of a CA."""

from __future__ import annotations

from ...scope import Scope


def directory(
    directory_url: str, *, ca_bundle: str = "", proxy: str = "", scope: Scope = Scope(60)
) -> dict[str, object]:
    """The CA's directory: where it takes requests, and its meta data.

    directory_url is an https URL or a CA's short name (letsencrypt, letsencrypt-staging, zerossl, google, sslcom, ...).
    Returns a dict newNonce newAccount newOrder revokeCert keyChange ... ; meta is a dict. RFC 8555 section 7.1.1.
    Errors: TOSSL VALUE directory_url, TOSSL HTTP kind, TOSSL TIMEOUT what.
    """
    from ...wire import Route
    from ..session import SESSION

    return SESSION.server(directory_url, Route(ca_bundle, proxy)).directory(scope).as_dict()
