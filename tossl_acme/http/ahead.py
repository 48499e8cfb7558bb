"""Connections opened beside other work, for the first request that a process will send."""

from __future__ import annotations

import contextlib

from ..context import Context
from ..errors import TosslError
from .clients import http_client
from .options import ConnectionOptions
from .urls import UrlError

#: Seconds after which nobody waits for such a connection any more.
_MOST_SECONDS = 30.0


def open_ahead(context: Context, url: str, options: ConnectionOptions) -> None:
    """Begins to connect to the URL's server, in a thread, unless this process has sent it a request already.

    Sends no request. An error is left to the request, which waits for this connection.
    """
    with contextlib.suppress(TosslError, UrlError):
        http_client(options).open_ahead(context.aside().narrowed(_MOST_SECONDS), url)
