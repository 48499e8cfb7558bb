"""The connection to the CA, begun while the modules load that a certificate needs."""

from __future__ import annotations

from ..errors import ArgumentError
from ..http.ahead import open_ahead
from ..http.dial import WIDTH, connect_ahead

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..context import Context
    from ..http.dial import Connecting
    from ..http.options import ConnectionOptions
    from ..store.protocol import Store
    from .record import KeptCertificate


def begin_ahead(
    context: Context, url: str, connecting: Sequence[Connecting], connection: Callable[[], ConnectionOptions],
    store: Store | None, count: int,
) -> None:  # fmt: skip
    """Begins to connect to the CA, and to fetch its nonces for so many names.

    connecting: what connect_ahead() has begun. connection: returns the options; what loads slowly for them loads while
    the CA is awaited. Mistakes in them are told in their place.
    """
    width = max(1, min(count, WIDTH))
    try:
        options = connection()
    except ArgumentError:
        for one in connecting:
            one.drop()
        return
    if open_ahead(context, url, options, width, connecting) and store is not None:
        # What sends requests loads first: the connection is there before all has loaded.
        from ..acme.servers import server_for
        from .known import fetch_nonces_ahead

        fetch_nonces_ahead(context, store, server_for(url, options), width)


def begin_renewal(context: Context, store: Store, kept: KeptCertificate) -> None:
    """Begins to connect to the CA of a kept certificate that is to be renewed, as it was asked for."""

    def connection() -> ConnectionOptions:
        from .asked import connection_of

        return connection_of(kept.issuance)

    asked = kept.issuance.get("connection") if isinstance(kept.issuance, dict) else None
    proxy = str(asked.get("proxy") or "") if isinstance(asked, dict) else "unknown"
    connecting = connect_ahead(context, kept.directory, proxy, len(kept.domains))
    begin_ahead(context, kept.directory, connecting, connection, store, len(kept.domains))
