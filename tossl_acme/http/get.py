"""A GET as a person means it: redirects followed with the credentials kept at home, text decoded, headers in one form.

wire.py does each exchange; nothing here knows a socket.
"""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from ..context import Context
from ..errors import ArgumentError, HttpError
from .client import HttpClient
from .response import Response
from .urls import shown_url

MOST_BODY = 64 << 20
MOST_REDIRECTS = 10

_REDIRECTS = (301, 302, 303, 307, 308)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SPACE = re.compile(r"[\x00-\x20\x7f]")
#: A header whose name has one of these in it is not sent on to another host.
_PRIVATE = ("auth", "cookie", "token", "key", "secret", "password")
#: Header lines that say how the request is framed; wrong ones would make two requests of one.
_FRAMING = ("content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer")
_IRREGULAR = {"etag": "ETag", "www-authenticate": "WWW-Authenticate", "x-xss-protection": "X-XSS-Protection"}
_TEXT_TYPE = re.compile(r"text/.*|.*[/+](json|xml|javascript|ecmascript|x-www-form-urlencoded)|application/jose\+json")
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^";\s]+)', re.IGNORECASE)
#: Python's own escapes are no charsets of the web.
_NOT_CHARSETS = ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined")


@dataclass(frozen=True, repr=False)
class Request:
    """What to get and what to say; checked, with the credentials of the URL moved into the headers."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Fetched:
    """The last answer, and the URLs (without user and password) that led to it, the first one included."""

    response: Response
    urls: tuple[str, ...]


def prepare(url: str, headers: Mapping[str, str], user_agent: str = "", auth: str = "", cookies: str = "") -> Request:
    """A request whose every part may go on the wire as it is.

    Raises ArgumentError: url, headers, user_agent, auth, cookies. No message shows a credential.
    """
    parts = _split(url)
    lines = _checked_headers(headers)
    if user_agent:
        lines["User-Agent"] = _checked("user_agent", user_agent)
    if auth and ":" not in auth:
        raise ArgumentError("auth", "-auth must be user:password")
    if not auth and parts.username is not None:
        auth = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    if auth:
        lines["Authorization"] = f"Basic {base64.b64encode(auth.encode('utf-8', 'surrogatepass')).decode()}"
    if cookies:
        lines["Cookie"] = "; ".join(filter(None, [lines.get("Cookie", ""), _checked("cookies", cookies)]))
    return Request(_without_user(parts), lines)


def fetch(context: Context, http: HttpClient, request: Request, follow: bool = True) -> Fetched:
    """The answer, at most MOST_REDIRECTS redirects away.

    Raises HttpError (also "redirect": too many, away from https, or to no usable URL), WaitTimeout, Cancelled.
    """
    url, headers = request.url, dict(request.headers)
    urls = [url]
    while True:
        context.tell("request", url=shown_url(url))
        response = http.exchange(context, "GET", url, headers=headers, most=MOST_BODY)
        location = response.headers.get("Location", "")
        if not follow or response.status not in _REDIRECTS or not location:
            return Fetched(response, tuple(urls))
        if len(urls) > MOST_REDIRECTS:
            raise HttpError("redirect", f"{shown_url(request.url)} redirects more than {MOST_REDIRECTS} times")
        target = _target(url, location)
        if not _same_origin(urlsplit(url), urlsplit(target)):
            headers = {name: value for name, value in headers.items() if not _stays_home(name)}
        url = target
        urls.append(url)


def header_dict(response: Response) -> dict[str, str]:
    """The headers, each name once and always spelled the same (Content-Type). Lines of one name are joined by ", "
    (RFC 9110 section 5.3), but those of Set-Cookie by a newline, for a cookie has commas of its own.
    """
    found: dict[str, str] = {}
    for name, value in response.header_lines:
        spelled = _spelled(name)
        glue = "\n" if spelled == "Set-Cookie" else ", "
        found[spelled] = f"{found[spelled]}{glue}{value}" if spelled in found else value
    return found


def body_value(response: Response) -> str | bytes:
    """Text of a text type, JSON or XML by its charset (UTF-8 where none is given, Latin-1 where that fails);
    anything else as it came.
    """
    content_type = response.headers.get("Content-Type", "")
    if not _TEXT_TYPE.fullmatch(response.media_type):
        return response.body
    charset = _codec(content_type)
    if charset:
        return response.body.decode(charset, "replace")
    try:
        return response.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return response.body.decode("latin-1")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ArgumentError("url", "the URL is malformed") from None
    if _SPACE.search(url) or not url.isprintable():
        raise ArgumentError("url", "the URL has white space or control characters in it")
    if parts.scheme not in ("http", "https"):
        raise ArgumentError("url", "the URL must begin with http:// or https://")
    if not usable:
        raise ArgumentError("url", "the URL has no host")
    return parts


def _without_user(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    if len({name.endswith(":") for name in headers}) > 1:
        # "Name: some value" lines read as a dict: their words would become names.
        raise ArgumentError("headers", "-headers must be a dict of header names and values")
    lines = {}
    for given, value in headers.items():
        name = given.removesuffix(":")
        if not _TOKEN.fullmatch(name):
            raise ArgumentError("headers", "-headers has a name that is not a header name")
        if name.lower() in _FRAMING:
            raise ArgumentError("headers", f"-headers cannot set {name}")
        lines[_spelled(name)] = _checked("headers", value)
    return lines


def _checked(argument: str, value: str) -> str:
    """A header's value, non-ASCII characters as UTF-8. A line break in it would begin a header of its own."""
    if _CONTROL.search(value):
        raise ArgumentError(argument, f"-{argument} has a line break or control character in it")
    try:
        return value.strip().encode().decode("latin-1")
    except UnicodeEncodeError:
        raise ArgumentError(argument, f"-{argument} has half a surrogate pair in it") from None


def _spelled(name: str) -> str:
    lower = name.lower()
    return _IRREGULAR.get(lower) or "-".join(map(str.capitalize, lower.split("-")))


def _stays_home(name: str) -> bool:
    lower = name.lower()
    return lower == "host" or any(word in lower for word in _PRIVATE)


def _target(url: str, location: str) -> str:
    try:
        # Header values arrive as Latin-1, but what is not ASCII in a Location is UTF-8.
        target = _without_user(_split(urljoin(url, location.encode("latin-1", "ignore").decode().strip())))
    except (ValueError, ArgumentError):
        raise HttpError("redirect", f"{shown_url(url)} redirects to no usable URL") from None
    if url.startswith("https:") and not target.startswith("https:"):
        raise HttpError("redirect", f"{shown_url(url)} redirects away from https")
    return target


def _same_origin(old: SplitResult, new: SplitResult) -> bool:
    ports = {"http": 80, "https": 443}
    was, now = (old.scheme, old.port or ports[old.scheme]), (new.scheme, new.port or ports[new.scheme])
    upgraded = (was, now) == (("http", 80), ("https", 443))
    return old.hostname == new.hostname and (was == now or upgraded)


def _codec(content_type: str) -> str:
    """Python's name of the charset that the type names; empty when there is none or it is unknown."""
    named = _CHARSET.search(content_type)
    try:
        found = codecs.lookup(named[1]) if named else None
    except (LookupError, ValueError):
        return ""
    if found is None or found.name in _NOT_CHARSETS or not getattr(found, "_is_text_encoding", True):
        return ""
    return "utf-8-sig" if found.name == "utf-8" else found.name
