"""A connection that is opened before the first request of a process."""

from __future__ import annotations

import _socket
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.servers.certs import Certificates
from tests.stores import put
from tests.tclhost import Failure, Tcl
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError, Cancelled, HttpError
from tossl_acme.http import clients, dial
from tossl_acme.http.ahead import open_ahead
from tossl_acme.http.client import HttpRequest
from tossl_acme.http.clients import http_client
from tossl_acme.http.dial import connect_ahead, plain_peer
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.http.trust import Trust
from tossl_acme.http.urls import split_url

TREE = Path(__file__).parents[2]


class Counting:
    """A TLS server that counts connections and requests. ends: closes connections before the first request.

    left: for each connection whose client has closed it before TLS.
    """

    def __init__(self, certificates: Certificates) -> None:
        self.accepted = threading.Semaphore(0)
        self.left = threading.Semaphore(0)
        self.connections = 0
        self.requests: list[bytes] = []
        self.ends = 0
        self.may_greet = threading.Event()
        self.may_greet.set()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates.cert, certificates.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}/nonce"
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self.may_greet.set()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _address = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=(accepted,), daemon=True).start()

    def _talk(self, plain: socket.socket) -> None:
        self.may_greet.wait(20)
        try:
            secured = self._context.wrap_socket(plain, server_side=True)
        except OSError:
            self.left.release()
            return
        with suppress(OSError), secured as sock:
            self.accepted.release()
            if self.connections <= self.ends:
                return
            while piece := sock.recv(4096):
                self.requests.append(piece)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(autouse=True)
def _no_known_servers() -> None:
    dial.reset()


@pytest.fixture
def server(certificates: Certificates) -> Iterator[Counting]:
    clients.reset()
    server = Counting(certificates)
    yield server
    server.stop()
    clients.reset()


@pytest.fixture
def options(certificates: Certificates) -> ConnectionOptions:
    return ConnectionOptions(ca_bundle=str(certificates.ca_bundle))


def test_the_first_request_takes_the_connection_that_was_opened(
    server: Counting, options: ConnectionOptions, context: Context
) -> None:
    """Nothing is sent over it before; the server's tickets do not count as its end."""
    open_ahead(context, server.url, options)
    assert server.accepted.acquire(timeout=20)
    assert server.requests == []
    for _ in range(2):
        assert http_client(options).exchange(context, HttpRequest("HEAD", server.url)).status == 200
    open_ahead(context, server.url, options)  # it has been used
    assert http_client(options).exchange(context, HttpRequest("HEAD", server.url)).status == 200
    assert (server.connections, len(server.requests)) == (1, 3)


def test_a_connection_that_was_begun_before_goes_on(
    server: Counting, options: ConnectionOptions, context: Context
) -> None:
    """TLS shakes hands over it; what is known by now is not connected to again."""
    assert open_ahead(context, server.url, options, 1, connect_ahead(context, server.url, "", 1))
    assert http_client(options).exchange(context, HttpRequest("HEAD", server.url)).status == 200
    assert connect_ahead(context, server.url, "", 1) == []
    assert (server.connections, len(server.requests)) == (1, 1)


def test_a_connection_that_cannot_be_gone_on_with_is_closed(
    server: Counting, certificates: Certificates, context: Context
) -> None:
    (begun,) = connect_ahead(context, server.url, "")
    assert not open_ahead(context, server.url, ConnectionOptions(proxy="http://127.0.0.1:1"), 1, [begun])
    assert server.left.acquire(timeout=20)
    assert begun.take(context) is None


