"""Certificates for Tcl: the commands ::tossl::* in any Tcl interpreter of this process.

    import tkinter, tossl_acme
    tcl = tkinter.Tcl()
    tossl_acme.register(tcl)
    tcl.eval("tossl::acme::directory letsencrypt-staging")

A tclsh gets the same through `package require tossl`.
"""

from __future__ import annotations

from .version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["__version__", "register"]


def register(interp: Any, package: str = "tossl") -> None:
    """Adds the package's commands to `interp`.

    `interp` is tkinter.Tcl(), Tk(), either's `.tk`, or the bridge's object for a tclsh. The package
    "tossl::acme" is ::tossl::acme, ::tossl::dns and ::tossl::job alone, beside another `tossl`. Without a name it is
    what this process asked for before: an interpreter made from another's saved state gets `load {} Tossl` alone.
    """
    from .commands import PACKAGES
    from .commands.index import INDEX
    from .tcl.dispatcher import install

    if not hasattr(interp, "TclError"):
        from .tcl.tkhost import TkHost

        interp = TkHost(getattr(interp, "tk", interp))
    install(interp, PACKAGES, INDEX, _groups, package)


def _groups() -> dict[str, Any]:
    from .commands.groups import GROUPS

    return GROUPS
