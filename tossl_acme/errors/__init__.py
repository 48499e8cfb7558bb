"""Every error that this package raises.

    TosslError                 errorcode in Tcl
     +- ArgumentError          TOSSL VALUE <argument>
     +- KeyFormatError         TOSSL KEY <kind>
     +- AcmeError              TOSSL ACME <problem type> <http status>
     +- HttpError              TOSSL HTTP <kind>
     +- DnsError               TOSSL DNS <provider> <kind>
     +- WaitTimeout            TOSSL TIMEOUT <what>
     +- Cancelled              TOSSL CANCELLED
     +- RetryError             TOSSL RETRY <seconds>
     +- ClockError             TOSSL CLOCK <seconds>
     +- ForkedError            TOSSL FORK
     +- ResourceError          TOSSL RESOURCE <kind>
     +- LateArgumentError      TOSSL RESOURCE <argument>
     +- ScriptError            the errorcode of the script's own error

The message is for people, the errorcode (fixed positions) for programs. `details` holds all other facts: it becomes the
`-tossl` return option. No message ever contains a private key, a token secret or an API key. Of the details only
`private_key` does: the key of a certificate that was issued and could not be stored.
"""

from __future__ import annotations

from ..text import clean, safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

#: Characters of an element of an errorcode: no problem type of a CA has as many.
_MAX_CODE_CHARS = 200
#: Errors that led to one another, of which the first is looked at.
_MOST_CAUSES = 20


class TosslError(Exception):
    """The base of all errors that this package raises; any other exception is a defect in it."""

    #: Whether the failed action had changed something already, so that it is to be undone: see before_change and
    #: after_change. None where neither says so.
    has_changed: bool | None = None
    #: Whether it came of asking for an account binding, which only those ask for that have no account yet.
    is_of_binding = False

    def __init__(self, message: str, *errorcode: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.errorcode = ("TOSSL", *(clean(word, _MAX_CODE_CHARS) for word in errorcode))
        self.details: dict[str, object] = dict(details or {})

    @property
    def message(self) -> str:
        return self._message

    @message.setter
    def message(self, message: str) -> None:
        # The one place: whatever a peer's words are part of ends here.
        self._message = safe(message)

    def __str__(self) -> str:
        return self.message

    def within(self, context: str) -> Self:
        """Returns this error with the failed action before its message: "Order creation failed: <cause>"."""
        self.message = f"{context}: {self.message}"
        return self

    def as_dict(self, *details: str) -> dict[str, object]:
        """Returns it for a result: message, errorcode (a list), and these of its details, as far as it has them."""
        found = {name: self.details[name] for name in details if name in self.details}
        return {"message": self.message, "errorcode": list(self.errorcode), **found}


class ArgumentError(TosslError):
    """A wrong value, found before anything is sent."""

    def __init__(self, argument: str, message: str) -> None:
        super().__init__(message, "VALUE", argument)


class LateArgumentError(TosslError):
    """What an argument names cannot be used, such as a port that is taken: found when something was sent already."""

    def __init__(self, error: ArgumentError) -> None:
        super().__init__(error.message, "RESOURCE", *error.errorcode[2:], details=error.details)


class KeyFormatError(TosslError):
    """A key or CSR that cannot be used; kind: format, public, encrypted, weak, size, type, curve."""

    def __init__(self, kind: str, cause: str) -> None:
        super().__init__(f"Invalid key format: {cause}", "KEY", kind)


class AcmeError(TosslError):
    """The CA's own refusal (a problem document, RFC 8555 section 6.7), or an answer that breaks the protocol.

    The type is given without its "urn:ietf:params:acme:error:" prefix.
    """

    def __init__(self, message: str, kind: str, status: int, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message, "ACME", kind, str(status), details=details)
        self.kind = kind
        self.status = status


class HttpError(TosslError):
    """An exchange that brought no usable answer.

    Kind: connect, tls, dns, reset, too_large, malformed, redirect, scheme, status (with the answer's `status`).
    """

    def __init__(self, kind: str, cause: str, status: int = 0) -> None:
        super().__init__(f"Server communication error: {cause}", "HTTP", kind)
        self.kind = kind
        self.cause = cause
        self.status = status


class DnsError(TosslError):
    """A DNS provider, or the check that its record is seen, failed.

    Kind: unsupported, credentials, zone, record, refused, answer.
    """

    def __init__(self, provider: str, kind: str, message: str) -> None:
        super().__init__(message, "DNS", provider, kind)


class WaitTimeout(TosslError):
    """The caller's time limit was reached; `what` names the wait."""

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message, "TIMEOUT", what)


