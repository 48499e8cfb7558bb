"""The commands, by Tcl namespace; a module's COMMANDS are its public functions.

tcl/manual.py describes the form of their docstrings, groups.py has shared arguments and options. `package require`
reads index.py, which `make docs` makes of these modules; a module is loaded when one of its commands is first called.
"""

from __future__ import annotations

_ACME = tuple(
    f"{__name__}.acme.{module}"
    for module in (
        "directory", "account", "order", "authorization", "challenge", "dns_challenge", "certificate", "obtain",
        "renew", "kept", "imported", "manage",
    )
)  # fmt: skip
#: The modules of each Tcl package, in the order of the documentation. "tossl::acme" is for those who have another
#: `tossl`, "tossl::testing" for test suites.
PACKAGES: dict[str, tuple[str, ...]] = {
    "tossl": _ACME
    + tuple(
        f"{__name__}.{module}"
        for module in ("http", "job", "key", "dns", "tls", "naviserver", "log", "store", "doctor", "help", "support")
    ),
    "tossl::acme": (*_ACME, *(f"{__name__}.{module}" for module in ("job", "dns"))),
    "tossl::testing": tuple(f"{__name__}.{module}" for module in ("testing", "testing.ca", "key", "job")),
}
