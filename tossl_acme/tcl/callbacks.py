"""A script's command prefix, which can be called with values from any thread."""

from __future__ import annotations

from _thread import get_ident

from ..errors import Cancelled, ScriptError
from .values import to_tcl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ..context import Context
    from .events import Events
    from .host import TclHost, TclValue

    _T = TypeVar("_T")

_WHAT = "callback"
#: The errorcodes of an interpreter that is interrupted begin so.
_INTERRUPTIONS = (("TCL", "CANCEL"), ("TCL", "LIMIT"))


class Callback:
    """A script's command prefix. It runs in its interpreter's thread, and must be made there.

    events: those of its interpreter, for call() from other threads. They must be held while such calls can come: a
    job does so while it is at work.
    """

    __slots__ = ("_host", "_prefix", "_thread", "events")

    def __init__(self, host: TclHost, prefix: tuple[str, ...], events: Events | None = None) -> None:
        self._host = host
        self._prefix = prefix
        self._thread = get_ident()
        self.events = events

    def __call__(self, *values: object) -> bool:
        """Calls the prefix with these values added; its error is a background error (`interp bgerror`).

        For the interpreter's own thread. Returns whether the interpreter still exists.
        """
        from ..context.farewell import in_script

        words = self._words(values)
        try:
            with in_script():
                self._host.call("::tossl::Tell", *words)
        except Exception as error:
            if self._is_gone():
                return False
            if isinstance(error, self._host.TclError):  # an interruption, which no catch takes
                raise script_error(self._host, error) from None
            raise
        return not self._is_gone()

    def run(self, *values: object) -> None:
        """Calls the prefix with these values added. For the interpreter's own thread.

        Raises ScriptError with the script's own trace, and Cancelled if the interpreter was deleted.
        """
        self._invoke(self._words(values), frozenset())

    def tell_error(self, error: ScriptError) -> None:
        """Makes an error of the prefix a background error. For the interpreter's own thread."""
        try:
            self._host.call("::tossl::Tell", "error", error.message, error.trace, to_tcl(error.errorcode))
        except (self._host.TclError, RuntimeError):  # interrupted, or deleted meanwhile
            return

    @property
    def interpreter(self) -> object:
        """Returns the interpreter in which the prefix runs, to be compared."""
        return self._host

    @property
    def is_gone(self) -> bool:
        """Returns whether its interpreter is known to be deleted. For any thread."""
        return self.events is not None and self.events.is_closed

    @property
    def takes_calls(self) -> bool:
        """Returns whether call() would be made: this is the interpreter's thread, or its events are held."""
        return get_ident() == self._thread or (self.events is not None and self.events.takes_calls)

    def call(self, context: Context, *values: object) -> str:
        """Calls the prefix with these values added; returns its result. For any thread.

        The interpreter's own thread calls it at once; another thread waits until the event loop has called it. Raises
        ScriptError with the script's message and errorcode, Cancelled if the interpreter was deleted, and WaitTimeout
        or Cancelled when the context is over; a call that has not begun by then is never made.
        """
        context.check(_WHAT)
        words = self._words(values)
        if get_ident() == self._thread:
            try:
                return self._invoke(words, frozenset())
            except ScriptError as error:
                if error.errorcode[:2] in _INTERRUPTIONS:
                    context.interrupt(error)
                raise
        if self.events is None:
            raise Cancelled(_GONE)
        from ..context.farewell import waiting_threads

        waiting = waiting_threads()
        return run_in_events(context, self.events, lambda: self._invoke(words, waiting))

    def call_list(self, context: Context, *values: object) -> tuple[str, ...]:
        """Calls the prefix as call() does; its result must be a list. Returns the elements."""
        text = self.call(context, *values)
        if get_ident() == self._thread:
            return self._elements(text)
        assert self.events is not None
        return run_in_events(context, self.events, lambda: self._elements(text))

    def _elements(self, text: str) -> tuple[str, ...]:
        try:
            return self._host.splitlist(text)
        except self._host.TclError:
            raise ScriptError("it returned no list", ("NONE",)) from None

    def tell(self, *values: object) -> None:
        """Has the event loop call the prefix with these values added, and does not wait. For any thread."""
        if self.events is not None:
            self.events.put(lambda: self._call(*values))

    def _call(self, *values: object) -> None:
        self(*values)

    def _words(self, values: tuple[object, ...]) -> tuple[TclValue, ...]:
        return (*self._prefix, *map(to_tcl, values))

    def _invoke(self, words: tuple[TclValue, ...], waiting: frozenset[int]) -> str:
        from ..context.farewell import in_script

        try:
            with in_script(waiting):
                code, value, errorcode, trace = self._host.splitlist(self._host.call("::tossl::Invoke", *words))
        except Exception as error:
            if self._is_gone():
                raise Cancelled(_GONE) from None
            if isinstance(error, self._host.TclError):  # an interruption, which no catch takes
                raise script_error(self._host, error) from None
            raise
        if code == "0":
            return value
        raise ScriptError(value, self._host.splitlist(errorcode), trace)

    def _is_gone(self) -> bool:
        try:
            self._host.eval("")
        except Exception:  # noqa: BLE001 - each host has its own exception
            return True
        return False


_GONE = "the interpreter of the callback was deleted"


def script_error(host: TclHost, error: Exception) -> ScriptError:
    """Returns the error for one that the interpreter raised itself, or that its script did."""
    options: dict[str, str] = getattr(error, "options", {})
    try:
        errorcode = host.splitlist(options["-errorcode"] if options else host.eval("set ::errorCode"))
    except Exception:  # noqa: BLE001 - each host has its own; in an interrupted interpreter nothing runs
        errorcode = ("NONE",)
    return ScriptError(str(error), errorcode)


def run_in_events(context: Context, events: Events, work: Callable[[], _T]) -> _T:
    """Returns what `work` returns in the interpreter's thread, where the event loop calls it. For other threads.

    Raises Cancelled if the interpreter was deleted, and WaitTimeout or Cancelled when the context is over; work that
    has not begun by then is never done.
    """
    made: list[_T] = []
    _Visit(lambda: made.append(work())).wait(context, events)
    return made[0]


class _Visit:
    """One piece of work of another thread."""

    def __init__(self, work: Callable[[], None]) -> None:
        import threading

        self._work = work
        self._begun = threading.Lock()
        self._woken = threading.Event()
        self._is_done = False
        self._error: Exception | None = None

    def wait(self, context: Context, events: Events) -> None:
        """Returns once it is done; raises its error."""
        events.at_close.append(self._woken.set)
        context.add_interrupt(self._woken.set)
        try:
            if not events.put(self._run, is_call=True):
                raise Cancelled(_GONE)
            self._wait(context, events)
        finally:
            context.remove_interrupt(self._woken.set)
            events.at_close.remove(self._woken.set)
            self._begun.acquire(blocking=False)  # work that nobody waits for is not done
        if self._error is not None:
            raise self._error

    def _wait(self, context: Context, events: Events) -> None:
        while not self._is_done:
            self._woken.wait(context.remaining())
            if not self._is_done:
                context.check(_WHAT)
                if events.is_closed:
                    raise Cancelled(_GONE)

    def _run(self) -> None:
        """Does the work, in the interpreter's thread."""
        if not self._begun.acquire(blocking=False):
            return
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - raised again in the waiting thread
            self._error = error.with_traceback(None)
        self._is_done = True
        self._woken.set()
