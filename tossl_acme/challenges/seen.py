"""What a CA would see of a challenge at one address of a name: asked for as it asks, from this machine."""

from __future__ import annotations

import hashlib
import ipaddress
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin

from ..acme.authorization import Challenge
from ..context import Context
from ..errors import HttpError, WaitTimeout
from ..http.client import HttpClient, HttpRequest
from ..http.connect import connected
from ..http.options import ConnectionOptions
from ..http.response import Response
from ..http.urls import UrlError, shown_url, split_url
from ..identifiers import is_address
from ..text import clean, without_credentials

#: The ports at which CAs ask (RFC 8555 section 8.3, RFC 8737 section 3), and to which they follow redirects.
PORTS = {"http": 80, "https": 443}
#: Seconds for one address.
LOOK_SECONDS = 10.0
#: Seconds for a connection: a firewall that drops packets is not an answer that takes long.
CONNECT_SECONDS = 6.0
#: How an exchange ends with what is no web server: broken off, or in another protocol.
_NO_HTTP = ("reset", "malformed")
#: Let's Encrypt follows as many.
_MOST_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_BODY_BYTES = 1 << 16
_MOST_SHOWN_CHARS = 60
#: What CAs ignore at the end of a response, and at no other place (RFC 8555 section 8.3).
_SPACE = b" \t\r\n"

#: Returns an address of the host that a redirect names; raises HttpError where it has none.
Locate = Callable[[str], str]


@dataclass(frozen=True)
class Seen:
    """The outcome of one look. trouble: why the response is not right, empty where it is.

    is_reached: whether anything accepted the connection. speaks: whether that then spoke HTTP, or TLS for acme-tls/1.
    urls: where redirects led. is_misled: whether one leads where no CA follows. server: what the answer called itself.
    """

    trouble: str = ""
    is_reached: bool = True
    speaks: bool = True
    urls: tuple[str, ...] = ()
    is_misled: bool = False
    server: str = ""

    @property
    def is_right(self) -> bool:
        return not self.trouble


@dataclass(frozen=True)
class AskedAt:
    """Where to look. port: 0 for the one at which CAs ask. locate: for the hosts of redirects."""

    address: str
    locate: Locate
    port: int = 0


def see_by_http(context: Context, challenge: Challenge, at: AskedAt) -> Seen:
    """Asks for the token over plain HTTP at this address, and follows redirects as CAs do. Raises Cancelled."""
    host = challenge.identifier.value
    name = f"[{host}]" if ":" in host else host
    port = at.port or PORTS["http"]
    url = f"http://{name}{'' if port == 80 else f':{port}'}/.well-known/acme-challenge/{challenge.token}"
    http = HttpClient(ConnectionOptions(verify=False))
    part, urls = context.narrowed(LOOK_SECONDS), [url]
    try:
        response = _followed(http, part, at, urls)
    except HttpError as error:
        is_reached = error.kind not in ("connect", "dns") or len(urls) > 1
        trouble = error.cause.replace(shown_url(urls[-1]), "it")
        is_misled, speaks = error.kind == "redirect", error.kind not in _NO_HTTP
        return Seen(trouble, is_reached, speaks, _shown(urls), is_misled=is_misled)
    except WaitTimeout:
        context.check("answer")
        if len(urls) == 1 and not _accepts(context, at.address, port):
            return Seen(f"no connection within {part.limit:g} s", is_reached=False)
        return Seen(f"no answer within {part.limit:g} s", speaks=False, urls=_shown(urls))
    finally:
        http.close()
    server = clean(response.headers.get("Server", ""), _MOST_SHOWN_CHARS)
    return Seen(_difference(response, challenge), urls=_shown(urls), server=server)


def _shown(urls: list[str]) -> tuple[str, ...]:
    return tuple(map(shown_url, urls[1:]))


def _accepts(context: Context, address: str, port: int) -> bool:
    """Returns whether anything accepts a connection there. Raises Cancelled."""
    part = context.narrowed(CONNECT_SECONDS)
    try:
        connected(part, address, port, CONNECT_SECONDS).close()
    except OSError:
        return False
    except WaitTimeout:
        context.check("answer")
        return False
    return True


