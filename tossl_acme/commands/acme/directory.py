"""The directory of a CA."""

from __future__ import annotations

from ...context import Context, seconds


def directory(
    directory_url: str, *, ca_bundle: str = "", proxy: str = "", context: Context = seconds(60)
) -> dict[str, object]:
    """Gets the CA's directory: where it takes requests, and its meta data.

    Returns a dict with the members of RFC 8555 section 7.1.1, of which the CA may have more:

    newNonce newAccount newOrder revokeCert keyChange  URLs
    newAuthz renewalInfo  URLs, where the CA offers them
    meta  a dict, perhaps with termsOfService, website, caaIdentities, externalAccountRequired, profiles
    """
    from ...acme.clients import server_for
    from ...http.options import ConnectionOptions

    return server_for(directory_url, ConnectionOptions(ca_bundle, proxy)).directory(context).as_dict()
