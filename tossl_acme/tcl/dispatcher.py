"""The one command between a Tcl interpreter and Python: ::tossl::call NAME ?ARG ...?; strings in, a value out."""

from __future__ import annotations

from os import environ

from ..errors import Cancelled, ScriptError, TosslError, foreign_error, of_descriptors
from ..log import deliver
from ..version import __version__
from .command import load_commands
from .host import Wait
from .values import to_tcl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol, TypeVar

    from .callbacks import Callback
    from .command import Command, Groups
    from .events import Events
    from .host import TclHost, TclValue
    from .jobs import Jobs
    from .logged import ScriptLog

    #: The modules of each Tcl package, by its name.
    Packages = Mapping[str, Sequence[str]]

    class _Closes(Protocol):
        def close(self) -> None: ...

    _T = TypeVar("_T", bound=_Closes)

COMMAND = "::tossl::call"

#: The packages that scripts of this process asked for.
_asked: set[str] = set()


class Dispatcher:
    """The object behind the Tcl command: when Tcl deletes it or the interpreter, the interpreter's jobs end."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter

    def __call__(self, name: str, *words: str) -> TclValue:
        return self._interpreter.answer(name, words)

    def __del__(self) -> None:
        try:  # noqa: SIM105 - contextlib loads slowly
            self._interpreter.close()
        except Exception:  # noqa: BLE001, S110 - Python would write it to the host's standard error
            pass


class Interpreter:
    """One Tcl interpreter: its commands and its jobs."""

    def __init__(self, host: TclHost, packages: Packages, groups: Groups) -> None:
        self.host = host
        self.commands: dict[str, Command] = {}
        self._packages = packages
        self._groups = groups
        self._events: Events | None = None
        self._jobs: Jobs | None = None
        self._belongings: dict[Callable[[], _Closes], _Closes] = {}
        self._is_closed = False
        self._log: ScriptLog | None = None
        #: The commands that run now, one called back by another.
        self._running = 0

    def answer(self, name: str, words: Sequence[str]) -> TclValue:
        """Returns (return options, value) for one call. Never raises: Tcl raises the error in the options."""
        try:
            command = self.commands.get(name)
            value = self._counted(command, words) if command is not None else self._serve(name, words)
            return ("wait" if isinstance(value, Wait) else ()), value
        except TosslError as raised:
            error = of_descriptors(raised) or raised
            error.__traceback__ = None  # a job's error is kept, without these frames
            return _refused(name, error), error.message
        except Exception as error:  # noqa: BLE001 - a defect must not end the host
            known = foreign_error(error)
            return _refused(name, known), known.message
        finally:
            deliver()

    def _counted(self, command: Command, words: Sequence[str]) -> TclValue:
        self._running += 1
        try:
            return self._run(command, words)
        finally:
            self._running -= 1

    @property
    def is_idle(self) -> bool:
        """Returns whether no command of this interpreter runs now. For its own thread."""
        return not self._running

    def _run(self, command: Command, words: Sequence[str]) -> TclValue:
        """Runs a command and returns its result; with -command starts a job and returns its token."""
        from .environment import update_environment

        update_environment(self.host)
        if "TOSSL_LOG" in environ:
            from ..log.handlers import LOG

            LOG.take_environment(environ["TOSSL_LOG"])
        call = command.bind(self.host, words)
        for parameter, kind in command.parameters.injected.items():
            call.values[parameter] = self._injected(kind)
        for callback in call.callbacks():
            callback.events = self.events
        for parameter in command.parameters.declared:
            call.values[parameter].events = self.events  # type: ignore[attr-defined]  # a Declared
        if call.in_background:
            return self.jobs.start(call)
        return call.run_here(self.host) if call.context is not None else call.run()

    def _injected(self, kind: str) -> object:
        if kind == "TclFacts":  # asked here: a job may not ask the interpreter
            asked = {"patchlevel": "info patchlevel", "executable": "info nameofexecutable"}
            return {name: str(self.host.eval(script)) for name, script in asked.items()}
        return self if kind == "Interpreter" else self.jobs

    def _serve(self, name: str, words: Sequence[str]) -> TclValue:
        """Answers the internal calls of the prelude and bin/tossl, which are not commands."""
        if name == "Require":
            return self._require(*words)
        if name == "Step":
            self.events.step()
            return ""
        if name == "Awaited":
            return self.jobs.awaited(*words)
        if name == "Describe":
            from .manual import Manual

            return to_tcl(Manual(self.commands[words[0]]).as_dict(self.commands))
        if name == "Trap":
            from .signals import on_hangup, trap_signals

            if words:
                on_hangup(self.jobs.reload)
            return str(trap_signals())
        if name in ("Keep", "Remove"):
            from .temporary import TemporaryFiles

            files = self.belonging(TemporaryFiles)
            (files.keep if name == "Keep" else files.remove)(words[0].partition(" ")[0])
            return ""
        raise KeyError(name)

    def _require(self, package: str) -> str:
        """Adds the commands of a package to the Tcl interpreter."""
        _asked.add(package)
        commands = load_commands(self._packages[package], self._groups)
        self.commands |= commands
        table = tuple((command.name, command.tcl_arguments(), command.script) for command in commands.values())
        self.host.call("::tossl::Define", package, __version__, table)
        return ""

    @property
    def events(self) -> Events:
        """Returns the events from other threads for this interpreter."""
        if self._events is None:
            from .events import Events

            self._events = Events(self.host)
        return self._events

    @property
    def jobs(self) -> Jobs:
        """Returns this interpreter's background jobs."""
        if self._jobs is None:
            from .jobs import Jobs

            self._jobs = Jobs(self.host, self.events)
        return self._jobs

    def belonging(self, kind: Callable[[], _T]) -> _T:
        """Returns this interpreter's object of that kind: made at the first call, closed when the interpreter ends.

        Any thread may ask. Raises Cancelled once it is deleted.
        """
        if self._is_closed:
            raise Cancelled
        return self._belongings.setdefault(kind, kind())  # type: ignore[return-value]

    def log_to(self, prefix: Callback | None, words: str) -> None:
        """Has this prefix, in place of the last one, called for the records of the log. words: the prefix as given."""
        if self._log is not None:
            self._log.close()
            self._log = None
        if prefix is not None:
            from ..log.handlers import LOG
            from .logged import ScriptLog

            self._log = ScriptLog(self, prefix, words)
            LOG.read_by_script()

    @property
    def log_prefix(self) -> str:
        """Returns the prefix that is called for the log; empty without one."""
        return self._log.words if self._log is not None else ""

    def close(self) -> None:
        """Ends everything after the Tcl interpreter or its dispatcher was deleted."""
        self._is_closed = True
        if self._events is not None:
            self._events.close()
        while self._belongings:
            self._belongings.popitem()[1].close()


