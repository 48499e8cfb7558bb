"""The one command between a Tcl interpreter and Python: ::tossl::call NAME ?ARG ...?; strings in, a value out.

`package require` loads this and the list of the commands; the first call loads the rest.
"""

from __future__ import annotations

from ..errors import ScriptError, TosslError, foreign_error, of_descriptors
from ..version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .command import Groups
    from .host import TclHost, TclValue
    from .interpreter import Interpreter

    #: The modules of each Tcl package, by its name.
    Packages = Mapping[str, Sequence[str]]
    #: What Tcl has to know of each command, by the command's module. See command.describe_commands().
    Index = Mapping[str, Sequence[tuple[str, TclValue, str]]]

COMMAND = "::tossl::call"

#: The packages that scripts of this process asked for.
_asked: set[str] = set()


class Dispatcher:
    """The object behind the Tcl command: when Tcl deletes it or the interpreter, the interpreter's jobs end."""

    def __init__(self, host: TclHost, packages: Packages, index: Index, groups: Callable[[], Groups]) -> None:
        """index: of the modules that it lacks, the commands are looked up in these. groups: returns all of them."""
        self._host = host
        self._packages = packages
        self._index = index
        self._groups = groups
        self._modules: dict[str, str] = {}
        self._interpreter: Interpreter | None = None

    def __call__(self, name: str, *words: str) -> TclValue:
        """Returns (return options, value) for one call. Never raises: Tcl raises the error in the options."""
        try:
            if name == "Require":
                return (), self._require(*words)
            if self._interpreter is None:
                self._interpreter = self._begin()
            return self._interpreter.answer(name, words)
        except TosslError as refusal:
            error = of_descriptors(refusal) or refusal
            error.__traceback__ = None  # a job's error is kept, without these frames
            return _refused(name, error), error.message
        except Exception as error:  # noqa: BLE001 - a defect must not end the host
            known = foreign_error(error)
            return _refused(name, known), known.message

    def __del__(self) -> None:
        try:
            if self._interpreter is not None:
                self._interpreter.close()
        except Exception:  # noqa: BLE001, S110 - Python would write it to the host's standard error
            pass

    def _begin(self) -> Interpreter:
        from .interpreter import Interpreter

        return Interpreter(self._host, self._modules, self._groups())

    def _require(self, package: str) -> str:
        """Adds the commands of a package to the Tcl interpreter."""
        wanted = self._host.call("package", "provide", package)  # by a module, before it is loaded
        if wanted not in ("", __version__):
            text = f"tossl {wanted} is asked for, and tossl_acme of this Python is {__version__}"
            raise TosslError(f"{text}: install both of one version", "PYTHON")
        _asked.add(package)
        table: list[tuple[str, TclValue, str]] = []
        for module in self._packages[package]:
            described = self._index.get(module) or self._describe(module)
            self._modules |= {name: module for name, _arguments, _script in described}
            table += described
        self._host.call("::tossl::Define", package, __version__, tuple(table))
        return ""

    def _describe(self, module: str) -> Sequence[tuple[str, TclValue, str]]:
        from .command import describe_commands

        return describe_commands(module, self._groups())


def _refused(name: str, error: TosslError) -> TclValue:
    """Returns the return options of an error, with a complete trace: Tcl would add the call's words (keys, tokens)."""
    if isinstance(error, ScriptError) and error.trace:
        trace = f'{error.trace}\n    invoked from within\n"tossl::{name}"'
    else:
        trace = f'{error.message}\n    while executing\n"tossl::{name}"'
    options = ("-code", "error", "-errorcode", error.errorcode, "-tossl", _details(error))
    return (*options, "-errorinfo", trace, "-errorstack", ())


def _details(error: TosslError) -> TclValue:
    try:
        from .values import to_tcl

        return to_tcl({**error.details, "message": error.message})
    except (TosslError, OSError):  # a problem document nested too deeply; no descriptor left to load that module
        return ("message", error.message)


def reset() -> None:
    """Forgets which packages were asked for."""
    _asked.clear()


#: Hidden, and so still there when a script has deleted the namespace: Tcl loads a library once into an interpreter.
_AGAIN = "tossl_again"


def install(
    host: TclHost, packages: Packages, index: Index, groups: Callable[[], Groups], package: str
) -> None:
    """Adds the commands of `package` to the host interpreter, with its dispatcher or a new one."""
    if _AGAIN not in host.splitlist(host.eval("interp hidden {}")):

        def again(package: str) -> str:
            install(host, packages, index, groups, package)
            return ""

        host.createcommand(_AGAIN, again)
        host.eval(f"interp hide {{}} {_AGAIN}")
    if not host.eval(f"info commands {COMMAND}"):
        host.createcommand(COMMAND, Dispatcher(host, packages, index, groups))
        path = f"{__file__.rpartition('/')[0]}/prelude.tcl"
        with open(path, encoding="utf-8") as prelude:  # noqa: PTH123 - pathlib loads slowly
            host.eval(prelude.read())
    host.call("::tossl::Require", package or ("tossl::acme" if _asked == {"tossl::acme"} else "tossl"))
