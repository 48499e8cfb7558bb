"""One HTTP exchange, bounded in every direction: time, size, redirects.

Connecting and every socket read obey the Context of their caller, so a peer that drips bytes or falls silent cannot
hold a call beyond its deadline, and a cancelled job ends within a quarter of a second.
"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Mapping
from urllib.parse import urlsplit

import requests
import urllib3

from ..context import Context
from ..errors import HttpError, WaitTimeout
from . import sockets
from .failures import explained, too_late
from .options import ConnectionOptions
from .response import Response
from .sockets import ContextAdapter, current_context
from .urls import shown_url

#: No answer of a CA or of a DNS provider comes near this size.
MOST_BYTES = 1 << 20


class HttpClient:
    """Connections kept open between exchanges over one options; safe for use by several threads."""

    def __init__(self, options: ConnectionOptions | None = None) -> None:
        self.options = options or ConnectionOptions()
        self._trust = self.options.trust()
        self._proxies: dict[str, dict[str, str]] = {}
        if not self.options.verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._session = _Session()
        self._session.trust_env = False
        self._session.headers["User-Agent"] = self.options.user_agent
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, ContextAdapter(pool_connections=8, pool_maxsize=8))

    def exchange(
        self,
        context: Context,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        redirects: int = 0,
        most: int = MOST_BYTES,
        auth: tuple[str, str] | None = None,
    ) -> Response:
        """Sends one request and reads its whole answer, whatever its status; up to `redirects` are followed (https
        stays https).

        Raises HttpError, or WaitTimeout / Cancelled as the context says. An answer of over `most` bytes is refused.
        """
        context.check("request")
        token = current_context.set(context)
        try:
            with contextlib.closing(self._send(context, method, url, headers, data, auth)) as answer:
                if redirects and answer.is_redirect:
                    return self._follow(context, method, answer, headers, data, redirects, most)
                return _response_of(method, url, answer, _body(context, answer, most))
        except WaitTimeout:
            raise too_late(shown_url(url), context) from None
        except requests.RequestException as error:
            raise explained(error, context, url) from None
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            raise explained(error, context, url) from None
        finally:
            current_context.reset(token)

    def close(self) -> None:
        self._session.close()

    def _send(
        self,
        context: Context,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        auth: tuple[str, str] | None,
    ) -> requests.Response:
        left = max(context.remaining(), 0.001)
        return self._session.request(
            method,
            url,
            headers=headers,
            data=data,
            auth=auth,
            stream=True,
            allow_redirects=False,
            timeout=(min(left, sockets.CONNECT_SECONDS), left),
            verify=self._trust,
            proxies=self._proxies_for(url),
        )

    def _proxies_for(self, url: str) -> dict[str, str]:
        """Reading the environment for each request would cost more than the rest of it."""
        peer = url.partition("://")[2].partition("/")[0]
        if peer not in self._proxies:
            self._proxies[peer] = self.options.proxies(url)
        return self._proxies[peer]

    def _follow(
        self,
        context: Context,
        method: str,
        answer: requests.Response,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        redirects: int,
        most: int,
    ) -> Response:
        target = requests.compat.urljoin(answer.url, answer.headers["Location"])
        if urlsplit(answer.url).scheme == "https" and urlsplit(target).scheme != "https":
            raise HttpError("redirect", f"{shown_url(answer.url)} redirects away from https")
        return self.exchange(context, method, target, headers=headers, data=data, redirects=redirects - 1, most=most)


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nothing to look for: it would read every redirect to its end, however long, and trip on a bad Location."""


def _response_of(method: str, url: str, answer: requests.Response, body: bytes) -> Response:
    lines = tuple(answer.raw.headers.iteritems())
    version = {10: "1.0", 11: "1.1"}.get(answer.raw.version, "")
    return Response(method, url, answer.status_code, answer.headers, body, lines, version)


def _body(context: Context, answer: requests.Response, most: int) -> bytes:
    body = bytearray()
    for piece in answer.iter_content(65536):
        context.check("answer")
        body += piece
        if len(body) > most:
            raise HttpError("too_large", f"{shown_url(answer.url)} answered with more than {most} bytes")
    return bytes(body)