class Cancelled(TosslError):
    """The caller cancelled the job, or the job's interpreter is gone."""

    def __init__(self, message: str = "cancelled") -> None:
        super().__init__(message, "CANCELLED")


class RetryError(TosslError):
    """Too many failures just now, or the CA asked to wait: nothing was sent, and `seconds` are left.

    They are 0 where time changes nothing. In its details are `retry_after`, the same number, and `visit`, the page that
    a person has to open first.
    """

    def __init__(self, seconds: int, cause: str, visit: str = "") -> None:
        details = {"retry_after": seconds, **({"visit": visit} if visit else {})}
        again = f"; try again in {seconds} s" if seconds else ""
        super().__init__(f"{cause}{again}", "RETRY", str(seconds), details=details)
        self.seconds = seconds


class ClockError(TosslError):
    """The machine's clock is ahead of a CA's by so many seconds; behind it, if they are less than 0."""

    def __init__(self, seconds: float) -> None:
        hours = abs(seconds) / 3600
        span = f"{hours / 24:.0f} days" if hours > 48 else f"{hours:.0f} hours"
        where = "ahead of" if seconds > 0 else "behind"
        cause = f"this machine's clock is {span} {where} that of the CA, which counts for its certificates"
        super().__init__(cause, "CLOCK", str(round(seconds)))


class ForkedError(TosslError):
    """The call belongs to the parent: this process was forked in the middle of it."""

    def __init__(self) -> None:
        super().__init__("this process was forked in the middle of the call, which goes on in its parent alone", "FORK")


class ResourceError(TosslError):
    """The process lacks something; kind: descriptors, threads, files, memory, processes, pebble."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message, "RESOURCE", kind)


def of_descriptors(error: BaseException) -> TosslError | None:
    """Returns the error in the place of one that came of a lack of descriptors; None for others."""
    from errno import EMFILE, ENFILE

    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if isinstance(cause, OSError) and cause.errno in (EMFILE, ENFILE):
            if not isinstance(error, TosslError):
                return ResourceError("descriptors", f"no descriptor is left: {cause.strerror}")
            lack = ResourceError("descriptors", error.message)
            lack.details = error.details
            return lack
        cause = cause and (cause.__cause__ or cause.__context__)
    return None


def foreign_error(error: Exception) -> TosslError:
    """Returns this package's error for a foreign one: ResourceError, or TOSSL INTERNAL, a defect.

    It is TOSSL PYTHON where a library is missing, broken or too old.

    A defect's message names its place in the code, and no value: that may be a secret.
    """
    lack = of_descriptors(error)
    if lack is not None:
        return lack
    if isinstance(error, MemoryError):
        return ResourceError("memory", "no memory is left")
    if type(error) is RuntimeError and error.args == ("can't start new thread",):
        return ResourceError("threads", "the system has no thread left")
    from .libraries import lack_of_library

    fault = lack_of_library(error)
    if fault is not None:
        return TosslError(fault, "PYTHON")
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return TosslError(f"internal error: {type(error).__name__}{place}", "INTERNAL")


class ScriptError(TosslError):
    """The error of a callback, or of its interpreter, with the errorcode of the script, and its errorinfo if known."""

    def __init__(self, message: str, errorcode: tuple[str, ...], trace: str = "") -> None:
        super().__init__(message)
        self._message = message  # the script's own, with its lines
        self.errorcode = errorcode
        self.trace = trace


class before_change:
    """A `with` around the part of an action that changes nothing yet: marks its errors (has_changed)."""

    _has_changed = False

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, TosslError):
            error.has_changed = self._has_changed


class after_change(before_change):
    """The same around the part after a change that was made, or may have been: what is refused there undoes nothing."""

    _has_changed = True


class error_context:
    """A `with` that puts its text before the messages of errors of these kinds: "Order creation failed: <cause>"."""

    def __init__(self, text: str, *kinds: type[TosslError]) -> None:
        self._text = text
        self._kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, TosslError) and isinstance(error, self._kinds):
            error.within(self._text)