def _raised(name: str, trace: str, errorcode: tuple[str, ...], *more: TclValue) -> TclValue:
    """Returns the return options of an error, with a complete trace: Tcl would add the call's words (keys, tokens)."""
    return ("-code", "error", "-errorcode", errorcode, *more, "-errorinfo", trace, "-errorstack", ())


def _refused(name: str, error: TosslError) -> TclValue:
    try:
        details = to_tcl({**error.details, "message": error.message})
    except TosslError:  # a problem document nested too deeply
        details = to_tcl({"message": error.message})
    if isinstance(error, ScriptError) and error.trace:
        trace = f'{error.trace}\n    invoked from within\n"tossl::{name}"'
    else:
        trace = f'{error.message}\n    while executing\n"tossl::{name}"'
    return _raised(name, trace, error.errorcode, "-tossl", details)


def reset() -> None:
    """Forgets which packages were asked for."""
    _asked.clear()


#: Hidden, and so still there when a script has deleted the namespace: Tcl loads a library once into an interpreter.
_AGAIN = "tossl_again"


def install(host: TclHost, packages: Packages, groups: Groups, package: str) -> None:
    """Adds the commands of `package` to the host interpreter, with its dispatcher or a new one."""
    if _AGAIN not in host.splitlist(host.eval("interp hidden {}")):

        def again(package: str) -> str:
            install(host, packages, groups, package)
            return ""

        host.createcommand(_AGAIN, again)
        host.eval(f"interp hide {{}} {_AGAIN}")
    if not host.eval(f"info commands {COMMAND}"):
        host.createcommand(COMMAND, Dispatcher(Interpreter(host, packages, groups)))
        path = f"{__file__.rpartition('/')[0]}/prelude.tcl"
        with open(path, encoding="utf-8") as prelude:  # noqa: PTH123 - pathlib loads slowly
            host.eval(prelude.read())
    host.call("::tossl::Require", package or ("tossl::acme" if _asked == {"tossl::acme"} else "tossl"))
