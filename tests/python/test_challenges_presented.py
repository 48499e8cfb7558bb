"""What this process shows now: presented once, removed once, left to the parent in a child process."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forked import in_child
from tests.servers.process import free_port
from tossl_acme.acme.authorization import Challenge
from tossl_acme.challenges import presented
from tossl_acme.challenges.http01 import HttpServerSolver, OwnServerSolver
from tossl_acme.challenges.responses import response_to, unasked_hint
from tossl_acme.challenges.tls_alpn01 import TlsAlpn01
from tossl_acme.context import Context
from tossl_acme.dns.published import PUBLISHED
from tossl_acme.errors import HttpError, ResourceError
from tossl_acme.identifiers import Identifier

ONE = Challenge("http-01", Identifier("dns", "one.example.com"), "token-one", "token-one.thumbprint")


@pytest.fixture(autouse=True)
def _nothing_presented() -> Iterator[None]:
    yield
    presented.reset()


class Failing:
    """A solver whose clean-up fails the first time."""

    challenge_type = "http-01"

    def __init__(self) -> None:
        self.errors = [HttpError("reset", "broke")]

    def present(self, context: Context, challenge: Challenge) -> None:
        pass

    wait = present

    def describe(self, challenge: Challenge) -> dict[str, object]:
        return {}

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        if self.errors:
            raise self.errors.pop()


def test_a_clean_up_that_failed_can_be_tried_again() -> None:
    presented.present(Failing(), ONE)
    with pytest.raises(HttpError):
        presented.clean_up(ONE)
    assert presented.clean_up(ONE)
    assert not presented.clean_up(ONE)


def test_what_cannot_be_shown_takes_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr("tossl_acme.challenges.tls_alpn01.challenge_certificate", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        TlsAlpn01(presented.RESPONDERS, port).present(Context(5).begin(), ONE)
    socket.create_server(("", port)).close()


@pytest.mark.parametrize(
    ("missing", "kind"),
    [("socket.socket", "descriptors"), ("socket.socketpair", "descriptors"), ("threading.Thread.start", "threads")],
)
def test_no_descriptor_or_no_thread_left(missing: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files") if "socket" in missing else RuntimeError("can't start new thread")

    port = free_port()
    monkeypatch.setattr(missing, refuse)
    with pytest.raises(ResourceError) as caught:
        HttpServerSolver(presented.RESPONDERS, port).present(Context(5).begin(), ONE)
    assert caught.value.errorcode == ("TOSSL", "RESOURCE", kind)
    assert f"port {port} cannot be used: " in caught.value.message
    monkeypatch.undo()
    socket.create_server(("", port)).close()


def test_no_temporary_file_can_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    port = free_port()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(ResourceError) as caught:
        TlsAlpn01(presented.RESPONDERS, port).present(Context(5).begin(), ONE)
    assert caught.value.errorcode == ("TOSSL", "RESOURCE", "files")
    socket.create_server(("", port)).close()


def test_a_child_leaves_the_port_to_its_parent() -> None:
    port = free_port()
    presented.present(HttpServerSolver(presented.RESPONDERS, port), ONE)
    done, release = os.pipe()
    again, began = os.pipe()

    def child() -> None:
        os.write(began, b"x")
        os.read(done, 1)
        # It has the port to itself now, and answers there.
        presented.present(HttpServerSolver(presented.RESPONDERS, port), ONE)
        request = b"GET /.well-known/acme-challenge/token-one HTTP/1.1\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(request)
            assert b"token-one.thumbprint" in sock.recv(4096)
        assert presented.clean_up(ONE)

    def parent() -> None:
        os.read(again, 1)
        presented.clean_up(ONE)
        socket.create_server(("", port)).close()
        os.write(release, b"x")

    ending = threading.Thread(target=parent)
    ending.start()
    assert in_child(child) == "None"
    ending.join()


def test_locks_that_other_threads_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held, release = threading.Event(), threading.Event()

    class Slow(Failing):
        def present(self, context: Context, challenge: Challenge) -> None:
            held.set()
            release.wait(10)

    def child() -> None:
        assert not presented.clean_up(ONE)
        PUBLISHED.reset()

    holding = threading.Thread(target=presented.present, args=(Slow(), ONE))
    holding.start()
    assert held.wait(5)
    try:
        assert in_child(child) == "None"
    finally:
        release.set()
        holding.join()


def test_a_child_has_no_response_of_its_parent() -> None:
    presented.present(OwnServerSolver(), ONE)

    def child() -> None:
        assert not response_to(ONE.token)
        presented.present(OwnServerSolver(), ONE)
        assert response_to(ONE.token) == ONE.key_authorization

    assert in_child(child) == "None"
    assert response_to(ONE.token) == ONE.key_authorization


def test_a_response_shown_by_two_orders_is_there_until_the_second_ends() -> None:
    first, second = OwnServerSolver(), OwnServerSolver()
    for solver in (first, second):
        solver.present(Context(5).begin(), ONE)
        solver.present(Context(5).begin(), ONE)
    for _ in range(2):
        first.clean_up(Context(5).begin(), ONE)
    assert response_to(ONE.token) == ONE.key_authorization
    second.clean_up(Context(5).begin(), ONE)
    assert not response_to(ONE.token)


def test_the_hint_is_for_a_response_that_nobody_asked_for() -> None:
    assert not unasked_hint(ONE.token)
    presented.present(OwnServerSolver(), ONE)
    response_to("another")
    assert "http01_response" in unasked_hint(ONE.token)
    response_to(ONE.token)
    assert not unasked_hint(ONE.token)
    presented.clean_up(ONE)
    presented.present(OwnServerSolver(), ONE)
    assert unasked_hint(ONE.token)
