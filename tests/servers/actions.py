"""What the fault proxy can do with a request, instead of passing it on or after it did."""

from __future__ import annotations

import json
import os
import secrets
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Response:
    """A whole HTTP response."""

    status: int
    reason: str
    headers: Headers
    body: bytes

    def with_header(self, name: str, value: str | None) -> Response:
        """Return the response with this header set, or left out for None."""
        kept = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return replace(self, headers=(*kept, (name, value)) if value is not None else kept)

    def head(self, length: int | None = None) -> bytes:
        """Write the status line and the headers; ``length`` is claimed for the body."""
        claimed = len(self.body) if length is None else length
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"Content-Length: {claimed}"] if self.status not in (204, 304) else []
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Exchange(Protocol):
    """One request of a client, as an action sees it."""

    method: str
    path: str
    body: bytes

    def deliver(self) -> Response:
        """Pass the request on and return the server's response."""

    def send(self, response: Response) -> None:
        """Send a whole response."""

    def write(self, data: bytes) -> None:
        """Send raw bytes; the connection is closed after the action."""

    def connection(self) -> socket.socket:
        """Return the client's connection, which is closed after the action."""

    def ended(self) -> threading.Event:
        """Return the event set when the proxy stops."""


Action = Callable[[Exchange], None]


def drop() -> Action:
    """Close the connection without an answer; the server never sees the request."""
    return lambda exchange: _close(exchange.connection())


def reset() -> Action:
    """Reset the connection (RST); the server never sees the request."""
    return lambda exchange: _reset(exchange.connection())


def deliver_then_drop() -> Action:
    """Let the server act on the request, then close the connection without its answer."""

    def act(exchange: Exchange) -> None:
        exchange.deliver()
        _close(exchange.connection())

    return act


def deliver_then_reset() -> Action:
    """Let the server act on the request, then reset the connection."""

    def act(exchange: Exchange) -> None:
        exchange.deliver()
        _reset(exchange.connection())

    return act


def deliver_then_hang() -> Action:
    """Let the server act on the request, then say nothing for as long as the client keeps the connection."""

    def act(exchange: Exchange) -> None:
        exchange.deliver()
        connection = exchange.connection()
        while not exchange.ended().is_set() and connection.recv(4096):
            pass

    return act


def delay(seconds: float = 1.0) -> Action:
    """Pass the request on after a while."""

    def act(exchange: Exchange) -> None:
        exchange.ended().wait(seconds)
        exchange.send(exchange.deliver())

    return act


def answer(
    status: int = 500,
    body: str | bytes = b"",
    content_type: str = "text/plain",
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Action:
    """Answer this without asking the server."""
    data = body.encode() if isinstance(body, str) else body
    named = (("Content-Type", content_type), *headers.items())
    return lambda exchange: exchange.send(Response(status, "Made up", named, data))


def problem(
    status: int = 500,
    kind: str = "serverInternal",
    detail: str = "The server had a bad moment",
    retry_after: str | None = None,
    subproblems: object = None,
) -> Action:
    """Answer an ACME problem document; ``retry_after`` is in seconds or a date."""
    document = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail, "status": status}
    if subproblems:
        document["subproblems"] = subproblems
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
    return answer(status, json.dumps(document), "application/problem+json", headers)


def html(status: int = 503, retry_after: str | None = None) -> Action:
    """Answer the page of a load balancer that found no server."""
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
    page = "<!DOCTYPE html><html><head><title>Sorry</title></head><body><h1>Sorry</h1></body></html>"
    return answer(status, page, "text/html; charset=utf-8", headers)


def redirect(url: str, status: int = 302) -> Action:
    """Send the client elsewhere."""
    return answer(status, headers={"Location": url})


def oversized(size: int = 10_000_000) -> Action:
    """Answer a JSON document of about this many bytes."""
    return lambda exchange: exchange.send(
        Response(200, "OK", (("Content-Type", "application/json"),), b'{"padding":"%s"}' % (b"a" * size))
    )


def endless() -> Action:
    """Answer a body in chunks that never ends, until the client has enough."""

    def act(exchange: Exchange) -> None:
        exchange.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{\n\r\n"
        )
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        with suppress(OSError):
            while not exchange.ended().is_set():
                exchange.write(chunk)

    return act


def cut_body(keep: int = 10, claim: int = 1000) -> Action:
    """Deliver, but send only the first bytes of the answer and close; more is claimed."""

    def act(exchange: Exchange) -> None:
        response = exchange.deliver()
        exchange.write(response.head(len(response.body) + claim) + response.body[:keep])

    return act


def drip(interval: float = 0.05, part: str = "all") -> Action:
    """Deliver, but send the answer's ``head``, ``body`` or ``all`` one byte at a time."""

    def act(exchange: Exchange) -> None:
        response = exchange.deliver()
        head = response.head()
        if part == "body":
            exchange.write(head)
            head = b""
        with suppress(OSError):
            slow, quick = (head, response.body) if part == "head" else (head + response.body, b"")
            for byte in slow:
                exchange.write(bytes([byte]))
                if exchange.ended().wait(interval):
                    return
            exchange.write(quick)

    return act


def change(edit: Callable[[Response], Response]) -> Action:
    """Deliver and edit the answer."""
    return lambda exchange: exchange.send(edit(exchange.deliver()))


def header(name: str, value: str | None = None) -> Action:
    """Deliver and set a header of the answer, or leave it out without a value."""
    return change(lambda response: response.with_header(name, value))


def content_type(value: str = "text/html") -> Action:
    """Deliver and call the answer something else."""
    return header("Content-Type", value)


def body(text: str) -> Action:
    """Deliver and replace the answer's body, keeping its status and headers."""
    return change(lambda response: replace(response, body=text.encode()))


def json_array() -> Action:
    """Deliver and answer a JSON array where an object is due."""
    return body("[]")


def no_nonce() -> Action:
    """Deliver and leave out the Replay-Nonce."""
    return header("Replay-Nonce")


def stale_nonce() -> Action:
    """Deliver and give a nonce that the server will not take."""

    return change(lambda response: response.with_header("Replay-Nonce", secrets.token_urlsafe(16)))


ACTIONS: Mapping[str, Callable[..., Action]] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            *(drop, reset, deliver_then_drop, deliver_then_reset, delay, answer, problem, html, redirect),
            *(oversized, endless, cut_body, drip, header, content_type, body, json_array, no_nonce, stale_nonce),
        )
    }
)


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    _forget(connection)


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _forget(connection)


def _forget(connection: socket.socket) -> None:
    # Closed by its number: the file objects made of it would keep an ordinary close waiting.
    with suppress(OSError):
        os.close(connection.detach())
