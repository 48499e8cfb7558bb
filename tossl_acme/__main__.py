"""A tclsh hosted by Python, on tkinter: no compiler, no bridge. Or lets other tclsh find the package.

    python -m tossl_acme ?script.tcl ?arg ...??
    python -m tossl_acme --tcl                       prints the lines for a shell that let tclsh find tossl
    python -m tossl_acme --tcl-install ?FOLDER?      lets tclsh find it always: a pkgIndex.tcl where tclsh looks
    python -m tossl_acme --tcl-uninstall ?FOLDER?    removes that again

argv0, argv, argc, `source`, `exit`, errors and the exit status are as in tclsh; without a script, commands are read
from standard input. `package require tossl` finds this package.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from . import register
from .version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _tkinter

_WORDS = ("--tcl", "--tcl-install", "--tcl-uninstall")


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
    tcl.createcommand("::tossl_shell::Register", lambda package: register(tcl, package))
    tcl.createcommand("::tossl_shell::Leave", atexit._run_exitfuncs)
    tcl.call("::tossl_shell::Prepare", script, tuple(words), int(interactive), __version__)


def _source(tcl: _tkinter.TkappType, script: str) -> int:
    """Runs the script; returns the exit status."""
    import _tkinter

    try:
        tcl.evalfile(script)
    except _tkinter.TclError as error:
        message = str(error)
    except UnicodeEncodeError:
        message = f'couldn\'t read file "{script}": its name is not UTF-8'
    else:
        return 0
    tcl.call("::tossl_shell::Tell", message)
    return 1


def _end(tcl: _tkinter.TkappType, status: int) -> None:
    """Ends the process, whatever the script has made of `exit`."""
    import _tkinter

    with suppress(_tkinter.TclError):
        tcl.call("exit", status)
    tcl.call("::tossl_shell::End", status)


def _run_word(word: str, places: list[Path]) -> None:
    """Runs --tcl, --tcl-install or --tcl-uninstall."""
    from .tcl import installed

    if len(places) > (word != "--tcl"):
        sys.exit(f"tossl_acme: too many words behind {word}")
    if word == "--tcl":
        installed.show_path()
        return
    try:
        (installed.add_index if word == "--tcl-install" else installed.remove_index)(places[0] if places else None)
    except OSError as error:
        sys.exit(f"tossl_acme: {error.filename}: {error.strerror}")


def main(arguments: list[str]) -> None:
    """Runs the script, or commands from standard input, and ends the process."""
    if arguments and arguments[0] in _WORDS:
        _run_word(arguments[0], [Path(word) for word in arguments[1:]])
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    tcl = _create()
    _prepare(tcl, arguments)
    if arguments:
        status = _source(tcl, arguments[0])
    else:
        status = 0
        tcl.call("::tossl_shell::Converse")
    _end(tcl, status)


if __name__ == "__main__":
    main(sys.argv[1:])
