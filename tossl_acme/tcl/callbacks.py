"""A script's command prefix, to be called with values."""

from __future__ import annotations

from .values import to_tcl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .host import TclHost


class Callback:
    """A script's command prefix. It is called in its interpreter's own thread."""

    __slots__ = ("_host", "_prefix")

    def __init__(self, host: TclHost, prefix: tuple[str, ...]) -> None:
        self._host = host
        self._prefix = prefix

    def __call__(self, *values: object) -> None:
        """Calls the prefix with these values added; its error is a background error (`interp bgerror`)."""
        self._host.call("::tossl::Tell", *self._prefix, *map(to_tcl, values))
