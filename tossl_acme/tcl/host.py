"""The interface of a Tcl interpreter: a few methods; strings in, strings out."""

from __future__ import annotations


class Wait(str):
    """The result of a command that is not over: the number of a wait. The event loop runs in Tcl until it is."""

    __slots__ = ()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    #: The values that a host converts to Tcl by itself: a string, bytes, or a list of these.
    TclValue = str | bytes | tuple["TclValue", ...]

    class TclHost(Protocol):
        """A Tcl interpreter, for its own thread: the bridge's for a tclsh, tkinter's through TkHost.

        A host may lack the last five methods. Without environment(), os.environ stays unchanged; without the others no
        job can be started.
        """

        TclError: type[Exception]

        def createcommand(self, name: str, function: Callable[..., TclValue], /) -> None: ...
        def call(self, *words: TclValue) -> str: ...
        def eval(self, script: str, /) -> str: ...
        def splitlist(self, text: str, /) -> tuple[str, ...]: ...

        def environment(self) -> bytes:
            """Returns the process's environment: each NAME=VALUE with a NUL behind it."""

        def createfilehandler(self, descriptor: int, mask: int, function: Callable[[int, int], None], /) -> None: ...
        def deletefilehandler(self, descriptor: int, /) -> None: ...

        def setvar(self, name: str, value: str, /) -> None:
            """Sets a global variable, which ends a vwait for it, also in an interpreter that is being deleted."""

        def createtimerhandler(self, milliseconds: int, function: Callable[[], None], /) -> object:
            """Calls the function once, from the event loop; `after` knows nothing of it."""
