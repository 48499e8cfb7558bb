"""Proxies that speak SOCKS, through the library of the package's extra `socks`."""

from __future__ import annotations

import importlib
import socket
from types import ModuleType
from typing import Any

from ..context import Context
from ..errors import ArgumentError

#: With an "h" or an "a", the proxy looks up the name of the server.
SOCKS = ("socks5h", "socks5", "socks4a", "socks4")


def check_socks(proxy: str) -> None:
    """Raises ArgumentError "proxy" for a proxy that speaks SOCKS if the library for it is not installed."""
    if proxy.partition("://")[0].lower() in SOCKS:
        _library()


def connected_through(context: Context, options: dict[str, Any], host: str, port: int, seconds: float) -> socket.socket:
    """Returns a connection to the host that a SOCKS proxy made, within `seconds`.

    options: the proxy, as urllib3 has it. Raises urllib3's ProxyError, TimeoutError, WaitTimeout or Cancelled.
    """
    socks: Any = _library()

    def connect() -> socket.socket:
        made: socket.socket = socks.create_connection(
            (host, port),
            timeout=seconds,
            proxy_type=options["socks_version"],
            proxy_addr=options["proxy_host"],
            proxy_port=options["proxy_port"] or 1080,
            proxy_username=options["username"],
            proxy_password=options["password"],
            proxy_rdns=options["rdns"],
        )
        return made

    try:
        # The library's own waits cannot be woken.
        return context.run(connect, "answer", seconds)
    except socks.ProxyError as error:
        import urllib3  # it loads slowly, and check_socks() needs none of it

        raise urllib3.exceptions.ProxyError(f"The proxy did not connect to {host}", error) from None


def _library() -> ModuleType:
    try:
        return importlib.import_module("socks")
    except ImportError:
        needed = "a proxy that speaks SOCKS needs the extra tossl-acme[socks], which is not installed"
        how = "run `make EXTRAS=socks`, or pip install 'tossl-acme[socks]'"
        raise ArgumentError("proxy", f"{needed}: {how}") from None
