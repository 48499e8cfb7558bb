"""How to reach a peer: CA bundle, proxy, verification, and their environment variables."""

from __future__ import annotations

import os
import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path

import requests.utils

from ..errors import ArgumentError
from ..files import FilePath, absolute
from ..text import quoted
from ..version import __version__
from .urls import UrlError, split_url

USER_AGENT = f"tossl/{__version__}"

_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_PROXIES = tuple(
    name for kind in ("HTTPS", "HTTP", "ALL", "NO") for name in (f"{kind}_PROXY", f"{kind.lower()}_proxy")
)


@dataclass(frozen=True)
class ConnectionOptions:
    """How to reach a peer. The environment decides where ca_bundle or proxy is empty.

    ca_bundle: else REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, else certifi's roots.
    proxy: http://host:port or host:port, else HTTPS_PROXY, HTTP_PROXY, ALL_PROXY with NO_PROXY.
    Raises ArgumentError "proxy" (the message does not show it: it may contain a password) or "ca_bundle".
    """

    ca_bundle: str = ""
    proxy: str = field(default="", repr=False)
    verify: bool = True

    def __post_init__(self) -> None:
        if self.proxy:
            object.__setattr__(self, "proxy", _proxy_url(self.proxy))

    def in_force(self) -> tuple[object, ...]:
        """Returns the options and the environment's values for them: connections are kept while these are the same."""
        return (self, *map(os.environ.get, (*_BUNDLES, *_PROXIES)))

    def trust(self) -> bool | str:
        if not self.verify:
            return False
        for bundle in (self.ca_bundle, *map(os.environ.get, _BUNDLES)):
            if bundle:
                _check_bundle(bundle)
                return absolute(bundle)  # read again for each connection, perhaps from another current directory
        return True

    def proxies(self, url: str) -> dict[str, str]:
        if self.proxy:
            return {"http": self.proxy, "https": self.proxy}
        return dict(requests.utils.get_environ_proxies(url))


def _check_bundle(bundle: str) -> None:
    shown = bundle.shown if isinstance(bundle, FilePath) else quoted(bundle)
    path = Path(bundle)
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):  # a pipe would be waited for
            raise ArgumentError("ca_bundle", f"the CA bundle {shown} cannot be used: it is neither a file nor a folder")
        # OpenSSL reads a folder's certificates when it needs them.
        places = (None, bundle) if stat.S_ISDIR(kind) else (bundle,)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(*places)
    except (FileNotFoundError, NotADirectoryError):
        raise ArgumentError("ca_bundle", f"there is no CA bundle {shown}") from None
    except OSError as error:
        cause = error.strerror if not isinstance(error, ssl.SSLError) else "it contains no PEM certificate"
        raise ArgumentError("ca_bundle", f"the CA bundle {shown} cannot be used: {cause}") from None


def _proxy_url(proxy: str) -> str:
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        split_url(url)
    except UrlError as error:
        raise ArgumentError("proxy", f"-proxy must be http://host:port, but it {error}") from None
    return url
