"""::tossl::http::*: plain HTTP for scripts."""

from __future__ import annotations

import time

from ..context import Context, seconds
from ..errors import HttpError, WaitTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..http.client import Followed, HttpClient, HttpRequest
    from ..http.options import ConnectionOptions


def get(
    url: str,
    *,
    headers: dict[str, str] | None = None,
    user_agent: str = "",
    follow_redirects: bool = True,
    verify_ssl: bool = True,
    connection: ConnectionOptions,
    auth: str = "",
    cookies: str = "",
    return_details: bool = False,
    context: Context = seconds(30),
) -> dict[str, object]:
    """Gets an http or https URL. Returns status_code 0 and the reason after a network failure, and for an unusable URL.

    A body of over 64 MB is a failure too. Interim answers (status 100 to 199, as 103 Early Hints) are passed over.

    url                  an http or https URL; a user and password in it count as -auth
    -headers dict        header names and values; Content-Length, Transfer-Encoding and similar ones cannot be set
    -user_agent text     default: tossl/VERSION
    -follow_redirects boolean
                         whether to follow redirects: at most 10, and never from https to http. Credentials (-auth,
                         -cookies, and every header with auth, cookie, token, key, secret or password in its name) are
                         not sent to another host, port or scheme, except from http to https on the same host; a
                         user and password that a redirect names are sent to nobody. With 0 the redirect is the result
    -verify_ssl boolean  whether to verify the server's certificate; with 0 anyone on the way can read and change the
                         exchange
    -auth user:password  basic authentication
    -cookies text        name=value; other=value. Without it, cookies that a redirect sets are sent with the following
                         requests of the call; the next call starts without cookies
    -return_details boolean
                         1 returns more keys

    Returns a dict:

    status_code     the status of the answer; 0 after a failure
    body            text for text types, JSON and XML, decoded by their charset (by default UTF-8, else Latin-1); else
                    bytes, ready for binary scan or a binary channel
    headers         a dict. Names are always spelled as in Content-Type, ETag, ... A comma and a space join several
                    lines of a header; a newline joins those of Set-Cookie
    error_message   the reason of a failure; present after a failure, and with -return_details
    error_kind      with -return_details, as all keys below: empty, or connect, dns, tls, reset, timeout, redirect,
                    too_large, malformed, scheme (an unusable URL). All of these keys are present after a failure
                    too: url is the requested URL, request_time is the time taken, and the others are 0 or empty
    url             the URL of the answer, after redirects, without user and password
    redirect_count  the number of redirects followed
    redirects       the URLs before url
    request_time    milliseconds, redirects included
    response_size   bytes of the body
    content_type    the header of that name, or empty
    http_version    1.1 or 1.0
    ssl_info        verified, not verified, or empty for http

    Errors: for wrong arguments only. No message shows a password, a cookie, a header's value or the query of a URL.
    TOSSL VALUE headers     not a dict, an invalid header name, or a line break in a value
    TOSSL VALUE user_agent  it contains a line break
    TOSSL VALUE auth        it contains no colon
    TOSSL VALUE cookies     it contains a line break
    """
    from dataclasses import replace

    from ..http.client import HttpClient
    from ..http.get import prepare
    from ..http.urls import shown_url

    began = time.monotonic()
    http = HttpClient(replace(connection, verify=verify_ssl), keeps_cookies=True)
    try:
        request = prepare(url, headers or {}, user_agent, auth, cookies)
        result, details = _fetched(context, http, request, follow_redirects)
    except HttpError as error:  # a URL of no use
        result, details = _failed(shown_url(url), error.message, error.kind)
    finally:
        http.close()
    details["request_time"] = round((time.monotonic() - began) * 1000)
    return result | details if return_details else result


def _fetched(
    context: Context, http: HttpClient, request: HttpRequest, follow: bool
) -> tuple[dict[str, object], dict[str, object]]:
    """Returns the result and its details, of an answer or of a failure."""
    from ..http.get import fetch

    try:
        fetched = fetch(context, http, request, follow)
    except HttpError as error:
        return _failed(request.url, error.message, error.kind)
    except WaitTimeout as error:
        return _failed(request.url, error.message, "timeout")
    return _answer(fetched), {**_NO_DETAILS, **_details(fetched, http.options.verify)}


def _answer(fetched: Followed) -> dict[str, object]:
    from ..http.get import body_value, header_dict

    response = fetched.response
    return {"status_code": response.status, "body": body_value(response), "headers": header_dict(response)}


def _failed(url: str, message: str, kind: str) -> tuple[dict[str, object], dict[str, object]]:
    result = {"status_code": 0, "body": "", "headers": {}, "error_message": message}
    return result, {"url": url, **_NO_DETAILS, "error_message": message, "error_kind": kind}


#: The details of a failure: a script finds the same keys in every result.
_NO_DETAILS: dict[str, object] = {
    "error_message": "",
    "error_kind": "",
    "redirect_count": 0,
    "redirects": [],
    "response_size": 0,
    "content_type": "",
    "http_version": "",
    "ssl_info": "",
}


def _details(fetched: Followed, verified: bool) -> dict[str, object]:
    response, urls = fetched.response, fetched.urls
    tls = "verified" if verified else "not verified"
    return {
        "url": urls[-1],
        "redirect_count": len(urls) - 1,
        "redirects": list(urls[:-1]),
        "response_size": len(response.body),
        "content_type": response.headers.get("Content-Type", ""),
        "http_version": response.http_version,
        "ssl_info": tls if urls[-1].startswith("https:") else "",
    }


COMMANDS = (get,)
