"""Connecting: one deadline for the name and all of its addresses, and a cancel that is heard at every moment of it."""

from __future__ import annotations

import errno
import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.servers.process import free_port
from tests.servers.web import LookAlike, Reply, Request
from tossl_acme.context import Context
from tossl_acme.errors import Cancelled, HttpError, TosslError, WaitTimeout
from tossl_acme.http import connect as connecting
from tossl_acme.http import sockets
from tossl_acme.http.client import HttpClient, HttpRequest
from tossl_acme.http.options import ConnectionOptions

NAME = "ca.example"
#: More seconds than what is waited for may take, and fewer than it took when one address after another had its time.
PATIENCE = 10
Names = Callable[..., None]


class Greeter(LookAlike):
    """Says hello."""

    def answer(self, request: Request) -> Reply:
        return Reply(200, b"hello")


@pytest.fixture
def greeter(certificates: Any) -> Iterator[Greeter]:
    with Greeter(certificates) as server:
        yield server


@pytest.fixture
def full() -> Iterator[int]:
    """The port of a server whose queue is full: the kernel neither takes nor refuses a connection."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    queue = [socket.socket() for _ in range(3)]
    for waiting in queue:
        waiting.setblocking(False)
        assert waiting.connect_ex(listener.getsockname()) in (0, errno.EINPROGRESS)
    yield int(listener.getsockname()[1])
    for used in (*queue, listener):
        used.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Has NAME resolve to these ports of loopback, whatever port is asked for."""
    real = socket.getaddrinfo

    def resolve_to(*ports: int) -> None:
        def resolve(host: bytes, *rest: Any, **options: Any) -> list[Any]:
            if host != NAME.encode():
                return real(host, *rest, **options)
            kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
            return [(*kind, ("127.0.0.1", port)) for port in ports]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)

    return resolve_to


