"""The error of each wait that ends names the limit that ended it: the call's, or that of connecting."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tossl_acme.context import Context
from tossl_acme.errors import TosslError
from tossl_acme.http import failures, sockets
from tossl_acme.http.client import HttpClient, HttpRequest
from tossl_acme.http.options import ConnectionOptions

CONNECT_SECONDS = 0.4
CALL_SECONDS = 0.3
CA = "https://ca.example/"


class Peer:
    """Takes connections, answers the first bytes of each with a text, and is silent from then on."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                if self._answer:
                    connection.recv(65536)
                    connection.sendall(self._answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._connections):
            each.close()


#: What is silent: the URL, the proxy, the peer's answer, and whether connecting is what takes long.
WAITS = {
    "handshake": ("https://{}/", "", b"", True),
    "answer": ("http://{}/", "", b"", False),
    "headers": ("http://{}/", "", b"HTTP/1.1 200 OK\r\nContent-Le", False),
    "body": ("http://{}/", "", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", False),
    "http proxy": (CA, "http://{}", b"", False),
    "handshake behind a http proxy": (CA, "http://{}", b"HTTP/1.1 200 OK\r\n\r\n", True),
    "handshake with a https proxy": (CA, "https://{}", b"", True),
    "SOCKS proxy": (CA, "socks5h://{}", b"", True),
    "SOCKS proxy, half way": (CA, "socks5h://{}", b"\x05\x00", True),
}

CONNECTING = {name: words for name, words in WAITS.items() if words[3]}


@pytest.fixture(params=WAITS.values(), ids=WAITS)
def wait(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    for module in (sockets, failures):
        monkeypatch.setattr(module, "CONNECT_SECONDS", CONNECT_SECONDS)
    url, proxy, answer, _ = request.param
    peer = Peer(answer)
    yield url.format(peer.place), proxy.format(peer.place)
    peer.close()


def seconds_and_error(url: str, proxy: str, limit: float) -> tuple[float, TosslError]:
    begun = time.monotonic()
    with pytest.raises(TosslError) as raised:
        client = HttpClient(ConnectionOptions(proxy=proxy))
        client.exchange(Context(limit).begin(), HttpRequest("GET", url, {}, b""))
    return time.monotonic() - begun, raised.value


def test_the_call_s_limit_is_named_where_it_ended_the_wait(wait: tuple[str, str]) -> None:
    took, error = seconds_and_error(*wait, CALL_SECONDS)
    assert error.errorcode == ("TOSSL", "TIMEOUT", "answer")
    assert f"within {CALL_SECONDS} s" in error.message
    assert took > CALL_SECONDS - 0.1


@pytest.mark.parametrize("wait", CONNECTING.values(), ids=CONNECTING, indirect=True)
def test_the_limit_of_connecting_is_named_where_it_ended_the_wait(wait: tuple[str, str]) -> None:
    took, error = seconds_and_error(*wait, 30.0)
    assert error.errorcode == ("TOSSL", "HTTP", "connect")
    assert f"within {CONNECT_SECONDS} s" in error.message
    assert took > CONNECT_SECONDS - 0.1