def test_a_connection_whose_roots_are_unreadable_by_then_is_closed(
    server: Counting, options: ConnectionOptions, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is closed at once: perhaps no request follows that would."""
    read = Trust.context

    def fail_in_a_thread(trust: Trust) -> ssl.SSLContext:
        if threading.current_thread() is threading.main_thread():
            return read(trust)
        raise ArgumentError("ca_bundle", "no roots any more")

    monkeypatch.setattr(Trust, "context", fail_in_a_thread)
    assert open_ahead(context, server.url, options, 1, connect_ahead(context, server.url, ""))
    assert server.left.acquire(timeout=20)


def test_several_connections_are_opened_at_once(server: Counting, options: ConnectionOptions, context: Context) -> None:
    server.may_greet.clear()
    open_ahead(context, server.url, options, 3)
    asked = [
        threading.Thread(target=http_client(options).exchange, args=(context, HttpRequest("HEAD", server.url)))
        for _ in range(3)
    ]
    for thread in asked:
        thread.start()
    server.may_greet.set()
    for thread in asked:
        thread.join()
    assert (server.connections, len(server.requests)) == (3, 3)


def test_nothing_is_opened_ahead_of_a_proxy(
    server: Counting, certificates: Certificates, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server.url)
    bundle = str(certificates.ca_bundle)
    assert not open_ahead(context, "https://ca.example/dir", ConnectionOptions(bundle))
    assert not open_ahead(context, server.url, ConnectionOptions(bundle, "http://127.0.0.1:1"))
    assert not open_ahead(context, "http://127.0.0.1:1/dir", ConnectionOptions(bundle))
    assert connect_ahead(context, "https://ca.example/dir", "") == []
    monkeypatch.delenv("https_proxy")
    assert connect_ahead(context, server.url, "http://127.0.0.1:1") == []
    assert connect_ahead(context, "http://127.0.0.1:1/dir", "") == []
    assert server.connections == 0


def test_opening_ahead_loads_no_slow_library() -> None:
    """They load while the connection is on its way."""
    slow = {"requests", "urllib3", "certifi", "ssl", "dataclasses", "typing"}
    slower_than_a_call = {"re", "enum", "socket", "threading", "urllib.parse", "contextlib", "collections", "functools"}
    code = f"""
import sys, tossl_acme.acme.public_cas, tossl_acme.http.dial
print(sorted({slower_than_a_call} & set(sys.modules)))
import tossl_acme.http.ahead
print(sorted({slow} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=TREE)
    assert (done.stdout, done.stderr) == ("[]\n[]\n", "")


@pytest.mark.parametrize(
    "url",
    ["https://ca.example/dir", "https://CA.example", "https://ca-1.example:14000/dir?a#c", "https://127.0.0.1:0443/"],
)
def test_the_server_that_is_connected_to_ahead_is_the_one_that_is_asked(url: str) -> None:
    parts = split_url(url, ("https",))
    assert plain_peer(url) == (parts.hostname, parts.port or 443)


#: What else stands between https:// and the path, or is a URL of another kind, or two.
_ODD = (
    "", ":443/", "ca.example:0/", "ca.example:65536/", "ca.example:1234567/", "me@ca.example/", "[::1]/", "example./",
    "ca.exa%6Dple/", "ca.example?x", "ca\\a/", "ca.example /dir", "ca.example/a b", "bücher.example/",
    "ca.example:\u0663/", f"{'x' * 254}/", "ca.example/ https://b.example", "ca.example:+1/", "ca_1.example/",
)  # fmt: skip


@pytest.mark.parametrize("url", [f"https://{odd}" for odd in _ODD] + ["http://ca.example/", "ca.example", "zerossl"])
def test_no_other_url_is_connected_to_ahead(url: str, context: Context) -> None:
    assert plain_peer(url) is None
    assert connect_ahead(context, url, "") == []


def resolving(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Gives every name an address with each of these ports."""
    found = [(_socket.AF_INET, _socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(_socket, "getaddrinfo", lambda *_: found)


def test_a_name_is_connected_to_in_a_thread(
    server: Counting, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, int(server.url.rpartition(":")[2].partition("/")[0]))
    (begun,) = connect_ahead(context, "https://ca.example/dir", "")
    sock = begun.take(context)
    assert sock is not None
    with sock:
        assert f":{sock.getpeername()[1]}/" in server.url


@pytest.mark.parametrize("ports", [(), (1,)], ids=["no address", "nobody listens"])
def test_a_connection_that_fails_is_left_to_the_request(
    context: Context, monkeypatch: pytest.MonkeyPatch, ports: tuple[int, ...]
) -> None:
    resolving(monkeypatch, *ports)
    (begun,) = connect_ahead(context, "https://ca.example/dir", "")
    assert begun.take(context) is None
    assert begun.take(context) is None


def test_cancelling_ends_the_wait_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, ended = threading.Event(), threading.Event()

    def resolve(*_: object) -> list[object]:
        asked.set()
        ended.wait(60)
        return []

    monkeypatch.setattr(_socket, "getaddrinfo", resolve)
    running = Context(600).begin()
    (begun,) = connect_ahead(running, "https://ca.example/dir", "")
    assert asked.wait(60)
    threading.Timer(0.1, running.cancel).start()
    with pytest.raises(Cancelled):
        begun.take(running)
    ended.set()


#: Ends at the first attempt to connect; prints which of the modules that issue have loaded by then.
_RENEWAL = """
import os, sys
slow = {"cryptography", "tossl_acme.certificates.obtain"}

def watch(event, arguments):
    if event == "socket.connect":
        print(arguments[1], sorted(slow & set(sys.modules)), flush=True)
        os._exit(0)

sys.addaudithook(watch)
from tossl_acme.certificates.renew import renew
from tossl_acme.context import Context
from tossl_acme.files import FilePath
from tossl_acme.store.folder import FolderStore
renew(Context(20), FolderStore(FilePath(sys.argv[1])), "example.com", force=True)
"""


def test_a_renewal_connects_before_what_issues_loads(tmp_path: Path) -> None:
    asked = {"directory": "https://127.0.0.1:9/dir", "connection": {}}
    put(tmp_path, "example.com", -80, 10, directory=asked["directory"], issuance=asked)
    done = subprocess.run([sys.executable, "-c", _RENEWAL, tmp_path], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("('127.0.0.1', 9) []\n", "")


#: Calls obtain_certificate; prints what store/ and certificates/ have loaded at the first attempt to connect.
_OBTAINING = """
import os, sys

def watch(event, arguments):
    if event == "socket.connect":
        loaded = [name for name in sys.modules if name.startswith(("tossl_acme.store.", "tossl_acme.certificates"))]
        print(arguments[1], sorted(loaded), flush=True)
        os._exit(0)

sys.addaudithook(watch)
import tkinter
import tossl_acme
tcl = tkinter.Tcl()
tossl_acme.register(tcl)
words = "-directory", "https://127.0.0.1:9/dir", "-http01_response", "1", "-timeout", "20", *sys.argv[1:]
print(tcl.call("tossl::acme::obtain_certificate", "example.com", *words))
"""


@pytest.mark.parametrize("way", ["new", "forced", "default store", "no store"])
def test_whoever_must_ask_connects_before_it_looks_into_the_store(tmp_path: Path, way: str) -> None:
    words = ["-store", "" if way == "no store" else str(tmp_path)] if way != "default store" else []
    if way == "forced":
        put(tmp_path, "example.com", -80, 10)
        words += ["-force", "1"]
    environment = {**os.environ, "TOSSL_STORE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", _OBTAINING, *words], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr) == ("('127.0.0.1', 9) ['tossl_acme.store.options']\n", "")


def test_what_follows_an_order_is_not_loaded_before_it() -> None:
    """It loads while the CA places the order."""
    later = {"certificates.finish", "certificates.solve", "acme.authorization", "acme.renewal", "pki.chain"}
    names = {f"tossl_acme.{name}" for name in later}
    code = f"""
import sys, tossl_acme.certificates.obtain
print({names}.isdisjoint(sys.modules))
import tossl_acme.acme.renewal, tossl_acme.certificates.finish
print({names}.issubset(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=TREE)
    assert (done.stdout, done.stderr) == ("True\nTrue\n", "")


def test_a_store_that_cannot_be_used_closes_the_connection(tcl: Tcl, server: Counting, tmp_path: Path) -> None:
    (tmp_path / "format").write_text("99\n")
    words = {"directory": server.url, "store": tmp_path, "http01_response": 1}
    failed = tcl.try_acme("obtain_certificate", "example.com", **words)
    assert isinstance(failed, Failure)
    assert failed.code == ("TOSSL", "VALUE", "store")
    assert server.left.acquire(timeout=20)


def test_the_request_waits_for_a_connection_under_way(
    server: Counting, options: ConnectionOptions, context: Context
) -> None:
    server.may_greet.clear()
    open_ahead(context, server.url, options)
    threading.Timer(0.1, server.may_greet.set).start()
    assert http_client(options).exchange(context, HttpRequest("HEAD", server.url)).status == 200
    assert server.connections == 1


def test_a_connection_that_the_server_has_closed_is_replaced(
    server: Counting, options: ConnectionOptions, context: Context
) -> None:
    server.ends = 1
    open_ahead(context, server.url, options)
    assert server.accepted.acquire(timeout=20)
    assert http_client(options).exchange(context, HttpRequest("HEAD", server.url)).status == 200
    assert server.connections == 2


def test_cancelling_ends_the_wait_for_it(server: Counting, options: ConnectionOptions) -> None:
    server.may_greet.clear()
    running = Context(600).begin()
    open_ahead(running, server.url, options)
    threading.Timer(0.1, running.cancel).start()
    with pytest.raises(Cancelled):
        http_client(options).exchange(running, HttpRequest("HEAD", server.url))


@pytest.mark.parametrize("trusted", [True, False], ids=["no server", "no trust"])
def test_what_fails_is_left_to_the_request(
    server: Counting, options: ConnectionOptions, context: Context, *, trusted: bool
) -> None:
    """The errors are those that the request alone would have."""
    url, way = (server.url, ConnectionOptions()) if not trusted else ("https://127.0.0.1:1/x", options)
    open_ahead(context, url, way)
    with pytest.raises(HttpError, match=r"127\.0\.0\.1") as caught:
        http_client(way).exchange(context, HttpRequest("HEAD", url))
    assert caught.value.kind == ("connect" if trusted else "tls")
    assert server.requests == []