@pytest.fixture
def mute_dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Is set once a name is asked for; no answer comes."""
    asked, ended = threading.Event(), threading.Event()

    def resolve(*_: Any, **__: Any) -> list[Any]:
        asked.set()
        ended.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield asked
    ended.set()


def cancelled(context: Context, url: str, options: ConnectionOptions, begun: threading.Event) -> object:
    """What an exchange ends with that is cancelled once `begun` is set."""

    def cancel() -> None:
        assert begun.wait(PATIENCE)
        context.cancel()

    return outcome(context, url, options, cancel)


def outcome(
    context: Context, url: str, options: ConnectionOptions | None = None, after: Callable[[], None] | None = None
) -> object:
    """What an exchange, begun in a thread before `after`, returns or raises; None when it goes on and on."""
    results: list[object] = []

    def exchange() -> None:
        try:
            results.append(HttpClient(options).exchange(context, HttpRequest("GET", url)).body)
        except TosslError as error:
            results.append(error)

    thread = threading.Thread(target=exchange, daemon=True)
    thread.start()
    if after:
        after()
    thread.join(PATIENCE)
    return results[0] if results else None


URLS = [f"http://{NAME}/", f"https://{NAME}/"]
ROUTES = [ConnectionOptions(), ConnectionOptions(proxy=f"http://{NAME}:8080")]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("options", ROUTES, ids=["direct", "proxy"])
def test_all_addresses_share_the_time(names: Names, full: int, url: str, options: ConnectionOptions) -> None:
    """Of the context: forty addresses have a second together."""
    names(*[full] * 40)
    assert isinstance(outcome(Context(1).begin(), url, options), WaitTimeout)


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("options", ROUTES, ids=["direct", "proxy"])
def test_all_addresses_share_the_time_to_connect(
    names: Names, full: int, url: str, options: ConnectionOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the context has more of it."""
    monkeypatch.setattr(sockets, "CONNECT_SECONDS", 0.5)
    names(*[full] * 40)
    error = outcome(Context(60).begin(), url, options)
    assert isinstance(error, HttpError)
    assert error.kind == "connect"


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("options", ROUTES, ids=["direct", "proxy"])
def test_connecting_is_cancelled(
    names: Names, full: int, url: str, options: ConnectionOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the midst of it."""
    names(full)
    begun = threading.Event()
    real = connecting.socket_beyond_standard

    def opened(sock: socket.socket) -> socket.socket:
        begun.set()
        return real(sock)

    monkeypatch.setattr(connecting, "socket_beyond_standard", opened)
    assert isinstance(cancelled(Context(60).begin(), url, options, begun), Cancelled)


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("options", ROUTES, ids=["direct", "proxy"])
def test_resolving_is_cancelled(mute_dns: threading.Event, url: str, options: ConnectionOptions) -> None:
    """While a DNS server is silent."""
    assert isinstance(cancelled(Context(60).begin(), url, options, mute_dns), Cancelled)


@pytest.mark.parametrize("options", ROUTES, ids=["direct", "proxy"])
def test_resolving_ends_with_the_time_given(
    mute_dns: threading.Event, options: ConnectionOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The context's, or what connecting may take."""
    assert isinstance(outcome(Context(0.3).begin(), URLS[1], options), WaitTimeout)
    monkeypatch.setattr(sockets, "CONNECT_SECONDS", 0.3)
    error = outcome(Context(60).begin(), URLS[1], options)
    assert isinstance(error, HttpError)
    assert error.kind == "connect"


def test_an_address_is_tried_beside_those_before_it(
    names: Names, greeter: Greeter, full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that refuses or is silent does not hide the next (RFC 8305), nor does it take its time."""
    monkeypatch.setattr(connecting, "AHEAD_SECONDS", 0.01)
    names(free_port(), *[full] * 30, int(greeter.origin.rpartition(":")[2]))
    assert outcome(Context(60).begin(), URLS[0]) == b"hello"


def test_an_address_without_a_route_hides_no_other_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """As IPv6 where that is missing, which comes last then."""
    v4 = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", free_port()))
    no_route = (socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("2001:db8::1", 443, 0, 0))
    real = connecting.socket_beyond_standard

    def opened(sock: socket.socket) -> socket.socket:
        if sock.family == socket.AF_INET6:
            sock.close()
            raise OSError(errno.EHOSTUNREACH, "No route to host")
        return real(sock)

    monkeypatch.setattr(connecting, "socket_beyond_standard", opened)
    for addresses in ([v4, no_route], [no_route, v4]):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, found=addresses, **__: found)
        with pytest.raises(ConnectionRefusedError):
            connecting.connected(Context(60).begin(), NAME, 443, 30)


def test_an_address_has_the_descriptor_of_one_before_it_where_none_is_left(
    names: Names, greeter: Greeter, full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "AHEAD_SECONDS", 0.01)
    used: list[socket.socket] = []
    real = connecting.socket_beyond_standard

    def opened(sock: socket.socket) -> socket.socket:
        if any(each.fileno() >= 0 for each in used):
            sock.close()
            raise OSError(errno.EMFILE, "Too many open files")
        used.append(real(sock))
        return used[-1]

    monkeypatch.setattr(connecting, "socket_beyond_standard", opened)
    names(full, full, int(greeter.origin.rpartition(":")[2]))
    assert outcome(Context(60).begin(), URLS[0]) == b"hello"


def test_families_take_turns(full: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    real = connecting.socket_beyond_standard

    def opened(sock: socket.socket) -> socket.socket:
        tried.append(sock.family)
        return real(sock)

    v6 = (socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::1", free_port(), 0, 0))
    v4 = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", free_port()))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [v6, v6, v6, v4])
    monkeypatch.setattr(connecting, "socket_beyond_standard", opened)
    with pytest.raises(OSError):
        connecting.connected(Context(60).begin(), NAME, 443, 30)
    assert tried == [socket.AF_INET6, socket.AF_INET, socket.AF_INET6, socket.AF_INET6]


@pytest.mark.parametrize("options", ROUTES, ids=["direct", "proxy"])
def test_a_name_without_an_address_is_the_dns_fault(
    options: ConnectionOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an address where nobody is, that of the connection."""

    def resolve(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    error = outcome(Context(60).begin(), URLS[1], options)
    assert isinstance(error, HttpError)
    assert (error.kind, "Name or service not known" in error.message) == ("dns", True)


@pytest.mark.parametrize("options", ROUTES, ids=["direct", "proxy"])
def test_an_address_where_nobody_is_refuses(names: Names, options: ConnectionOptions) -> None:
    """The error is that of the last address."""
    names(free_port(), free_port())
    error = outcome(Context(60).begin(), URLS[1], options)
    assert isinstance(error, HttpError)
    assert (error.kind, "Connection refused" in error.message) == ("connect", True)


def test_a_refusal_is_heard_without_poll(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, which tells it as the third of select()."""
    real = select.select

    def has_peer(sock: socket.socket) -> bool:
        try:
            return bool(sock.getpeername())
        except OSError:
            return False

    def told(_: Any, writable: list[socket.socket], odd: list[socket.socket], seconds: float) -> tuple[Any, Any, Any]:
        ended = real([], writable, [], seconds)[1]
        return [], [sock for sock in ended if has_peer(sock)], [s for s in odd if s in ended and not has_peer(s)]

    monkeypatch.delattr(select, "poll")
    monkeypatch.setattr(select, "select", told)
    names(free_port())
    with pytest.raises(ConnectionRefusedError):
        connecting.connected(Context(60).begin(), NAME, 443, 2)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_needs_no_thread(greeter: Greeter, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked for its address."""
    url = greeter.origin.replace("127.0.0.1", host)
    monkeypatch.setattr(Context, "run", None)
    assert HttpClient().exchange(Context(60).begin(), HttpRequest("GET", url)).body == b"hello"


def test_an_address_of_the_other_family_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """In brackets in a URL, without them on the way."""
    monkeypatch.setattr(Context, "run", None)
    with pytest.raises(HttpError) as failure:
        HttpClient().exchange(Context(60).begin(), HttpRequest("GET", f"http://[::1]:{free_port()}/"))
    assert failure.value.kind == "connect"
