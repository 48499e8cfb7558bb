"""The commands, one module for each Tcl namespace; a module's COMMANDS are its public functions.

tcl/manual.py describes the form of their docstrings, groups.py has shared arguments and options.
"""

from __future__ import annotations

#: The modules of each Tcl package. "tossl::acme" is for those who have another `tossl`,
#: "tossl::testing" for test suites.
PACKAGES: dict[str, tuple[str, ...]] = {
    "tossl": tuple(
        f"{__name__}.{module}"
        for module in (
            "acme", "http", "job", "key", "dns", "tls", "naviserver", "log", "store", "doctor", "help", "support",
        )
    ),
    "tossl::acme": tuple(f"{__name__}.{module}" for module in ("acme", "job", "dns")),
    "tossl::testing": tuple(f"{__name__}.{module}" for module in ("testing", "testing.ca", "key", "job")),
}
