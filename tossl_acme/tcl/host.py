"""A Tcl interpreter as this room sees it: a few methods; strings go in and come out."""

from __future__ import annotations

from ..errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    #: What a host makes a Tcl value of by itself: a string, bytes, or a list of such.
    TclValue = str | bytes | tuple["TclValue", ...]

    class TclHost(Protocol):
        """A Tcl interpreter, for its own thread: the bridge's for a tclsh, tkinter's by way of TkHost."""

        TclError: type[Exception]

        def createcommand(self, name: str, function: Callable[..., TclValue], /) -> None: ...
        def call(self, *words: TclValue) -> str: ...
        def eval(self, script: str, /) -> str: ...
        def splitlist(self, text: str, /) -> tuple[str, ...]: ...
        def environment(self) -> bytes: ...
        def createfilehandler(self, descriptor: int, mask: int, function: Callable[[int, int], None], /) -> None: ...
        def deletefilehandler(self, descriptor: int, /) -> None: ...


def split(host: TclHost, name: str, text: str) -> tuple[str, ...]:
    """Returns the elements of the Tcl list that argument `name` holds. Raises ArgumentError `name`."""
    try:
        return host.splitlist(text)
    except host.TclError as error:
        # What follows an element is quoted by Tcl, and may be a key.
        cause, follows, _ = str(error).partition(' followed by "')
        more = " followed by other characters instead of space" if follows else ""
        raise ArgumentError(name, f"Failed to parse {name}: {cause}{more}") from None
