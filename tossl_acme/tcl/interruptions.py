"""What a program does to a command that it waits for: Tcl's own interruptions, and errors of its -progress."""

from __future__ import annotations

import time
from _thread import get_ident

from ..context import ATTEND_SECONDS
from ..errors import Cancelled, ScriptError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..context import Context
    from .callbacks import Callback
    from .host import TclHost


class Interruptions:
    """Those of one command, in the interpreter's thread. They end `context`, which has to be set before its first use.

    Tcl's own are `interp cancel`, thread::cancel, `interp limit`, and scripts of signals that raise errors: Tcl looks
    for them at each of its commands, so a command is run again and again.
    """

    def __init__(self, host: TclHost, progress: Callback | None) -> None:
        self._host = host
        self._progress = progress
        self._thread = get_ident()
        self._next = time.monotonic() + ATTEND_SECONDS / 2
        self.context: Context

    def tell(self, step: dict[str, object]) -> None:
        """Calls the script's prefix, until it raises an error."""
        if self._progress is None or self.context.reason is not None:
            return
        try:
            self._progress.run(step)
        except ScriptError as error:
            self.context.interrupt(error)
        except Cancelled:
            self.context.cancel()

    def look(self) -> None:
        """Lets Tcl interrupt the command, if the last look is some time ago. Does nothing in other threads."""
        if get_ident() == self._thread and time.monotonic() >= self._next:
            self.look_now()

    def look_now(self) -> None:
        """Lets Tcl interrupt the command."""
        from ..context.farewell import in_script
        from .callbacks import script_error

        self._next = time.monotonic() + ATTEND_SECONDS / 2
        try:
            with in_script():
                self._host.call("::tossl::Look")
        except self._host.TclError as error:
            self.context.interrupt(script_error(self._host, error))
        except RuntimeError:  # the interpreter is deleted
            self.context.cancel()
