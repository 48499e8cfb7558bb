"""What requests, urllib3 and the socket raise, in this package's terms."""

from __future__ import annotations

import socket

import requests
import urllib3

from ..context import Context
from ..errors import Cancelled, HttpError, WaitTimeout
from ..text import clean
from . import sockets
from .urls import shown_url

#: Characters of a foreign error's own words.
_MOST_REASON = 200


def explained(error: Exception, context: Context, url: str) -> Exception:
    """What went wrong, in this package's terms: the innermost cause says it best."""
    for cause in _causes(error):
        if isinstance(cause, Cancelled):
            return cause
    where = shown_url(url)
    if context.is_cancelled:
        return Cancelled()
    if isinstance(error, requests.exceptions.ConnectTimeout):
        kind = "connect" if context.remaining() > 0 else "timeout"
        cause = HttpError("connect", f"no connection to {where} within {sockets.CONNECT_SECONDS:g} s")
        return cause if kind == "connect" else too_late(where, context)
    if isinstance(error, requests.exceptions.Timeout) or context.remaining() <= 0:
        return too_late(where, context)
    innermost = list(_causes(error))[-1]
    if isinstance(error, requests.exceptions.SSLError):
        return HttpError("tls", f"no TLS connection to {where}: {_reason(innermost)}")
    if isinstance(innermost, socket.gaierror):
        return HttpError("dns", f"cannot find the address of {where}: {_reason(innermost)}")
    if isinstance(error, requests.exceptions.ProxyError):
        return HttpError("connect", f"the proxy did not connect to {where}: {_reason(innermost)}")
    if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in _causes(error)):
        return HttpError("connect", f"cannot connect to {where}: {_reason(innermost)}")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema | ValueError):
        return HttpError("scheme", f"{where} is not a usable URL: {_reason(innermost)}")
    return HttpError("reset", f"the connection to {where} broke: {_reason(innermost)}")


def too_late(where: str, context: Context) -> WaitTimeout:
    return WaitTimeout("answer", f"Server communication error: no answer from {where} within {context.limit:g} s")


def _causes(error: BaseException | None) -> list[BaseException]:
    """The error, what it wraps and what led to it, outermost first. urllib3 keeps causes in `reason` and in args."""
    found: list[BaseException] = []
    queue = [error]
    while queue:
        at = queue.pop(0)
        if isinstance(at, BaseException) and at not in found:
            found.append(at)
            queue += [getattr(at, "reason", None), *at.args, at.__cause__ or at.__context__]
    return found


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # An error may quote what the peer sent.
    return clean(error, _MOST_REASON) or type(error).__name__
