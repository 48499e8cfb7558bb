"""http-01: files below a web server's folder, and the own responder, also under attack."""

from __future__ import annotations

import contextlib
import errno
import functools
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.servers.process import free_port
from tests.servers.web import LookAlike, Reply, Request
from tossl_acme.acme.authorization import Challenge
from tossl_acme.acme.jws import AccountKey
from tossl_acme.challenges import listener
from tossl_acme.challenges.http01 import HttpServerSolver
from tossl_acme.challenges.http_server import HttpResponder
from tossl_acme.challenges.responders import ResponderPool
from tossl_acme.challenges.seen import AskedAt, see_by_http
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError
from tossl_acme.identifiers import Identifier
from tossl_acme.pki.keys import generate_private_key, private_pem

PREFIX = "/.well-known/acme-challenge/"
ONE = Challenge("http-01", Identifier("dns", "one.example.com"), "token-one", "token-one.thumbprint")
TWO = Challenge("http-01", Identifier("dns", "two.example.com"), "token_two", "token_two.thumbprint")


@pytest.fixture
def responder() -> Iterator[HttpResponder]:
    server = HttpResponder(0)
    yield server
    server.close()


def get(port: int, path: str, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()
    finally:
        connection.close()


def raw(port: int, *pieces: bytes) -> bytes:
    """What comes back when the pieces are sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        for piece in pieces:
            sock.sendall(piece)
        answer = b""
        while piece := sock.recv(4096):
            answer += piece
        return answer


# Tokens


@pytest.mark.parametrize(
    "token", ["", ".", "..", "../x", "a/b", "a\\b", "a.b", "a\0b", "a b", "a=", "\u00e9", "a\n", "x" * 256]
)
def test_tokens_that_are_not(token: str) -> None:
    key = AccountKey.from_pem(private_pem(generate_private_key("ec")))
    with pytest.raises(ArgumentError) as caught:
        Challenge.from_words("http-01", "example.com", token, key)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "token")
    if token:
        with pytest.raises(ArgumentError):
            Challenge("http-01", Identifier("dns", "example.com"), token, f"{token}.x")


def test_a_challenge_hides_its_values() -> None:
    assert "thumbprint" not in repr(ONE)
    assert ONE.token not in repr(ONE)


# HttpResponder


def test_it_answers_for_its_tokens(responder: HttpResponder) -> None:
    for challenge in (ONE, TWO):
        responder.show(challenge.token, challenge.key_authorization)
    for challenge in (ONE, TWO):
        expected = (200, "application/octet-stream", challenge.key_authorization.encode())
        assert get(responder.port, PREFIX + challenge.token) == expected
    assert get(responder.port, f"{PREFIX}{ONE.token}?x=y")[0] == 200
    assert get(responder.port, f"http://one.example.com{PREFIX}{ONE.token}")[0] == 200
    assert get(responder.port, PREFIX + ONE.token, "HEAD") == (200, "application/octet-stream", b"")


def test_it_answers_over_ipv6(responder: HttpResponder) -> None:
    responder.show(ONE.token, ONE.key_authorization)
    assert get(responder.port, PREFIX + ONE.token, host="::1")[2] == ONE.key_authorization.encode()


@pytest.mark.parametrize("path", ["/", PREFIX, PREFIX + "other", f"{PREFIX}x/../token-one", f"/x{PREFIX}token-one"])
def test_it_answers_for_nothing_else(responder: HttpResponder, path: str) -> None:
    responder.show(ONE.token, ONE.key_authorization)
    assert get(responder.port, path)[0] == 404


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"405"),
        (b"GET /x\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"GET http:/x HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /x HTTP/2\r\n\r\n", b"400"),
        (b"GET /x HTTP/1.0\r\n\r\n", b"404"),
        (b"GET /" + b"x" * 9000, b"431"),
    ],
)
def test_odd_requests(responder: HttpResponder, request_: bytes, status: bytes) -> None:
    assert raw(responder.port, request_).split(b" ")[1] == status


def test_a_request_in_pieces(responder: HttpResponder) -> None:
    responder.show(ONE.token, ONE.key_authorization)
    request = f"GET {PREFIX}{ONE.token} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    pieces = [request[at : at + 1] for at in range(len(request))]
    assert raw(responder.port, *pieces).endswith(b"\r\n\r\n" + ONE.key_authorization.encode())


def test_slow_clients_do_not_hold_it(responder: HttpResponder, capfd: pytest.CaptureFixture[str]) -> None:
    responder.show(ONE.token, ONE.key_authorization)
    slow = []
    try:
        for number in range(listener.MOST_CONNECTIONS + 50):
            sock = socket.create_connection(("127.0.0.1", responder.port), timeout=5)
            slow.append(sock)
            if number % 2:
                sock.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        before = time.monotonic()
        assert get(responder.port, PREFIX + ONE.token)[0] == 200
        assert time.monotonic() - before < 3
        # The first came before everyone that may stay.
        assert slow[0].recv(1) == b""
    finally:
        for sock in slow:
            sock.close()
    assert capfd.readouterr() == ("", "")


def test_a_connection_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "LIFETIME_SECONDS", 0.1)
    responder = HttpResponder(0)
    try:
        with socket.create_connection(("127.0.0.1", responder.port), timeout=5) as sock:
            sock.sendall(b"GET /")
            assert sock.recv(1) == b""
        with socket.create_connection(("127.0.0.1", responder.port), timeout=5) as sock:
            # Answered, but it never closes.
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while sock.recv(4096):
                pass
            deadline = time.monotonic() + 5
            with pytest.raises(OSError):
                while time.monotonic() < deadline:
                    sock.sendall(b"x")
    finally:
        responder.close()


def test_clients_that_reset(responder: HttpResponder) -> None:
    responder.show(ONE.token, ONE.key_authorization)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", responder.port)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert get(responder.port, PREFIX + ONE.token)[0] == 200


def test_closing_frees_the_port_and_all_else() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    port = free_port()
    for _ in range(5):
        responder = HttpResponder(port)
        with socket.create_connection(("127.0.0.1", port)):
            assert get(port, "/")[0] == 404
            responder.close()
    assert descriptors() <= before
    assert f"tossl-port-{port}" not in {thread.name for thread in threading.enumerate()}


def test_a_port_in_use(responder: HttpResponder) -> None:
    with pytest.raises(ArgumentError) as caught:
        HttpResponder(responder.port)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "port")
    assert caught.value.message.startswith(f"port {responder.port} is in use already: free it, or ")


def test_a_port_in_use_for_ipv4_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ArgumentError) as caught:
        HttpResponder(taken.getsockname()[1])
    assert "is in use" in caught.value.message


def test_a_port_that_is_not_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ArgumentError) as caught:
        HttpResponder(80)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "port")
    assert caught.value.message.startswith("port 80 is not permitted: Permission denied")


@pytest.mark.parametrize(
    "port",
    [
        -1, 65536, "127.0.0.1:65536", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "localhost:80", "::1:80", "[::1]",
        "[127.0.0.1]:80", "127.1:80", "256.0.0.1:80", "[::1]:80:80", "[fe80::1%lo/0]:80", "[]:80", "1.2.3.4:80 ",
        "", "x",
    ],
)  # fmt: skip
def test_what_is_no_port(port: int | str) -> None:
    solver = functools.partial(HttpServerSolver, ResponderPool())
    for make in (HttpResponder, solver):
        with pytest.raises(ArgumentError) as caught:
            make(port)  # type: ignore[operator]
        assert caught.value.errorcode == ("TOSSL", "VALUE", "port")
        assert f"{port} is not a port; use " in caught.value.message


def test_an_address_of_another_machine() -> None:
    with pytest.raises(ArgumentError) as caught:
        HttpResponder("192.0.2.1:0")
    assert caught.value.message == "port 192.0.2.1:0 cannot be used: Cannot assign requested address"


def test_beside_a_server_on_another_address(responders: ResponderPool, context: Context) -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        solver = HttpServerSolver(responders, f"127.0.0.1:{port}")
        solver.present(context, ONE)
        try:
            assert solver.describe(ONE) == {"port": port}
            assert get(port, f"/.well-known/acme-challenge/{ONE.token}") [::2] == (200, ONE.key_authorization.encode())
            with pytest.raises(ArgumentError, match="is in use already"):
                HttpServerSolver(responders, port).present(context, TWO)
        finally:
            solver.clean_up(context, ONE)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
@pytest.mark.parametrize(
    ("port", "answers"), [("[::1]:0", ["::1"]), ("[::]:0", ["127.0.0.1", "::1"]), ("0.0.0.0:0", ["127.0.0.1"])]
)
def test_at_which_addresses_it_answers(port: str, answers: list[str]) -> None:
    responder = HttpResponder(port)
    try:
        found = []
        for address in ("127.0.0.1", "::1"):
            with contextlib.suppress(OSError), socket.create_connection((address, responder.port), 10):
                found.append(address)
        assert found == answers
    finally:
        responder.close()


def test_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def only_ipv4(family: int = -1, *args: int, **options: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *args, **options)

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    monkeypatch.setattr(socket, "socket", only_ipv4)
    responder = HttpResponder(0)
    monkeypatch.undo()
    try:
        assert get(responder.port, "/")[0] == 404
    finally:
        responder.close()


# Sharing


def test_orders_share_a_port(responders: ResponderPool, context: Context) -> None:
    port = free_port()
    first, second = HttpServerSolver(responders, port), HttpServerSolver(responders, port)
    first.present(context, ONE)
    second.present(context, TWO)
    second.present(context, ONE)
    first.clean_up(context, ONE)
    first.clean_up(context, ONE)
    assert get(port, PREFIX + ONE.token)[0] == 200
    second.clean_up(context, ONE)
    assert get(port, PREFIX + ONE.token)[0] == 404
    assert get(port, PREFIX + TWO.token)[0] == 200
    second.clean_up(context, TWO)
    with pytest.raises(ConnectionRefusedError):
        get(port, "/")
    first.present(context, ONE)
    assert get(port, PREFIX + ONE.token)[0] == 200


def test_another_solver_cleans_up(responders: ResponderPool, context: Context) -> None:
    solver = HttpServerSolver(responders, 0)
    solver.present(context, ONE)
    assert solver.port != 0
    HttpServerSolver(responders, 0).clean_up(context, TWO)
    assert get(solver.port, PREFIX + ONE.token)[0] == 200
    HttpServerSolver(responders, 0).clean_up(context, ONE)
    with pytest.raises(ConnectionRefusedError):
        get(solver.port, "/")


def test_a_port_that_cannot_be_had(responders: ResponderPool, context: Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        solver = HttpServerSolver(responders, taken.getsockname()[1])
        with pytest.raises(ArgumentError):
            solver.present(context, ONE)
        solver.clean_up(context, ONE)
    solver.present(context, ONE)
    assert get(solver.port, PREFIX + ONE.token)[0] == 200


def test_jobs_side_by_side_on_one_port(responders: ResponderPool, context: Context) -> None:
    port = free_port()

    def job(number: int) -> None:
        challenge = Challenge("http-01", Identifier("dns", "example.com"), f"t{number}", f"t{number}.x")
        solver = HttpServerSolver(responders, port)
        for _ in range(20):
            solver.present(context, challenge)
            assert get(port, PREFIX + challenge.token)[2] == challenge.key_authorization.encode()
            solver.clean_up(context, challenge)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(job, range(8)))
    with pytest.raises(ConnectionRefusedError):
        get(port, "/")


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (Reply(200, b"token-one.thumbprint \t\r\n"), ""),
        (Reply(200, b"\ntoken-one.thumbprint"), "before the token's response"),
        (Reply(203, b"token-one.thumbprint"), "HTTP status 203"),
    ],
    ids=["at-the-end", "before-it", "status"],
)
def test_a_response_is_seen_as_cas_see_it(reply: Reply, trouble: str, context: Context) -> None:
    """RFC 8555 section 8.3: space at its end alone is ignored; Boulder and Pebble take the status 200 alone."""

    class Web(LookAlike):
        def answer(self, request: Request) -> Reply:
            return reply

    with Web() as web:
        at = AskedAt("127.0.0.1", lambda _host: "127.0.0.1", int(web.origin.rpartition(":")[2]))
        seen = see_by_http(context, ONE, at)
    assert seen.is_right == (not trouble)
    assert trouble in seen.trouble
