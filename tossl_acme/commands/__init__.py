"""The commands, one module for each Tcl namespace; a module's COMMANDS are its public functions.

tcl/manual.py says how their docstrings are written. These options mean the same everywhere:

-timeout seconds  the longest that the call may take; fractions count
-command prefix   returns a job token at once; the event loop later calls the prefix with that token added, and
                  tossl::job::result has the result or the error
-progress prefix  called with a dict for each step, its key step names it; an error in it is a background error
-ca_bundle path   a PEM file or folder of CA certificates to trust in place of the usual ones; without it
                  REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE of the environment are looked at
-proxy url        http://host:port, with user:password@ before the host where it wants that; without it HTTPS_PROXY,
                  HTTP_PROXY, ALL_PROXY and NO_PROXY of the environment are looked at

Errors:
TOSSL VALUE timeout    not a positive number of seconds
TOSSL VALUE ca_bundle  there is no such file or folder
TOSSL VALUE proxy      not the URL of a proxy

Errors with -command:
TOSSL CANCELLED        the job was cancelled
"""

from __future__ import annotations

#: The modules of each Tcl package. "tossl::acme" is for those who have another `tossl`.
PACKAGES: dict[str, tuple[str, ...]] = {
    "tossl": tuple(f"{__name__}.{module}" for module in ("acme", "http", "job", "key", "help")),
    "tossl::acme": tuple(f"{__name__}.{module}" for module in ("acme", "job")),
}
