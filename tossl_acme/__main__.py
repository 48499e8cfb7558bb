"""A tclsh hosted by Python, on tkinter: no compiler, no bridge.

    python -m tossl_acme ?script.tcl ?arg ...??

argv0, argv, argc, `source`, `exit`, errors and the exit status are as in tclsh; without a script, commands are read
from standard input. `package require tossl` finds this package.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from pathlib import Path

from . import register
from .version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _tkinter


def _create() -> _tkinter.TkappType:
    """Returns an interpreter without Tk. (tkinter.Tcl() would also run the user's ~/.Tcl.py and the like.)"""
    try:
        import _tkinter
    except ImportError:
        sys.exit("tossl_acme: this Python has no tkinter; on Debian it is the package python3-tk")
    return _tkinter.create(None, "tossl", "Tossl", False, True, False, False, None)


def _prepare(tcl: _tkinter.TkappType, arguments: list[str]) -> None:
    """Makes the interpreter a tclsh that finds the package."""
    script, *words = arguments or ["tclsh"]
    interactive = not arguments and os.isatty(0)
    tcl.eval(Path(__file__).with_name("tcl").joinpath("shell.tcl").read_text(encoding="utf-8"))
    tcl.createcommand("::tossl::shell::Register", lambda package: register(tcl, package))
    tcl.createcommand("::tossl::shell::Leave", atexit._run_exitfuncs)
    tcl.call("::tossl::shell::Prepare", script, tuple(words), int(interactive), __version__)


def _source(tcl: _tkinter.TkappType, script: str) -> None:
    import _tkinter

    try:
        tcl.evalfile(script)
    except _tkinter.TclError as error:
        tcl.call("::tossl::shell::Fail", str(error))


def main(arguments: list[str]) -> None:
    """Runs the script; the process ends with Tcl's own `exit`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    tcl = _create()
    _prepare(tcl, arguments)
    if not arguments:
        tcl.call("::tossl::shell::Converse")
    else:
        _source(tcl, arguments[0])
    tcl.eval("exit")


if __name__ == "__main__":
    main(sys.argv[1:])
