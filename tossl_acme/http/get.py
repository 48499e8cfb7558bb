"""A GET for scripts: follows redirects without handing on credentials, decodes text, unifies the headers' names.

client.py does each exchange; nothing here knows a socket.
"""

from __future__ import annotations

import base64
import codecs
import math
import re
from collections.abc import Mapping
from urllib.parse import unquote

from ..context import Context
from ..errors import ArgumentError, HttpError
from .client import Followed, HttpClient, HttpRequest, follow, without_user
from .response import Response
from .urls import UrlError, shown_url, split_url

MAX_BODY_BYTES = 64 << 20
MAX_REDIRECTS = 10

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: Header lines that frame the request; wrong ones would make two requests of one.
_FRAMING = ("content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer")
_IRREGULAR = {"etag": "ETag", "www-authenticate": "WWW-Authenticate", "x-xss-protection": "X-XSS-Protection"}
_TEXT_TYPE = re.compile(r"text/.*|.*[/+](json|xml|javascript|ecmascript|x-www-form-urlencoded)|application/jose\+json")
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^";\s]+)', re.IGNORECASE)
#: Python's own escapes are not charsets of the web.
_NOT_CHARSETS = ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined")


def prepare(
    url: str, headers: Mapping[str, str], user_agent: str = "", auth: str = "", cookies: str = ""
) -> HttpRequest:
    """Returns a request that is safe to send; credentials in the URL move into the headers.

    Raises ArgumentError: headers, user_agent, auth, cookies; then HttpError "scheme" for a URL that is of no use. No
    message shows a credential.
    """
    lines = _header_lines(headers)
    if user_agent:
        lines["User-Agent"] = _header_value("user_agent", user_agent)
    if auth and ":" not in auth:
        raise ArgumentError("auth", "-auth must be user:password")
    if cookies:
        lines["Cookie"] = "; ".join(filter(None, [lines.get("Cookie", ""), _header_value("cookies", cookies)]))
    try:
        parts = split_url(url)
    except UrlError as error:
        raise HttpError("scheme", f"the URL {error}") from None
    if not auth and parts.username is not None:
        auth = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    if auth:
        lines["Authorization"] = f"Basic {base64.b64encode(auth.encode('utf-8', 'surrogatepass')).decode()}"
    # Only the caller's -timeout limits how long an answer may take.
    return HttpRequest("GET", without_user(parts), lines, most_bytes=MAX_BODY_BYTES, silence=math.inf)


def fetch(context: Context, http: HttpClient, request: HttpRequest, is_following: bool = True) -> Followed:
    """Returns the answer after at most MAX_REDIRECTS redirects.

    Raises HttpError (also "redirect": too many, away from https, or to no usable URL), WaitTimeout, Cancelled.
    """
    most = MAX_REDIRECTS if is_following else 0
    return follow(http, context, request, most, lambda url: context.tell("request", url=shown_url(url)))


def header_dict(response: Response) -> dict[str, str]:
    """Returns the headers, each name once and spelled as in Content-Type. ", " joins the lines of one name
    (RFC 9110 section 5.3); a newline joins those of Set-Cookie, for a cookie contains commas.
    """
    found: dict[str, str] = {}
    for name, value in response.header_lines:
        spelled = _spelled(name)
        glue = "\n" if spelled == "Set-Cookie" else ", "
        found[spelled] = f"{found[spelled]}{glue}{value}" if spelled in found else value
    return found


def body_value(response: Response) -> str | bytes:
    """Returns a text type, JSON or XML as text, by its charset (UTF-8 if none is given, Latin-1 if that fails), and
    any other body as bytes.
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


def _header_lines(headers: Mapping[str, str]) -> dict[str, str]:
    if len({name.endswith(":") for name in headers}) > 1:
        # "Name: some value" lines read as a dict would turn words into names.
        raise ArgumentError("headers", "-headers must be a dict of header names and values")
    lines = {}
    for given, value in headers.items():
        name = given.removesuffix(":")
        if not _TOKEN.fullmatch(name):
            raise ArgumentError("headers", "-headers contains an invalid header name")
        if name.lower() in _FRAMING:
            raise ArgumentError("headers", f"-headers cannot set {name}")
        lines[_spelled(name)] = _header_value("headers", value)
    return lines


def _header_value(argument: str, value: str) -> str:
    """Returns a header's value, non-ASCII characters as UTF-8. Refuses a line break: it would begin another header."""
    if _CONTROL.search(value):
        raise ArgumentError(argument, f"-{argument} contains a line break or control character")
    try:
        return value.strip().encode().decode("latin-1")
    except UnicodeEncodeError:
        raise ArgumentError(argument, f"-{argument} contains half a surrogate pair") from None


def _spelled(name: str) -> str:
    lower = name.lower()
    return _IRREGULAR.get(lower) or "-".join(map(str.capitalize, lower.split("-")))


def _codec(content_type: str) -> str:
    """Returns Python's name of the type's charset; empty if the type names none or Python does not know it."""
    named = _CHARSET.search(content_type)
    try:
        found = codecs.lookup(named[1]) if named else None
    except (LookupError, ValueError):
        return ""
    if found is None or found.name in _NOT_CHARSETS or not getattr(found, "_is_text_encoding", True):
        return ""
    return "utf-8-sig" if found.name == "utf-8" else found.name
