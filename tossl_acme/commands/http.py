"""::tossl::http::*: plain HTTP for scripts."""

from __future__ import annotations

import time

from ..errors import HttpError, WaitTimeout
from ..scope import Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..fetch import Fetched, Request
    from ..wire import Web


def get(
    url: str,
    *,
    headers: dict[str, str] | None = None,
    user_agent: str = "",
    follow_redirects: bool = True,
    verify_ssl: bool = True,
    proxy: str = "",
    ca_bundle: str = "",
    auth: str = "",
    cookies: str = "",
    return_details: bool = False,
    scope: Scope = Scope(30),
) -> dict[str, object]:
    """Gets a URL: a dict status_code body headers. What fails on the way is status_code 0 with an error_message.

    Errors: TOSSL VALUE url|headers|user_agent|proxy|ca_bundle|auth|cookies, TOSSL CANCELLED.
    """
    from ..fetch import prepare
    from ..wire import USER_AGENT, Route, Web

    request = prepare(url, headers or {}, user_agent, auth, cookies)
    web = Web(Route(ca_bundle=ca_bundle, proxy=proxy, verify=verify_ssl, user_agent=USER_AGENT))
    began = time.monotonic()
    result, details = _fetched(scope, web, request, follow_redirects)
    details["request_time"] = round((time.monotonic() - began) * 1000)
    return result | details if return_details else result


def _fetched(scope: Scope, web: Web, request: Request, follow: bool) -> tuple[dict[str, object], dict[str, object]]:
    """The result and its details, of an answer or of a failure."""
    from ..fetch import fetch

    details: dict[str, object] = {"url": request.url, **_NO_DETAILS}
    try:
        fetched = fetch(scope, web, request, follow)
        return _answer(fetched), details | _details(fetched, web.route.verify)
    except HttpError as error:
        return _failure(error.message), details | {"error_message": error.message, "error_kind": error.kind}
    except WaitTimeout as error:
        return _failure(error.message), details | {"error_message": error.message, "error_kind": "timeout"}
    finally:
        web.close()


def _answer(fetched: Fetched) -> dict[str, object]:
    from ..fetch import body_value, header_dict

    reply = fetched.reply
    return {"status_code": reply.status, "body": body_value(reply), "headers": header_dict(reply)}


def _failure(message: str) -> dict[str, object]:
    return {"status_code": 0, "body": "", "headers": {}, "error_message": message}


#: What a failure says of itself, so that a script finds the same keys in every result.
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


def _details(fetched: Fetched, verified: bool) -> dict[str, object]:
    reply, urls = fetched.reply, fetched.urls
    tls = "verified" if verified else "not verified"
    return {
        "url": urls[-1],
        "redirect_count": len(urls) - 1,
        "redirects": list(urls[:-1]),
        "response_size": len(reply.body),
        "content_type": reply.headers.get("Content-Type", ""),
        "http_version": reply.http_version,
        "ssl_info": tls if urls[-1].startswith("https:") else "",
    }


COMMANDS = (get,)
