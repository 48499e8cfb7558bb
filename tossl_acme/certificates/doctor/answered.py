"""The CAs' answers to a GET of their directories: each CA is asked once, however many looks need it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ...acme.directory import Directory, read_directory
from ...acme.server import LANGUAGE, Server
from ...context import Context
from ...errors import TosslError
from ...http.client import HttpClient, HttpRequest, follow
from ...http.retry import Retries, with_retries
from ..issuance import Issuance

_T = TypeVar("_T")
_ASK_SECONDS = 20.0
#: Before the directory is asked for once more.
_PAUSES_SECONDS = (0.2,)
_MOST_REDIRECTS = 5


@dataclass(frozen=True, eq=False)
class AuthorityAnswer:
    """A CA's directory, its server's TLS certificate (DER), and the time that it said, epoch seconds."""

    directory: Directory
    peer: bytes
    date: float | None


@dataclass(eq=False)
class _Slot(Generic[_T]):
    is_done: threading.Event = field(default_factory=threading.Event)
    value: _T | None = None
    error: TosslError | None = None


class AskedOnce(Generic[_T]):
    """Safe for several threads: who comes second waits for the first's answer, or its error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: dict[Hashable, _Slot[_T]] = {}

    def answer(self, context: Context, key: Hashable, ask: Callable[[], _T]) -> _T:
        """Returns what ask() returns, or returned for this key. Raises what it raised, and as context.check() does."""
        with self._lock:
            is_first = key not in self._slots
            slot = self._slots.setdefault(key, _Slot())
        if is_first:
            try:
                slot.value = ask()
            except TosslError as error:
                slot.error = error
                raise
            finally:
                slot.is_done.set()
        while not slot.is_done.is_set():
            slot.is_done.wait(context.poll_seconds("the CA"))
        if slot.error is not None:
            raise slot.error
        if slot.value is None:
            raise TosslError("the CA's answer could not be read", "INTERNAL")
        return slot.value


def ask_directory(context: Context, one: Issuance) -> AuthorityAnswer:
    """Asks a CA for its directory over a connection of its own, so that its server's certificate is seen."""
    part = context.narrowed(_ASK_SECONDS)
    http = HttpClient(one.connection)
    try:
        server = Server(one.directory, http)
        request = HttpRequest("GET", one.directory, LANGUAGE)
        retries = Retries(part, _PAUSES_SECONDS, lambda response: response.status >= 500)
        response = with_retries(retries, lambda: follow(http, part, request, _MOST_REDIRECTS).response)
        server.keep_nonce(response)
        return AuthorityAnswer(read_directory(response), response.peer, server.date)
    finally:
        http.close()
