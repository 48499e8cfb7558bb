"""How to reach a peer: CA bundle, proxy, verification, and their environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import ArgumentError
from ..version import __version__
from .proxies import may_have_proxy
from .socks import SOCKS, check_socks
from .trust import Trust, trust_in
from .urls import UrlError, shown_url, split_url

USER_AGENT = f"tossl/{__version__}"

_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
#: Folders of roots, beside SSL_CERT_FILE or the system's.
_FOLDERS = "SSL_CERT_DIR"
_PROXIES = tuple(
    name for kind in ("HTTPS", "HTTP", "ALL", "NO") for name in (f"{kind}_PROXY", f"{kind.lower()}_proxy")
)


@dataclass(frozen=True, repr=False)
class ConnectionOptions:
    """How to reach a peer. The environment decides where ca_bundle or proxy is empty.

    ca_bundle: else REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, else the system's roots; with SSL_CERT_DIR.
    proxy: http://host:port, host:port or socks5h://host:port, else HTTPS_PROXY, HTTP_PROXY, ALL_PROXY with NO_PROXY.
    Raises ArgumentError "proxy" (the message does not show it: it may contain a password) or "ca_bundle".
    """

    ca_bundle: str = ""
    proxy: str = ""
    verify: bool = True

    def __post_init__(self) -> None:
        if self.proxy:
            object.__setattr__(self, "proxy", _proxy_url(self.proxy))

    def in_force(self) -> tuple[object, ...]:
        """Returns the options and the environment's values for them: connections are kept while these are the same."""
        return (self, *map(os.environ.get, (*_BUNDLES, _FOLDERS, *_PROXIES)))

    def trust(self) -> Trust | None:
        """Returns the roots to trust; None where nothing is verified."""
        if not self.verify:
            return None
        folders = [folder for folder in os.environ.get(_FOLDERS, "").split(os.pathsep) if folder]
        if self.ca_bundle:
            return trust_in(self.ca_bundle)
        named = next(filter(None, map(os.environ.get, _BUNDLES)), "")
        return trust_in(named, folders)

    def proxies(self, url: str) -> dict[str, str]:
        """Returns the proxies for a URL.

        Raises ArgumentError "proxy" for one that needs what is not installed, and for the environment's that is no URL.
        """
        if not self.proxy and not may_have_proxy():
            return {}
        import requests.utils  # it loads slowly

        proxy = self.proxy
        if not proxy:
            found = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
            proxy = _proxy_url(found, f"the environment's proxy for {shown_url(url)}") if found else ""
        check_socks(proxy)
        return {"http": proxy, "https": proxy} if proxy else {}

    def proxy_for(self, url: str) -> str:
        """Returns the proxy for a URL, with its credentials; empty without one. Raises as proxies() does."""
        return self.proxies(url).get("https", "")


def _proxy_url(proxy: str, name: str = "-proxy") -> str:
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        split_url(url, ("https", "http", *SOCKS))
    except UrlError as error:
        shape = "http://host:port or socks5h://host:port"
        raise ArgumentError("proxy", f"{name} must be {shape}, but it {error}") from None
    return url
