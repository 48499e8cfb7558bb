"""Connections that were kept: forgotten on the way, closed unannounced, silent; and handshakes that break."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.servers.certs import Certificates
from tossl_acme.context import Context
from tossl_acme.errors import HttpError, WaitTimeout
from tossl_acme.http import failures, sockets
from tossl_acme.http.client import HttpClient, HttpRequest
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.http.response import Response

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#: What one connection does with its requests, in turn.
Script = Callable[[socket.socket], None]


class Scripted:
    """A server whose connections each do what their script says; it keeps the requests' methods."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.methods: list[str] = []
        self.connections = 0
        self.ended = threading.Event()

    def run(self, *scripts: Script) -> None:
        threading.Thread(target=self._accept, args=(scripts,), daemon=True).start()

    def _accept(self, scripts: tuple[Script, ...]) -> None:
        with contextlib.suppress(OSError):  # closed: not every script had its connection
            for script in scripts:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection, script), daemon=True).start()

    def close(self) -> None:
        self.ended.set()
        with contextlib.suppress(OSError):  # closed already
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self.listener.close()

    def _serve(self, connection: socket.socket, script: Script) -> None:
        with connection, contextlib.suppress(OSError):
            script(connection)

    def request(self, connection: socket.socket) -> bool:
        """Reads one request; False when the client closed."""
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                return False
            head += piece
        self.methods.append(head.split(b" ", 1)[0].decode())
        return True

    def answers(self, connection: socket.socket) -> None:
        """Answers every request."""
        while self.request(connection):
            connection.sendall(ANSWER)

    def answers_once_then_silence(self, connection: socket.socket) -> None:
        """As behind a NAT that forgot the connection: what is sent arrives nowhere."""
        self.request(connection)
        connection.sendall(ANSWER)
        self.request(connection)
        self.ended.wait(30)

    def answers_once_then_closes_on_the_next(self, connection: socket.socket) -> None:
        """Without a word of it in the answer, and later than a client could see it."""
        self.request(connection)
        connection.sendall(ANSWER)
        self.request(connection)

    def is_silent(self, connection: socket.socket) -> None:
        self.request(connection)
        self.ended.wait(30)


@pytest.fixture
def server() -> Iterator[Scripted]:
    made = Scripted()
    yield made
    made.close()


def ask(http: HttpClient, url: str, method: str = "GET", silence: float = 20.0) -> Response:
    data = b"{}" if method == "POST" else None
    return http.exchange(Context(20).begin(), HttpRequest(method, url, data=data, silence=silence))


def test_a_connection_is_used_again(server: Scripted) -> None:
    """While it is fresh."""
    server.run(server.answers)
    http = HttpClient()
    assert [ask(http, server.url).status for _ in range(3)] == [200] * 3
    assert server.connections == 1


