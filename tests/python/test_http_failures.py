"""Every exception that requests, urllib3, http.client, ssl or the socket may raise has its place in the table."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from types import ModuleType

import pytest
import requests
import urllib3

from tossl_acme.context import Context
from tossl_acme.errors import Cancelled, HttpError, WaitTimeout
from tossl_acme.http.failures import explained

URL = "https://me:sesame@ca.example/x?key=sesame"
#: By module and name; what is not here is "reset".
KINDS = {
    **dict.fromkeys(("socket.gaierror", "urllib3.exceptions.NameResolutionError"), "dns"),
    **dict.fromkeys(
        (
            "requests.exceptions.ProxyError",
            "requests.exceptions.ConnectTimeout",
            "requests.exceptions.ReadTimeout",
            "requests.exceptions.Timeout",
            "urllib3.exceptions.ProxyError",
            "urllib3.exceptions.NewConnectionError",
            "urllib3.exceptions.ConnectTimeoutError",
            "urllib3.exceptions.ReadTimeoutError",
            "urllib3.exceptions.TimeoutError",
        ),
        "connect",
    ),
    **dict.fromkeys(
        (
            "requests.exceptions.SSLError",
            "urllib3.exceptions.SSLError",
            "ssl.SSLError",
            "ssl.SSLCertVerificationError",
            "ssl.SSLSyscallError",
            "ssl.SSLWantReadError",
            "ssl.SSLWantWriteError",
        ),
        "tls",
    ),
    **dict.fromkeys(
        (
            "requests.exceptions.ContentDecodingError",
            "requests.exceptions.InvalidJSONError",
            "requests.exceptions.JSONDecodeError",
            "urllib3.exceptions.InvalidChunkLength",
            "urllib3.exceptions.InvalidHeader",
            "urllib3.exceptions.HeaderParsingError",
            "urllib3.exceptions.DecodeError",
            "urllib3.exceptions.ResponseNotChunked",
            "urllib3.exceptions.BodyNotHttplibCompatible",
            "http.client.HTTPException",
            "http.client.BadStatusLine",
            "http.client.LineTooLong",
            "http.client.UnknownProtocol",
            "http.client.UnknownTransferEncoding",
            "http.client.UnimplementedFileMode",
        ),
        "malformed",
    ),
    "requests.exceptions.TooManyRedirects": "redirect",
    **dict.fromkeys(
        (
            "requests.exceptions.InvalidURL",
            "requests.exceptions.InvalidProxyURL",
            "requests.exceptions.InvalidSchema",
            "requests.exceptions.MissingSchema",
            "requests.exceptions.URLRequired",
            "requests.exceptions.InvalidHeader",
            "urllib3.exceptions.LocationValueError",
            "urllib3.exceptions.LocationParseError",
            "urllib3.exceptions.URLSchemeUnknown",
            "urllib3.exceptions.ProxySchemeUnknown",
            "urllib3.exceptions.ProxySchemeUnsupported",
            "http.client.InvalidURL",
            "builtins.UnicodeError",
            "builtins.ValueError",
        ),
        "scheme",
    ),
}
#: What is lost with its connection, and what only a defect here could raise.
RESET = {
    "requests.exceptions": {
        "RequestException", "HTTPError", "ConnectionError", "ChunkedEncodingError", "StreamConsumedError", "RetryError",
        "UnrewindableBodyError",
    },
    "urllib3.exceptions": {
        "HTTPError", "PoolError", "RequestError", "ProtocolError", "MaxRetryError", "HostChangedError", "FullPoolError",
        "TimeoutStateError", "EmptyPoolError", "ClosedPoolError", "ResponseError", "IncompleteRead",
        "UnrewindableBodyError",
    },
    "http.client": {
        "NotConnected", "IncompleteRead", "ImproperConnectionState", "CannotSendRequest", "CannotSendHeader",
        "ResponseNotReady", "RemoteDisconnected",
    },
    "ssl": {"SSLEOFError", "SSLZeroReturnError"},
    "socket": {"herror"},
    "builtins": {
        "OSError", "ConnectionResetError", "BrokenPipeError", "ConnectionAbortedError", "ConnectionRefusedError",
        "TimeoutError",
    },
}  # fmt: skip


def classes(module: ModuleType) -> Iterator[type[Exception]]:
    for name, value in vars(module).items():
        is_error = isinstance(value, type) and issubclass(value, Exception) and not issubclass(value, Warning)
        if is_error and not name.startswith("_") and value.__module__ in (module.__name__, "ssl", "socket"):
            yield value


def name_of(kind: type[Exception]) -> str:
    return f"{kind.__module__}.{kind.__name__}"


FOUND = {
    name_of(kind): kind
    for module in (requests.exceptions, urllib3.exceptions, http.client, ssl, socket)
    for kind in classes(module)
} | {name_of(kind): kind for kind in (OSError, ConnectionResetError, BrokenPipeError, ConnectionRefusedError,
                                      ConnectionAbortedError, TimeoutError, UnicodeError, ValueError)}  # fmt: skip


def made(kind: type[Exception], words: str = "cause") -> Exception:
    """One of these without what its own constructor asks for."""
    plain = type(kind.__name__, (kind,), {"__init__": lambda self: None, "__str__": lambda self: words})
    return plain()


@pytest.mark.parametrize("name", FOUND)
def test_every_exception_has_its_kind(name: str) -> None:
    """One that is new in a library has to be thought about."""
    module, _, kind = name.rpartition(".")
    expected = KINDS.get(name) or ("reset" if kind in RESET.get(module, ()) else "unknown to this test")
    error = explained(made(FOUND[name]), Context(10).begin(), URL)
    assert isinstance(error, HttpError)
    assert error.kind == expected
    assert "https://ca.example/x" in error.message
    assert "sesame" not in error.message


def test_a_cause_says_more_than_what_wraps_it() -> None:
    """As requests and urllib3 wrap them: in args, in `reason`, or by `from`."""
    inner = urllib3.exceptions.ProtocolError("Connection aborted.", http.client.BadStatusLine("SSH-2.0\x07"))
    error = explained(requests.exceptions.ConnectionError(inner), Context(10).begin(), URL)
    assert isinstance(error, HttpError)
    assert (error.kind, error.message.endswith("SSH-2.0?")) == ("malformed", True)


@pytest.mark.parametrize(("has_peer", "kind"), [(True, "reset"), (False, "connect")])
def test_a_proxy_is_blamed_for_no_more_than_the_way_to_the_peer(has_peer: bool, kind: str) -> None:
    lost = urllib3.exceptions.ProxyError("no proxy", http.client.RemoteDisconnected("closed"))
    error = explained(requests.exceptions.ProxyError(lost), Context(10).begin(), URL, has_peer=has_peer)
    assert isinstance(error, HttpError)
    assert error.kind == kind


def test_what_the_context_ended_is_no_failure_of_the_peer() -> None:
    """Whatever the libraries made of it."""
    over, cancelled = Context(0.0).begin(), Context(10).begin()
    cancelled.cancel()
    assert isinstance(explained(OSError("closed"), over, URL), WaitTimeout)
    assert isinstance(explained(OSError("closed"), cancelled, URL), Cancelled)