def _followed(http: HttpClient, context: Context, at: AskedAt, urls: list[str]) -> Response:
    first = split_url(urls[0])
    address = at.address
    while True:
        request = HttpRequest("GET", urls[-1], {"Accept": "*/*"}, most_bytes=_MOST_BODY_BYTES, address=address)
        response = http.exchange(context, request)
        location = response.headers.get("Location", "")
        if response.status not in _REDIRECTS or not location:
            return response
        if len(urls) > _MOST_REDIRECTS:
            raise HttpError("redirect", f"{shown_url(urls[0])} redirects more than {_MOST_REDIRECTS} times")
        parts = _target(urls[-1], location, at.port)
        urls.append(parts._replace(fragment="").geturl())
        is_first = parts.hostname == first.hostname
        address = at.address if is_first else at.locate(parts.hostname or "")


def _target(url: str, location: str, own_port: int) -> SplitResult:
    """Returns where a redirect leads. Raises HttpError "redirect" for one that no CA follows."""
    shown = clean(without_credentials(location), _MOST_SHOWN_CHARS)
    try:
        parts = split_url(urljoin(url, location.encode("latin-1", "ignore").decode().strip()))
    except (ValueError, UrlError):
        raise HttpError("redirect", f"it redirects to {shown!r}, which is no http or https URL") from None
    port = parts.port or PORTS[parts.scheme]
    if port not in (*PORTS.values(), own_port):
        allowed = " and ".join(map(str, PORTS.values()))
        raise HttpError("redirect", f"it redirects to port {port} ({shown}): CAs follow to the ports {allowed} alone")
    if is_address(parts.hostname or ""):
        raise HttpError("redirect", f"it redirects to an IP address ({shown}), to which CAs do not follow")
    netloc = parts.netloc.rpartition("@")[2]
    if parts.port is None and port not in (80, 443):
        netloc += f":{port}"
    return parts._replace(netloc=netloc)


def _difference(response: Response, challenge: Challenge) -> str:
    """Returns how the answer differs from the response to the challenge; empty if it is that."""
    if response.status != 200:
        return f"HTTP status {response.status} in the place of the token's response"
    wanted = challenge.key_authorization.encode()
    if response.body.rstrip(_SPACE) == wanted:
        return ""
    if response.body.strip() == wanted:
        return "space or line ends before the token's response, which CAs do not pass over"
    begin = clean(response.body[:_MOST_SHOWN_CHARS].decode("utf-8", "replace"), _MOST_SHOWN_CHARS)
    return f"another content than the token's response: {begin!r}" if begin else "an empty body"


def see_by_tls(context: Context, challenge: Challenge, at: AskedAt) -> Seen:
    """Shakes hands for acme-tls/1 at this address (RFC 8737 section 3). Raises Cancelled."""
    part = context.narrowed(LOOK_SECONDS)
    try:
        sock = connected(part, at.address, at.port or PORTS["https"], CONNECT_SECONDS)
    except OSError as error:
        return Seen(f"no connection: {error.strerror or error}", is_reached=False)
    with sock:
        try:
            protocol, certificate = part.run(lambda: _shaken(part, sock, challenge), "answer")
        except WaitTimeout:
            context.check("answer")
            return Seen(f"no TLS connection for acme-tls/1 within {part.limit:g} s", speaks=False)
        except OSError as error:
            cause = clean(getattr(error, "reason", "") or error.strerror or error, 200)
            is_refused = isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "").upper()
            return Seen(f"no TLS connection for acme-tls/1: {cause}", speaks=is_refused)
    if protocol is None:
        return Seen("a TLS server that does not know acme-tls/1: another program, or a proxy that ends TLS")
    digest = hashlib.sha256(challenge.key_authorization.encode()).digest()
    return Seen("" if digest in certificate else "a certificate without this challenge's digest")


def _shaken(context: Context, sock: socket.socket, challenge: Challenge) -> tuple[str | None, bytes]:
    """Returns the protocol and the server's certificate (DER)."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    tls.set_alpn_protocols(["acme-tls/1"])
    host = challenge.identifier.value
    name = ipaddress.ip_address(host).reverse_pointer if is_address(host) else host
    sock.settimeout(max(0.05, context.remaining()))
    with tls.wrap_socket(sock, server_hostname=name) as wrapped:
        return wrapped.selected_alpn_protocol(), wrapped.getpeercert(True) or b""
