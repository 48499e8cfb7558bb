"""One Tcl interpreter: its commands, which are loaded when they are first called, and its jobs."""

from __future__ import annotations

from os import environ

from ..errors import Cancelled
from ..log import deliver
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

    class _Closes(Protocol):
        def close(self) -> None: ...

    _T = TypeVar("_T", bound=_Closes)


class Interpreter:
    """One Tcl interpreter: its commands and its jobs."""

    def __init__(self, host: TclHost, modules: Mapping[str, str], groups: Groups) -> None:
        """modules: the module of each command, by the command's name; more are added while it lives."""
        self.host = host
        self._modules = modules
        self._groups = groups
        self._loaded: dict[str, Command] = {}
        self._events: Events | None = None
        self._jobs: Jobs | None = None
        self._belongings: dict[Callable[[], _Closes], _Closes] = {}
        self._is_closed = False
        self._log: ScriptLog | None = None
        #: The commands that run now, one called back by another.
        self._running = 0

    def answer(self, name: str, words: Sequence[str]) -> TclValue:
        """Returns (return options, value) for one call."""
        try:
            command = self._command(name)
            value = self._counted(command, words) if command is not None else self._serve(name, words)
            return ("wait" if isinstance(value, Wait) else ()), value
        finally:
            deliver()

    @property
    def commands(self) -> dict[str, Command]:
        """Returns all of its commands by their names below ::tossl; loads all of them."""
        return {name: self._load(name) for name in self._modules}

    def _command(self, name: str) -> Command | None:
        return self._loaded.get(name) or (self._load(name) if name in self._modules else None)

    def _load(self, name: str) -> Command:
        if name not in self._loaded:
            self._loaded |= load_commands((self._modules[name],), self._groups)
        return self._loaded[name]

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
        if name == "Step":
            self.events.step()
            return ""
        if name == "Awaited":
            return self.jobs.awaited(*words)
        if name in ("Describe", "Outline"):
            from .manual import Manual

            manual = Manual(self._load(words[0]))
            return to_tcl(manual.outline() if name == "Outline" else manual.as_dict(lambda: self.commands))
        if name == "Trap":
            from .signals import serve, trap_signals

            if words:
                serve(self._reload_jobs)
            return str(trap_signals())
        if name in ("Keep", "Remove"):
            from .temporary import TemporaryFiles

            files = self.belonging(TemporaryFiles)
            (files.keep if name == "Keep" else files.remove)(words[0].partition(" ")[0])
            return ""
        raise KeyError(name)

    def _reload_jobs(self) -> None:
        if self._jobs is not None:  # else none has read a file
            self._jobs.reload()

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
