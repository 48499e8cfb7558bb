"""The directory of a CA."""

from __future__ import annotations

from ...context import Context, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.server import Server


def directory(server: Server, *, context: Context = seconds(60)) -> dict[str, object]:
    """Gets the CA's directory: its URLs and its meta data.

    Returns a dict with the members of RFC 8555 section 7.1.1; a CA may add more:

    newNonce newAccount newOrder revokeCert keyChange  URLs
    newAuthz renewalInfo  URLs, if the CA offers them
    meta  a dict, possibly with termsOfService, website, caaIdentities, externalAccountRequired, profiles
    """
    found = server.directory(context)
    context.tell("directory", url=server.url)
    return found.as_dict()


COMMANDS = (directory,)
