"""The machine: Python, its libraries, Tcl."""

from __future__ import annotations

import platform
import ssl
import sys

from ...context import Context
from ...errors.libraries import lack_of_library
from ...version import __version__
from .diagnosis import Diagnosis
from .subjects import Examination

_LIBRARIES = ("cryptography", "requests", "urllib3", "dnspython", "idna", "certifi")


def python_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Which Python it is, and whether its libraries are there and new enough."""
    from importlib.metadata import PackageNotFoundError, version

    libraries = {"tossl": __version__, "OpenSSL": ssl.OPENSSL_VERSION}
    for name in _LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            libraries[name] = "without a version"
    said = f"Python {platform.python_version()} of {sys.prefix}"
    found = [Diagnosis.ok("python", said, f"{said} runs tossl {__version__}", executable=sys.executable)]
    shown = ", ".join(f"{name} {number}" for name, number in libraries.items() if name != "tossl")
    lack = lack_of_library(Exception())
    if lack:
        return [*found, Diagnosis.failed("libraries", said, lack, "the message has the command", **libraries)]
    return [*found, Diagnosis.ok("libraries", said, shown, **libraries)]


def tcl_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Which Tcl it is, and how Python came into its process."""
    if not examined.tcl:
        return []
    patchlevel, program = examined.tcl["patchlevel"], examined.tcl["executable"]
    bridge = getattr(sys.modules.get("_tossl"), "__file__", "") or ("the bridge" if "_tossl" in sys.modules else "")
    how = "tossl's library brought Python into it" if bridge else "Python is the program around it"
    message = f"Tcl {patchlevel} of {program or 'a program without a name'}; {how}"
    return [Diagnosis.ok("tcl", f"Tcl {patchlevel}", message, patchlevel=patchlevel, executable=program)]
