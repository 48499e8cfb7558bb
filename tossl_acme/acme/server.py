"""One CA: its directory and its unused nonces."""

from __future__ import annotations

import collections
import contextlib
import re
import time

from ..context import Context
from ..context.beside import Beside
from ..errors import HttpError, TosslError
from ..http.client import HttpClient, HttpRequest, follow
from ..http.response import Response, server_time
from ..http.retry import with_retries
from .directory import Directory, read_directory
from .problem import problem_error
from .retries import ca_retries

#: Seconds after which the directory is read again.
_DIRECTORY_AGE_SECONDS = 3600.0
#: Nonces to keep; a CA would no longer remember older ones.
_MAX_NONCES = 64
_MAX_REDIRECTS = 5
#: Seconds that a nonce may take which is fetched before it is needed.
_AHEAD_SECONDS = 30.0
#: RFC 8555 section 6.5.1; anything else is ignored.
_NONCE = re.compile(r"[A-Za-z0-9_-]{1,1024}")
#: English, as this package's own messages, with which the CA's are mixed (RFC 8555 section 6.1).
LANGUAGE = {"Accept-Language": "en"}


class Server:
    """A CA, shared by all accounts at one directory URL; safe for several threads.

    It keeps directory and nonces: a known directory costs no request, and an answer's nonce saves one.
    """

    def __init__(self, url: str, http: HttpClient) -> None:
        self.url = url
        self.http = http
        self._directory: tuple[float, Directory] | None = None
        #: Whether the directory was kept by an earlier process, and the CA was not asked for it.
        self.has_kept_directory = False
        self._nonces: collections.deque[str] = collections.deque(maxlen=_MAX_NONCES)
        #: Requests for nonces that are under way.
        self._coming: collections.deque[Beside] = collections.deque()
        #: The time that its last answer said, epoch seconds; None before an answer has.
        self.date: float | None = None

    def directory(self, context: Context) -> Directory:
        """Returns the directory (RFC 8555 section 7.1.1); sends one request if it is not known yet."""
        known = self._directory
        if known is None or time.monotonic() - known[0] > _DIRECTORY_AGE_SECONDS:
            response = self.fetch(context, "GET", self.url)
            known = self._directory = (time.monotonic(), read_directory(response))
            self.has_kept_directory = False
        return known[1]

    @property
    def known_directory(self) -> Directory | None:
        """Returns the directory as it is known here; None where it has not been asked for."""
        return self._directory[1] if self._directory else None

    def take_directory(self, directory: Directory) -> None:
        """Takes the directory that an earlier process has read, unless it is known by now."""
        if self._directory is None:
            self._directory = (time.monotonic(), directory)
            self.has_kept_directory = True

    def drop_kept_directory(self) -> bool:
        """Forgets a directory that an earlier process has read; whether there was one."""
        was_kept = self.has_kept_directory
        if was_kept:
            self._directory, self.has_kept_directory = None, False
        return was_kept

    def nonce(self, context: Context) -> str:
        """Returns the latest nonce kept, else a new nonce (RFC 8555 section 7.2), which costs one request."""
        while True:
            try:
                return self._nonces.pop()
            except IndexError:
                pass
            try:
                self._coming.popleft().wait(context, "request")
            except IndexError:
                break
        response = self._asked(context, "HEAD", self.directory(context).url_of("newNonce"))
        if not _is_well(response):
            raise problem_error(response)
        if nonce := self.nonce_of(response):  # which is not kept: another thread would take it
            return nonce
        raise HttpError("malformed", "newNonce answered without a Replay-Nonce")

    def fetch_nonces(self, context: Context, count: int) -> None:
        """Begins to fetch nonces, in threads, each over a connection of its own, until there are `count` of them.

        Does nothing where the directory is not known. An error is left to nonce().
        """
        directory = self.known_directory
        if directory is None:
            return
        part = context.aside().narrowed(_AHEAD_SECONDS)

        def fetch() -> None:
            with contextlib.suppress(TosslError):
                self.fetch(part, "HEAD", directory.url_of("newNonce"))

        for _ in range(count - len(self._nonces) - len(self._coming)):
            self._coming.append(Beside(fetch))

    def ask_time(self, context: Context) -> float | None:
        """Returns the CA's time, epoch seconds, None where it says none; costs a request, whose nonce is kept."""
        self.date = None
        self.fetch(context, "HEAD", self.directory(context).url_of("newNonce"))
        return self.date

    def fetch(self, context: Context, method: str, url: str) -> Response:
        """Returns the answer to an unsigned request, whatever its status; repeats it after temporary failures."""
        response = self._asked(context, method, url)
        if _is_well(response):
            self.keep_nonce(response)
        return response

    def _asked(self, context: Context, method: str, url: str) -> Response:
        """Does what fetch() does, and leaves the nonce of a 2xx answer to the caller."""

        def send() -> Response:
            response = follow(self.http, context, HttpRequest(method, url, LANGUAGE), _MAX_REDIRECTS).response
            if not _is_well(response):
                self.keep_nonce(response)
            return response

        return with_retries(ca_retries(context), send)

    def keep_nonce(self, response: Response) -> None:
        """Keeps an answer's nonce, also an error's (RFC 8555 section 6.5), and its time."""
        nonce = self.nonce_of(response)
        if nonce:
            self._nonces.append(nonce)

    def nonce_of(self, response: Response) -> str:
        """Returns an answer's nonce, empty without a valid one (section 6.5.1), and keeps its time."""
        self.date = server_time(response.headers) or self.date
        nonce = response.headers.get("Replay-Nonce", "")
        return nonce if _NONCE.fullmatch(nonce) else ""


def _is_well(response: Response) -> bool:
    return response.status // 100 == 2