def test_an_idle_connection_is_not_used_again(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows whether the way still leads anywhere."""
    server.run(server.answers_once_then_silence, server.answers)
    http = HttpClient()
    ask(http, server.url)
    monkeypatch.setattr(sockets, "IDLE_SECONDS", 0.0)
    assert ask(http, server.url).body == b"ok"
    assert server.connections == 2


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_forgotten_connection_costs_its_own_bound(
    server: Scripted, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the whole time of the caller; the request goes out once more, on a new connection."""
    monkeypatch.setattr(sockets, "REUSED_SECONDS", 0.1)
    server.run(server.answers_once_then_silence, server.answers)
    http = HttpClient()
    ask(http, server.url)
    assert ask(http, server.url, method).status == 200
    assert server.connections == 2


def test_a_post_is_not_sent_twice_here(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its caller knows whether it may be; the next one meets a new connection."""
    monkeypatch.setattr(sockets, "REUSED_SECONDS", 0.1)
    server.run(server.answers_once_then_silence, server.answers)
    http = HttpClient()
    ask(http, server.url)
    with pytest.raises(HttpError) as raised:
        ask(http, server.url, "POST")
    assert (raised.value.kind, server.methods) == ("reset", ["GET", "POST"])
    assert ask(http, server.url, "POST").status == 200
    assert server.connections == 2


def test_all_connections_are_left_with_the_first_that_was_lost(server: Scripted) -> None:
    """Eight of them would be tried one after another."""
    both = threading.Barrier(2)

    def meets(connection: socket.socket) -> None:
        server.request(connection)
        both.wait(10)
        connection.sendall(ANSWER)
        server.request(connection)

    server.run(meets, meets, server.answers)
    http = HttpClient()
    threads = [threading.Thread(target=ask, args=(http, server.url)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(HttpError):
        ask(http, server.url, "POST")
    assert ask(http, server.url, "POST").status == 200
    assert (server.connections, server.methods) == (3, ["GET", "GET", "POST", "POST"])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_server_may_close_after_every_answer(server: Scripted, method: str) -> None:
    """Unannounced: a repeat goes out on a fresh connection, once."""
    server.run(*[server.answers_once_then_closes_on_the_next] * 3, server.answers)
    http = HttpClient()
    assert [ask(http, server.url, method).status for _ in range(3)] == [200] * 3
    assert server.connections == 3


def test_a_connection_that_breaks_when_it_is_new_is_a_failure(server: Scripted) -> None:
    """There is no reason to think that the next one would do better."""
    server.run(lambda connection: server.request(connection) and None, server.answers)
    with pytest.raises(HttpError) as raised:
        ask(HttpClient(), server.url)
    assert (raised.value.kind, server.connections) == ("reset", 1)


def test_silence_on_a_new_connection_is_bounded_too(server: Scripted) -> None:
    """By the request's own bound."""
    server.run(server.is_silent)
    with pytest.raises(HttpError, match="sent nothing for") as raised:
        ask(HttpClient(), server.url, silence=0.1)
    assert raised.value.kind == "reset"


def test_a_slow_answer_is_no_silence(server: Scripted) -> None:
    """A byte now and then is enough, whatever it takes in all."""

    def drip(connection: socket.socket) -> None:
        server.request(connection)
        for byte in ANSWER:
            connection.sendall(bytes([byte]))
            server.ended.wait(0.03)

    server.run(drip)
    assert ask(HttpClient(), server.url, silence=1.0).body == b"ok"


def test_a_handshake_that_is_cut_off_is_a_lost_connection(server: Scripted, certificates: Certificates) -> None:
    """Not a fault of TLS: a server that starts, or a balancer without one, does so."""
    server.run(lambda connection: connection.recv(65536) and None)
    http = HttpClient(ConnectionOptions(ca_bundle=str(certificates.ca_bundle)))
    with pytest.raises(HttpError) as raised:
        ask(http, server.url.replace("http:", "https:"))
    assert raised.value.kind == "reset"


def test_what_is_no_tls_is_a_fault_of_it(server: Scripted) -> None:
    """And trying again would not help."""
    server.run(lambda connection: connection.sendall(ANSWER))
    with pytest.raises(HttpError) as raised:
        ask(HttpClient(), server.url.replace("http:", "https:"))
    assert raised.value.kind == "tls"


def test_a_silent_handshake_is_no_connection(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which may be tried again, while the caller has time."""
    for module in (sockets, failures):
        monkeypatch.setattr(module, "CONNECT_SECONDS", 0.1)
    server.run(lambda connection: server.ended.wait(30) and None)
    with pytest.raises(HttpError, match=r"no connection to .* within 0.1 s") as raised:
        ask(HttpClient(), server.url.replace("http:", "https:"))
    assert raised.value.kind == "connect"


@pytest.mark.parametrize("error", [ValueError, OSError, WaitTimeout("lock", "the database is silent")], ids=repr)
def test_what_fails_meanwhile_is_not_the_peers_error(
    server: Scripted, context: Context, error: type[Exception] | Exception
) -> None:
    """Neither is the request sent again, nor is the peer named."""

    def fail() -> None:
        raise error

    server.run(server.answers)
    client = HttpClient()
    client.exchange(context, HttpRequest("GET", server.url))
    with pytest.raises(error if isinstance(error, type) else type(error)) as caught, context.meanwhile(fail):
        assert client.exchange(context, HttpRequest("GET", server.url)).status == 200
    assert server.url not in str(caught.value)
    assert server.methods == ["GET", "GET"]
