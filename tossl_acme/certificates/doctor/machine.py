"""The machine: Python, its libraries, Tcl."""

from __future__ import annotations

import contextlib
import platform
import ssl
import sys
from pathlib import Path

from ...context import Context
from ...errors.libraries import lack_of_library
from ...version import __version__
from .diagnosis import Diagnosis
from .subjects import Examination

#: What the process has loaded, on Linux.
_MAPS = Path("/proc/self/maps")
_LIBRARIES = ("cryptography", "requests", "urllib3", "dnspython", "idna", "certifi")


def python_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Says which Python it is, and whether its libraries are there and new enough."""
    from importlib.metadata import PackageNotFoundError, version

    libraries = {"tossl": __version__, "OpenSSL": ssl.OPENSSL_VERSION.removeprefix("OpenSSL ")}
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
    """Says which Tcl it is, and how Python came into its process."""
    if not examined.tcl:
        return []
    patchlevel, program = examined.tcl["patchlevel"], examined.tcl["executable"]
    how = "tossl's bridge brought Python into it" if "_tossl" in sys.modules else "Python is the program around it"
    message = f"Tcl {patchlevel} of {program or 'a program without a name'}; {how}"
    facts = {"patchlevel": patchlevel, "executable": program, **_libraries()}
    return [Diagnosis.ok("tcl", f"Tcl {patchlevel}", message, **facts)]


def _libraries() -> dict[str, str]:
    """Returns the paths of the bridge and of libpython in this process, where the system tells them."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError), _MAPS.open(encoding="utf-8", errors="replace") as maps:
        for line in maps:
            path = line.rstrip("\n").partition("/")[2]
            name = path.rpartition("/")[2]
            for kind, begin in (("bridge", "tossl-tcl"), ("libpython", "libpython")):
                if name.startswith(begin) and ".so" in name:
                    found[kind] = f"/{path}"
    return found
