"""Exceptions of requests, urllib3, http.client and the socket in this package's terms: one table."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Sequence
from typing import NamedTuple

import requests
import urllib3

from ..context import Context
from ..errors import Cancelled, HttpError, WaitTimeout
from ..text import clean
from .dial import CONNECT_SECONDS
from .trust import NO_ROOT
from .urls import shown_url

_ours = requests.exceptions
_theirs = urllib3.exceptions
#: Characters of a foreign error's message that are shown.
_MAX_REASON_CHARS = 200
#: Seconds by which a socket's timeout may end before the context that set it.
_CLOCK_SECONDS = 0.05
_TIMEOUTS = (_ours.Timeout, _theirs.TimeoutError)


class _Row(NamedTuple):
    """Foreign exceptions, their kind here, and the message about the URL; `reason` is the innermost cause's."""

    exceptions: tuple[type[BaseException], ...]
    kind: str
    sentence: str


#: urllib3 1.26 has no such error.
_NO_NAME = getattr(_theirs, "NameResolutionError", socket.gaierror)
_PROXY_ERRORS = (_ours.ProxyError, _theirs.ProxyError)
#: The name that nobody knows is the proxy's.
_NO_PROXY = _Row(_PROXY_ERRORS, "dns", "cannot find the address of the proxy for {url}: {reason}")
#: The TLS handshake with a proxy.
_SILENT_PROXY = _Row(_PROXY_ERRORS, "connect", "no connection to the proxy for {url} within {connect_seconds:g} s")
#: The first row with the error or one of its causes counts.
_ROWS = (
    _Row((socket.gaierror, _NO_NAME), "dns", "cannot find the address of {url}: {reason}"),
    _Row(_PROXY_ERRORS, "connect", "the proxy did not connect to {url}: {reason}"),
    _Row((_theirs.NewConnectionError,), "connect", "cannot connect to {url}: {reason}"),
    # The peer closed the connection: the next attempt may meet another peer.
    _Row((ssl.SSLEOFError, ssl.SSLZeroReturnError), "reset", "the connection to {url} broke: {reason}"),
    _Row((ssl.SSLError, _theirs.SSLError, _ours.SSLError), "tls", "no TLS connection to {url}: {reason}"),
    _Row(
        # Also of the TLS handshake; sockets.py times the wait for an answer.
        _TIMEOUTS,
        "connect",
        "no connection to {url} within {connect_seconds:g} s",
    ),
    # It is a subclass of BadStatusLine.
    _Row((http.client.RemoteDisconnected,), "reset", "the connection to {url} broke: {reason}"),
    _Row(
        (
            _theirs.InvalidChunkLength,
            _theirs.InvalidHeader,
            _theirs.HeaderParsingError,
            _theirs.DecodeError,
            _theirs.ResponseNotChunked,
            _theirs.BodyNotHttplibCompatible,
            _ours.ContentDecodingError,
            _ours.InvalidJSONError,
            http.client.BadStatusLine,
            http.client.LineTooLong,
            http.client.UnknownProtocol,
            http.client.UnknownTransferEncoding,
        ),
        "malformed",
        "{url} answered with something other than HTTP: {reason}",
    ),
    _Row((_ours.TooManyRedirects,), "redirect", "{url} redirects too often"),
    _Row(
        (
            _ours.InvalidURL,
            _ours.InvalidSchema,
            _ours.MissingSchema,
            _ours.URLRequired,
            _ours.InvalidHeader,
            _theirs.LocationValueError,
            _theirs.ProxySchemeUnsupported,
            http.client.InvalidURL,
            UnicodeError,
        ),
        "scheme",
        "{url} is not a usable URL: {reason}",
    ),
    _Row(
        (
            http.client.IncompleteRead,
            http.client.NotConnected,
            http.client.ImproperConnectionState,
        ),
        "reset",
        "the connection to {url} broke: {reason}",
    ),
    # http.client raises a plain HTTPException for too many header lines.
    _Row((http.client.HTTPException,), "malformed", "{url} answered with something other than HTTP: {reason}"),
    _Row((OSError, _theirs.HTTPError), "reset", "the connection to {url} broke: {reason}"),
    _Row((ValueError,), "scheme", "{url} is not a usable URL: {reason}"),
)


def explained(
    error: Exception, context: Context, url: str, roots: Sequence[str] = (), secrets: Sequence[str] = (), *,
    has_peer: bool = False,
) -> HttpError | WaitTimeout | Cancelled:  # fmt: skip
    """Returns this package's error for a foreign one; the end of the context comes before any other reason.

    roots: the files and folders that the roots were looked up in. secrets: what the peer was sent, and may echo.
    has_peer: whether there was a connection to the peer: urllib3 blames a proxy for what is lost on one, too.
    """
    causes = _causes(error)
    if context.is_cancelled or any(isinstance(cause, Cancelled) for cause in causes):
        return Cancelled()
    rows = [row for row in _ROWS if not (has_peer and row.exceptions is _PROXY_ERRORS)]
    row = next(row for row in rows if any(isinstance(cause, row.exceptions) for cause in causes))
    if row is _ROWS[0] and any(isinstance(cause, _PROXY_ERRORS) for cause in causes):
        row = _NO_PROXY
    elif row.exceptions is _PROXY_ERRORS and any(isinstance(cause, TimeoutError) for cause in causes):
        row = _SILENT_PROXY
    if context.remaining() <= (_CLOCK_SECONDS if row.exceptions is _TIMEOUTS or row is _SILENT_PROXY else 0):
        return too_late(url, context)
    shown = shown_url(url)
    is_http = any(isinstance(cause, http.client.HTTPException) for cause in causes)
    if is_http and not has_peer and row.exceptions is not _PROXY_ERRORS:
        shown = f"the proxy for {shown}"  # nobody else speaks HTTP before there is a peer
    said = row.sentence.format(
        url=shown, reason=_reason(causes[-1], secrets), connect_seconds=CONNECT_SECONDS
    )
    if roots and any(getattr(cause, "verify_code", 0) in NO_ROOT for cause in causes):
        said += f"; it was looked for in {', '.join(roots)}; -ca_bundle names the CA certificates of another"
    return HttpError(row.kind, said)


def too_late(url: str, context: Context) -> WaitTimeout:
    cause = f"no answer from {shown_url(url)} within {context.limit:g} s"
    return WaitTimeout("answer", f"Server communication error: {cause}")


def _causes(error: BaseException | None) -> list[BaseException]:
    """Returns the error and its causes, outermost first. urllib3 keeps causes in `reason` and in args."""
    found: list[BaseException] = []
    queue = [error]
    while queue:
        at = queue.pop(0)
        if isinstance(at, BaseException) and at not in found:
            found.append(at)
            queue += [getattr(at, "reason", None), *at.args, at.__cause__ or at.__context__]
    return found


def _reason(error: BaseException, secrets: Sequence[str]) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # An error may quote the peer's text.
    said = str(error)
    for secret in secrets:
        said = said.replace(secret, "(hidden)")
    return clean(said, _MAX_REASON_CHARS) or type(error).__name__
