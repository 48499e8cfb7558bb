"""tkinter's interpreter, as exact as the bridge's: every string, every list, both ways.

For half a character (a surrogate) in Tcl, tkinter has its three bytes, escaped as in file names. It passes a character
beyond U+FFFF as one character and NUL as a byte, where Tcl 8 has two halves and two bytes, and takes the two forms for
different strings. Its splitlist accepts no NUL.
"""

from __future__ import annotations

import os
import sys

from ..context import in_forked_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .host import TclValue


#: Tcl's two bytes for NUL, escaped.
_NUL = b"\xc0\x80".decode("utf-8", "surrogateescape")


def _from_tk(text: str) -> str:
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogatepass")
    except ValueError:
        return text


def _halved(text: str) -> str:
    """Returns the text with each character beyond U+FFFF as its two halves."""
    units = text.encode(f"utf-16-{sys.byteorder[0]}e", "surrogatepass")
    return "".join(map(chr, memoryview(units).cast("H")))


_process = os.getpid()


def _take_over() -> None:
    global _process
    _process = os.getpid()


in_forked_child(_take_over)


def _come_in() -> None:
    """Comes first in everything that Tcl calls: after a script's fork it does in the child what os.fork() does."""
    if os.getpid() != _process:
        import ctypes

        ctypes.pythonapi.PyOS_BeforeFork()
        ctypes.pythonapi.PyOS_AfterFork_Child()


class TkHost:
    """The methods of the bridge's interpreter, on tkinter's."""

    def __init__(self, tk: Any) -> None:
        self._tk = tk
        self._halves = str(tk.call("info", "tclversion")).startswith("8.")
        self.TclError: type[Exception] = sys.modules["_tkinter"].TclError

    def _to_tk(self, value: TclValue) -> TclValue:
        if isinstance(value, tuple):
            return tuple(map(self._to_tk, value))
        if isinstance(value, bytes):
            return value
        if value.isascii() and "\0" not in value:
            return value
        if self._halves and max(value) > "\uffff":
            value = _halved(value)
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape").replace("\0", _NUL)

    def createcommand(self, name: str, function: Callable[..., TclValue], /) -> None:
        convert = self._to_tk

        def answer(*words: str) -> TclValue:
            _come_in()
            return convert(function(*map(_from_tk, words)))

        self._tk.createcommand(name, answer)

    def call(self, *words: TclValue) -> str:
        return _from_tk(str(self._tk.call(*map(self._to_tk, words))))

    def eval(self, script: str, /) -> str:
        return _from_tk(self._tk.eval(self._to_tk(script)))

    def splitlist(self, text: str, /) -> tuple[str, ...]:
        given = self._to_tk(text)
        try:
            words = self._tk.splitlist(given)
        except ValueError:
            words = self._tk.call("lrange", given, 0, "end")
        return tuple([_from_tk(str(word)) for word in words])

    def environment(self) -> bytes:
        """Returns the process's environment as a child would get it: each NAME=VALUE with a NUL behind it."""
        import ctypes

        entries = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
        found: list[bytes] = []
        while entries and (entry := entries[len(found)]) is not None:
            found.append(entry)
        return b"".join([entry + b"\0" for entry in found])

    def createfilehandler(self, descriptor: int, mask: int, function: Callable[[int, int], None], /) -> None:
        parent = os.getpid()

        def ring(descriptor: int, mask: int) -> None:
            _come_in()
            if os.getpid() == parent:
                function(descriptor, mask)

        self._tk.createfilehandler(descriptor, mask, ring)

    def deletefilehandler(self, descriptor: int, /) -> None:
        self._tk.deletefilehandler(descriptor)

    def setvar(self, name: str, value: str, /) -> None:
        self._tk.globalsetvar(name, value)

    def createtimerhandler(self, milliseconds: int, function: Callable[[], None], /) -> object:
        parent = os.getpid()

        def ring() -> None:
            _come_in()
            if os.getpid() == parent:
                function()

        return self._tk.createtimerhandler(milliseconds, ring)
