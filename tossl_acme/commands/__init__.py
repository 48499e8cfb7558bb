"""The commands, one module for each Tcl namespace; a module's COMMANDS are its public functions.

tcl/manual.py says how their docstrings are written. These options mean the same everywhere:

-ca_bundle path   a PEM file or folder of CA certificates to trust in place of the usual ones; without it
                  REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE of the environment are looked at
-proxy url        http://host:port, with user:password@ before the host where it wants that; without it HTTPS_PROXY,
                  HTTP_PROXY, ALL_PROXY and NO_PROXY of the environment are looked at

Errors:
TOSSL VALUE ca_bundle  there is no such file or folder
TOSSL VALUE proxy      not the URL of a proxy
"""

from __future__ import annotations

#: The modules of each Tcl package. "tossl::acme" is for those who have another `tossl`.
PACKAGES: dict[str, tuple[str, ...]] = {
    "tossl": tuple(f"{__name__}.{module}" for module in ("acme", "http", "job", "key", "help")),
    "tossl::acme": tuple(f"{__name__}.{module}" for module in ("acme", "job")),
}
